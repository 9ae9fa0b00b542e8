"""libcst's parser without the checks that it makes on hand-made nodes.

Every node checks itself when it is made ("a name must not be empty", "the brackets must match"): a third of the time of
a parse, and never a finding, for these nodes come from the parser. Switching the checks off costs as much as a small
parse (every class forgets what it has looked up), so it is done for a whole session at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from libcst._nodes.base import CSTNode

_CHECKED = CSTNode.__post_init__


@contextmanager
def unchecked() -> Iterator[None]:
    """While it lasts, libcst's nodes do not check themselves."""
    CSTNode.__post_init__ = _unchecked  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        CSTNode.__post_init__ = _CHECKED  # type: ignore[method-assign]


def _unchecked(node: CSTNode) -> None:
    """Nothing to check."""
