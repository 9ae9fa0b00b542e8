"""The runtime of ``restore.py``: of the linked modules what one bundle needs, as text that is compiled in parts.

link         all modules in one namespace, without annotations
statements   taken apart, once for each version of nbdag (``kept_scripts.py``): what each binds and mentions
select       those that the bundle's restorers, and what else its data leads to, may reach
as_parts     module by module as text, packed; ``portable/parts.py`` says why
"""

from __future__ import annotations

import ast
import base64
import io
import json
import re
import tokenize
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from nbdag.kept_scripts import kept_script
from nbdag.link import PACKAGE, LinkError, bound_or_imported_by, line_offsets, link
from nbdag.portable.parts import PART_BEGINS

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
ROW = 118
"""Digits of the packed runtime in a line."""
PACKED_BEGINS, PACKED_ENDS = b"PACKED.append(r'''\n", b"\n'''"
"""Between these they stand in a script, however that is indented."""


TABLES_OF_RESTORERS = ("RESTORERS", "NAMESPACE_RESTORERS")
HEADER = re.compile(r"(?m)^# -{100}\n# (nbdag\.portable\.\S+)\n")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement at the top of a module."""

    module: str
    kind: str
    """"import", "definition", "title" (the docstring of a module) or "other"."""
    text: str  # without comments and docstrings
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
    uses = {module: _uses_of(tree) for module, tree in trees.items()}
    for module in sorted(waiting & trees.keys()):
        _check_that_it_can_wait(module, trees[module], [use for other, use in uses.items() if other != module])
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
            found.append(Statement(module, kind, without_remarks(bodies[module][start:end]), bound, _names_in(node)))
            start = end
    return found


def _uses_of(tree: ast.Module) -> tuple[set[str], set[str]]:
    """The names that a module mentions, and those of them that it does more with than call them."""
    nodes = list(ast.walk(tree))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names = [node for node in nodes if isinstance(node, ast.Name)]
    return {node.id for node in names}, {node.id for node in names if id(node) not in called}


def _check_that_it_can_wait(module: str, tree: ast.Module, others: Sequence[tuple[set[str], set[str]]]) -> None:
    used = set[str]().union(*(names for names, _ in others))
    more_than_called = set[str]().union(*(names for _, names in others))
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef):
            continue
        for name in used.intersection(bound_or_imported_by(node)):
            if not isinstance(node, ast.ClassDef):
                raise LinkError(f"{module}: {name} is used elsewhere, and no function")
            if name in more_than_called:
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


def without_remarks(text: str) -> str:
    """``text`` without its comments and docstrings: they are for those who change it, and a third of its bytes."""
    lines = text.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            before = lines[row - 1][:column].rstrip()
            lines[row - 1] = before + "\n" if before else ""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) or ast.get_docstring(node) is None:
            continue
        said = node.body[0]
        first, last = said.lineno - 1, said.end_lineno or said.lineno
        lines[first] = "" if len(node.body) > 1 or isinstance(node, ast.Module) else " " * said.col_offset + "pass\n"
        lines[first + 1 : last] = [""] * (last - first - 1)
    return "".join(lines)


def as_parts(statements: Sequence[Statement], waiting: frozenset[str]) -> str:
    """A script of these statements with its modules packed, which ``portable/parts.py`` compiles: those in ``waiting``
    when one of their functions is called, with the imports that nobody else needs."""
    importing = {name: statement.text.strip() for statement in statements if statement.kind == "import"
                 for name in statement.bound}  # fmt: skip
    by_module: dict[str, list[Statement]] = {}
    for statement in statements:
        by_module.setdefault(statement.module, []).append(statement)
    mentioned = {m: frozenset().union(*(s.mentioned for s in group)) for m, group in by_module.items()}
    at_once = frozenset().union(*(names for module, names in mentioned.items() if module not in waiting))
    script, parts, waits, brought = "", {}, {}, frozenset[str]()
    for module, group in by_module.items():
        needed = {importing[name] for name in mentioned[module] & importing.keys() - brought}
        if module in waiting:
            needed = {importing[name] for name in mentioned[module] & importing.keys() - at_once}
        else:
            brought |= mentioned[module]
        rest = "".join(statement.text for statement in group if statement.kind not in ("title", "import")).strip("\n")
        if not rest:
            continue
        body = "\n\n".join([*(["\n".join(sorted(needed))] if needed else []), rest])
        if module in CORE_MODULES:
            script += f"\n# {module}\n\n{body}\n"
            continue
        parts[module] = body
        if module in waiting:
            used = frozenset().union(*(names for other, names in mentioned.items() if other != module))
            waits[module] = tuple(s.bound[0] for s in group if s.kind == "definition" and s.bound[0] in used)
    return script + packed_parts(parts, waits)


def packed_parts(parts: Mapping[str, str], waits: Mapping[str, Sequence[str]] = {}) -> str:
    """The lines of a script that bring the texts of ``parts`` and start those that do not wait."""
    text = "".join(f"{PART_BEGINS}{part}\n\n{body}\n\n\n" for part, body in parts.items())
    packed = zlib.compress(text.encode("utf-8"), 9)
    digits = base64.b85encode(packed + bytes(-len(packed) % 4)).decode("ascii")
    rows = "\n".join(digits[start : start + ROW] for start in range(0, len(digits), ROW))
    waiting = "".join(f"    {part!r}: {names!r},\n" for part, names in waits.items())
    brought = f"{PACKED_BEGINS.decode()}{rows}{PACKED_ENDS.decode()})\n"
    return f"\nWAITING.update({{\n{waiting}}})\n{brought}start_parts()\n"
