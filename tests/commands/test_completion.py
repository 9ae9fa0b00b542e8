"""What the shell offers behind TAB."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbdag.commands.completing import complete_kernel_name, complete_notebook, complete_session

CHECKOUT = Path(__file__).resolve().parents[2]


def ask(folder: Path, **variables: str) -> str:
    """What ``nbdag`` answers to a shell."""
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "cli.py")],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("shell", "sign"), [("bash", "complete -o"), ("zsh", "#compdef nbdag"), ("fish", "complete --command nbdag")]
)
def test_there_is_a_script_for_each_shell(tmp_path: Path, shell: str, sign: str) -> None:
    assert sign in ask(tmp_path, _NBDAG_COMPLETE=f"source_{shell}")


@pytest.mark.parametrize(
    ("words", "offered"),
    [("nbdag comp", ["compile"]), ("nbdag plan --object", ["--objective"]), ("nbdag analyze w", ["wine.ipynb"])],
)
def test_bash_is_offered_commands_options_and_notebooks(tmp_path: Path, words: str, offered: list[str]) -> None:
    (tmp_path / "wine.ipynb").touch()
    (tmp_path / "wine.py").touch()
    said = ask(tmp_path, _NBDAG_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" ")))
    assert said.split() == offered


def test_notebooks_are_offered_before_scripts_and_directories_are_left_to_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.ipynb", "a.ipynb", "c.py", ".hidden.ipynb"):
        (tmp_path / name).touch()
    assert complete_notebook("") == ["a.ipynb", "b.ipynb"]
    assert complete_notebook("c") == ["c.py"]
    assert complete_notebook("nothing/") == []
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "d.ipynb").touch()
    assert complete_notebook("b") == []
    assert complete_notebook("below/") == [os.path.join("below", "d.ipynb")]


def test_kept_kernels_are_offered_by_their_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert complete_session("") == []
    (tmp_path / ".nbdag" / "sessions" / "session-12ab").mkdir(parents=True)
    assert complete_session("session-1") == ["session-12ab"]
    assert complete_session("x") == []


def test_names_of_kernelspecs_are_offered(tmp_path: Path) -> None:
    assert "python3" in complete_kernel_name("pyth") and complete_kernel_name("no such kernel") == []
    asked = "nbdag run --kernel-name pyth"
    said = ask(tmp_path, _NBDAG_COMPLETE="complete_bash", COMP_WORDS=asked, COMP_CWORD=str(asked.count(" ")))
    assert "python3" in said.split()
