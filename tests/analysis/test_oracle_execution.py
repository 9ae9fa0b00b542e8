"""Python itself as the oracle: the specification's rows run, and do nothing that lies outside what analysis allows.

Names that no cell defines are played. What is watched: which globals are looked up, bound, deleted, and whose
object is another inside afterwards.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import io
import re
import sys
import types
from collections import deque
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import pytest

from nbdag.analysis.resolve import analyze_session
from nbdag.model.facts import AccessKind, CellFacts, Certainty
from tests.analysis.rows import ROWS, Row

# Nothing that touches more than objects in memory is run here, and nothing that patches what the tests need.
_HANDS_OFF = re.compile(
    r"\b(os|shutil|subprocess|socket|requests|urlopen|input|getpass|open|sys|signal|locale|threading|logging|warnings|"
    r"pickle|torch|sklearn|seaborn|sns|plt|pl|matplotlib|json|inspect|get_ipython|__main__|importlib|exit|quit|display|"
    r"set_option|options|to_csv|read_\w+|savefig|np\.save|seed|set_printoptions|polars|globals|locals|vars|exec|eval|"
    r"compile|query|timeit|builtins|numexpr|statsmodels|duckdb|pandasql|secrets|uuid|urllib|sqlite3|decimal)\b"
)
# What the import system, the compiler and ``warnings`` keep among the globals.
_OWN = {"__name__", "__builtins__", "__annotations__", "__doc__", "__build_class__", "__debug__", "__warningregistry__",
        "__package__", "__spec__", "__path__", "__file__", "__loader__"}  # fmt: skip


def runs_here(row: Row) -> bool:
    text = "\n".join(row.cells)
    if row.gap or "history" in row.expected or row.topic in ("ipython", "effects") or _HANDS_OFF.search(text):
        return False
    try:
        for cell in row.cells:
            ast.parse(cell)
    except (SyntaxError, ValueError):
        return False
    return "await" not in text and "async" not in text and "import *" not in text


RUNNABLE = [row for row in ROWS if runs_here(row)]


class Played:
    """An object of the session that no cell has made: it can do anything, and is false, so that loops over it end."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Played()

    def __call__(self, *_arguments: Any, **_named: Any) -> Any:
        return Played()

    def __bool__(self) -> bool:
        return False

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __hash__(self) -> int:
        return 1

    def __setattr__(self, name: str, value: Any) -> None:
        pass

    __delattr__ = __setitem__ = __delitem__ = __exit__ = lambda *_: None
    __enter__ = __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __call__
    __truediv__ = __matmul__ = __neg__ = __invert__ = __and__ = __or__ = __call__
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = __ne__ = __contains__ = lambda *_: False


class Watched(dict[str, Any]):
    """Globals that remember what was asked of them."""

    def __init__(self) -> None:
        super().__init__(__name__="__main__", __builtins__=builtins)
        self.looked_up: set[str] = set()
        self.foreign: set[str] = set()  # looked up before this cell had bound them
        self.bound: set[str] = set()
        self.deleted: set[str] = set()

    def begin(self) -> None:
        self.looked_up, self.foreign, self.bound, self.deleted = set(), set(), set(), set()

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            if hasattr(builtins, name) or name in _OWN or name in self.deleted:
                raise KeyError(name)
            super().__setitem__(name, Played())
        self.looked_up.add(name)
        if name not in self.bound:
            self.foreign.add(name)
        return super().__getitem__(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.bound.add(name)
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self.deleted.add(name)
        if name not in self.bound:
            self.foreign.add(name)
        self.looked_up.add(name)


def inside(value: Any, seen: tuple[int, ...] = ()) -> object:
    """Something that is equal before and after if and only if ``value`` has not changed, as far as this can look."""
    if id(value) in seen or len(seen) > 12:
        return "seen"
    deeper = (*seen, id(value))
    if isinstance(value, (int, float, str, bytes, bool, type(None), Played, types.ModuleType)):
        return "played" if isinstance(value, Played) else repr(value)
    if isinstance(value, (list, tuple, deque)):
        return [type(value).__name__, *(inside(item, deeper) for item in value)]
    if isinstance(value, dict):
        return [(inside(key, deeper), inside(item, deeper)) for key, item in value.items()]
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    if isinstance(value, types.GeneratorType):
        return None if value.gi_frame is None else (value.gi_frame.f_lasti, inside(value.gi_frame.f_locals, deeper))
    if hasattr(type(value), "__length_hint__"):
        return value.__length_hint__()
    if type(value).__module__.split(".")[0] in ("numpy", "pandas"):
        return repr(value.bit_generator.state) if hasattr(value, "bit_generator") else repr(value)
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if cell_is_full(cell)]
        return [inside(part, deeper) for part in (cells, value.__defaults__, value.__kwdefaults__, value.__dict__)]
    if isinstance(value, type):
        own = {name: part for name, part in vars(value).items() if not name.startswith("__")}
        return inside(own, deeper) if value.__module__ == "__main__" else "library"
    if isinstance(value, types.MethodType):
        return inside(value.__self__, deeper)
    if hasattr(type(value), "getstate"):
        return repr(value.getstate())
    return inside(vars(value), deeper) if hasattr(value, "__dict__") else "unknown"


