"""Whatever fails between here and there, the session here is as it was before the cell, and says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from nbdag.errors import AccessRefused, ConnectionLost, IntegrityError, KernelDied, NbdagError, RemoteError
from nbdag.remote import there
from tests.remote.notebook import Notebook
from tests.remote.proxy import CUT, DOWN, TRUNCATE, UP, Fault, Proxy
from tests.remote.servers import TOKEN, Server

pytestmark = pytest.mark.slow


@pytest.fixture
def proxy(jupyter: Server) -> Iterator[Proxy]:
    with Proxy(jupyter.port) as line:
        yield line


@pytest.fixture
def notebook(plain_notebook: Notebook, proxy: Proxy) -> Iterator[Notebook]:
    """Its cells can run on ``jupyter``, through the proxy, in a kernel of this test's own."""
    plain_notebook.clear()
    plain_notebook.connect(f"http://127.0.0.1:{proxy.port}", TOKEN, kernel="elsewhere")
    yield plain_notebook
    proxy.refuse(False)
    assert plain_notebook.remote is not None
    plain_notebook.remote.close()


def later(seconds: float, work: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer


def patience_of(notebook: Notebook, seconds: float) -> None:
    notebook.remote.connection._channel.patience = seconds  # type: ignore[union-attr]


def test_nobody_answers(notebook: Notebook, proxy: Proxy) -> None:
    notebook.runs("x = [1]")
    before = notebook.state()
    proxy.refuse()
    with pytest.raises(ConnectionLost):
        notebook.sends("x.append(2)")
    assert notebook.state() == before == {"x": [1]}
    proxy.refuse(False)
    notebook.sends("x.append(3)")
    assert notebook["x"] == [1, 3]


def test_the_line_breaks_while_state_goes_there(notebook: Notebook, proxy: Proxy) -> None:
    notebook.runs("import random\nnumbers = [random.random() for _ in range(150_000)]")
    notebook.sends("first = 1")
    proxy.fail(Fault(CUT, UP, after_bytes=300_000))
    notebook.sends("total = sum(numbers)")
    assert notebook["total"] == sum(notebook["numbers"])


@pytest.mark.parametrize("kind", [CUT, TRUNCATE])
def test_the_line_breaks_while_the_result_comes_back(notebook: Notebook, proxy: Proxy, kind: str) -> None:
    notebook.sends("first = 1")
    later(0.5, lambda: proxy.fail(Fault(kind, DOWN, after_bytes=300_000)))
    notebook.sends("import random, time\ntime.sleep(1)\nnumbers = [random.random() for _ in range(150_000)]")
    assert len(notebook["numbers"]) == 150_000


def test_the_line_breaks_while_the_cell_runs(notebook: Notebook, proxy: Proxy) -> None:
    notebook.runs("done = []")
    notebook.sends("first = 1")
    later(0.7, proxy.cut)
    notebook.sends("import time\nprint('one')\ntime.sleep(2)\nprint('two')\ndone.append(1)")
    assert notebook["done"] == [1]
    assert any("lost" in said for said in notebook.ears.said) and any("again" in said for said in notebook.ears.said)


def test_the_result_is_fetched_when_the_line_is_back(notebook: Notebook, proxy: Proxy) -> None:
    notebook.runs("done = []")
    notebook.sends("first = 1")
    patience_of(notebook, 0.5)
    before = notebook.state()

    def break_it() -> None:
        proxy.refuse()
        proxy.cut()

    later(0.7, break_it)
    with pytest.raises(ConnectionLost, match="did not come back"):
        notebook.sends("import time\ntime.sleep(1.5)\ndone.append(1)")
    assert notebook.state() == before and notebook["done"] == []
    proxy.refuse(False)
    time.sleep(1)
    outcome = notebook.remote.fetch()  # type: ignore[union-attr]
    assert outcome.run.outcome == "ok" and notebook["done"] == [1]
    notebook.sends("done.append(2)")
    assert notebook["done"] == [1, 2]


def test_a_result_that_no_longer_fits_is_not_taken_over(notebook: Notebook, proxy: Proxy) -> None:
    notebook.runs("done = []")
    notebook.sends("first = 1")
    patience_of(notebook, 0.5)
    later(0.7, lambda: (proxy.refuse(), proxy.cut()))  # type: ignore[func-returns-value]
    with pytest.raises(ConnectionLost):
        notebook.sends("import time\ntime.sleep(1.5)\ndone.append(1)")
    proxy.refuse(False)
    notebook.runs("done.append('here')")
    with pytest.raises(RemoteError, match="done"):
        notebook.remote.fetch()  # type: ignore[union-attr]
    assert notebook["done"] == ["here"]
    notebook.sends("done.append('there')")
    assert notebook["done"] == ["here", "there"]


def test_the_kernel_there_is_killed(notebook: Notebook) -> None:
    notebook.runs("x = [1]")
    before = notebook.state()
    with pytest.raises(KernelDied, match=r"died|gone"):
        notebook.sends("x.append(2)\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert notebook.state() == before == {"x": [1]}
    notebook.runs("x.append(5)")
    notebook.sends("x.append(6)")
    assert notebook["x"] == [1, 5, 6]


def test_memory_runs_out_there(notebook: Notebook) -> None:
    notebook.runs("x = [1]")
    outcome = notebook.sends_anyway(
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2 << 30, resource.RLIM_INFINITY))\n"
        "big = bytearray(8 << 30)"
    )
    assert type(outcome.error).__name__ == "MemoryError"
    assert notebook["x"] == [1] and "big" not in notebook


