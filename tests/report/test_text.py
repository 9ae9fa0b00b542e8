"""Reports for people: complete in a pipe, legible in a narrow terminal, and never taken for markup."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from math import inf

import pytest

from nbdag.model.bundle import Comparison, Verdict
from nbdag.model.plan import Action, Decision
from nbdag.model.results import Compiled
from nbdag.report.analysis import print_analysis
from nbdag.report.compiled import lost_names, print_compiled, say_lost
from nbdag.report.plan import print_plan
from nbdag.report.progress import TerminalProgress
from nbdag.report.tables import Column, Page
from nbdag.report.units import say_bytes, say_count, say_seconds
from tests.report.samples import ANALYSIS, COMPILED, PLANNED


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


def printed(write: Callable[[Page], None], stream: io.StringIO | None = None, **options: object) -> str:
    stream = io.StringIO() if stream is None else stream
    write(Page(stream, **options))  # type: ignore[arg-type]
    return stream.getvalue()


def squeezed(text: str) -> str:
    """Without the blanks and lines that wrapping puts between the letters of a word."""
    return re.sub(r"[\s─]+", "", text)


REPORTS = [
    lambda page: print_analysis(ANALYSIS, page),
    lambda page: print_compiled(COMPILED, page),
    lambda page: print_plan(PLANNED, page),
    lambda page: print_plan(replace(PLANNED, asked=("df", "np", "gen")), page),
]


@pytest.mark.parametrize("report", REPORTS)
def test_a_pipe_gets_plain_lines_without_colour_or_trailing_blanks(report: Callable[[Page], None]) -> None:
    text = printed(report)
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_terminal_is_not_overrun_and_nothing_is_cut(report: Callable[[Page], None], width: int) -> None:
    text = printed(report, Terminal(), width=width, color="never")
    assert max(len(line) for line in text.splitlines() if not line.startswith("restore it")) <= width
    essential = re.sub("import numpy.*|df = pd.read.*|part = df.*|begins with|─", "", printed(report))
    assert [word for word in essential.split() if squeezed(word) not in squeezed(text)] == []


@pytest.mark.parametrize("report", REPORTS)
def test_a_pipe_can_be_given_a_width(report: Callable[[Page], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    assert max(len(line) for line in printed(report).splitlines()) <= 90


def test_every_fact_of_an_analysis_is_there() -> None:
    text = printed(lambda page: print_analysis(ANALYSIS, page))
    lines = text.splitlines()
    assert lines[0] == "wine [red].ipynb: 4 code cells, 3 ran in 80 s"
    row = next(line for line in lines if line.lstrip().startswith("3 "))
    assert row.split() == (
        ["3", "2", "part,", "gen", "df,", "(np)", "df,", "del", "old", "opaque", "error", "part", "=", "df['[/]']"]
    )
    assert "cell 3 failed: ValueError: [red]no[/red]" in lines
    assert "cell 4 did not run: SyntaxError: invalid syntax" in lines
    assert "5 variables" not in text and "4 variables and 2 modules" in lines
    assert any("list[int]" in line and "3.1 MB" in line and "cell 3" in line for line in lines)
    assert "modules: np, pd" in lines
    assert "gen cannot be stored: a generator is not [red]pickled[/red]" in text
    assert lines[-6:] == [
        "2 findings",
        "error: cell 4, line 1, column 5: invalid syntax [syntax]",
        "      (1 +",
        "         ^",
        "    the cell was left out",
        "info: a small thing [shadowed]",
    ]


def test_every_fact_of_a_compilation_is_there() -> None:
    lines = printed(lambda page: print_compiled(COMPILED, page)).splitlines()
    rows = [line for line in lines if "stored" in line or "replayed" in line or " lost " in line]
    assert rows[0].split()[:3] == ["gen", "generator", "lost"]  # what is lost comes first
    assert any("df, part" in row and "3.1 MB" in row and "cheaper than 75 s" in row for row in rows)
    assert any(row.startswith("np, pd") and "an import" in row for row in rows)
    assert "2 stored (3.1 MB), 2 replayed (1 statement, 100 ms), 1 lost" in lines
    assert "objective migrate, destination 50.0 MB/s (given)" in lines
    compared = [line for line in lines if line.startswith(("this plan", "store ev", "replay ev", "cell by"))]
    assert [" ".join(line.split()) for line in compared] == [
        "this plan 200 ms 3.1 MB 1 100 ms loses gen",
        "store everything impossible 3.1 MB 1 100 ms has to replay gen; loses gen",
        "replay everything 75 s 0 B 3 75 s loses gen",
        "cell by cell 250 ms + 2 not exact 3.1 MB 2 150 ms loses gen and part",
    ]
    assert any("2 blobs of 3.0 MB, 1 of them there already" in line for line in lines)
    assert any("3 of 4 identical, 1 missing; restored in 900 ms, after 2 rounds" in line for line in lines)
    assert "    gen: missing (lost by the plan)" in lines
    assert lines[-1] == "restore it with: python '/tmp/my bundle/restore.py'"


def test_a_bundle_that_was_not_verified_says_so() -> None:
    text = printed(lambda page: print_compiled(replace(COMPILED, verdict=Verdict(verified=False)), page))
    assert "not verified" in text


@pytest.mark.parametrize(
    ("exclude", "only", "lost"), [((), (), ("gen",)), (("gen",), (), ()), ((), ("df",), ()), ((), ("gen",), ("gen",))]
)
def test_what_was_left_behind_on_purpose_is_not_lost(
    exclude: tuple[str, ...], only: tuple[str, ...], lost: tuple[str, ...]
) -> None:
    compiled: Compiled = COMPILED
    assert lost_names(compiled, exclude=exclude, only=only) == lost


def test_what_came_back_different_is_not_called_lost() -> None:
    verdict = replace(COMPILED.verdict, comparisons=(Comparison("gen", "missing"), Comparison("np", "different", ".")))
    decisions = tuple(
        replace(decision, reason="definition") if "np" in decision.names else decision
        for decision in COMPILED.plan.decisions
    )
    compiled = replace(COMPILED, verdict=verdict, plan=replace(COMPILED.plan, decisions=decisions))
    assert say_lost(compiled, lost_names(compiled)) == "1 lost: gen; 1 not as it was: np"
    assert "    np: different (its definition gave something else in that process)" in printed(
        lambda page: print_compiled(compiled, page)
    )


def test_colour_comes_when_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    write = REPORTS[1]
    assert "\x1b[" in printed(write, Terminal(), width=80)
    assert "\x1b[" in printed(write, color="always")
    assert "\x1b[" not in printed(write, Terminal(), width=80, color="never")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in printed(write, Terminal(), width=80)


def test_escapes_in_a_message_do_not_reach_the_terminal() -> None:
    assert printed(lambda page: page.line("\x1b[31mred\x07")) == "\ufffd[31mred\ufffd\n"


def test_an_ascii_stream_gets_ascii() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    Page(stream).table((Column("name"),), [["größe"]])
    stream.seek(0)
    assert stream.read().split() == ["name", "-----", "gr\\xf6\\xdfe"]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (123_456_789, "123 MB"), (10**13, "10.0 TB")],
)
def test_bytes(count: int, text: str) -> None:
    assert say_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0001, "<1 ms"),
        (0.0123, "12 ms"),
        (0.9999, "1.0 s"),
        (1.25, "1.2 s"),
        (12.0, "12 s"),
        (119.6, "2 min 0 s"),
        (3700.0, "1 h 1 min"),
        (float("inf"), "never"),
    ],
)
def test_seconds(seconds: float, text: str) -> None:
    assert say_seconds(seconds) == text


def test_counts() -> None:
    assert [say_count(1, "cell"), say_count(2, "cell"), say_count(0, "copy", "copies")] == [
        "1 cell",
        "2 cells",
        "0 copies",
    ]


@pytest.mark.parametrize(
    ("level", "lines"),
    [
        (0, []),
        (1, ["nbdag: the kernel is gone", "nbdag: surveying"]),
        (2, ["nbdag: the kernel is gone", "nbdag: running 1/2 cell 1", "nbdag: surveying", "nbdag: done in 2.0 s"]),
    ],
)
def test_progress_off_a_terminal_is_lines(level: int, lines: list[str]) -> None:
    stream = io.StringIO()
    progress = TerminalProgress(level=level, stream=stream)
    progress.say("the kernel is gone")
    progress.begin("running", 2)
    progress.advance(1, "cell 1")
    progress.end()
    progress.begin("compiling", None)
    progress.say("surveying")
    progress.end()
    progress.done("done", 2.0)
    assert stream.getvalue().splitlines() == lines


def test_progress_on_a_terminal_is_a_bar_that_goes_away() -> None:
    stream = Terminal()
    progress = TerminalProgress(stream=stream)
    progress.begin("running [red]", 2)
    progress.advance(1, "cell [/] 1")
    progress.say("the kernel is [bold]busy[/]")
    progress.begin("compiling", None)  # without end(): an error came between
    progress.say("surveying")
    progress.end()
    progress.end()
    assert "nbdag: the kernel is [bold]busy[/]" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[?25h") or "\x1b[?25h" in stream.getvalue()  # the cursor is back


def test_the_reasons_of_a_compilation_say_no_name_twice_and_bytes_where_bytes_count() -> None:
    decisions = (
        Decision(("gen",), Action.REPLAY, "cannot be stored: gen: a generator is running", inf, 0.1, 0),
        Decision(("raw",), Action.REPLAY, "replaying takes 39 ms, storing 8.4 s", 8.4, 0.039, 84_000),
        Decision(("n",), Action.REPLAY, "its statements are replayed anyway, storing takes 12 ms", 0.012, 0.05, 120),
    )
    compiled = replace(COMPILED, objective="size", plan=replace(COMPILED.plan, decisions=decisions))
    text = printed(lambda page: print_compiled(compiled, page))
    assert "cannot be stored: a generator is running" in text
    assert "84.0 kB count more than 39 ms of replaying" in text and "8.4 s" not in text and "12 ms" not in text
