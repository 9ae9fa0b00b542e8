"""Modules of ``nbdag/portable/`` -> one script.

The modules stand one after another in one namespace, each after those it imports; imports among themselves are gone,
and of the imports of libraries each stands once. ``docs/architecture.md`` says what portable modules keep to so that
this is right; what cannot be linked is refused with module and line.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from importlib.resources import files

from nbdag.kept_scripts import kept_script

PACKAGE = "nbdag.portable."

AGENT_ROOTS = ("nbdag.portable.agent",)


class LinkError(Exception):
    """The modules cannot stand in one script."""


def agent_source() -> str:
    """The script that is sent into a user's kernel."""
    return kept_script("agent", lambda: link(AGENT_ROOTS))


def link(modules: Sequence[str], annotations: bool = True) -> str:
    """One script of ``modules`` and all they import from ``nbdag.portable``.

    ``annotations=False`` takes annotations out of the text. Raises LinkError when two modules define one name, or where
    a module keeps none of the rules.
    """
    parts = ['"""Linked by nbdag from its portable modules: do not edit."""\n'] if annotations else []
    if annotations:
        parts.append("from __future__ import annotations\n")
    home_of: dict[str, tuple[str, str]] = {}
    imported: set[str] = set()
    for name in in_order_of_imports(modules):
        text = source_of(name)
        tree = ast.parse(text)
        body = _without_imports(name, text, tree, imported, annotations, home_of)
        parts.append(f"\n# {'-' * 100}\n# {name}\n\n{body.strip()}\n")
    return "\n".join(parts)


def source_of(module: str) -> str:
    """The text of a portable module."""
    path = files("nbdag").joinpath(*module.split(".")[1:])
    package = path.joinpath("__init__.py")
    file = package if package.is_file() else path.parent.joinpath(path.name + ".py")  # type: ignore[attr-defined]
    return str(file.read_text(encoding="utf-8"))


def in_order_of_imports(modules: Iterable[str]) -> list[str]:
    """``modules`` and what they import among the portable modules, each after all it imports."""
    order: list[str] = []
    visiting: list[str] = []

    def visit(module: str) -> None:
        if module in order:
            return
        if module in visiting:
            raise LinkError(f"circular import: {' -> '.join([*visiting, module])}")
        visiting.append(module)
        for node in ast.parse(source_of(module)).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
                visit(str(node.module))
        visiting.pop()
        order.append(module)

    for module in modules:
        visit(module)
    return order


def _without_imports(
    module: str,
    text: str,
    tree: ast.Module,
    imported: set[str],
    annotations: bool,
    home_of: dict[str, tuple[str, str]],
) -> str:
    """The text of ``module`` without what the script has already; notes its names in ``home_of``."""
    cuts: list[tuple[int, int, str]] = []
    offsets = line_offsets(text)

    def cut(node: ast.stmt) -> None:
        start = offsets[node.lineno - 1] + _characters(text, offsets, node.lineno, node.col_offset)
        line, column = node.end_lineno or node.lineno, node.end_col_offset or 0
        cuts.append((start, offsets[line - 1] + _characters(text, offsets, line, column), ""))

    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            if any(alias.asname or alias.name == "*" for alias in node.names):
                raise LinkError(f"{module}, line {node.lineno}: siblings are imported by their names")
            cut(node)
        elif (isinstance(node, ast.ImportFrom) and node.module == "__future__") or (
            isinstance(node, ast.ImportFrom) and node.module == "typing" and not annotations
        ):
            cut(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            statement = ast.unparse(node)
            if isinstance(node, ast.Import) and any(alias.name.startswith("nbdag") for alias in node.names):
                raise LinkError(f"{module}, line {node.lineno}: siblings are imported by their names")
            for alias in node.names:
                # `import array` here and `from array import array` there would be one name for two things.
                name = alias.asname or alias.name.split(".")[0]
                whole = "import" if isinstance(node, ast.Import) and not alias.asname else f"import {alias.name} as"
                source = f"{whole} {name} of {getattr(node, 'module', '')}"
                home, before = home_of.setdefault(name, (module, source))
                if before != source:
                    raise LinkError(f"{module}, line {node.lineno}: {name} is something else in {home}")
            if statement in imported:
                cut(node)
            imported.add(statement)
        else:
            statement = ast.unparse(node)
            for name in bound_by(node):
                home, before = home_of.setdefault(name, (module, statement))
                if home != module and before != statement:
                    raise LinkError(f"{module}, line {node.lineno}: {name} is defined in {home} too")
    if not annotations:
        for start, end, replacement in _annotation_cuts(text, tree, offsets):
            cuts.append((start, end, replacement))
    for start, end, replacement in sorted(cuts, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def bound_by(statement: ast.stmt) -> list[str]:
    """The names that a top-level statement defines; those of inner scopes are their own affair."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    names: list[str] = []
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif not isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda):
            pending += ast.iter_child_nodes(node)
    return names


def _annotation_cuts(text: str, tree: ast.Module, offsets: list[int]) -> list[tuple[int, int, str]]:
    """What to cut so that no annotation is left: ``(start, end, replacement)`` in characters."""
    cuts: list[tuple[int, int, str]] = []

    def at(line: int, column: int) -> int:
        return offsets[line - 1] + _characters(text, offsets, line, column)

    def end_of(node: ast.expr | ast.stmt | ast.arg) -> int:
        return at(node.end_lineno or node.lineno, node.end_col_offset or 0)

    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            start = at(node.lineno, node.col_offset) + len(node.arg)
            cuts.append((start, end_of(node.annotation), ""))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            arrow = text.rindex("->", 0, at(node.returns.lineno, node.returns.col_offset))
            start = len(text[:arrow].rstrip())
            cuts.append((start, end_of(node.returns), ""))
        elif isinstance(node, ast.AnnAssign):
            if node.value is None:
                cuts.append((at(node.lineno, node.col_offset), end_of(node), "pass"))
            else:
                cuts.append((end_of(node.target), end_of(node.annotation), ""))
    return cuts


def bound_or_imported_by(node: ast.stmt) -> list[str]:
    """What a statement binds; nothing if it also does something that only counts by its effect."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    names = bound_by(node)
    for child in ast.walk(node):
        if isinstance(child, ast.Import | ast.ImportFrom) and isinstance(node, ast.Try | ast.If):
            names += [(alias.asname or alias.name).split(".")[0] for alias in child.names]
    return names


def line_offsets(text: str) -> list[int]:
    offsets = [0]
    for line in text.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    return offsets


def _characters(text: str, offsets: list[int], line: int, column: int) -> int:
    """A column in UTF-8 bytes, as ``ast`` counts, in characters."""
    return len(text[offsets[line - 1] : offsets[line]].encode("utf-8")[:column].decode("utf-8"))
