"""Every command of the tutorial and the how-tos, run as a reader would, and held against what the page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import Command, File, missing_line, needed_modules, read_page

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "howto").glob("*.md"))]


@pytest.mark.parametrize(
    ("expected", "output", "missing"),
    [
        (("a  b", "c"), "x\na b\ny\nc\n", ""),
        (("c", "a"), "a\nc\n", "a"),
        (("took 3.5 ms", "..."), "took 12 s\n", ""),
        (("took 3.5 ms",), "took long\n", "took 3.5 ms"),
        (("table: stored ...",), "table: stored (dict, 3 kB)\n", ""),
        (("table: stored ...",), "table: replayed (dict)\n", "table: stored ..."),
        (("ended session-67bbad",), "ended session-0a1b2c\n", ""),
    ],
)
def test_a_line_of_a_page_has_to_be_in_the_output_in_its_place(
    expected: tuple[str, ...], output: str, missing: str
) -> None:
    assert missing_line(expected, output) == missing


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_page_has_commands_or_says_why_none_is_run(page: Path) -> None:
    assert read_page(page) or "<!-- not run: " in page.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kept kernels need POSIX, and the pages are written for its shells")
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    for module in needed_modules(page):
        pytest.importorskip(module)
    work = tmp_path / "work"
    work.mkdir()
    variables = _environment(tmp_path)
    try:
        for step in read_page(page):
            if isinstance(step, File):
                target = work / step.path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(step.text, encoding="utf-8")
            else:
                _run(step, work, variables)
    finally:
        subprocess.run(["nbdag", "stop", "--all"], cwd=work, env=variables, capture_output=True, check=False)


def _run(step: Command, work: Path, variables: dict[str, str]) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", step.line],
        cwd=work,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == step.status, f"$ {step.line}\n{done.stdout}"
    lacking = missing_line(step.expected, done.stdout)
    assert not lacking, f"$ {step.line}\nthe page has a line {lacking!r}; the output is\n{done.stdout}"


def _environment(folder: Path) -> dict[str, str]:
    """``nbdag`` and ``python`` are those of this test run, and nothing is written into the user's own directories."""
    programs, home = folder / "bin", folder / "home"
    programs.mkdir()
    home.mkdir()
    for name, command in {
        "nbdag": [sys.executable, str(CHECKOUT / "cli.py")],
        "python": [sys.executable],
    }.items():
        script = programs / name
        script.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in command) + ' "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "IPYTHON", "NBDAG"))}
    return {
        **kept,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "MPLBACKEND": "agg",
    }
