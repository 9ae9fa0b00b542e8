"""Modules of ``nbdag/portable/`` -> one script.

The modules stand one after another in one namespace, each after those it imports; imports among themselves are gone,
and of the imports of libraries each stands once. ``docs/architecture.md`` says what portable modules keep to so that
this is right; what cannot be linked is refused with module and line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files

from nbdag.kept_scripts import kept_script

PACKAGE = "nbdag.portable."

AGENT_ROOTS = ("nbdag.portable.agent",)
RUNTIME_ROOTS = ("nbdag.portable.parts", "nbdag.portable.restore")
RUNTIME_NAMES = frozenset({"restore_session", "leave", "Load", "Replay", "later"})
"""What the rest of restore.py uses of the runtime."""
LATER_MODULES = frozenset(
    PACKAGE + name
    for name in (
        "arguments",
        "capacity",
        "history",
        "journal",
        "library_state",
        "local_modules",
        "serving",
        "showing",
        "unpacking",
    )
)
"""What few restorations need: it stands in restore.py as text, compiled when it is called (``portable/parts.py``)."""
ALWAYS_THERE = frozenset({"attribute", "named", "patch", "rest"})
"""Restorers that the unpickler itself calls."""


class LinkError(Exception):
    """The modules cannot stand in one script."""


def agent_source() -> str:
    """The script that is sent into a user's kernel."""
    return kept_script("agent", lambda: link(AGENT_ROOTS))


@cache
def runtime_source(restorers: frozenset[str] | None = None) -> str:
    """The runtime of ``restore.py`` with these restorers (None: all), and only what it uses of each module.

    The script is compiled at every start, some 15 us a line: a bundle without arrays does not carry what restores
    arrays. Annotations are left out, because it has no ``from __future__`` to make them harmless.
    """
    wanted = "all" if restorers is None else " ".join(sorted(restorers))
    return kept_script(f"runtime {wanted}", lambda: _runtime(restorers))


def _runtime(restorers: frozenset[str] | None) -> str:
    text = kept_script("runtime before selection", lambda: link(RUNTIME_ROOTS, annotations=False))
    if restorers is not None:
        text = _with_restorers(text, restorers | ALWAYS_THERE)
    return with_later_parts(only_reachable(text, RUNTIME_NAMES))


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
    offsets = _line_offsets(text)

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
            for name in _bound_by(node):
                home, before = home_of.setdefault(name, (module, statement))
                if home != module and before != statement:
                    raise LinkError(f"{module}, line {node.lineno}: {name} is defined in {home} too")
    if not annotations:
        for start, end, replacement in _annotation_cuts(text, tree, offsets):
            cuts.append((start, end, replacement))
    for start, end, replacement in sorted(cuts, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def _bound_by(statement: ast.stmt) -> list[str]:
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


def _with_restorers(text: str, restorers: frozenset[str]) -> str:
    """``text`` with only these entries in its tables of restorers."""
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Dict):
            continue
        if ast.unparse(node.targets[0]) in ("RESTORERS", "NAMESPACE_RESTORERS"):
            for key in node.value.keys:
                if isinstance(key, ast.Constant) and key.value not in restorers:
                    lines[key.lineno - 1] = ""
    return "".join(lines)


def only_reachable(text: str, wanted: frozenset[str]) -> str:
    """``text`` without the top-level definitions, assignments and imports that ``wanted`` names do not lead to.

    A statement goes with the comments above it; statements that bind nothing stay.
    """
    tree = ast.parse(text)
    offsets = _line_offsets(text)
    bound = [_bound_or_imported_by(node) for node in tree.body]
    mentioned = [{n.id for n in ast.walk(node) if isinstance(n, ast.Name)} for node in tree.body]
    statements_of: dict[str, list[int]] = {}
    for number, names in enumerate(bound):
        for name in names:
            statements_of.setdefault(name, []).append(number)
    kept = {number for number, names in enumerate(bound) if not names}
    pending = [*sorted(wanted), *sorted(name for number in kept for name in mentioned[number])]
    while pending:
        for number in statements_of.pop(pending.pop(), ()):
            if number not in kept:
                kept.add(number)
                pending += sorted(mentioned[number])
    pieces: list[str] = []
    start = 0
    for number, node in enumerate(tree.body):
        end = offsets[node.end_lineno or node.lineno]
        piece = text[start:end]
        if number in kept:
            pieces.append(piece)
        else:  # the line that names a module stays
            pieces += [line for line in piece.splitlines(keepends=True) if line.startswith(("# ---", "# nbdag."))]
        start = end
    return re.sub(r"\n{4,}", "\n\n\n", "".join(pieces) + text[start:])


