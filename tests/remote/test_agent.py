"""The code for the other side is one script, on every Python that nbdag's portable code knows."""

from __future__ import annotations

import ast
import base64
import sys
import zlib
from types import SimpleNamespace

import pytest

from nbdag.analysis.agent_client import install, packed
from nbdag.link import link
from nbdag.remote.agent import VISITOR_ROOTS
from nbdag.remote.wire import pack_v1, request


@pytest.mark.parametrize("roots", [VISITOR_ROOTS, ("nbdag.portable.hosting",)])
def test_it_links_and_is_python_3_8(roots: tuple[str, ...]) -> None:
    ast.parse(link(roots), feature_version=(3, 8))


def test_it_fits_into_one_message() -> None:
    text = packed(link(VISITOR_ROOTS))
    assert "visit_command" in zlib.decompress(base64.b64decode(text)).decode("utf-8")
    _, parts = request("execute_request", {"code": "", "user_expressions": {"nbdag": text}}, "session")
    assert len(pack_v1(parts)) < 1 << 20


def test_a_recorder_of_another_version_is_not_kept_where_cells_of_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows no visits; where somebody else's session is only looked at, what it saw is worth more (keep)."""
    stopped = []

    def older(name: str, arguments: dict[str, object]) -> dict[str, object]:
        stopped.extend([name] if name == "stop" else [])
        return {"recording": True, "version": 1}

    for keep, said in ((True, "kept"), (False, "replaced")):
        monkeypatch.setitem(sys.modules, "nbdag_agent", SimpleNamespace(command=older, __nbdag_digest__="older"))
        assert install(lambda text: str(eval(text)), "AGENT_VERSION = 1", keep) == said
    assert stopped == ["stop"]
