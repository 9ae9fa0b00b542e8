"""``nbdag graph``: what is written where, and what the user is told."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from nbdag.cli import run

SCRIPT = "# %%\nxs = [1]\n# %%\nys = xs\n"


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("wine.py")
    path.write_text(SCRIPT)
    return path


def test_without_a_kernel_the_picture_shows_what_the_code_says(
    notebook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["graph", "wine.py"]) == 0
    assert "read, not run" in Path("wine.dag.html").read_text(encoding="utf-8")
    said = capsys.readouterr()
    assert said.out == ""
    assert "has no kernel here" in said.err and "wrote wine.dag.html" in said.err


@pytest.mark.parametrize(
    ("name", "begins"),
    [("d.svg", "<svg"), ("d.dot", "digraph"), ("d.mmd", "flowchart"), ("d.json", "{"), ("d.HTML", "<!DOCTYPE html>")],
)
def test_the_name_of_the_file_says_how_to_draw(notebook: Path, name: str, begins: str) -> None:
    assert run(["graph", "wine.py", "--static", "--quiet", "-o", name]) == 0
    assert Path(name).read_text(encoding="utf-8").startswith(begins)


def test_a_dash_is_stdout(notebook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["graph", "wine.py", "--static", "--format", "json", "-o", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["edges"] == [{"from": 0, "to": 1, "names": ["xs"], "evidence": "static"}]
    assert run(["graph", "wine.py", "--static", "--format", "svg", "-o", "-"]) == 0
    ElementTree.fromstring(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["graph", "wine.py", "-o", "wine.pdf"], "no format goes by .pdf"),
        (["graph", "wine.py", "-o", "nowhere/dag.svg"], "there is no directory nowhere"),
        (["graph", "vine.py"], "did you mean wine.py"),
        (["graph"], "no session was analyzed in this directory"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_line(
    notebook: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(arguments) == 2
    assert said in capsys.readouterr().err
    assert not list(Path().glob("*.dag.*"))
