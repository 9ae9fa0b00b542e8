"""Where the code of a function came from: the text it was compiled from, and which code object of it.

A function that travels by source is named by a :class:`CodePlace`: the text of its cell, and the how-many-th code
object of that name and line in it. The target compiles the text again and picks the same one, whatever its Python:
no marshalled code ever crosses versions.

    cell    scale = 3                     place of f:      text of the cell, "<lambda>", line 2, ordinal 0
            f, g = lambda v: v * scale, lambda v: v + scale          of g:  the same, ordinal 1

IPython registers each cell in linecache after its own syntax became Python. ``%%time`` and its like compile the body
of the cell once more under a name of their own, so the bodies of such cells are looked through too.
"""

from __future__ import annotations
import __future__

import ast
import linecache
from types import CodeType
from typing import Any, Dict, Iterator, List, Optional, Tuple

# Cells may hold a top-level await.
CELL_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class CodePlace:
    """Which code object of which text: the ``ordinal``-th called ``name`` that begins in ``line``.

    ``features`` are the names of the ``__future__`` imports in force.
    """

    __slots__ = ("features", "line", "name", "ordinal", "text")

    def __init__(self, text: str, name: str, line: int, ordinal: int, features: Tuple[str, ...]) -> None:
        self.text = text
        self.name = name
        self.line = line
        self.ordinal = ordinal
        self.features = features


class Sources:
    """Finds the places of code objects; compiles each text once. Good for one encoding."""

    def __init__(self) -> None:
        self._compiled: Dict[Tuple[str, Tuple[str, ...]], List[CodeType]] = {}

    def place_of(self, code: CodeType) -> Optional[CodePlace]:
        """Where ``code`` came from, None when no known text gives exactly this code."""
        features = tuple(
            name
            for name in __future__.all_feature_names
            if code.co_flags & getattr(__future__, name).compiler_flag & ~0xFF
        )
        for text in _candidate_texts(code):
            alike = self._alike(self._codes_of(text, features), code)
            for ordinal, found in enumerate(alike):
                if same_code(found, code):
                    return CodePlace(text, code.co_name, code.co_firstlineno, ordinal, features)
            apart = self._alike(self._codes_apart(text, features), code)
            for ordinal, found in enumerate(apart):
                if len(apart) == len(alike) and same_code(found, code):
                    return CodePlace(text, code.co_name, code.co_firstlineno, ordinal, features)
        return None

    @staticmethod
    def _alike(codes: List[CodeType], code: CodeType) -> List[CodeType]:
        """Those of the same name that begin in the same line."""
        return [
            found for found in codes if found.co_name == code.co_name and found.co_firstlineno == code.co_firstlineno
        ]

    def _codes_apart(self, text: str, features: Tuple[str, ...]) -> List[CodeType]:
        key = (text, ("apart", *features))
        if key not in self._compiled:
            self._compiled[key] = list(codes_of_statements(text, "<source>", features))
        return self._compiled[key]

    def _codes_of(self, text: str, features: Tuple[str, ...]) -> List[CodeType]:
        key = (text, features)
        if key not in self._compiled:
            self._compiled[key] = list(codes_of_text(text, "<source>", features))
        return self._compiled[key]


def codes_of_statements(text: str, filename: str, features: Tuple[str, ...]) -> Iterator[CodeType]:
    """The same with each statement compiled by itself, as IPython does it.

    # import os; f = lambda: os.getcwd()
    # compiled as one, os is known to be a module, and the call is one of a plain function and not of a method
    """
    try:
        statements: Any = compile(text, filename, "exec", CELL_FLAGS | ast.PyCF_ONLY_AST, True).body
    except (SyntaxError, ValueError, RecursionError):
        return
    for statement in statements:
        yield from codes_of_text(ast.Module([statement], []), filename, features)


def codes_of_text(text: Any, filename: str, features: Tuple[str, ...]) -> Iterator[CodeType]:
    """Every code object of ``text`` (or of its tree) in the order of the source; nothing where it does not compile."""
    flags = CELL_FLAGS
    for name in features:
        flags |= getattr(__future__, name).compiler_flag
    try:
        module = compile(text, filename, "exec", flags, True)
    except (SyntaxError, ValueError, RecursionError):
        return
    pending = [module]
    while pending:
        code = pending.pop()
        yield code
        pending.extend(reversed([constant for constant in code.co_consts if isinstance(constant, CodeType)]))


def same_code(one: CodeType, other: CodeType) -> bool:
    """Whether two code objects do the same, wherever they stand: names, constants and instructions."""
    return (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and one.co_freevars == other.co_freevars
        and one.co_cellvars == other.co_cellvars
        and one.co_argcount == other.co_argcount
        and one.co_kwonlyargcount == other.co_kwonlyargcount
        and len(one.co_consts) == len(other.co_consts)
        and all(_same_constant(a, b) for a, b in zip(one.co_consts, other.co_consts))  # noqa: B905
    )


def _same_constant(one: object, other: object) -> bool:
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return same_code(one, other)
    if type(one) is not type(other):
        return False
    return one == other if isinstance(one, frozenset) else repr(one) == repr(other)


def _candidate_texts(code: CodeType) -> Iterator[str]:
    """Texts that ``code`` may come from, the likeliest first."""
    own = "".join(linecache.getlines(code.co_filename))
    if own:
        yield own
        yield from _bodies_of_cell_magics(own)
    # %%time compiles its body as "<timed exec>": look for the name in every registered cell, the newest first.
    for filename in reversed(list(linecache.cache)):
        entry = linecache.cache[filename]
        if len(entry) < 4 or entry[1] is not None:  # a real file, or not loaded yet
            continue
        text = "".join(entry[2])
        if code.co_name.strip("<>") in text:
            yield text
            yield from _bodies_of_cell_magics(text)


def _bodies_of_cell_magics(text: str) -> Iterator[str]:
    """The last argument of each ``get_ipython().run_cell_magic(...)`` of a transformed cell."""
    if "run_cell_magic" not in text:
        return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "run_cell_magic"
            and node.args
            and isinstance(node.args[-1], ast.Constant)
            and isinstance(node.args[-1].value, str)
        ):
            yield node.args[-1].value
