"""What statements set in libraries: modules, classes and functions that a bundle refers to by name.

    np.mean = lambda values: 42                     json.dumps.tag = 1                  setattr(np, "mean", f)
    def patch(): Fraction.twice = twice             sqlite3.register_adapter(Point, str)

A bundle holds nothing of what is inside a library, so the statement itself must be replayed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator


def modules_patched(python: str, modules: frozenset[str]) -> frozenset[str]:
    """Which of ``modules`` the statement ``python`` assigns into: ``np.mean = f``, ``setattr(np, "mean", f)``."""
    if not modules or not any(f"{name}." in python or f"({name}," in python for name in modules):
        return frozenset()
    return frozenset(
        name for name, attribute in _assigned(python) if name in modules and attribute not in CAPTURED.get(name, ())
    )


def attributes_set_in_functions(python: str) -> frozenset[tuple[str, str]]:
    """(name, attribute) of what the functions that the statement ``python`` defines would set when they are called."""
    if "def " not in python and "lambda" not in python:
        return frozenset()
    return frozenset(_assigned(python, in_functions=True))


def _assigned(python: str, in_functions: bool = False) -> Iterator[tuple[str, str]]:
    try:
        pending: list[tuple[ast.AST, bool]] = [(ast.parse(python), False)]
    except (SyntaxError, ValueError, RecursionError):
        return
    while pending:
        node, inside = pending.pop()
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if inside and not in_functions:
            continue
        pending.extend((child, inside) for child in ast.iter_child_nodes(node))
        target: ast.AST | None = None
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            target = node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("setattr", "delattr"):
            target = ast.Attribute(node.args[0], "", ast.Store()) if node.args else None
        path = []
        while isinstance(target, ast.Attribute | ast.Subscript):
            path.append(target.attr if isinstance(target, ast.Attribute) else "[]")
            target = target.value
        if isinstance(target, ast.Name) and inside is in_functions:
            yield target.id, path[-1]


def registered_with(python: str, modules: frozenset[str], changes: bool = False) -> frozenset[str]:
    """Which of ``modules`` the statement ``python`` tells something, by a call whose result it drops.

    sqlite3.register_adapter(P, f)     pd.api.extensions.register_series_accessor("geo")(Geo)     faulthandler.enable()

    ``changes``: a variable seems to have changed. ``nx.set_node_attributes(graph, ...)`` was meant for that.
    """
    verbs_meant = REGISTRATION if changes else SETTING
    if not verbs_meant.search(python):
        return frozenset()
    found = set()
    for node in _outside_of_functions(python):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            continue
        function: ast.AST = node.value
        verbs = []
        while isinstance(function, ast.Attribute | ast.Call):
            if isinstance(function, ast.Attribute):
                verbs.append(function.attr)
                function = function.value
            else:
                function = function.func
        if isinstance(function, ast.Name) and function.id in modules:
            verbs.append(function.id)
            if any(verbs_meant.match(verb) for verb in verbs):
                found.add(function.id)
    return frozenset(found)


REGISTRATION = re.compile(r"\b(?:(?:un)?register|enable|disable|install|activate|listen\b)")
SETTING = re.compile(REGISTRATION.pattern + r"|\b(?:(?:re)?set_|configure|patch)")
"""How functions are called that leave something in their library."""


def _outside_of_functions(python: str) -> Iterator[ast.AST]:
    try:
        pending: list[ast.AST] = [ast.parse(python)]
    except (SyntaxError, ValueError, RecursionError):
        return
    while pending:
        node = pending.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            pending.extend(ast.iter_child_nodes(node))


CAPTURED = {"os": ("environ",), "sys": ("path", "stdout", "stderr", "stdin")}
"""Attributes of modules that travel as process state, or belong to each process."""

CAPTURED_OPTIONS = frozenset({"environ", "path", "stdout", "stderr", "stdin", "rcParams", "options", "filters"})
"""Attributes of modules that functions set for the sake of options, which travel as process state."""


def asks_ipython(text: str) -> bool:
    """Whether running ``text`` calls ``get_ipython()`` by itself, and not only in functions that it defines."""
    if "get_ipython" not in text:
        return False
    try:
        pending: list[ast.AST] = list(ast.parse(text).body)
    except SyntaxError:
        return True
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_ipython":
            return True
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            pending += [*node.args.defaults, *(default for default in node.args.kw_defaults if default is not None)]
            pending += [] if isinstance(node, ast.Lambda) else node.decorator_list
            continue
        pending += ast.iter_child_nodes(node)
    return False
