"""The demo of the README: it ends well, and it really compares something."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


def test_the_notebook_is_valid_and_carries_no_output() -> None:
    notebook = nbformat.read(CHECKOUT / "examples" / "demo.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


@pytest.mark.slow
def test_the_demo_restores_the_same_session(tmp_path: Path) -> None:
    checkout = tmp_path / "a check out"
    checkout.mkdir()
    shutil.copytree(CHECKOUT / "examples", checkout / "examples")
    shutil.copy(CHECKOUT / "cli.py", checkout)
    (checkout / "nbdag").symlink_to(CHECKOUT / "nbdag")
    told = subprocess.run(
        [sys.executable, str(checkout / "examples" / "demo.py")], capture_output=True, text=True, timeout=300
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "19 of 19 answers are the same" in told.stdout
    assert "DIFFERENT" not in told.stdout
    assert not list((checkout / ".nbdag" / "sessions").iterdir())
