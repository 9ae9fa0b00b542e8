"""Which notebook a kernel belongs to, as far as its server says so."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from nbdag.portable.agent import notebook_file


def test_the_servers_word_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("jupyter.ipynb", "vscode.ipynb"):
        (tmp_path / name).write_text("{}")
    shell = SimpleNamespace(user_ns={"__vsc_ipynb_file__": str(tmp_path / "vscode.ipynb")})
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "jupyter.ipynb"))
    assert notebook_file(shell) == str(tmp_path / "jupyter.ipynb")
    monkeypatch.delenv("JPY_SESSION_NAME")
    assert notebook_file(shell) == str(tmp_path / "vscode.ipynb")


@pytest.mark.parametrize("said", ["", "console-1", "gone.ipynb", "notes.txt"])
def test_what_is_no_notebook_file_says_nothing(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", said)
    assert notebook_file(SimpleNamespace(user_ns={})) == ""
