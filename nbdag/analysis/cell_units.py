"""The top-level statements of a parsed cell: what each is, where it stands, and the plain Python that does the same."""

from __future__ import annotations

import ast
import re

import libcst

from nbdag.analysis.cell_code import Unit
from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.places import Lines
from nbdag.analysis.ipython_syntax import Translated
from nbdag.model.facts import StatementKind
from nbdag.model.findings import Place


def units_of(
    statements: list[tree.Stmt], spans: list[tuple[int, int]], text: str, translated: Translated, lines: Lines
) -> tuple[Unit, ...]:
    units: list[Unit] = []

    def add_magic(index: int) -> None:
        magic = translated.magics[index]
        value = tree.Expression(tree.MagicValue(index, 0))
        first = text.find("\n")
        place = Place(1, 0, 1, first if first > 0 else 0)
        units.append(Unit((value,), StatementKind.MAGIC, 0, 0, 1, magic.python, place))

    for index in translated.before:
        add_magic(index)
    node = -1
    previous_line = 0
    for statement, (start, end) in zip(statements, spans, strict=True):
        line = lines.line(start)
        if translated.single:
            node = 0
        elif node < 0 or line not in translated.one_node or line != previous_line:
            node += 1
        previous_line = line
        kind, plain = _kind(statement)
        python: str | None = text[start:end] + _comment_behind(text, end)
        if translated.magics and "__nbdag_magic_" in text[start:end]:
            python = _without_stand_ins(text[start:end], translated, plain)
        timed = kind is StatementKind.MAGIC and _is_timed(statement, translated)
        units.append(Unit((statement,), kind, node, start, end, python, lines.place(start, end), timed))
    for index in translated.after:
        add_magic(index)
    if translated.single and not units:
        units.append(Unit((), StatementKind.MAGIC, 0, 0, 0, "", Place(1, 0, 1, 0)))
    return tuple(units)


def _comment_behind(text: str, end: int) -> str:
    """The comment on the line that a statement ends on: ``inspect.getsource`` shows it as part of a function."""
    stop = text.find("\n", end)
    rest = text[end:] if stop < 0 else text[end:stop]
    return rest.rstrip("\r") if rest.lstrip(" \t").startswith("#") else ""


def _is_timed(statement: tree.Stmt, translated: Translated) -> bool:
    if not isinstance(statement, tree.Expression) or not isinstance(statement.value, tree.MagicValue):
        return False
    return translated.magics[statement.value.index].timed is not None


def _kind(statement: tree.Stmt) -> tuple[StatementKind, bool]:
    """The kind of a statement, and whether it is nothing but a magic."""
    kind = _KINDS.get(statement.__class__, StatementKind.OTHER)
    if isinstance(statement, tree.Assign) and isinstance(statement.value, tree.Lambda) and len(statement.targets) == 1:
        if isinstance(statement.targets[0], tree.Name):
            kind = StatementKind.FUNCTION
    elif isinstance(statement, tree.Expression) and isinstance(statement.value, tree.MagicValue):
        return StatementKind.MAGIC, True
    return kind, False


_KINDS: dict[type, StatementKind] = {
    tree.Import: StatementKind.IMPORT,
    tree.Define: StatementKind.FUNCTION,
    tree.DefineClass: StatementKind.CLASS,
    tree.Assign: StatementKind.ASSIGNMENT,
    tree.Augment: StatementKind.ASSIGNMENT,
    tree.Annotate: StatementKind.ASSIGNMENT,
    tree.Expression: StatementKind.EXPRESSION,
    tree.If: StatementKind.CONTROL,
    tree.For: StatementKind.CONTROL,
    tree.While: StatementKind.CONTROL,
    tree.With: StatementKind.CONTROL,
    tree.Try: StatementKind.CONTROL,
    tree.Match: StatementKind.CONTROL,
}


def _without_stand_ins(text: str, translated: Translated, alone: bool) -> str | None:
    """``text`` with plain Python in the place of every magic, or None where there is none."""
    impossible = False

    def replacement(match: re.Match[str]) -> str:
        nonlocal impossible
        magic = translated.magics[int(match[1])]
        python = magic.python
        if python is None or (magic.timed and not alone):
            impossible = True
            return ""
        if not python and not alone:
            line_start = text.rfind("\n", 0, match.start()) + 1
            if text[line_start : match.start()].strip():
                impossible = True
            return "pass"
        return python

    replaced = re.sub(r"__nbdag_magic_(\d+)__", replacement, text)
    return None if impossible else replaced


def bound_by(statement: tree.Stmt) -> list[str]:
    """Names that ``statement`` may bind at top level, without looking into expressions."""
    found: list[str] = []
    waiting: list[object] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tree.Define):
            found.append(node.function.name)
        elif isinstance(node, (tree.DefineClass, tree.TypeAlias)):
            found.append(node.name)
        elif isinstance(node, tree.Import):
            found.extend(imported.name for imported in node.imported)
        elif isinstance(node, tree.Assign):
            waiting.extend(node.targets)
        elif isinstance(node, (tree.Augment, tree.Annotate)):
            waiting.append(node.target)
        elif isinstance(node, tree.Name):
            found.append(node.id)
        elif isinstance(node, tree.Collection):
            waiting.extend(node.items)
        elif isinstance(node, tree.Starred):
            waiting.append(node.value)
        elif isinstance(node, tree.For):
            waiting.extend((node.target, *node.body, *node.otherwise))
        elif isinstance(node, (tree.If, tree.While)):
            waiting.extend((*node.body, *node.otherwise))
        elif isinstance(node, tree.With):
            waiting.extend((*(target for _, target in node.items), *node.body))
        elif isinstance(node, tree.Match):
            for case in node.cases:
                waiting.extend((*case.binds, *case.body))
        elif isinstance(node, tree.Try):
            waiting.extend((*node.body, *node.otherwise, *node.final))
            for handler in node.handlers:
                waiting.extend(handler.body)
    return found


# ---------------------------------------------------------------------------------------------- places


def spans_by_ast(parsed: ast.Module, text: str, lines: Lines) -> list[tuple[int, int]]:
    """Start and end offsets of every top-level statement."""
    ascii_only = text.isascii()
    rows = [] if ascii_only else text.split("\n")

    def offset(line: int, column: int) -> int:
        if not ascii_only:
            row = rows[line - 1]
            if not row.isascii():
                column = len(row.encode("utf-8")[:column].decode("utf-8", "ignore"))
        return lines.offset(line, column)

    spans = []
    for node in parsed.body:
        decorators = getattr(node, "decorator_list", None)
        start = lines.offset(decorators[0].lineno, 0) if decorators else offset(node.lineno, node.col_offset)
        assert node.end_lineno is not None and node.end_col_offset is not None
        spans.append((start, offset(node.end_lineno, node.end_col_offset)))
    return spans


def spans_by_metadata(module: libcst.Module, lines: Lines) -> list[tuple[int, int]]:
    """The same for syntax that ``ast`` does not know here; slower."""
    from libcst.metadata import MetadataWrapper, PositionProvider

    positions = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    spans = []
    for statement in module.body:
        parts = statement.body if isinstance(statement, libcst.SimpleStatementLine) else (statement,)
        for part in parts:
            assert isinstance(part, libcst.CSTNode)
            where = positions[part]
            decorators = getattr(part, "decorators", ())
            start = positions[decorators[0]].start if decorators else where.start
            spans.append((lines.offset(start.line, start.column), lines.offset(where.end.line, where.end.column)))
    return spans
