"""The names under which values stand in a statement's text: what a credential is recognised by."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def named_values(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Each value that the text gives a name, with that name: ``name = v``, ``x.name = v``, ``x["name"] = v``,
    ``f(name=v)``, ``{"name": v}``. Without those whose name is not in the text (``*names = v``, ``x[i] = v``).
    """
    for node in ast.walk(module):
        pairs: list[tuple[str, ast.expr | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(_name_of(target), node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            pairs = [(_name_of(node.target), node.value)]
        elif isinstance(node, ast.keyword) and node.arg:
            pairs = [(node.arg, node.value)]
        elif isinstance(node, ast.Dict):
            keyed = zip(node.keys, node.values, strict=True)
            pairs = [(str(key.value), value) for key, value in keyed if isinstance(key, ast.Constant)]
        for name, value in pairs:
            if name and value is not None:
                yield name, value


def _name_of(target: ast.expr) -> str:
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return ""
