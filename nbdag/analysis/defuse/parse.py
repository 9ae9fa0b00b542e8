"""libcst's parser without the checks that it makes on hand-made nodes.

Every node checks itself when it is made ("a name must not be empty", "the brackets must match"): a third of the time of
a parse, and never a finding, for these nodes come from the parser. The checks are left out while it runs.
"""

from __future__ import annotations

import libcst
from libcst._nodes.base import CSTNode

_CHECKED = CSTNode.__post_init__


def parse_module(text: str) -> libcst.Module:
    """The tree of ``text``; raises ``libcst.ParserSyntaxError``."""
    CSTNode.__post_init__ = _unchecked  # type: ignore[method-assign,assignment]
    try:
        return libcst.parse_module(text)
    finally:
        CSTNode.__post_init__ = _CHECKED  # type: ignore[method-assign]


def _unchecked(node: CSTNode) -> None:
    """Nothing to check."""
