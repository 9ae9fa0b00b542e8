"""``from __future__ import annotations``: what was defined under it has to be defined under it again.

It holds for all cells after it, whatever becomes of the name that it binds, and however often the cell is run again.
"""

from __future__ import annotations

import ast

FUTURE = "from __future__ import annotations"


def has_annotations(python: str) -> bool:
    """Whether ``python`` would be something else without it."""
    try:
        nodes = list(ast.walk(ast.parse(python)))
    except SyntaxError:  # top-level await in an odd place: better one import too many
        return True
    return any(
        isinstance(node, ast.AnnAssign) or getattr(node, "annotation", None) or getattr(node, "returns", None)
        for node in nodes
    )
