"""The top-level nodes of a cell as IPython runs them: where they stand and which definitions they make."""

from __future__ import annotations

import ast
from typing import Dict, List, NamedTuple, Tuple

# name -> "function" or "class"
Definitions = Dict[str, str]


class NodeText(NamedTuple):
    """Lines of the user's text, from 1; the names it defines by ``def``, ``class`` or ``NAME = lambda``.

    ``inert``: a ``def`` without decorators, or ``NAME = lambda``: the function is made and not called.
    """

    line: int
    end_line: int
    definitions: Definitions
    inert: bool = False


def is_inert(node: ast.stmt) -> bool:
    """Whether a statement only makes a function."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return not node.decorator_list
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda) and bool(definitions_of(node))


def cell_nodes(source: str, transformed: str) -> Tuple[NodeText, ...]:
    """The nodes that IPython will run for a cell, () where it does not parse.

    ``transformed`` is the cell after IPython syntax became Python; leading blank lines are missing there.
    """
    try:
        body = ast.parse(transformed).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    lines = source.split("\n")
    offset = 0
    while offset < len(lines) and not lines[offset].strip():
        offset += 1
    if source.lstrip().startswith("%%"):
        return tuple(NodeText(offset + 1, len(lines), definitions_of(node)) for node in body)
    last = max(1, len(lines))
    return tuple(
        NodeText(
            min(first_line(node) + offset, last),
            min((node.end_lineno or node.lineno) + offset, last),
            definitions_of(node),
            is_inert(node),
        )
        for node in body
    )


def first_line(node: ast.stmt) -> int:
    """The first line of a statement, its decorators included."""
    decorators: List[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def definitions_of(node: ast.stmt) -> Definitions:
    """The definitions that one node makes; the body of a magic cell is looked into."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return {node.name: "function"}
    if isinstance(node, ast.ClassDef):
        return {node.name: "class"}
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return {node.targets[0].id: "function"} if isinstance(node.value, ast.Lambda) else {}
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "run_cell_magic" and len(call.args) == 3:
            body = call.args[2]
            text = getattr(body, "value", None) or getattr(body, "s", None)
            return definitions_in(text) if type(text) is str else {}
    return {}


def definitions_in(source: str) -> Definitions:
    """The definitions at the top level of a text, {} where it is not Python."""
    try:
        body: List[ast.stmt] = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: Definitions = {}
    for node in body:
        found.update(definitions_of(node))
    return found
