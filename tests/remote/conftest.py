"""Servers live as long as the test session; a notebook as long as its module, with one kernel elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.remote.notebook import Notebook
from tests.remote.servers import TOKEN, Server, start_gateway, start_jupyter


def needs(*modules: str) -> None:
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (the extra `test` brings it)")


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    needs("jupyter_server", "requests", "websocket")
    server = start_jupyter(tmp_path_factory.mktemp("jupyter"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    needs("kernel_gateway", "requests", "websocket")
    server = start_gateway(tmp_path_factory.mktemp("gateway"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def plain_notebook() -> Iterator[Notebook]:
    notebook = Notebook()
    yield notebook
    notebook.close()


@pytest.fixture(scope="module")
def connected(plain_notebook: Notebook, jupyter: Server) -> Notebook:
    plain_notebook.connect(jupyter.url, TOKEN, kernel="elsewhere")
    return plain_notebook


@pytest.fixture
def notebook(connected: Notebook) -> Notebook:
    """A notebook without variables whose cells can run on ``jupyter``, in one kernel for all tests of a module."""
    connected.clear()
    return connected


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own, and a place for nbdag's configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NBDAG_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path
