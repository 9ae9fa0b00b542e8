"""The command line in front of a pipeline that is played: what is asked of it, what is printed, how it ends."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nbdag import __version__, cli
from nbdag.errors import (
    CellFailed,
    EnvironmentRefused,
    IntegrityError,
    KernelDied,
    KernelProtocolError,
    NotebookError,
    OutputError,
    PlanError,
)
from nbdag.model.findings import Severity
from tests.report.samples import ANALYSIS, COMPILED, PLANNED

CLEAN = replace(ANALYSIS, diagnostics=())


class PlayedPipeline(SimpleNamespace):
    """Returns what it is told to, or raises it, and remembers how it was asked."""

    def __init__(self, result: Any = None) -> None:
        super().__init__(result=result, asked=[])

    def _answer(self, *arguments: Any, **options: Any) -> Any:
        self.asked.append((arguments, options))
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result() if callable(self.result) else self.result

    analyze = compile_bundle = plan_session = _answer


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Any], PlayedPipeline]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NBDAG_DEBUG", raising=False)

    def play(result: Any) -> PlayedPipeline:
        pipeline = PlayedPipeline(result)
        monkeypatch.setitem(sys.modules, "nbdag.pipeline", pipeline)  # type: ignore[arg-type]
        monkeypatch.setattr("nbdag.pipeline", pipeline, raising=False)
        return pipeline

    return play


Play = Callable[[Any], PlayedPipeline]

# ------------------------------------------------------------------------------------------------ what is asked


def test_analyze_asks_for_what_was_said(play: Play) -> None:
    pipeline = play(CLEAN)
    options = "--static --kernel-name k --allow-errors --cell-timeout 5 --idle-timeout 60"
    assert cli.run(["analyze", "n.ipynb", *options.split()]) == 0
    ((path,), asked) = pipeline.asked[0]
    del asked["progress"]
    assert path == Path("n.ipynb")
    assert asked == {
        "static": True,
        "kernel_name": "k",
        "allow_errors": True,
        "state_directory": Path(".nbdag"),
        "cell_timeout": 5.0,
        "idle_seconds": 60.0,
    }


def test_compile_asks_for_what_was_said(play: Play) -> None:
    pipeline = play(COMPILED)
    choices = (
        "--objective size --bandwidth 8Mbit/s --max-size 1.5GB --include-files data/*.csv --no-verify --allow-errors"
        " --compression zlib --store-dir store"
    )
    names = "--store a --store b --replay c --exclude gen --only df"
    assert cli.run(["compile", "n.ipynb", "--out", "bundle", *choices.split(), *names.split()]) == 0
    ((out,), asked) = pipeline.asked[0]
    del asked["progress"]
    assert out == Path("bundle")
    assert asked == {
        "notebook": Path("n.ipynb"),
        "connection_file": None,
        "agent": None,
        "state_directory": Path(".nbdag"),
        "objective": "size",
        "bandwidth": 1e6,
        "max_bytes": 1_500_000_000,
        "verify": False,
        "include_files": "data/*.csv",
        "compression": "zlib",
        "store_directory": Path("store"),
        "timeout": None,
        "allow_errors": True,
        "store": ("a", "b"),
        "replay": ("c",),
        "exclude": ("gen",),
        "with_credentials": False,
        "only": ("df",),
    }


def test_plan_asks_for_what_was_said(play: Play) -> None:
    pipeline = play(PLANNED)
    choices = "--objective restore --bandwidth 1MB/s --to /data --max-size 500MiB --allow-errors --kernel k.json"
    names = "--with-credentials --store a --replay c --exclude d --only df --explain df --explain gen --explain df"
    assert cli.run(["plan", "n.ipynb", *choices.split(), *names.split()]) == 1
    ((), asked) = pipeline.asked[0]
    del asked["progress"]
    assert asked == {
        "notebook": Path("n.ipynb"),
        "connection_file": Path("k.json"),
        "agent": None,
        "state_directory": Path(".nbdag"),
        "destination": Path("/data"),
        "objective": "restore",
        "bandwidth": 1e6,
        "max_bytes": 524_288_000,
        "allow_errors": True,
        "store": ("a",),
        "replay": ("c",),
        "exclude": ("d",),
        "with_credentials": True,
        "only": ("df",),
        "explained": ("df", "gen"),
    }


# ------------------------------------------------------------------------------------------------ what is printed


def test_a_plan_is_text_json_or_a_page(play: Play, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    play(PLANNED)
    assert cli.run(["plan"]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("wine [red].ipynb: plan for 5 of 6 variables\n")
    assert told.err == "nbdag: 1 would be lost: gen\n"
    assert cli.run(["plan", "--format", "json", "-q"]) == 1
    assert json.loads(capsys.readouterr().out)["format"] == "nbdag-plan"
    assert cli.run(["plan", "--format", "html", "-q", "-o", "plan.html"]) == 1
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "plan.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_plan_that_loses_nothing_ends_well(play: Play) -> None:
    plan = replace(PLANNED.plan, decisions=PLANNED.plan.decisions[:2])
    play(replace(PLANNED, plan=plan))
    assert cli.run(["plan", "-q"]) == 0


def test_results_go_to_stdout_and_messages_to_stderr(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play(CLEAN)
    assert cli.run(["analyze", "n.ipynb", "--format", "json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["format"] == "nbdag-analysis"
    assert told.err == "nbdag: kernel wine-123abc is kept; next: nbdag compile --out restore_bundle/ (or: nbdag stop)\n"


def test_quiet_says_nothing_but_the_result(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play(COMPILED)
    assert cli.run(["compile", "--out", "b", "-q", "--format", "json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["lost"] == ["gen"]
    assert told.err == ""


def test_a_result_can_go_to_a_file(play: Play, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    play(CLEAN)
    assert cli.run(["analyze", "n.ipynb", "-q", "-o", "facts.txt", "--color", "always"]) == 0
    assert capsys.readouterr().out == ""
    text = (tmp_path / "facts.txt").read_text(encoding="utf-8")
    assert "4 variables" in text and "\x1b" not in text


@pytest.mark.parametrize(
    ("result", "words", "status"),
    [
        (CLEAN, ["analyze", "n.ipynb"], 0),
        (ANALYSIS, ["analyze", "n.ipynb"], 1),  # a cell was left out
        (
            replace(ANALYSIS, diagnostics=tuple(replace(d, severity=Severity.WARNING) for d in ANALYSIS.diagnostics)),
            ["analyze", "n.ipynb"],
            0,
        ),
        (COMPILED, ["compile", "--out", "b"], 1),  # gen is lost
        (COMPILED, ["compile", "--out", "b", "--exclude", "gen"], 0),
    ],
)
def test_what_was_lost_is_in_the_status(play: Play, result: Any, words: list[str], status: int) -> None:
    play(result)
    assert cli.run(words) == status


# ------------------------------------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotebookError("n.ipynb: no such file", "look again"), 2),
        (OutputError("bundle: is a file", "look again"), 2),
        (PlanError("nothing moves", "look again"), 3),
        (EnvironmentRefused("no kernel named 'x'", "look again"), 4),
        (IntegrityError("damaged", "look again"), 5),
        (CellFailed("cell 3 failed", "look again"), 1),
        (KernelProtocolError("the recorder failed", "look again"), 1),
        (KernelDied("the kernel died in cell 2", "look again"), 138),
    ],
)
def test_an_error_is_a_line_a_hint_and_a_status(
    play: Play, capsys: pytest.CaptureFixture[str], error: Any, status: int
) -> None:
    play(error)
    assert cli.run(["analyze", "n.ipynb"]) == status
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"nbdag: {error.message}\n  hint: look again\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nonsense"], "nbdag: No such command 'nonsense'."),
        (["analyze"], "nbdag: Missing argument"),
        (["stop", "a", "b"], "nbdag: Got unexpected extra argument"),
        (["analyze", "a", "--nonsense"], "nbdag: No such option"),
        (["analyze", "a", "--format", "xml"], "nbdag: Invalid value for '--format'"),
        (["analyze", "a", "--color", "red"], "nbdag: Invalid value for '--color'"),
        (["analyze", "a", "--cell-timeout", "0"], "nbdag: Invalid value for '--cell-timeout'"),
        (["analyze", "a", "--idle-timeout", "-1"], "nbdag: Invalid value for '--idle-timeout'"),
        (["analyze", "a", "-o", "."], "nbdag: .: is a directory"),
        (["analyze", "a", "-o", "no/where"], "nbdag: no/where: there is no directory no"),
        (["compile"], "nbdag: Missing option '--out'"),
        (["compile", "--out", "b", "--objective", "speed"], "nbdag: Invalid value for '--objective'"),
        (["compile", "--out", "b", "--bandwidth", "fast"], "nbdag: --bandwidth fast: not a speed"),
        (["compile", "--out", "b", "--max-size", "big"], "nbdag: --max-size big: not a size"),
        (["plan", "--max-size", "2Gb"], "nbdag: --max-size 2Gb: bits or bytes?"),
        (["plan", "--format", "svg"], "nbdag: Invalid value for '--format'"),
        (["plan", "-o", "."], "nbdag: .: is a directory"),
        (["stop", "x"], "nbdag: no kernel 'x' is kept alive here; there are: none"),
    ],
)
def test_wrong_usage_is_status_2_and_one_line(
    play: Play, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    pipeline = play(CLEAN)
    assert cli.run(words) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(message)
    assert len(told) == 2 and told[1].startswith("  hint: ")
    assert pipeline.asked == []  # found before the notebook runs


def test_a_fault_of_nbdag_is_a_line_and_a_log(play: Play, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    play(ZeroDivisionError("division\nby zero"))
    assert cli.run(["analyze", "n.ipynb"]) == cli.FAULT
    first, second = capsys.readouterr().err.splitlines()
    (log,) = (tmp_path / ".nbdag").glob("crash-*.log")
    assert first == "nbdag: a fault of nbdag itself: ZeroDivisionError: division by zero"
    assert second == f"  hint: please report it with {log.relative_to(tmp_path)}"
    assert "Traceback" in log.read_text() and "_answer" in log.read_text()


def test_a_fault_where_no_log_can_be_written(play: Play, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / ".nbdag").touch()
    play(ZeroDivisionError("x"))
    assert cli.run(["analyze", "n.ipynb"]) == cli.FAULT
    assert "NBDAG_DEBUG=1" in capsys.readouterr().err


def test_debugging_shows_the_traceback(
    play: Play, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBDAG_DEBUG", "1")
    play(PlanError("nothing moves"))
    assert cli.run(["analyze", "n.ipynb"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_130(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play(KeyboardInterrupt())
    assert cli.run(["analyze", "n.ipynb"]) == 130
    assert capsys.readouterr().err == "\nnbdag: interrupted\n"


def test_a_full_disk_is_said_in_one_line(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "bundle/data.msgpack"))
    assert cli.run(["compile", "--out", "bundle"]) == 2
    assert capsys.readouterr().err.splitlines()[0] == "nbdag: bundle/data.msgpack: No space left on device"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_behind_the_report(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play(CLEAN)
    assert cli.run(["analyze", "n.ipynb", "-q", "-o", "/dev/full"]) == 2
    assert capsys.readouterr().err.splitlines()[0] == "nbdag: /dev/full: cannot write: No space left on device"


# ------------------------------------------------------------------------------------------------ as a process


def process(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "nbdag", *words], capture_output=True, text=True, **options)


HEAVY = ("libcst", "nbformat", "jupyter_client", "networkx", "IPython", "numpy", "msgpack", "zmq")


def test_help_imports_nothing_heavy_and_has_examples() -> None:
    told = process("--help")
    assert told.returncode == 0 and "nbdag analyze notebook.ipynb" in told.stdout
    code = f"import sys, nbdag.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
    for command in ("analyze", "compile", "sessions", "stop"):
        assert command in told.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom nbdag import cli\ncli.run(['--help'])\n"
        "heavy = {'libcst', 'jupyter_client', 'zmq', 'networkx', 'nbformat', 'IPython', 'numpy', 'asyncio'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr


def test_no_words_at_all_are_a_question_for_help() -> None:
    assert process().stdout == process("--help").stdout


def test_the_version() -> None:
    assert process("--version").stdout == f"nbdag {__version__}\n"


def test_a_checkout_runs_without_installing(tmp_path: Path) -> None:
    script = Path(cli.__file__).parents[1] / "cli.py"
    told = subprocess.run([sys.executable, str(script), "--version"], capture_output=True, text=True, cwd=tmp_path)
    assert told.stdout == f"nbdag {__version__}\n"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom nbdag import cli\nfrom nbdag.report.tables import Page\n"
        "cli.sessions = None\n"
        "@cli.app.command()\ndef talk():\n    for n in range(100000):\n        print(n)\n"
        "sys.argv = ['nbdag', 'talk']\ncli.main()"
    )
    talker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert talker.stdout is not None and talker.stderr is not None
    assert talker.stdout.readline() == "0\n"
    talker.stdout.close()
    assert (talker.wait(10), talker.stderr.read()) == (141, "")
    talker.stderr.close()


def test_sessions_and_stop_where_nothing_is_kept(tmp_path: Path) -> None:
    for words in (("sessions",), ("stop",), ("stop", "--all")):
        told = process(*words, cwd=tmp_path)
        assert (told.returncode, told.stdout, told.stderr) == (0, "", "no kernel is kept alive here\n")
    assert json.loads(process("sessions", "--format", "json", cwd=tmp_path).stdout)["sessions"] == []
    assert list(tmp_path.iterdir()) == []


def test_a_users_modules_do_not_get_in_the_way(tmp_path: Path) -> None:
    for name in ("json", "random", "typing", "jupyter_client"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    begun = time.monotonic()
    script = Path(cli.__file__).parents[1] / "cli.py"
    told = subprocess.run([sys.executable, str(script), "sessions"], capture_output=True, text=True, cwd=tmp_path)
    assert told.stderr == "no kernel is kept alive here\n", time.monotonic() - begun