def with_later_parts(text: str, modules: frozenset[str] = LATER_MODULES) -> str:
    """``text`` with these of its modules as text that is compiled when one of their functions is called.

    Raises LinkError where others use more of them than functions and classes that they call.
    """
    pieces = re.split(r"(?m)^(# -{100}\n# nbdag\.portable\.\S+\n)", text)
    names = [""] + [piece.split()[-1] for piece in pieces[1::2]]
    bodies = dict(zip(names, pieces[::2], strict=True))
    trees = {name: ast.parse(body) for name, body in bodies.items()}
    imports = {
        bound: ast.unparse(node)
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for bound in _bound_or_imported_by(node)
    }
    mentioned = {name: {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} for name, tree in trees.items()}
    at_once = set().union(*(mentioned[name] for name in names if name not in modules))
    parts = [pieces[0]]
    for header, name in zip(pieces[1::2], names[1:], strict=True):
        if name not in modules or not trees[name].body:
            parts += [header, _without_idle_imports(bodies[name], trees[name], at_once)]
            continue
        used = set().union(*(mentioned[other] for other in names if other != name))
        wanted = [bound for node in trees[name].body for bound in _called_from_outside(node, used, name, trees)]
        if "'''" in bodies[name]:
            raise LinkError(f"{name}: holds ''', and cannot stand as text")
        needed = [imports[bound] for bound in sorted(mentioned[name] & imports.keys() - at_once)]
        own = [imports[bound] for bound in sorted(_imported_by(trees[name]) & at_once)]
        parts += [header, "\n# As text: compiled when it is first called.\n\n", "".join(line + "\n" for line in own)]
        body = bodies[name].strip("\n")
        title = (ast.get_docstring(trees[name], clean=False) or "").join(['"""'] * 2)
        title = title if body.startswith(title) else ""
        body = "\n".join([title, *needed, body[len(title) :].lstrip("\n")]).lstrip("\n")
        parts.append(f"LATER_PARTS[{name!r}] = r'''\n{body}\n'''\n")
        parts += [STUB.format(bound=bound, part=name) for bound in wanted] + ["\n\n"]
    return "".join(parts)


STUB = """

def {bound}(*arguments, **options):
    return later({part!r}, {bound!r})(*arguments, **options)
"""


def _without_idle_imports(text: str, tree: ast.Module, used: set[str]) -> str:
    """``text`` without the imports that only parts need which stand as text: they bring their own."""
    lines = text.splitlines(keepends=True)
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) and used.isdisjoint(_bound_or_imported_by(node)):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return "".join(lines)


def _imported_by(tree: ast.Module) -> set[str]:
    nodes = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {bound for node in nodes for bound in _bound_or_imported_by(node)}


def _called_from_outside(node: ast.stmt, used: set[str], module: str, trees: dict[str, ast.Module]) -> list[str]:
    """The functions and classes that ``node`` defines and others use; LinkError for what cannot be put off."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return []
    wanted = [name for name in _bound_or_imported_by(node) if name in used]
    for name in wanted:
        if isinstance(node, ast.ClassDef):
            others = [n for other, tree in trees.items() if other != module for n in ast.walk(tree)]
            called = [id(n.func) for n in others if isinstance(n, ast.Call)]
            if any(isinstance(n, ast.Name) and n.id == name and id(n) not in called for n in others):
                raise LinkError(f"{module}: the class {name} is more than called elsewhere")
        elif not isinstance(node, ast.FunctionDef):
            raise LinkError(f"{module}: {name} is used elsewhere, and no function")
    return wanted


def _bound_or_imported_by(node: ast.stmt) -> list[str]:
    """What a statement binds; nothing if it also does something that only counts by its effect."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    names = _bound_by(node)
    for child in ast.walk(node):
        if isinstance(child, ast.Import | ast.ImportFrom) and isinstance(node, ast.Try | ast.If):
            names += [(alias.asname or alias.name).split(".")[0] for alias in child.names]
    return names


def _line_offsets(text: str) -> list[int]:
    offsets = [0]
    for line in text.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    return offsets


def _characters(text: str, offsets: list[int], line: int, column: int) -> int:
    """A column in UTF-8 bytes, as ``ast`` counts, in characters."""
    return len(text[offsets[line - 1] : offsets[line]].encode("utf-8")[:column].decode("utf-8"))
