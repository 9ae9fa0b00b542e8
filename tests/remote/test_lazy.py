"""Large results that stay on the other side until something here reads them."""

from __future__ import annotations

import pytest

from nbdag.errors import RemoteError
from nbdag.remote.lazy import RemoteValue, placeholders
from nbdag.remote.model import CellRequest, RemoteRun
from nbdag.remote.sessions import sessions_of
from tests.remote.notebook import Notebook

pytestmark = pytest.mark.slow

LARGE = "import numpy as np\nbig = np.arange(2_000_000.0)\nsmall = 5"


@pytest.fixture
def lazy(notebook: Notebook) -> Notebook:
    sessions_of(notebook.shell)["gpu"] = notebook.remote  # type: ignore[assignment]
    return notebook


def leave(notebook: Notebook, source: str) -> RemoteRun:
    return notebook.remote.run(CellRequest(source), lazy=True).run  # type: ignore[union-attr]


def test_a_large_result_stays_until_a_cell_here_reads_it(lazy: Notebook) -> None:
    run = leave(lazy, LARGE)
    assert run.staying == ("big",) and run.fetched.bytes < 100_000
    assert type(lazy["big"]) is RemoteValue and "gpu" in repr(lazy["big"]) and lazy["small"] == 5
    lazy.runs("other = small + 1")
    assert placeholders(lazy.shell)
    lazy.runs("total = float(big.sum())")
    assert lazy["total"] == 1_999_999 * 1_000_000.0 and not placeholders(lazy.shell)


def test_a_function_here_that_reads_it_fetches_it(lazy: Notebook) -> None:
    lazy.runs("def length(): return len(big)")
    leave(lazy, LARGE)
    lazy.runs("n = length()")
    assert lazy["n"] == 2_000_000


def test_a_cell_there_uses_it_without_moving_it(lazy: Notebook) -> None:
    leave(lazy, LARGE)
    run = lazy.sends("top = float(big[-1])")
    assert lazy["top"] == 1_999_999 and run.sent.bytes < 20_000
    assert placeholders(lazy.shell)


def test_what_a_cell_there_changes_of_it_is_seen_here(lazy: Notebook) -> None:
    leave(lazy, LARGE)
    lazy.sends("big[0] = 7")
    lazy.runs("first = big[0]")
    assert lazy["first"] == 7


def test_linked_results_come_back_at_once(lazy: Notebook) -> None:
    run = leave(lazy, LARGE + "\nview = big[:5]")
    assert run.staying == ()
    lazy.runs("view[0] = 3; first = big[0]")
    assert lazy["first"] == 3


def test_a_failure_keeps_what_was_left_there(lazy: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(lazy, LARGE)
    with monkeypatch.context() as patch:
        patch.setattr("nbdag.remote.apply.differences", lambda *arguments: {"x": "different"})
        with pytest.raises(Exception, match="x different"):
            lazy.sends("x = float(big[3])")
    lazy.runs("third = big[3]")
    assert lazy["third"] == 3


def test_when_the_process_there_is_gone_the_loss_is_named(lazy: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    leave(lazy, LARGE)
    lazy.remote.close()  # type: ignore[union-attr]
    lazy.shell.run_cell("total = big.sum()", store_history=True)
    assert "lost" in capsys.readouterr().err
    with pytest.raises(RemoteError, match="lost"):
        lazy.sends("total = big.sum()")