def test_the_disk_there_is_full(notebook: Notebook) -> None:
    notebook.runs("x = [1]")
    notebook.sends("import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))")
    before = notebook.state()
    with pytest.raises(RemoteError, match="refuses"):
        notebook.sends("import os\nx.append(os.urandom(1_000_000))")
    assert notebook.state() == before and notebook["x"] == [1]
    notebook.sends("x.append(2)")
    assert notebook["x"] == [1, 2]


def test_a_wrong_token_is_named_and_not_shown(notebook: Notebook, jupyter: Server) -> None:
    notebook.connect(jupyter.url, "wrong-but-secret", kernel="elsewhere")
    with pytest.raises(AccessRefused) as refused:
        notebook.sends("x = 1")
    assert "wrong-but-secret" not in str(refused.value) + refused.value.hint + repr(refused.value.__context__)


def test_an_unknown_kernel_is_named_with_those_there_are(notebook: Notebook, jupyter: Server) -> None:
    notebook.connect(jupyter.url, TOKEN, kernel="julia")
    with pytest.raises(NbdagError, match="julia") as refused:
        notebook.sends("x = 1")
    assert "elsewhere" in refused.value.hint


def test_what_arrives_damaged_is_not_used(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook.runs("x = [1]")
    notebook.sends("y = 1")
    connection = notebook.remote.connection
    fetch = connection.get  # type: ignore[union-attr]
    monkeypatch.setattr(connection, "get", lambda name: fetch(name)[:-1] + b"?")
    with pytest.raises(RemoteError, match="not what was sent"):
        notebook.sends("x.append(2)")
    assert notebook["x"] == [1]


def test_what_comes_back_different_is_not_used(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook.runs("x = [1]")
    notebook.sends("y = 1")

    def wrong(said: object, values: dict[str, object], *more: object) -> dict[str, str]:
        return {"x": "different"} if "x" in values else {}

    monkeypatch.setattr("nbdag.remote.apply.differences", wrong)
    with pytest.raises(IntegrityError, match="x different"):  # on the way there
        notebook.sends("x.append(2)")
    with pytest.raises(RemoteError, match="x did not come back whole: different"):
        notebook.sends("x = [1, 2]")
    assert notebook["x"] == [1]


def test_an_interrupt_while_state_goes_there_leaves_everything(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook.runs("x = [1]")
    notebook.sends("y = 1")

    def interrupted(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(there.ParcelWriter, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            notebook.sends("x.append(2)")
    assert notebook["x"] == [1]
    notebook.sends("x.append(3)")
    assert notebook["x"] == [1, 3]
