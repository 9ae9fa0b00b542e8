"""A worker of a Dask cluster is a target as a kernel is."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from nbdag.errors import ConnectionLost, KernelDied, UsageError
from nbdag.remote.outputs import RemoteInterrupt
from tests.remote.conftest import needs
from tests.remote.notebook import Notebook

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    needs("distributed")
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as found:
        yield str(found.scheduler_address)


@pytest.fixture
def notebook(plain_notebook: Notebook, cluster: str) -> Notebook:
    plain_notebook.clear()
    plain_notebook.connect(cluster, "")
    return plain_notebook


def test_a_cell_runs_in_the_worker(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    notebook.runs("import numpy as np\ntable = np.arange(200_000.0)\nview = table[:10]\ndef double(x): return x * 2")
    notebook.sends(
        "import os\nprocess = os.getpid()\ntable[0] = 5\ntotal = double(table).sum()\nprint('there')\nprocess"
    )
    assert notebook["process"] != os.getpid() and notebook["_"] == notebook["process"]
    assert notebook["view"][0] == 5 and notebook["total"] == notebook["table"].sum() * 2
    assert "there\n" in capsys.readouterr().out
    assert notebook.sends("half = double(total) / 4").needs.missing == ()


def test_errors_input_and_interrupts_are_those_of_a_cell(notebook: Notebook) -> None:
    notebook.runs("done = []")
    failed = notebook.sends_anyway("done.append(1)\n1 // 0")
    assert type(failed.error).__name__ == "ZeroDivisionError" and notebook["done"] == [1]
    asked = notebook.sends_anyway("input('who? ')")
    assert any("input()" in note for note in asked.run.notes)
    threading.Timer(1.5, lambda: os.kill(os.getpid(), 2)).start()
    stopped = notebook.sends_anyway("done.append(2)\nimport time\nfor _ in range(600): time.sleep(0.1)")
    assert isinstance(stopped.error, RemoteInterrupt) and notebook["done"] == [1, 2]


def test_an_unknown_worker_is_named_with_those_there_are(plain_notebook: Notebook, cluster: str) -> None:
    plain_notebook.connect(cluster, "", kernel="nobody")
    with pytest.raises(UsageError, match="nobody"):
        plain_notebook.sends("x = 1")


def test_a_worker_that_dies_is_named_and_used_again_when_it_is_back(notebook: Notebook) -> None:
    notebook.runs("x = [1]; holder = {'of': x}")
    notebook.sends("process = __import__('os').getpid()\nx.append(len(holder))")
    before = notebook["process"]
    with pytest.raises((KernelDied, ConnectionLost)):
        notebook.sends("x.append(2)\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert notebook["x"] == [1, 1]
    run = notebook.sends("process = __import__('os').getpid()\nx.append('again')")  # its nanny has started another
    assert notebook["process"] != before and "x" in run.needs.missing
    assert notebook["x"] == [1, 1, "again"] and notebook["holder"]["of"] is notebook["x"]
