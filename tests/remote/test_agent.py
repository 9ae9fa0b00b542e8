"""The code for the other side is one script, on every Python that nbdag's portable code knows."""

from __future__ import annotations

import ast
import base64
import zlib

import pytest

from nbdag.link import link
from nbdag.remote.agent import VISITOR_ROOTS, packed_source
from nbdag.remote.wire import pack_v1, request


@pytest.mark.parametrize("roots", [VISITOR_ROOTS, ("nbdag.portable.hosting",)])
def test_it_links_and_is_python_3_8(roots: tuple[str, ...]) -> None:
    ast.parse(link(roots), feature_version=(3, 8))


def test_it_fits_into_one_message() -> None:
    packed, _ = packed_source()
    assert "visit_command" in zlib.decompress(base64.b64decode(packed)).decode("utf-8")
    _, parts = request("execute_request", {"code": "", "user_expressions": {"nbdag": packed}}, "session")
    assert len(pack_v1(parts)) < 1 << 20
