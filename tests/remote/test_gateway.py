"""A Kernel Gateway serves kernels and no files: state goes through a store that both sides reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbdag.errors import EnvironmentRefused
from tests.remote.notebook import Notebook
from tests.remote.servers import TOKEN, Server

pytestmark = pytest.mark.slow


def test_without_a_store_the_remedy_is_named(plain_notebook: Notebook, gateway: Server) -> None:
    plain_notebook.connect(gateway.url, TOKEN, kernel="elsewhere")
    with pytest.raises(EnvironmentRefused, match="no files") as refused:
        plain_notebook.sends("x = 1")
    assert "--store" in refused.value.hint


def test_cells_run_through_a_store(plain_notebook: Notebook, gateway: Server, tmp_path: Path) -> None:
    plain_notebook.runs("import numpy as np\ntable = np.arange(100_000.0)")
    plain_notebook.connect(gateway.url, TOKEN, kernel="elsewhere", store=f"file://{tmp_path}/store")
    plain_notebook.sends("table *= 2\ntotal = float(table.sum())")
    assert plain_notebook["total"] == plain_notebook["table"].sum() == 99_999 * 100_000.0
    assert not [path for path in (tmp_path / "store").rglob("*") if path.is_file()]


def test_a_store_that_cannot_be_written_is_named(plain_notebook: Notebook, gateway: Server, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file", encoding="utf-8")
    plain_notebook.connect(gateway.url, TOKEN, kernel="elsewhere", store=f"file://{tmp_path}/store")
    with pytest.raises(Exception, match="store"):
        plain_notebook.sends("x = 1")