def cell_is_full(cell: Any) -> bool:
    try:
        cell.cell_contents
    except ValueError:
        return False
    return True


@dataclass
class Seen:
    """What one cell did."""

    looked_up: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    completed: bool = True


def run(source: str, session: Watched) -> Seen:
    before = {name: (value, inside(value)) for name, value in session.items() if name not in _OWN}
    session.begin()
    completed = True
    with redirect_stdout(io.StringIO()):
        try:
            exec(compile(source, "<cell>", "exec", dont_inherit=True), session)
        except Exception:
            completed = False
    after = {name: value for name, value in session.items() if name not in _OWN}
    played = {name for name, value in after.items() if isinstance(value, Played) and name not in session.bound}
    # Functions bind globals without asking the dict.
    bound = session.bound | {
        name for name in after if name not in played and after[name] is not before.get(name, (0,))[0]
    }
    deleted = session.deleted | (before.keys() - after.keys())
    changed = {name for name, (value, was) in before.items() if after.get(name) is value and inside(value) != was}
    return Seen(session.looked_up, session.foreign, bound, deleted, changed, completed)


def said(facts: CellFacts, kind: AccessKind, certainty: Certainty | None = None) -> set[str]:
    return {
        access.name
        for statement in facts.statements
        for access in statement.accesses
        if access.kind is kind and not access.deferred and certainty in (None, access.certainty)
    }


@pytest.fixture(autouse=True)
def library() -> Iterator[None]:
    """A library called ``lib``, about which nobody knows anything."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 300)  # rows that recurse for ever end soon
    sys.modules["lib"] = Played()  # type: ignore[assignment]
    yield
    del sys.modules["lib"]
    sys.setrecursionlimit(limit)


@pytest.mark.parametrize("row", RUNNABLE, ids=[row.id for row in RUNNABLE])
def test_nothing_happens_that_analysis_does_not_allow(row: Row) -> None:
    session = Watched()
    for number, (source, facts) in enumerate(zip(row.cells, analyze_session(row.cells), strict=True), 1):
        seen = run(source, session)
        if any(statement.opaque for statement in facts.statements):
            continue
        reads, binds = said(facts, AccessKind.READ), said(facts, AccessKind.BIND)
        mutates, deletes = said(facts, AccessKind.MUTATE), said(facts, AccessKind.DELETE)
        where = f"cell {number}"
        assert seen.foreign - _OWN <= reads | mutates | deletes, where
        assert seen.bound - _OWN <= binds, where
        assert seen.deleted - _OWN <= deletes, where
        assert seen.changed - _OWN <= mutates | binds, where
        if seen.completed:
            assert said(facts, AccessKind.BIND, Certainty.MUST) <= seen.bound | seen.deleted, where
            imports = {access.name for statement in facts.statements if statement.kind.value == "import"
                       for access in statement.accesses}  # fmt: skip
            certain = said(facts, AccessKind.READ, Certainty.MUST) - imports
            assert certain <= seen.looked_up, where


def test_most_rows_run() -> None:
    assert len(RUNNABLE) > 500
