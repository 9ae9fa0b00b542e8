"""The runtime of ``restore.py``: of the linked modules what one bundle needs, as text that is compiled in parts.

link         all modules in one namespace, without annotations
statements   taken apart, once for each version of nbdag (``kept_scripts.py``): what each binds and mentions
select       those that the bundle's restorers, and what else its data leads to, may reach
as_parts     module by module as text; ``portable/parts.py`` says why
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from nbdag.kept_scripts import kept_script
from nbdag.link import PACKAGE, LinkError, bound_or_imported_by, line_offsets, link

RUNTIME_ROOTS = ("nbdag.portable.parts", "nbdag.portable.restore")
RUNTIME_NAMES = frozenset({"restore_session", "leave", "Load", "Replay", "start_parts"})
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
        "open_figures",
        "process_state",
        "replaying",
        "serving",
        "showing",
        "unpacking",
    )
)
"""What not every restoration needs: it is compiled when it is called (``portable/parts.py``)."""
CORE_MODULES = frozenset({PACKAGE + "sha256", PACKAGE + "parts"})
"""What compiles all others."""
ALWAYS_THERE = frozenset({"attribute", "named", "patch", "rest"})
"""Restorers that the unpickler itself calls."""


TABLES_OF_RESTORERS = ("RESTORERS", "NAMESPACE_RESTORERS")
HEADER = re.compile(r"(?m)^# -{100}\n# (nbdag\.portable\.\S+)\n")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement at the top of a module, with the comments above it."""

    module: str
    kind: str
    """"import", "definition", "title" (the docstring of a module) or "other"."""
    text: str
    bound: tuple[str, ...]
    mentioned: frozenset[str]


@cache
def runtime_source(restorers: frozenset[str] | None = None, without: frozenset[str] = frozenset()) -> str:
    """The runtime with these restorers (None: all), and only what it uses of each module; without some of
    ``LATER_MODULES``, by their last names. It has no annotations: it has no ``from __future__`` to make them harmless.
    """
    statements = runtime_statements()
    if restorers is not None:
        statements = [with_restorers(statement, restorers | ALWAYS_THERE) for statement in statements]
    left_out = frozenset(PACKAGE + name for name in without)
    statements = leave_out(select(statements, RUNTIME_NAMES), left_out)
    return as_parts(select(statements, RUNTIME_NAMES), LATER_MODULES - left_out)


@cache
def runtime_statements() -> list[Statement]:
    """All of the runtime; taken apart once, which takes half a second."""

    def taken_apart() -> str:
        found = statements_of(link(RUNTIME_ROOTS, annotations=False), LATER_MODULES)
        return json.dumps([[s.module, s.kind, s.text, s.bound, sorted(s.mentioned)] for s in found])

    return [
        Statement(module, kind, text, tuple(bound), frozenset(mentioned))
        for module, kind, text, bound, mentioned in json.loads(kept_script("runtime statements", taken_apart))
    ]


def statements_of(text: str, waiting: frozenset[str]) -> list[Statement]:
    """The statements of a linked text. Raises LinkError where others use more of the modules that are ``waiting``
    than functions, and classes that they call."""
    pieces = HEADER.split(text)
    bodies = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    trees = {module: ast.parse(body) for module, body in bodies.items()}
    for module in sorted(waiting & trees.keys()):
        _check_that_it_can_wait(module, trees)
    found = []
    for module, tree in trees.items():
        offsets = line_offsets(bodies[module])
        start = 0
        for number, node in enumerate(tree.body):
            end = offsets[node.end_lineno or node.lineno]
            kind = "other"
            if isinstance(node, ast.Import | ast.ImportFrom):
                kind = "import"
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                kind = "definition"
            elif number == 0 and isinstance(node, ast.Expr):
                kind = "title"
            bound = tuple(bound_or_imported_by(node))
            found.append(Statement(module, kind, bodies[module][start:end], bound, _names_in(node)))
            start = end
    return found


def _check_that_it_can_wait(module: str, trees: dict[str, ast.Module]) -> None:
    others = [node for other, tree in trees.items() if other != module for node in ast.walk(tree)]
    used = {node.id for node in others if isinstance(node, ast.Name)}
    called = {id(node.func) for node in others if isinstance(node, ast.Call)}
    for node in trees[module].body:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef):
            continue
        for name in used.intersection(bound_or_imported_by(node)):
            if not isinstance(node, ast.ClassDef):
                raise LinkError(f"{module}: {name} is used elsewhere, and no function")
            if any(isinstance(n, ast.Name) and n.id == name and id(n) not in called for n in others):
                raise LinkError(f"{module}: the class {name} is more than called elsewhere")


