"""The names that ``from module import *`` binds, for modules of the standard library; None for any other.

Modules of the user's environment are not asked: it is another environment than this one, and importing runs code.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from functools import cache
from pathlib import Path

from nbdag.analysis.wordlist import words

_SAFE_TO_IMPORT = words("math cmath time itertools operator array")  # without a source of their own


@cache
def names_of(module: str) -> tuple[str, ...] | None:
    """Sorted names that a star import of ``module`` binds, as far as this Python's library tells."""
    if module.split(".")[0] not in sys.stdlib_module_names:
        return None
    if module in _SAFE_TO_IMPORT:
        return tuple(sorted(name for name in dir(__import__(module)) if not name.startswith("_")))
    try:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            return None
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    except (ImportError, OSError, SyntaxError, ValueError, UnicodeError):
        return None
    return _exported(tree)


def _exported(tree: ast.Module) -> tuple[str, ...] | None:
    """The value of ``__all__`` if it is one literal."""
    found: tuple[str, ...] | None = None
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign):
            targets = [node.target]
        if not any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            continue
        assert isinstance(node, (ast.Assign, ast.AugAssign))
        try:
            value = tuple(ast.literal_eval(node.value))
        except ValueError:
            return None
        found = value if isinstance(node, ast.Assign) else (found or ()) + value
    return None if found is None else tuple(sorted(found))
