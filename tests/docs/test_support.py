"""docs/support.md: it is what was measured, it is large enough, and a part of it measured again says the same."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from benchmarks.support.cases import read_libraries, read_library
from benchmarks.support.page import PAGE, RESULTS, Measured, read_results, render
from benchmarks.support.run import Row, measure

MEASURED = {one.name: one for one in read_results(RESULTS)}
LIBRARIES = {library.name: library for library in read_libraries()}

# Measured again here: what the tests' own environment has, in the version of the page, counting the first two parts.
SAMPLE = ("python_builtins", "python_library", "numpy")


def test_the_page_is_what_was_measured() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(list(MEASURED.values())), "python -m benchmarks.support --render"


def test_every_case_was_measured_and_nothing_else() -> None:
    assert {name: [row.label for row in one.rows] for name, one in MEASURED.items()} == {
        name: [case.label for case in library.cases] for name, library in LIBRARIES.items()
    }


def test_there_are_150_classes_of_30_libraries_and_most_of_them_in_two_versions() -> None:
    rows = [row for one in MEASURED.values() for row in one.rows]
    assert len(rows) >= 150
    assert len({name for one in MEASURED.values() for name in one.versions}) >= 30
    assert sum(bool(row.elsewhere) for row in rows) > len(rows) / 2


# Faults that docs/limits.md names among the known gaps. A case that is mended has to leave this list.
KNOWN_FAULTS: list[str] = []


def test_what_differs_is_said_by_nbdag_itself_but_for_the_known_faults() -> None:
    """A wrong value without a word is the worst there is."""
    silent = [
        f"{one.name}: {row.label}"
        for one in MEASURED.values()
        for row in one.rows
        if row.probes != "same" and row.travels != "lost" and row.proof not in ("different", "incomparable")
    ]
    assert silent == KNOWN_FAULTS


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Row("`a`", "stored", "", "identical", "", "same", ""), "| `a` | stored | identical |  |  |"),
        (
            Row("`a`", "stored", "", "detached", "from b", "same", "same"),
            "| stored | same answers, not shared | same answers | from b |",
        ),
        (
            Row("`a`", "replayed", "a lock", "incomparable", "lock", "same", ""),
            "| replayed | same answers |  | a lock |",
        ),
        (
            Row("`a`", "lost", "a | socket", "", "", "differs", "differs"),
            "| lost | named as lost | lost | a \\| socket |",
        ),
        (Row("`a`", "stored", "", "identical", "", "differs", ""), "| stored | **different answers** |"),
        (Row("`a`", "stored", "", "different", "x", "differs", ""), "| stored | **different answers**, named |"),
        (Row("`a`", "stored", "", "identical", "", "same", "differs"), "| identical | **different** |"),
        (Row("`a`", "replayed", "", "missing", "", "differs", ""), "| lost | named as lost |"),
    ],
)
def test_a_row_says_what_happened(row: Row, said: str) -> None:
    assert said in render([Measured("x", "X", {"x": "2"}, {}, (row,))])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1\n", "begins with a line"),
        ("# X\n# needs: x\n# %% a\na = 1\n", ":3: not"),
        ("# X\n# needs: x\n# %%\n# probe: a\n", ":4: a probe before"),
        ("# X\n# needs: x\n# %% a: int\na = 1\n", "a has no probe"),
    ],
)
def test_a_file_of_cases_that_is_wrong_is_refused_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "x.py"
    path.write_text(text)
    with pytest.raises(ValueError, match=complaint):
        read_library(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_measured_again_a_library_says_the_same(name: str, tmp_path: Path) -> None:
    library, before = LIBRARIES[name], MEASURED[name]
    for distribution, then in before.versions.items():
        now = _version(distribution)
        if now is None or now.split(".")[:2] != then.split(".")[:2]:
            pytest.skip(f"{distribution} is {now} here, and was {then}")
    rows = measure(library, tmp_path / "work", sys.executable)
    assert [_told(row) for row in rows] == [_told(row) for row in before.rows]


@pytest.mark.slow
def test_a_part_of_it_is_measured_whatever_versions_are_here(tmp_path: Path) -> None:
    library = LIBRARIES["python_builtins"]
    part = replace(
        library, cases=tuple(case for case in library.cases if case.kind in {"list", "generator", "function"})
    )
    rows = measure(part, tmp_path / "work", sys.executable)
    assert all(row.arrived for row in rows), [row for row in rows if not row.arrived]
    assert {row.travels for row in rows} == {"stored", "replayed"}


def _told(row: Row) -> tuple[str, str, str]:
    return row.label, row.travels, row.came_back


def _version(distribution: str) -> str | None:
    if distribution == "python":
        return ".".join(map(str, sys.version_info[:3]))
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
