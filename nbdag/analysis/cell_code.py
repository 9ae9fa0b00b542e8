"""What a cell is lowered to, and the one way to it: ``lower_cell``, which keeps what it has lowered by content.

Parsing itself is in ``cell_parse.py``, which is imported when the first cell is lowered: libcst takes its time.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from nbdag.analysis.ipython_syntax import Translated, automagic
from nbdag.model.facts import StatementKind
from nbdag.model.findings import Diagnostic, Place

if TYPE_CHECKING:
    from nbdag.analysis.defuse import tree
    from nbdag.analysis.defuse.places import Lines

BIG_STACK = 512 * 1024 * 1024  # bytes of address space, touched only as far as it is used
DEEP = 60  # nested brackets; libcst's parser takes about 10 kB of stack for each
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


def lower_cell(source: str, session_names: Set[str] = frozenset()) -> Lowered:
    """``source`` parsed and lowered; kept by content."""
    lowered = _lower_cached(source)
    line = source.strip()
    if "\n" in line or (lowered.units and not line.isidentifier()):
        return lowered
    as_magic = automagic(line, session_names)
    return lowered if as_magic is None else _lower_cached(as_magic)


@lru_cache(maxsize=KEPT_CELLS)
def _lower_cached(source: str) -> Lowered:
    from nbdag.analysis.cell_parse import lower, too_deep

    was_on = gc.isenabled()
    gc.disable()  # as in without_collections, which takes longer
    try:
        if _is_deep(source):
            return with_big_stack(lambda: lower(source))
        return lower(source)
    except RecursionError:
        try:
            return with_big_stack(lambda: lower(source))
        except RecursionError:
            return too_deep()
    finally:
        if was_on:
            gc.enable()


def forget_cells() -> None:
    """Parses every cell anew from now on: for benchmarks."""
    _lower_cached.cache_clear()


@contextmanager
def without_collections() -> Iterator[None]:
    """Trees hold no cycles, and there are many of them: the garbage collector would go over them all, in vain."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


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
