"""A cell's text parsed and lowered.

A cell is parsed twice: by libcst, whose tree is lowered (it knows the syntax of Pythons that are newer than the one
nbdag runs on), and by ``ast``, which is quick, knows where statements begin and end, and says what is wrong with a cell
the way the user's Python would say it.
"""

from __future__ import annotations

import ast
import re
import warnings

import libcst

from nbdag.analysis.cell_code import Lowered, Unit
from nbdag.analysis.cell_units import bound_by, spans_by_ast, spans_by_metadata, units_of
from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.lower import lower as lower_module
from nbdag.analysis.defuse.lower import lower_timed
from nbdag.analysis.defuse.places import Lines
from nbdag.analysis.defuse.shrink import shrink
from nbdag.analysis.ipython_syntax import Translated, translate
from nbdag.model.facts import StatementKind
from nbdag.model.findings import EXCERPT_BEFORE, Diagnostic, Place, Severity

HUGE = 300_000  # characters from which on what ``ast`` refuses is refused: libcst takes seconds to say the same
_LEFT_OUT = "the cell is left out; the others go on"
LONG = 30_000  # characters from which on literals are cut down before libcst sees them (9 us per character)


def lower(source: str) -> Lowered:
    translated = translate(source)
    text = translated.text
    lines = Lines(text, translated.shifts)
    if translated.whole is not None:
        return _whole_magic(source, translated, lines)
    if "\0" in text:
        line, column = lines.point(text.index("\0"))
        place = Place(line, column, line, column + 1)
        excerpt = _excerpt(source, line, column).replace("\0", "\N{SYMBOL FOR NULL}")
        hint = "delete it; the cell is left out, the others go on"
        return _refused("null-byte", "the cell holds a null byte, which Python refuses", place, hint, excerpt)
    try:
        parsed: ast.Module | None = _quiet_parse(text)
        problem: SyntaxError | None = None
    except SyntaxError as error:
        parsed, problem = None, error
        if "too many" in (error.msg or ""):
            return _syntax_error(error, source, text, lines)
    except UnicodeEncodeError as error:  # half of a surrogate pair
        start = error.start if len(text) >= error.end else 0
        start = next((at for at, letter in enumerate(text) if "\ud800" <= letter <= "\udfff"), start)
        line, column = lines.point(start)
        place = Place(line, column, line, column + 1)
        return _refused("syntax-error", "the cell holds half a character, which Python refuses", place, _LEFT_OUT,
                        _excerpt(source, line, column))  # fmt: skip
    except (ValueError, MemoryError, OverflowError) as error:
        message = f"Python cannot read the cell: {str(error) or 'it is nested too deeply'}"
        return _refused("syntax-error", message, Place(1, 0, 1, 1), _LEFT_OUT, _excerpt(source, 1, 0))
    if parsed is None and len(text) > HUGE:
        return _syntax_error(problem, source, text, lines)
    module = _parse_tree(text, parsed)
    if module is None or (problem is not None and not _is_newer(module)):
        return _syntax_error(problem, source, text, lines)
    return _lower_module(module, parsed, source, text, translated, lines)


def _quiet_parse(text: str) -> ast.Module:
    if "\\" not in text:
        return ast.parse(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _parse_tree(text: str, parsed: ast.Module | None) -> libcst.Module | None:
    if parsed is not None and len(text) > LONG:
        text = shrink(text, parsed)
    try:
        return libcst.parse_module(text)
    except libcst.ParserSyntaxError:
        return None
    except Exception:  # the parser panicked; ast knows what to tell the user
        return None


def _is_newer(module: libcst.Module) -> bool:
    """Whether ``module`` uses syntax that the Python nbdag runs on may not know yet."""
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
    module: libcst.Module, parsed: ast.Module | None, source: str, text: str, translated: Translated, lines: Lines
) -> Lowered:
    timed: list[tuple[int, tree.Function]] = []
    for index, magic in enumerate(translated.magics):
        if magic.timed:
            try:
                timed.append((index, lower_timed(libcst.parse_module(magic.timed), magic.timed)))
            except libcst.ParserSyntaxError:
                continue
    found = lower_module(module, text, translated.magics, dict(timed))
    if found.uncertain and parsed is not None:
        problem = _compile_problem(parsed)
        if problem is not None:
            return _syntax_error(problem, source, text, lines)
    statements = [statement for line in found.statements for statement in line]
    spans = spans_by_ast(parsed, text, lines) if parsed is not None else spans_by_metadata(module, lines)
    if translated.timed is not None:
        function = lower_timed(module, text)
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
    units = units_of(statements, spans, text, translated, lines)
    bound = frozenset(name for statement in statements for name in bound_by(statement))
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


