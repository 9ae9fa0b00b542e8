"""Where another process answers than the one that the state went to, nothing of it counts as being there."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdag.errors import KernelDied
from nbdag.remote.lazy import placeholders
from nbdag.remote.model import CellRequest
from nbdag.remote.sessions import sessions_of
from tests.remote.notebook import Notebook
from tests.remote.servers import TOKEN, Server

pytestmark = pytest.mark.slow


@pytest.fixture
def notebook(plain_notebook: Notebook, jupyter: Server) -> Iterator[Notebook]:
    """Its cells run in the kernel that the test before it left; ``log`` and ``table`` are there already."""
    plain_notebook.clear()
    if plain_notebook.remote is None:
        plain_notebook.connect(jupyter.url, TOKEN, kernel="elsewhere")
    plain_notebook.runs("log = [1]; table = {'of': log}")
    plain_notebook.sends("import os\nprocess = os.getpid()\nlog.append(len(table))")
    plain_notebook.ears.said.clear()
    yield plain_notebook


def channel_of(notebook: Notebook) -> Any:
    return notebook.remote.connection._channel  # type: ignore[union-attr]


def restart(notebook: Notebook) -> None:
    """As a user does in JupyterLab: the kernel keeps its id."""
    channel = channel_of(notebook)
    channel.server._answer("POST", f"api/kernels/{channel.kernel}/restart")


def assert_all_went_anew(notebook: Notebook) -> None:
    before = notebook["process"]
    run = notebook.sends("process = os.getpid()\nlog.append('again')")
    assert notebook["process"] != before
    assert notebook["log"] == [1, 1, "again"] and notebook["table"]["of"] is notebook["log"]
    assert "log" in run.needs.missing
    assert any("Another one is started" in said for said in notebook.ears.said)
    assert notebook.sends("count = len(log)").needs.missing == () and notebook["count"] == 3


def test_a_kernel_that_was_killed_between_two_cells(notebook: Notebook) -> None:
    os.kill(notebook["process"], signal.SIGKILL)
    time.sleep(0.2)
    assert_all_went_anew(notebook)


def test_a_kernel_that_somebody_restarted_between_two_cells(notebook: Notebook) -> None:
    restart(notebook)
    assert_all_went_anew(notebook)


def test_a_kernel_that_the_server_has_ended_for_being_idle(notebook: Notebook) -> None:
    channel = channel_of(notebook)
    channel.server.end_kernel(channel.kernel)
    assert_all_went_anew(notebook)


def test_a_restart_that_nobody_heard_of(notebook: Notebook) -> None:
    channel = channel_of(notebook)
    channel.close()  # the messages that tell of it are lost
    restart(notebook)
    channel._process = ""
    channel.open()
    assert_all_went_anew(notebook)


def test_a_kernel_that_is_restarted_while_it_runs_the_cell(notebook: Notebook) -> None:
    threading.Timer(0.7, restart, [notebook]).start()
    with pytest.raises(KernelDied):
        notebook.sends("import time\nlog.append(2)\ntime.sleep(60)")
    assert notebook["log"] == [1, 1]
    notebook.sends("log.append(3)")
    assert notebook["log"] == [1, 1, 3]


def test_a_cell_that_met_an_empty_kernel_has_no_result(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = channel_of(notebook)
    execute = channel.execute

    def in_another(*arguments: Any) -> Any:
        channel.close()
        restart(notebook)
        channel._process = ""
        return execute(*arguments)

    monkeypatch.setattr(type(channel), "execute", lambda self, *arguments: in_another(*arguments))
    with pytest.raises(KernelDied, match="started anew"):
        notebook.sends("log = ['made of nothing']")
    assert notebook["log"] == [1, 1]


def test_what_was_left_there_is_said_to_be_lost(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    sessions_of(notebook.shell)["gpu"] = notebook.remote  # type: ignore[assignment]
    notebook.remote.run(CellRequest("big = bytearray(20_000_000)"), lazy=True)  # type: ignore[union-attr]
    assert placeholders(notebook.shell)
    restart(notebook)
    notebook.sends("log.append(2)")
    assert any("big went with it" in said for said in notebook.ears.said)
    notebook.shell.run_cell("size = len(big)", store_history=True)
    assert "the value is lost" in capsys.readouterr().err and "size" not in notebook


def test_a_kernel_that_ends_while_it_starts_is_started_again(
    plain_notebook: Notebook, jupyter: Server, tmp_path: Path
) -> None:
    """As when another process takes the port that was chosen for it. The server's own restarts are of no use: late."""
    spec = jupyter.root.parent / "data" / "kernels"
    told = json.loads((spec / "elsewhere" / "kernel.json").read_text(encoding="utf-8"))
    starts = tmp_path / "starts"
    shy = f"import os, sys; n = os.path.exists({str(starts)!r})\n"
    shy += f"open({str(starts)!r}, 'a').close()\nif not n: sys.exit(1)\nos.execv(sys.argv[1], sys.argv[1:])"
    told["argv"] = [sys.executable, "-c", shy, *told["argv"]]
    (spec / "shy").mkdir()
    (spec / "shy" / "kernel.json").write_text(json.dumps(told), encoding="utf-8")
    plain_notebook.clear()
    plain_notebook.connect(jupyter.url, TOKEN, kernel="shy")
    plain_notebook.sends("x = 1")
    assert plain_notebook["x"] == 1
