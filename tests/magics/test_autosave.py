"""``%nbdag autosave`` in a real kernel."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdag.saving.directory import last_save
from tests.portable.agent_kernel import Kernel
from tests.saving.kernels import restored, wait_for_savers

ROOT = str(Path(__file__).resolve().parents[2])

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="a session is copied by fork on Linux only"
)


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Kernel]:
    running = Kernel(sys.executable, tmp_path)
    running.cell(f"import sys; sys.path.insert(0, {ROOT!r})\n%load_ext nbdag")
    yield running
    running.close()
    wait_for_savers(tmp_path / "saves")


def test_a_session_is_told_to_save_itself(notebook: Kernel, tmp_path: Path) -> None:
    assert "does not save itself; %nbdag autosave DIR has it do so" in notebook.cell("%nbdag autosave status")
    notebook.cell("words = ['one']")
    shown = notebook.cell("%nbdag autosave saves --every 0.2s")
    assert shown.startswith("this session saves itself into saves when something ran")
    assert "python saves/restore.py" in shown
    deadline = time.monotonic() + 60
    while "saved at" not in (shown := notebook.cell("%nbdag autosave")):
        assert time.monotonic() < deadline, shown
        time.sleep(0.2)
    assert "variable" in shown and "in the background" in shown and "failed" not in shown
    assert "no longer saves itself" in notebook.cell("%nbdag autosave off")
    assert "did not save itself" in notebook.cell("%nbdag autosave off")
    wait_for_savers(tmp_path / "saves")
    assert last_save(tmp_path / "saves").bundle is not None
    assert restored(tmp_path / "saves", "words")[0] == ["one"]
    claim = json.loads((tmp_path / "saves" / "autosave.json").read_text())
    assert claim["active"] is False


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%nbdag autosave here --every soon", "--every soon: not a time"),
        ("%nbdag autosave here --every 100h", "a day at most"),
        ("%nbdag autosave off --every 5s", "takes no options"),
        ("%nbdag autosave ipython", "is no part of a saved session"),
        ("%nbdag autosave here there", "unrecognized arguments"),
    ],
)
def test_what_is_refused(line: str, message: str, notebook: Kernel, tmp_path: Path) -> None:
    (tmp_path / "ipython").mkdir(exist_ok=True)
    (tmp_path / "ipython" / "mine.txt").write_text("x")
    shown = notebook.cell(line)
    assert message in shown and "Traceback" not in shown
    assert not (tmp_path / "here").exists()