# ---------------------------------------------------------------------------------------------- what is refused


def _refused(code: str, message: str, place: Place | None, hint: str = "", excerpt: str = "") -> Lowered:
    return Lowered(Translated(""), None, (), (Diagnostic(code, Severity.ERROR, message, None, place, hint, excerpt),))


def _syntax_error(problem: SyntaxError | None, source: str, text: str, lines: Lines) -> Lowered:
    if problem is None:
        return _refused("syntax-error", "the cell does not parse", Place(1, 0, 1, 1), _LEFT_OUT, _excerpt(source, 1, 0))
    message = problem.msg or "invalid syntax"
    line = min(problem.lineno or 1, text.count("\n") + 1)
    column = max((problem.offset or 1) - 1, 0)
    start = lines.offset(line, column)
    line, column = lines.point(max(min(start, len(text)), 0))
    place = Place(line, column, line, column + 1)
    excerpt = _excerpt(source, line, column)
    if _is_python_2(message, text.split("\n")[line - 1]):
        hint = "convert it with 2to3; it is left out"
        return _refused("python-2", f"the cell is Python 2: {message}", place, hint, excerpt)
    return _refused("syntax-error", message, place, _LEFT_OUT, excerpt)


def _excerpt(source: str, line: int, column: int) -> str:
    """The user's line that a place is in; of a very long one what is around the place, behind an ellipsis."""
    row = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")[line - 1]
    if column > EXCERPT_BEFORE * 2:
        return "\N{HORIZONTAL ELLIPSIS}" + row[column - EXCERPT_BEFORE : column + EXCERPT_BEFORE]
    return row[: EXCERPT_BEFORE * 3]


_PYTHON_2_MESSAGES = ("Missing parentheses in call to", "multiple exception types must be parenthesized",
                      "leading zeros in decimal integer literals")  # fmt: skip
_PYTHON_2_LINE = re.compile(r"\s*(?:print\s+[\"'\w]|print\s*>>|exec\s+[\"'\w]|raise\s+[\w.]+\s*,)|[^#\"']*(?:<>|`)"
                            r"|.*\b(?:0\d+|\d+)[lL]\b|.*\b[uU][rR][\"']")  # fmt: skip


def _is_python_2(message: str, row: str) -> bool:
    """Whether what Python 3 refuses in this line is how Python 2 was written."""
    if any(part in message for part in _PYTHON_2_MESSAGES) or ("print" in message and "Did you mean" in message):
        return True
    return ("invalid syntax" in message or "invalid decimal literal" in message) and bool(_PYTHON_2_LINE.match(row))


def _whole_magic(source: str, translated: Translated, lines: Lines) -> Lowered:
    """A cell that one ``%%magic`` has taken whole."""
    assert translated.whole is not None
    magic = translated.magics[translated.whole]
    body: tuple[tree.Stmt, ...] = (tree.Expression(tree.MagicValue(translated.whole, 0)),)
    rows = source.replace("\r\n", "\n").split("\n")
    place = Place(1, 0, len(rows), len(rows[-1]))
    unit = Unit(body, StatementKind.MAGIC, 0, 0, 1, magic.python, place)
    bound = frozenset(name for name, _ in magic.binds)
    return Lowered(translated, lines, (unit,), bound=bound)


def too_deep() -> Lowered:
    return _refused("too-deep", "the cell is nested too deeply to be analyzed", Place(1, 0, 1, 1), _LEFT_OUT)
