"""The names that ``from module import *`` binds, read from the module's source; None where that does not say.

Nothing is imported and nothing runs: the source is found on the path of the Python that nbdag runs on and parsed. The
session's kernel may live in another environment, with another version of the module or none: so the names of modules
outside the standard library are ``sure`` only to the extent that both have the same version, and the cell *may* bind
them. A module beside the notebook is not looked for: the working directory is the session's, not nbdag's.

    __all__ = ["a"] + other.__all__     other's names, if ``other`` is a module that can be read too
    __all__ = [n for n in dir()]        None: nobody knows without running it
    no __all__                          the public names that the module's top level binds
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from nbdag.analysis.wordlist import words

_SAFE_TO_IMPORT = words("math cmath time itertools operator array _bisect _heapq _operator _collections")
_DEEPEST = 6  # modules that star-import modules that star-import ...
_LARGEST = 1_000_000  # characters of source


def is_standard(module: str) -> bool:
    """Whether ``module`` is part of Python itself, and so the same for every environment of this version."""
    return module.split(".")[0] in sys.stdlib_module_names


@cache
def names_of(module: str, depth: int = 0) -> tuple[str, ...] | None:
    """Sorted names that a star import of ``module`` binds, as far as its source tells."""
    if module in _SAFE_TO_IMPORT:
        return tuple(sorted(name for name in dir(__import__(module)) if not name.startswith("_")))
    spec = None if module.startswith(".") or depth > _DEEPEST else _spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    try:
        text = Path(spec.origin).read_text(encoding="utf-8")
        tree = ast.parse(text) if len(text) < _LARGEST else None
    except (OSError, SyntaxError, ValueError, UnicodeError):
        return None
    if tree is None:
        return None
    package = module if spec.submodule_search_locations is not None else module.rpartition(".")[0]
    return _Exports(tree, package, depth).names()


def _spec(module: str) -> ModuleSpec | None:
    """Where ``module`` is, without importing the packages it is in, as ``importlib.util.find_spec`` would."""
    here = os.getcwd()
    path: list[str] | None = [place for place in sys.path if place not in ("", here)]
    found: ModuleSpec | None = None
    name = ""
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        found = PathFinder.find_spec(name, path)
        if found is None:
            return None
        path = list(found.submodule_search_locations or [])
    return found


class _Exports:
    """What one parsed module hands out."""

    def __init__(self, tree: ast.Module, package: str, depth: int) -> None:
        self.tree = tree
        self.package = package
        self.depth = depth

    def names(self) -> tuple[str, ...] | None:
        said: tuple[str, ...] | None = None
        for node in _run_at_import(self.tree.body):
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(map(_is_all, targets)):
                    said = self._listed(node.value)
                    if said is None:
                        return None
            elif isinstance(node, ast.AugAssign) and _is_all(node.target):
                more = self._listed(node.value)
                if more is None:
                    return None
                said = (said or ()) + more
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                called = node.value.func
                if isinstance(called, ast.Attribute) and _is_all(called.value):
                    more = self._listed(node.value.args[0]) if called.attr == "extend" and node.value.args else None
                    if called.attr == "append" and node.value.args:
                        more = self._listed(ast.List(elts=[node.value.args[0]], ctx=ast.Load()))
                    if more is None:
                        return None
                    said = (said or ()) + more
        found = self._public() if said is None else said
        return None if found is None else tuple(sorted(set(found)))

    def _listed(self, node: ast.expr) -> tuple[str, ...] | None:
        """The strings of an expression, where it is literals, sums, and ``__all__`` of readable modules."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self._listed(node.left), self._listed(node.right)
            return None if left is None or right is None else left + right
        if isinstance(node, ast.Attribute) and node.attr == "__all__" and isinstance(node.value, ast.Name):
            return names_of(f"{self.package}.{node.value.id}", self.depth + 1)
        try:
            value = ast.literal_eval(node)
        except ValueError:
            return None
        if isinstance(value, (list, tuple, set)) and all(isinstance(name, str) for name in value):
            return tuple(value)
        return None

    def _public(self) -> tuple[str, ...] | None:
        """Names that the top level binds, without those that begin with an underscore."""
        found: list[str] = []
        for node in _run_at_import(self.tree.body):
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                inner = names_of(self._absolute(node), self.depth + 1)
                if inner is None:
                    return None
                found.extend(inner)
            else:
                found.extend(_bound_by(node))
            if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
                return None  # hands out what it likes
        return tuple(name for name in found if not name.startswith("_"))

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        base = self.package.split(".")
        base = base[: len(base) - node.level + 1]
        return ".".join([*base, node.module] if node.module else base)


def _is_all(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "__all__"


def _run_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module's top level, those in blocks included; what functions and classes do is their own."""
    for node in body:
        yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for field in ("body", "orelse", "finalbody"):
            yield from _run_at_import(getattr(node, field, []))
        for handler in getattr(node, "handlers", []):
            yield from _run_at_import(handler.body)


def _bound_by(node: ast.stmt) -> list[str]:
    """Names that ``node`` itself binds, blocks not included."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.For)):
        targets = [node.target]
    elif isinstance(node, ast.With):
        targets = [item.optional_vars for item in node.items if item.optional_vars is not None]
    return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
