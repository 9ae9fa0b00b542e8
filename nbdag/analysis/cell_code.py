"""A cell's text parsed and lowered: its statements with their nodes, places and plain Python.

A cell is parsed twice: by libcst, whose tree is lowered (it knows the syntax of Pythons that are newer than the one
nbdag runs on), and by ``ast``, which is quick, knows where statements begin and end, and says what is wrong with a cell
the way the user's Python would say it.
"""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from nbdag.analysis.ipython_syntax import Translated, automagic, translate
from nbdag.model import (
    Diagnostic,
    Place,
    Severity,
    StatementKind,
)

if TYPE_CHECKING:
    import libcst

    from nbdag.analysis.defuse import tree
    from nbdag.analysis.defuse.places import Lines

BIG_STACK = 512 * 1024 * 1024  # bytes of address space, touched only as far as it is used
DEEP = 60  # nested brackets; libcst's parser takes about 10 kB of stack for each
LONG = 30_000  # characters from which on literals are cut down before libcst sees them (9 us per character)
KEPT_CELLS = 20_000

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """One statement to be: the nodes to evaluate, where it stands, and the text that does the same on plain Python."""

    body: tuple[tree.Stmt, ...]
    kind: StatementKind
    node: int
    start: int
    end: int
    text: str | None
    place: Place
    timed: bool = False  # nothing to run, unless it changes something


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """A cell's text, ready for evaluation."""

    translated: Translated
    lines: Lines | None = None
    units: tuple[Unit, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    timed: tuple[tuple[int, tree.Function], ...] = ()
    lazy_annotations: bool = False
    bound: frozenset[str] = frozenset()  # every name that its top level may bind


def lower_cell(source: str, session_names: frozenset[str] = frozenset()) -> Lowered:
    """``source`` parsed and lowered; kept by content."""
    lowered = _lower_cached(source)
    line = source.strip()
    if "\n" in line or (lowered.units and not line.isidentifier()):
        return lowered
    as_magic = automagic(line, session_names)
    return lowered if as_magic is None else _lower_cached(as_magic)


@lru_cache(maxsize=KEPT_CELLS)
def _lower_cached(source: str) -> Lowered:
    try:
        if _is_deep(source):
            return with_big_stack(lambda: _lower(source))
        return _lower(source)
    except RecursionError:
        try:
            return with_big_stack(lambda: _lower(source))
        except RecursionError:
            return _refused("too-deep", "the cell is nested too deeply to be analyzed", None)


# ---------------------------------------------------------------------------------------------- parsing


def _lower(source: str) -> Lowered:
    from nbdag.analysis.defuse.places import Lines

    translated = translate(source)
    text = translated.text
    lines = Lines(text, translated.shifts)
    if translated.whole is not None:
        return _whole_magic(source, translated, lines)
    if "\0" in text:
        line, column = lines.point(text.index("\0"))
        place = Place(line, column, line, column + 1)
        return _refused("null-byte", "the cell holds a null byte, which Python refuses", place)
    try:
        parsed: ast.Module | None = _quiet_parse(text)
        problem: SyntaxError | None = None
    except SyntaxError as error:
        parsed, problem = None, error
        if "too many" in (error.msg or ""):
            return _syntax_error(error, text, lines)
    except (ValueError, MemoryError, OverflowError) as error:
        return _refused("syntax-error", f"Python cannot read the cell: {error}", None)
    module = _parse_tree(text, parsed)
    if module is None or (problem is not None and not _is_newer(module)):
        return _syntax_error(problem, text, lines)
    return _lower_module(module, parsed, text, translated, lines)


def _quiet_parse(text: str) -> ast.Module:
    if "\\" not in text:
        return ast.parse(text)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _parse_tree(text: str, parsed: ast.Module | None) -> libcst.Module | None:
    import libcst

    if parsed is not None and len(text) > LONG:
        from nbdag.analysis.defuse.shrink import shrink

        text = shrink(text, parsed)
    try:
        return libcst.parse_module(text)
    except libcst.ParserSyntaxError:
        return None
    except Exception:  # the parser panicked; ast knows what to tell the user
        return None


def _is_newer(module: libcst.Module) -> bool:
    """Whether ``module`` uses syntax that the Python nbdag runs on may not know yet."""
    import libcst

    newer = (
        libcst.TypeAlias, libcst.TypeParameters, libcst.FormattedString, libcst.TryStar, libcst.Match,
        getattr(libcst, "TemplatedString", libcst.TypeAlias),
    )  # fmt: skip
    waiting: list[libcst.CSTNode] = [module]
    while waiting:
        node = waiting.pop()
        if isinstance(node, newer):
            return True
        waiting.extend(node.children)
    return False


def _lower_module(
    module: libcst.Module, parsed: ast.Module | None, text: str, translated: Translated, lines: Lines
) -> Lowered:
    import libcst

    from nbdag.analysis.defuse import lower, tree

    found = lower.lower(module, text)
    if found.uncertain and parsed is not None:
        problem = _compile_problem(parsed)
        if problem is not None:
            return _syntax_error(problem, text, lines)
    statements = [statement for line in found.statements for statement in line]
    spans = _spans_by_ast(parsed, text, lines) if parsed is not None else _spans_by_metadata(module, lines)
    timed: list[tuple[int, tree.Function]] = []
    for index, magic in enumerate(translated.magics):
        if magic.timed:
            try:
                timed.append((index, lower.lower_timed(libcst.parse_module(magic.timed), magic.timed)))
            except libcst.ParserSyntaxError:
                continue
    if translated.timed is not None:
        function = lower.lower_timed(module, text)
        setup = dict(timed).get(translated.timed)
        if setup is not None:
            body = (*setup.body, *function.body)
            names = setup.locals | function.locals
            function = tree.Function("<timed>", 0, (), body, names, globals=function.globals)
            timed = [pair for pair in timed if pair[0] != translated.timed]
        end = len(text)
        timing = (tree.Timed(function, translated.timed),)
        unit = Unit(timing, StatementKind.MAGIC, 0, 0, end, "", lines.place(0, end), timed=True)
        return Lowered(translated, lines, (unit,), (), tuple(timed), found.lazy_annotations)
    units = _units(statements, spans, text, translated, lines)
    bound = frozenset(name for statement in statements for name in _bound(statement))
    return Lowered(translated, lines, units, (), tuple(timed), found.lazy_annotations, bound)


def _compile_problem(parsed: ast.Module) -> SyntaxError | None:
    """What the compiler has to say beyond the grammar: ``return`` outside a function and the like."""
    try:
        compile(parsed, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError):
        return None
    return None


def _units(
    statements: list[tree.Stmt], spans: list[tuple[int, int]], text: str, translated: Translated, lines: Lines
) -> tuple[Unit, ...]:
    from nbdag.analysis.defuse import tree

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
    rest = text[end:].split("\n", 1)[0]
    return rest.rstrip("\r") if rest.lstrip(" \t").startswith("#") else ""


def _is_timed(statement: tree.Stmt, translated: Translated) -> bool:
    from nbdag.analysis.defuse import tree

    if not isinstance(statement, tree.Expression) or not isinstance(statement.value, tree.MagicValue):
        return False
    return translated.magics[statement.value.index].timed is not None


def _kind(statement: tree.Stmt) -> tuple[StatementKind, bool]:
    """The kind of a statement, and whether it is nothing but a magic."""
    from nbdag.analysis.defuse import tree

    kind = _KINDS.get(statement.__class__.__name__, StatementKind.OTHER)
    if isinstance(statement, tree.Assign) and isinstance(statement.value, tree.Lambda) and len(statement.targets) == 1:
        if isinstance(statement.targets[0], tree.Name):
            kind = StatementKind.FUNCTION
    elif isinstance(statement, tree.Expression) and isinstance(statement.value, tree.MagicValue):
        return StatementKind.MAGIC, True
    return kind, False


_KINDS = {
    "Import": StatementKind.IMPORT,
    "Define": StatementKind.FUNCTION,
    "DefineClass": StatementKind.CLASS,
    "Assign": StatementKind.ASSIGNMENT,
    "Augment": StatementKind.ASSIGNMENT,
    "Annotate": StatementKind.ASSIGNMENT,
    "Expression": StatementKind.EXPRESSION,
    "If": StatementKind.CONTROL,
    "For": StatementKind.CONTROL,
    "While": StatementKind.CONTROL,
    "With": StatementKind.CONTROL,
    "Try": StatementKind.CONTROL,
    "Match": StatementKind.CONTROL,
}


def _without_stand_ins(text: str, translated: Translated, alone: bool) -> str | None:
    """``text`` with plain Python in the place of every magic, or None where there is none."""
    import re

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


def _bound(statement: tree.Stmt) -> list[str]:
    """Names that ``statement`` may bind at top level, without looking into expressions."""
    from nbdag.analysis.defuse import tree

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
        elif isinstance(node, tree.Try):
            waiting.extend((*node.body, *node.otherwise, *node.final))
            for handler in node.handlers:
                waiting.extend(handler.body)
    return found


# ---------------------------------------------------------------------------------------------- places


def _spans_by_ast(parsed: ast.Module, text: str, lines: Lines) -> list[tuple[int, int]]:
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


def _spans_by_metadata(module: libcst.Module, lines: Lines) -> list[tuple[int, int]]:
    """The same for syntax that ``ast`` does not know here; slower."""
    import libcst
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


# ---------------------------------------------------------------------------------------------- what is refused


def _refused(code: str, message: str, place: Place | None, hint: str = "", excerpt: str = "") -> Lowered:
    return Lowered(Translated(""), None, (), (Diagnostic(code, Severity.ERROR, message, None, place, hint, excerpt),))


def _syntax_error(problem: SyntaxError | None, text: str, lines: Lines) -> Lowered:
    if problem is None:
        return _refused("syntax-error", "the cell does not parse", Place(1, 0, 1, 1))
    message = problem.msg or "invalid syntax"
    line = min(problem.lineno or 1, text.count("\n") + 1)
    column = max((problem.offset or 1) - 1, 0)
    start = lines.offset(line, column)
    line, column = lines.point(max(min(start, len(text)), 0))
    place = Place(line, column, line, column + 1)
    excerpt = text.split("\n")[line - 1][:200].rstrip("\r")
    if "Missing parentheses in call to" in message or ("print" in message and "Did you mean" in message):
        hint = "convert it with 2to3; it is left out"
        return _refused("python-2", f"the cell is Python 2: {message}", place, hint, excerpt)
    return _refused("syntax-error", message, place, "the cell is left out; the others go on", excerpt)


def _whole_magic(source: str, translated: Translated, lines: Lines) -> Lowered:
    """A cell that one ``%%magic`` has taken whole."""
    from nbdag.analysis.defuse import tree

    assert translated.whole is not None
    magic = translated.magics[translated.whole]
    body: tuple[tree.Stmt, ...] = (tree.Expression(tree.MagicValue(translated.whole, 0)),)
    rows = source.replace("\r\n", "\n").split("\n")
    place = Place(1, 0, len(rows), len(rows[-1]))
    unit = Unit(body, StatementKind.MAGIC, 0, 0, 1, magic.python, place)
    bound = frozenset(name for name, _ in magic.binds)
    return Lowered(translated, lines, (unit,), bound=bound)


# ---------------------------------------------------------------------------------------------- depth


def _is_deep(source: str) -> bool:
    if source.count("(") + source.count("[") + source.count("{") > DEEP:
        depth = deepest = 0
        for character in source:
            if character in "([{":
                depth += 1
                deepest = max(deepest, depth)
            elif character in ")]}":
                depth -= 1
        if deepest > DEEP:
            return True
    return "\n" + " " * 4 * DEEP in source


def with_big_stack(work: Callable[[], _T]) -> _T:
    """The result of ``work``, done in a thread with room for deep recursion."""
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    limit, size = sys.getrecursionlimit(), threading.stack_size(BIG_STACK)
    sys.setrecursionlimit(max(limit, 200_000))
    try:
        thread = threading.Thread(target=run, name="nbdag-deep")
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
    if errors:
        raise errors[0]
    return results[0]
