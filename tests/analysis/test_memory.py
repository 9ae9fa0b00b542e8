"""Analyzing again after an edit says what analyzing afresh says, and evaluates what depends on the edit."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdag.analysis.defuse.values import BY_TYPE, UNKNOWN
from nbdag.analysis.memory import Memory
from nbdag.analysis.resolve import analyze_session

# Few names, so that cells meet; everything that evaluation keeps between cells occurs.
CELLS = [
    "a = []", "a = 1", "a = lib.make()", "a = {'k': b}", "b = a", "b = [a, b]", "c = a[0]", "a, b = b, c", "del a",
    "a.append(b)", "b.update(k=c)", "a.x = b", "a[0] = c", "lib.use(a)", "c = lib.use(a, b)", "a += b", "a.sort()",
    "for c in a:\n    c.append(b)", "if c:\n    a = b", "try:\n    a\nexcept NameError:\n    a = []", "(a := b)",
    "b = [f(x) for x in a]", "c = (x for x in a)", "next(c)", "print('a and b')", "lib.run('a + len')", "a?",
    "%time b = a", "exec('a = 1')", "import lib", "from lib import a", "import numpy as np\na = np.zeros(3)",
    "b = a[:2]\nb[0] = 1", "ls", "import pandas as pd\na = pd.DataFrame(b)", "a['new'] = 1", "b = a['new']",
    "a.query('x > @c')", "len = 3", "_", "len(a)", "def f(x=a):\n    x.append(b)\n    return x",
    "def f(x):\n    global c\n    c = x\n    return g(x)", "b = f(a)", "f(b)", "def g(x):\n    a.append(x)", "g = f",
    "g = lambda: a", "c = g()", "b = {'f': f, 'g': g}", "b['f'](a)", "lib.call(f)",
    "def make(n):\n    kept = []\n    def put(x):\n        kept.append(x)\n        return n\n    return put",
    "f = make(a)", "g = make(f)",
    "class K:\n    items = []\n    def put(self, x):\n        self.x = x\n        b.append(x)", "k = K()", "k.put(a)",
    "c = k.x", "k.x.append(b)", "K.items = a", "class K(K):\n    def put(self, x): f(x)", "a = K()",
    "import functools\ng = functools.partial(f, a)", "x = (", "%%bash\nls", "%%capture a\nb = 1", "%run a.py",
]  # fmt: skip


@dataclass
class Notebook:
    cells: list[str] = field(default_factory=list)

    def edit(self, kind: str, at: int, text: str) -> None:
        place = at % max(len(self.cells), 1)
        if kind == "insert" or not self.cells:
            self.cells.insert(place, text)
        elif kind == "replace":
            self.cells[place] = text
        elif kind == "lengthen":
            self.cells[place] += "\n" + text
        elif kind == "delete":
            del self.cells[place]
        elif kind == "repeat":
            self.cells.append(self.cells[place])
        else:
            self.cells.append(self.cells.pop(place))


EDITS = st.tuples(
    st.sampled_from(["insert", "replace", "lengthen", "delete", "repeat", "move"]),
    st.integers(0, 20),
    st.sampled_from(CELLS),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(CELLS), max_size=14),
    st.lists(EDITS, min_size=1, max_size=6),
    st.sets(st.sampled_from(["a", "len", "_"])),
)
def test_after_any_edits_as_afresh(cells: list[str], edits: list[tuple[str, int, str]], names: set[str]) -> None:
    remembered, notebook = Memory(), Notebook(cells)
    analyze_session(notebook.cells, frozenset(), remembered)
    for edit in edits:
        notebook.edit(*edit)
        fresh = analyze_session(notebook.cells, frozenset(names), Memory())
        assert analyze_session(notebook.cells, frozenset(names), remembered) == fresh


@dataclass(frozen=True)
class Edit:
    idea: str
    before: list[str]
    after: list[str]
    evaluated: int


REUSE = [
    Edit("nothing", ["a = 1", "b = a"], ["a = 1", "b = a"], 0),
    Edit("the last cell", ["a = 1", "b = a"], ["a = 1", "b = -a"], 1),
    Edit("another value of one kind", ["a = 1", "b = a"], ["a = 2", "b = a"], 1),
    Edit("another kind of value", ["a = 1", "b = a", "c = 1"], ["a = []", "b = a", "c = 1"], 2),
    Edit("a new name", ["a = 1", "b = a", "f = 2"], ["a = 1; z = 1", "b = a", "f = 2"], 1),
    Edit("a new name that a string holds", ["a = 1", "lib.run('z')"], ["a = 1; z = 1", "lib.run('z')"], 2),
    Edit("a new name that hides a builtin", ["len(a)", "b = 1"], ["len(a)", "len = 1"], 2),
    Edit("a new name that sees a change", ["a = []", "a.append(1)"], ["a = []", "b = a", "a.append(1)"], 2),
    Edit("a function", ["def f(x): x.y = 1", "f(a)", "b = 1"], ["def f(x): pass", "f(a)", "b = 1"], 2),
    Edit("what a function reads", ["a = 1", "def f(): return a", "f()"], ["a = []", "def f(): return a", "f()"], 3),
    Edit("two cells change places", ["a = 1", "b = 2"], ["b = 2", "a = 1"], 0),
    Edit("a cell between", ["a = 1", "b = a"], ["a = 1", "c = 1", "b = a"], 1),
    Edit("a cell is gone", ["a = 1", "c = 1", "b = a"], ["a = 1", "b = a"], 0),
    Edit("opaque code", ["a = []", "b = 1", "c = b"], ["a = []", "b = 1", "exec(s)", "c = b"], 2),
    Edit("the same text twice", ["f = lambda: 1", "f = lambda: 1"], ["f = lambda: 1", "f = lambda: 1"], 0),
    Edit("once more the same text", ["f = lambda: 1"], ["f = lambda: 1", "f = lambda: 1"], 1),
    Edit("classes are evaluated each time", ["class K: pass", "k = K()", "1"], ["class K: pass", "k = K()", "1"], 2),
]  # fmt: skip


@pytest.mark.parametrize("edit", REUSE, ids=[edit.idea for edit in REUSE])
def test_evaluates_what_depends_on_the_edit(edit: Edit) -> None:
    remembered = Memory()
    analyze_session(edit.before, remembered=remembered)
    before = remembered.evaluated
    facts = analyze_session(edit.after, remembered=remembered)
    assert remembered.evaluated - before == edit.evaluated
    assert facts == analyze_session(edit.after, remembered=Memory())


def test_a_name_that_existed_before_the_first_cell() -> None:
    remembered = Memory()
    analyze_session(["_", "len(a)"], frozenset(), remembered)
    names = frozenset(("_", "len"))
    assert analyze_session(["_", "len(a)"], names, remembered) == analyze_session(["_", "len(a)"], names, Memory())


@pytest.mark.parametrize(
    "cells",
    [
        ["class K: pass", "k = K()", "k.x()", "k.x = lambda: a.append(1)"],
        ["def make():\n    n = 1\n    def get(): return n\n    def put(v):\n        nonlocal n\n        n = v\n"
         "    return get, put", "get, put = make()", "get().append(1)", "put(b)"],
    ],
)  # fmt: skip
def test_what_a_later_cell_put_into_a_class_or_closure_is_not_there_yet(cells: list[str]) -> None:
    remembered = Memory()
    analyze_session(cells, remembered=remembered)
    for place in range(len(cells)):
        cells[place] += "\nz = 1"
        assert analyze_session(cells, remembered=remembered) == analyze_session(cells, remembered=Memory())


def test_undoing_an_edit_costs_nothing() -> None:
    remembered = Memory()
    for cells in (["a = 1", "b = a"], ["a = []", "b = a"]):
        analyze_session(cells, remembered=remembered)
    before = remembered.evaluated
    analyze_session(["a = 1", "b = a"], remembered=remembered)
    assert remembered.evaluated == before


def test_a_memory_keeps_no_more_than_it_was_told_to() -> None:
    remembered = Memory(kept=10)
    for number in range(50):
        analyze_session([f"a = {number}", "b = a"], remembered=remembered)
    before = remembered.evaluated
    analyze_session(["a = 0", "b = a"], remembered=remembered)
    assert remembered.evaluated - before == 1


def test_what_one_notebook_did_is_not_seen_by_another() -> None:
    # What is put into a parameter that nobody gave, or into a number, is put into nothing that others see.
    analyze_session(["z = []", "def f(x):\n    x.append(z)", "f()", "n = 1\nn[0] = z"], remembered=Memory())
    assert not UNKNOWN.inner
    assert not BY_TYPE["int"].inner