def _names_in(node: ast.AST) -> frozenset[str]:
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))


def with_restorers(statement: Statement, restorers: frozenset[str]) -> Statement:
    """A table of restorers with only these entries; any other statement as it is."""
    if not set(statement.bound).intersection(TABLES_OF_RESTORERS):
        return statement
    lines = statement.text.splitlines(keepends=True)
    node: Any = ast.parse(statement.text).body[0]
    for key in node.value.keys:
        if key.value not in restorers:
            lines[key.lineno - 1] = ""
    text = "".join(lines)
    return replace(statement, text=text, mentioned=_names_in(ast.parse(text)))


def select(statements: Sequence[Statement], wanted: Iterable[str]) -> list[Statement]:
    """Those that ``wanted`` names lead to, and those that bind nothing: they count by what they do."""
    binding: dict[str, list[int]] = {}
    for number, statement in enumerate(statements):
        for name in statement.bound:
            binding.setdefault(name, []).append(number)
    kept = {number for number, statement in enumerate(statements) if not statement.bound}
    pending = [*wanted, *(name for number in kept for name in statements[number].mentioned)]
    while pending:
        for number in binding.pop(pending.pop(), ()):
            if number not in kept:
                kept.add(number)
                pending += statements[number].mentioned
    return [statement for number, statement in enumerate(statements) if number in kept]


def leave_out(statements: Sequence[Statement], modules: frozenset[str]) -> list[Statement]:
    """Functions that raise RuntimeError in place of what others use of these modules. Of imports each stands once, so
    that theirs may be another's as well: they stay."""
    used = frozenset().union(*(statement.mentioned for statement in statements if statement.module not in modules))
    found = []
    for statement in statements:
        if statement.module not in modules or statement.kind == "import":
            found.append(statement)
        elif statement.kind == "definition" and used.intersection(statement.bound):
            (name,) = statement.bound
            text = LEFT_OUT.format(name=name, module=statement.module)
            found.append(replace(statement, text=text, mentioned=frozenset()))
    return found


LEFT_OUT = """

def {name}(*arguments, **options):
    raise RuntimeError("this bundle was written without {module}")
"""


def as_parts(statements: Sequence[Statement], waiting: frozenset[str]) -> str:
    """A script of these statements with its modules as text that ``portable/parts.py`` compiles: those in ``waiting``
    when one of their functions is called, with the imports that nobody else needs. Raises LinkError for what cannot
    stand as text."""
    importing = {name: statement.text.strip() for statement in statements if statement.kind == "import"
                 for name in statement.bound}  # fmt: skip
    by_module: dict[str, list[Statement]] = {}
    for statement in statements:
        by_module.setdefault(statement.module, []).append(statement)
    mentioned = {m: frozenset().union(*(s.mentioned for s in group)) for m, group in by_module.items()}
    at_once = frozenset().union(*(names for module, names in mentioned.items() if module not in waiting))
    pieces, waits, brought = [], "", frozenset[str]()
    for module, group in by_module.items():
        needed = {importing[name] for name in mentioned[module] & importing.keys() - brought}
        if module in waiting:
            needed = {importing[name] for name in mentioned[module] & importing.keys() - at_once}
        else:
            brought |= mentioned[module]
        title = [statement.text.strip() for statement in group if statement.kind == "title"]
        rest = "".join(statement.text for statement in group if statement.kind not in ("title", "import")).strip("\n")
        if not rest:
            continue
        body = "\n\n".join([*title, *(["\n".join(sorted(needed))] if needed else []), rest])
        pieces.append(f"\n# {'-' * 100}\n# {module}\n\n")
        if module in CORE_MODULES:
            pieces.append(f"{body}\n")
            continue
        if "'''" in body:
            raise LinkError(f"{module}: holds ''', and cannot stand as text")
        pieces.append(f"PARTS[{module!r}] = r'''\n{body}\n'''\n")
        if module in waiting:
            used = frozenset().union(*(names for other, names in mentioned.items() if other != module))
            functions = [s.bound[0] for s in group if s.kind == "definition" and s.bound[0] in used]
            waits += f"    {module!r}: {tuple(functions)!r},\n"
    return "".join(pieces) + f"\n# {'-' * 100}\n\nWAITING.update({{\n{waits}}})\nstart_parts()\n"
