"""``nbdag analyze`` for several files and directories at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nbdag import cli
from nbdag.analysis import several
from nbdag.analysis.finding import Missing, find_notebooks
from nbdag.analysis.several import analyze_files
from nbdag.analysis.static import read_settled
from nbdag.errors import NotebookError
from nbdag.model.results import Analysis, Failed
from tests.test_cli_real import nbdag, write_notebook


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def places(*paths: str) -> list[str]:
    found = find_notebooks([Path(path) for path in paths])
    return [f"?{one.error.message}" if isinstance(one, Missing) else one.as_posix() for one in found]


# ------------------------------------------------------------------------------------------------ which files


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_notebook(Path(name), "x = 1")


def test_directories_are_searched_in_the_order_of_their_paths(folder: Path) -> None:
    make("d/b.ipynb", "d/a.ipynb", "d/a/z.ipynb", "d/deep/er/c.ipynb", "d/B.ipynb")
    assert places("d") == ["d/B.ipynb", "d/a/z.ipynb", "d/a.ipynb", "d/b.ipynb", "d/deep/er/c.ipynb"]


def test_the_order_of_the_command_line_is_kept_and_a_file_counts_once(folder: Path) -> None:
    make("d/a.ipynb", "d/b.ipynb", "c.ipynb")
    os.symlink("c.ipynb", "link.ipynb")
    assert places("d/b.ipynb", "c.ipynb", "d", "./c.ipynb", "link.ipynb") == ["d/b.ipynb", "c.ipynb", "d/a.ipynb"]


def test_what_begins_with_a_dot_is_passed_over_unless_it_is_named(folder: Path) -> None:
    make("d/.ipynb_checkpoints/a-checkpoint.ipynb", "d/.nbdag/x.ipynb", "d/.venv/y.ipynb", "d/.h.ipynb", "d/a.ipynb")
    assert places("d") == ["d/a.ipynb"]
    assert places("d/.venv", "d/.h.ipynb") == ["d/.venv/y.ipynb", "d/.h.ipynb"]


def test_links_to_directories_are_not_followed_unless_they_are_named(folder: Path) -> None:
    make("d/a.ipynb")
    os.symlink("..", "d/up")
    os.symlink("d", "e")
    assert places("d") == ["d/a.ipynb"]
    assert places("e") == ["e/a.ipynb"]


def test_a_directory_is_one_whatever_it_is_called(folder: Path) -> None:
    make("d/old.ipynb/a.ipynb")
    assert places("d") == places("d/old.ipynb") == ["d/old.ipynb/a.ipynb"]


def test_a_directory_without_notebooks_is_said_to_have_none(folder: Path) -> None:
    make("d/a.ipynb")
    (folder / "e").mkdir()
    (folder / "e" / "script.py").write_text("x = 1")
    assert places("e", "d") == ["?e: no notebook in this directory", "d/a.ipynb"]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_an_unreadable_directory_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make("d/a.ipynb", "d/shut/b.ipynb")
    listing = os.scandir

    def scandir(path: Any) -> Any:  # root may read everything, so no mode of a directory helps here
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert places("d") == ["?d/shut: the directory cannot be read: Permission denied", "d/a.ipynb"]


# ------------------------------------------------------------------------------------------------ what comes of them


def test_one_broken_file_does_not_stop_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make("a.ipynb", "d/c.ipynb")
    (folder / "b.ipynb").write_text("{")
    assert cli.run(["analyze", "--static", "a.ipynb", "b.ipynb", "gone.ipynb", "d", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == "nbdag-analyses" and document["version"] == 1
    rows = document["notebooks"]
    assert [row["notebook"] for row in rows] == ["a.ipynb", "b.ipynb", "gone.ipynb", "d/c.ipynb"]
    assert [row["analysis"] is None for row in rows] == [False, True, True, False]
    assert rows[1]["error"]["code"] == "notebook" and rows[1]["error"]["exit_status"] == 2
    assert rows[3]["error"] is None


def test_each_analysis_is_what_the_file_alone_gives(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make("a.ipynb", "b.ipynb")
    assert cli.run(["analyze", "--static", "a.ipynb", "--format", "json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert cli.run(["analyze", "--static", "a.ipynb", "b.ipynb", "--format", "json"]) == 0
    among = json.loads(capsys.readouterr().out)["notebooks"][0]["analysis"]
    for document in (alone, among):
        del document["seconds"]
    assert alone == {"format": "nbdag-analysis", "version": 1, "nbdag": alone["nbdag"], **among}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["a.ipynb", "a.ipynb"], 0),
        (["d"], 0),
        (["a.ipynb", "syntax.ipynb"], 1),  # a cell was left out
        (["a.ipynb", "gone.ipynb"], 1),
        (["gone.ipynb", "nor.ipynb"], 2),  # not one could be analyzed
        (["empty"], 2),
    ],
)
def test_the_exit_status_of_several(folder: Path, words: list[str], status: int) -> None:
    make("a.ipynb", "d/b.ipynb")
    write_notebook(folder / "syntax.ipynb", "def (")
    (folder / "empty").mkdir()
    assert cli.run(["analyze", "--static", *words]) == status


def test_the_report_has_a_row_per_notebook_and_its_findings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make("a.ipynb")
    write_notebook(folder / "s.ipynb", "def (", "y = 1")
    cli.run(["analyze", "--static", "a.ipynb", "s.ipynb", "gone.ipynb"])
    told = capsys.readouterr().out
    lines = told.splitlines()
    assert lines[0] == "2 notebooks, 3 code cells, 1 failed"
    assert [line.split()[0] for line in lines[4:7]] == ["a.ipynb", "s.ipynb", "gone.ipynb"]
    assert "1 error" in lines[5] and "failed" in lines[6]
    assert "syntax" in told and "gone.ipynb: no such file [notebook]" in told


def test_a_directory_with_nothing_in_it_is_a_line_and_a_hint(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "n.ipynb").mkdir()
    assert cli.run(["analyze", "n.ipynb"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("nbdag: n.ipynb: no notebook in this directory\n  hint: ")


# ------------------------------------------------------------------------------------------------ workers


def test_workers_say_what_this_process_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(*(f"{number}.ipynb" for number in range(5)))
    (folder / "bad.ipynb").write_text("{")
    paths = [*sorted(Path(".").glob("*.ipynb")), Path("gone.ipynb")]
    here = analyze_files(paths, 1)
    monkeypatch.setattr(several, "_WORTH_A_WORKER", 1)
    ended: list[Path] = []
    there = analyze_files(paths, 2, ended.append)
    assert sorted(ended) == sorted(paths)

    def essence(results: list[Analysis | Failed]) -> list[object]:
        return [(one.notebook, one.cells) if isinstance(one, Analysis) else one for one in results]

    assert essence(here) == essence(there)


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_a_worker_that_dies_takes_only_its_file_with_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(*(f"{number}.ipynb" for number in range(3)))
    monkeypatch.setattr(several, "_WORTH_A_WORKER", 1)
    asked: list[Path] = []
    really = several._Worker.analyze

    def analyze(self: Any, path: Path) -> Analysis | Failed:
        asked.append(path)
        if path.name == "1.ipynb":
            self.process.kill()
            self.process.wait()
        return really(self, path)

    monkeypatch.setattr(several._Worker, "analyze", analyze)
    results = analyze_files([Path(f"{number}.ipynb") for number in range(3)], 2)
    assert [type(result) for result in results] == [Analysis, Failed, Analysis]
    assert isinstance(results[1], Failed) and "signal 9" in results[1].message


def test_a_fault_of_nbdag_in_one_file_is_its_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make("a.ipynb", "b.ipynb")
    from nbdag.analysis import static

    really = static.analyze_file

    def analyze_file(path: Path) -> Analysis:
        if path.name == "a.ipynb":
            raise ValueError("surprise")
        return really(path)

    monkeypatch.setattr(static, "analyze_file", analyze_file)
    first, second = analyze_files([Path("a.ipynb"), Path("b.ipynb")], 1)
    assert isinstance(first, Failed) and first.exit_status == 70 and "surprise" in first.traceback
    assert isinstance(second, Analysis)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_leaves_no_worker(folder: Path) -> None:
    for number in range(60):
        write_notebook(folder / f"{number}.ipynb", *[f"a{line} = b + {line}\n" * 40 for line in range(30)])
    command = subprocess.Popen(
        [sys.executable, "-m", "nbdag", "analyze", "--static", ".", "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children: list[str] = []
    deadline = time.monotonic() + 30
    while len(children) < 2 and command.poll() is None and time.monotonic() < deadline:
        children = subprocess.run(["pgrep", "-P", str(command.pid)], capture_output=True, text=True).stdout.split()
        time.sleep(0.05)
    os.killpg(command.pid, signal.SIGINT)
    _, told = command.communicate(timeout=30)
    assert command.returncode == 130 and told == "\nnbdag: interrupted\n"
    assert len(children) == 2 and not any(_runs(int(child)) for child in children)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# ------------------------------------------------------------------------------------------------ changing files


def test_a_file_that_is_being_written_is_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbdag.analysis import static

    make("a.ipynb")
    whole = Path("a.ipynb").read_text()
    Path("a.ipynb").write_text(whole[: len(whole) // 2])
    really = static.read_notebook

    def read_notebook(path: Path) -> Any:
        try:
            return really(path)
        finally:
            if path.read_text() != whole:
                path.write_text(whole)  # the editor goes on behind the reader's back

    monkeypatch.setattr(static, "read_notebook", read_notebook)
    assert [cell.source for cell in read_settled(Path("a.ipynb")).cells] == ["x = 1"]


def test_a_file_that_never_settles_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbdag.analysis import static

    make("a.ipynb")
    stamps = iter(range(100))
    monkeypatch.setattr(static, "_stamp", lambda path: next(stamps))
    monkeypatch.setattr(static, "_PAUSE", 0.0)
    with pytest.raises(NotebookError, match=r"a\.ipynb: the file changes while it is read"):
        read_settled(Path("a.ipynb"))


# ------------------------------------------------------------------------------------------------ in kernels


def test_several_notebooks_run_one_after_the_other_and_no_kernel_stays(folder: Path) -> None:
    write_notebook(folder / "a.ipynb", "x = 1")
    write_notebook(folder / "b.ipynb", "raise ValueError('no')")
    write_notebook(folder / "c.ipynb", "y = 2")
    told = nbdag(folder, "analyze", "a.ipynb", "b.ipynb", "c.ipynb", "--format", "json")
    assert told.returncode == 1, told.stderr
    rows = json.loads(told.stdout)["notebooks"]
    assert [row["error"] and row["error"]["code"] for row in rows] == [None, "cell-failed", None]
    assert rows[2]["analysis"]["variables"][0]["name"] == "y"
    from nbdag.analysis.kernels import sessions

    deadline = time.monotonic() + 5
    while (left := sessions(folder / ".nbdag")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
