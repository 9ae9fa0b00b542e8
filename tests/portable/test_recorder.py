"""What the recorder says about sessions that run in a real IPython shell of this process.

Each row of a table is a sentence, the cells, and what must be recorded of the last statement of the last cell.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbdag.analysis.trace import read_trace, write_trace
from nbdag.analysis.trace import read_trace as _read
from nbdag.model.trace import Execution, Outcome, StatementRun, Trace, Variable
from nbdag.portable import agent


class Session:
    """An IPython shell with the recorder at work."""

    def __init__(self, shell: InteractiveShell, directory: Path) -> None:
        self.shell = shell
        self.directory = directory

    def command(self, name: str, **arguments: Any) -> dict[str, Any]:
        answer = agent.command(name, arguments)
        assert "error" not in answer, answer["error"] + "\n" + answer["traceback"]
        return answer

    def run(self, *cells: str, quiet: bool = True, **options: Any) -> Any:
        """Run cells as a front end does; failures stay inside."""
        options.setdefault("store_history", not options.get("silent"))
        result = None
        for cell in cells:
            with contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext():
                result = self.shell.run_cell(cell, **options)
        return result

    def trace(self) -> Trace:
        path = self.directory / "trace.json"
        self.command("trace", path=str(path))
        trace = read_trace(path)
        faults = [finding.message for finding in trace.diagnostics if finding.code == "recorder"]
        assert not faults, faults
        return trace

    def executions(self) -> tuple[Execution, ...]:
        return self.trace().executions

    def last(self) -> Execution:
        return self.executions()[-1]

    def statement(self) -> StatementRun:
        return self.last().statements[-1]

    def variable(self, name: str) -> Variable:
        return next(variable for variable in self.trace().variables if variable.name == name)

    def value(self, name: str) -> Any:
        return self.shell.user_ns[name]


@contextlib.contextmanager
def plain_shell(directory: Path) -> Iterator[InteractiveShell]:
    """A fresh shell, and the process as it was afterwards."""
    main, displayhook, excepthook = sys.modules["__main__"], sys.displayhook, sys.excepthook
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    config.InteractiveShell.ipython_dir = str(directory / "ipython")
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    try:
        yield shell
    finally:
        InteractiveShell.clear_instance()
        sys.modules["__main__"], sys.displayhook, sys.excepthook = main, displayhook, excepthook


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with plain_shell(tmp_path) as shell:
        session = Session(shell, tmp_path)
        session.command("start", late=False, share=None)
        yield session
        agent.command("stop", {})


# ------------------------------------------------------------------------------------------------ what changed

BOX = """
class Box:
    count = 0
    def __init__(self): self.items = []
    def add(self, item): self.items.append(item)
    @property
    def grown(self): self.items.append(0); return self
    def __iadd__(self, item): self.items.append(item); return self
    @classmethod
    def tick(cls): cls.count += 1
"""

WEAK = "import weakref\nclass K: v = 1\nk = K(); "
FINALIZER = "log = []\nclass D:\n def __del__(self): log.append(1)\nd = D()"

CHANGES = [
    ("a call of a method", ["xs = []", "xs.append(1)"], "xs"),
    ("an item", ["xs = [1]", "xs[0] = 2"], "xs"),
    ("an item of the same value and another type", ["xs = [1]", "xs[0] = True"], "xs"),
    ("the sign of a zero", ["xs = [0.0]", "xs[0] = -0.0"], "xs"),
    ("a slice", ["xs = [1, 2, 3]", "xs[1:] = []"], "xs"),
    ("a deleted item", ["d = {1: 2}", "del d[1]"], "d"),
    ("the order of a dict", ["d = {1: 1, 2: 2}", "d[1] = d.pop(1)"], "d"),
    ("a set", ["s = {1}", "s.add(2)"], "s"),
    ("a bytearray", ["b = bytearray(b'a')", "b[0] = 98"], "b"),
    ("a nested list", ["xs = [[[]]]", "xs[0][0].append(1)"], "xs"),
    ("an alias", ["xs = []; ys = xs", "ys.append(1)"], "xs ys"),
    (
        "a name that a function binds to a new list, which is where the old one was",
        ["x = [1]\ndef f(n):\n global x\n x = None; x = [n]", "f(2)"],
        "x",
    ),
    ("another's equal list in place of its own", ["d = {'a': []}; xs = []", "d['a'] = xs"], "d xs"),
    ("what came in place of its equal", ["d = {'a': []}; xs = []", "d['a'] = xs", "xs.append(1)"], "d xs"),
    (
        "what came in place of its equal in a large value",
        ["import array\nd = [[]] + [array.array('d') for _ in range(3000)]; xs = []", "d[0] = xs", "xs.append(1)"],
        "d xs",
    ),
    ("an alias made in the same cell", ["xs = []\nys = xs\nys.append(1)"], "xs ys"),
    ("an element", ["inner = []; outer = [inner]", "inner.append(1)"], "inner outer"),
    ("through the container", ["inner = []; outer = [inner]", "outer[0].append(1)"], "inner outer"),
    ("two containers of one element", ["a = [[]]; b = [a[0]]", "a[0].append(1)"], "a b"),
    ("+= on a list", ["xs = []; ys = xs", "xs += [1]"], "xs ys"),
    ("a function that mentions it", ["xs = []\ndef f(): xs.append(1)", "f()"], "xs"),
    ("a function that calls a function", ["xs = []\ndef f(): xs.append(1)\ndef g(): f()", "g()"], "xs"),
    ("a lambda in a dict", ["xs = []\nh = {'go': lambda: xs.append(1)}", "h['go']()"], "xs"),
    ("a bound method", ["xs = []; add = xs.append", "add(1)"], "add xs"),
    ("a partial", ["import functools\nxs = []; add = functools.partial(xs.append, 1)", "add()"], "add xs"),
    ("an attribute", [BOX + "b = Box()", "b.items = 1"], "b"),
    ("a method of a class", [BOX + "b = Box()", "b.add(1)"], "b"),
    ("a property", [BOX + "b = Box()", "b.grown"], "b"),
    ("an in-place operator", [BOX + "b = Box(); c = b", "b += 1"], "b c"),
    ("a class attribute", [BOX, "Box.tick()"], "Box"),
    ("a closure's cell", ["def make():\n n = [0]\n def f(): n[0] += 1\n return f\nf = make()", "f()"], "f"),
    ("a nonlocal counter",
     ["def make():\n n = 0\n def f():\n  nonlocal n\n  n += 1\n return f\nf = make()", "f()"], "f"),
    ("a default argument", ["def f(x, seen=[]): seen.append(x)", "f(1)"], "f"),
    ("a function attribute", ["def f(): f.n = getattr(f, 'n', 0) + 1", "f()"], "f"),
    ("a decorated function",
     ["log = []\ndef d(f):\n def g(): log.append(1); return f()\n return g\n@d\ndef f(): pass", "f()"], "log"),
    ("exec", ["xs = []", "exec('xs.append(1)')"], "xs"),
    ("eval of computed text", ["xs = []", "eval('x' + 's.append(1)')"], "xs"),
    ("globals()", ["xs = []", "globals()['x' + 's'].append(1)"], "xs"),
    ("a comprehension", ["xs = []", "[xs.append(i) for i in range(3)]"], "xs"),
    ("a loop variable that views an element", ["rows = [[], []]", "for row in rows: row.append(1)"], "row rows"),
    ("unpacking", ["pair = ([], [])", "a, b = pair\na.append(1)"], "a b pair"),
    ("a NumPy element", ["import numpy as np\na = np.zeros(3)", "a[0] = 1"], "a"),
    ("a NumPy view", ["import numpy as np\na = np.zeros(3); v = a[1:]", "v[0] = 1"], "a v"),
    ("two disjoint views", ["import numpy as np\nv = np.zeros(4); w = v[2:]; v = v[:2]", "w[0] = 1"], "v w"),
    ("a large array", ["import numpy as np\na = np.zeros(100_000)", "a[0] = 1"], "a"),
    ("a large array's view", ["import numpy as np\na = np.zeros(100_000); v = a[5:]", "v[0] = 1"], "a v"),
    ("a memoryview", ["b = bytearray(9); m = memoryview(b)", "m[0] = 1"], "b m"),
    ("a column", ["import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})", "df['b'] = 1"], "df"),
    ("a cell of a frame", ["import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})", "df.loc[0, 'a'] = 9"], "df"),
    ("inplace=True",
     ["import pandas as pd\ndf = pd.DataFrame({'a': [2, 1]})", "df.sort_values('a', inplace=True)"], "df"),
    ("a frame's index name", ["import pandas as pd\ndf = pd.DataFrame({'a': [2, 1]})", "df.index.name = 'i'"], "df"),
    ("a generator that was advanced", ["g = (i for i in range(3))", "next(g)"], "g"),
    ("an iterator", ["it = iter([1, 2])", "next(it)"], "it"),
    ("a lock that was taken", ["import threading\nlock = threading.Lock()", "lock.acquire()"], "lock"),
    ("an open file", ["f = open('/dev/null', 'w')", "f.write('x')"], "f"),
    ("%%time", ["xs = []", "%%time\nxs.append(1)"], "xs"),
    ("%time", ["xs = []", "%time xs.append(1)"], "xs"),
    ("%%capture", ["xs = []", "%%capture out\nxs.append(1)"], "xs"),
    ("%%time over a function", ["xs = []\ndef f(): xs.append(1)", "%%time\nf()"], "xs"),
    ("a nested run_cell", ["xs = []", "get_ipython().run_cell('xs.append(1)')"], "xs"),
    ("await", ["import asyncio\nxs = []\nasync def f(): await asyncio.sleep(0); xs.append(1)", "await f()"], "xs"),
    ("a thread that has ended",
     ["import threading\nxs = []", "t = threading.Thread(target=xs.append, args=(1,)); t.start(); t.join()"], "xs"),
    ("a statement that fails half-way", ["xs = []", "xs.append(1); 1 / 0"], "xs"),
    ("a loop that fails half-way", ["xs = []", "for i in range(3): xs.append(1 // (1 - i))"], "xs"),
    ("a chain of 20,000 objects",
     ["chain = last = []\nfor i in range(20_000): last.append([]); last = last[0]", "last.append(1)"], "chain last"),
    ("a cycle", ["xs = []; xs.append(xs)", "xs.append(1)"], "xs"),
    ("setattr on the module", ["xs = []", "import __main__\n__main__.xs.append(1)"], "xs"),
    ("a class attribute through an instance", ["class C: seen = []\nc = C()", "c.seen.append(1)"], "C"),
    ("a class attribute through self",
     ["class C:\n n = 0\n def m(self): self.__class__.n += 1\nc = C()", "c.m()"], "C"),
    ("a class attribute through an instance in a list",
     ["class C:\n n = 0\n def m(self): type(self).n += 1\ncs = [C()]", "cs[0].m()"], "C"),
    ("a descriptor's table",
     ["class T:\n def __init__(self): self.t = {}\n def __set__(self, o, v): self.t[id(o)] = v\n"
      "class C: v = T()\nc = C()", "c.v = 1"], "C"),
    ("an attribute of a function in a dict", ["def f(): pass\nfs = {'f': f}", "fs['f'].calls = 1"], "f fs"),
    ("a weak reference", [WEAK + "r = weakref.ref(k)", "r().v = 2"], "k r"),
    ("a proxy", [WEAK + "p = weakref.proxy(k)", "p.v = 2"], "k"),
    ("a weak dictionary", [WEAK + "d = weakref.WeakValueDictionary(a=k)", "d['a'].v = 2"], "k"),
    ("a finalizer", [FINALIZER, "d = 1"], "log"),
    ("a finalizer of something deleted", [FINALIZER, "del d"], "log"),
    ("a __dict__ that lies",
     ["class C:\n @property\n def __dict__(self): return {}\nc = C(); c.v = 1", "c.v = 2"], "c"),
    ("a registration with a single dispatch",
     ["import functools\n@functools.singledispatch\ndef f(x): pass", "f.register(int, print)"], "f"),
    ("a name that is no identifier", ["globals()['a-b'] = []", "globals()['a-b'].append(1)"], "a-b"),
    ("query with @", ["xs = []\ndef f(text): pass", "f('call @xs')"], ""),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "cells", "names"), CHANGES, ids=[row[0] for row in CHANGES])
def test_a_change_in_place_is_seen_through(session: Session, sentence: str, cells: list[str], names: str) -> None:
    session.run(*cells)
    changed = {name for run in session.last().statements for name in run.changed}
    bound = {name for run in session.last().statements for name in run.bound}
    assert changed | (bound & set(names.split())) >= set(names.split())
    assert changed <= set(names.split()) | bound


READS = [
    ("printing", ["xs = [1]", "print(xs)"]),
    ("displaying", ["xs = [1]", "xs"]),
    ("iterating", ["s = {1, 2}", "for _ in s: pass"]),
    ("a comprehension", ["xs = [1]", "ys = [x for x in xs]"]),
    ("copying", ["xs = [[1]]", "ys = list(xs)"]),
    ("calling a pure function", ["xs = [1]\ndef f(): return len(xs)", "f()"]),
    ("a method that reads", [BOX + "b = Box()", "len(b.items)"]),
    ("rendering a frame",
     ["import pandas as pd\ndf = pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})", "df._repr_html_()"]),
    ("grouping a frame", ["import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})", "df.groupby('a').sum()"]),
    ("filtering a frame", ["import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})", "df.loc[df['a'] > 1].head()"]),
    ("reading .values", ["import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})", "df.values.sum()"]),
    ("summing an array", ["import numpy as np\na = np.zeros(100_000)", "a.sum()"]),
    ("slicing an array", ["import numpy as np\na = np.zeros(100_000)", "a[:3]"]),
    ("%%time", ["xs = [1]", "%%time\nlen(xs)"]),
    ("exec", ["xs = [1]", "exec('len(xs)')"]),
    ("defining a function that would write", ["xs = [1]", "def f(): xs.append(1)"]),
    ("a column of the name", ["a = [1]; d = {'a': 1}", "d['a']"]),
    ("a regular expression", ["import re\np = re.compile('a')", "p.match('a')"]),
    ("a cached function", ["import functools\n@functools.lru_cache\ndef f(n): return n", "f(1)"]),
    ("a class", [BOX, "b = Box()"]),
    ("an error", ["xs = [1]", "xs[7]"]),
    ("binding the same name", ["xs = [1]", "xs = [1]"]),
    ("predicting",
     ["from sklearn.linear_model import LinearRegression\nm = LinearRegression().fit([[1], [2]], [1, 2])",
      "m.predict([[3]])"]),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "cells"), READS, ids=[row[0] for row in READS])
def test_nothing_changes_by(session: Session, sentence: str, cells: list[str]) -> None:
    session.run(*cells)
    assert {name for run in session.last().statements for name in run.changed} == set()
    assert not any(variable.altered for variable in session.trace().variables)


# ------------------------------------------------------------------------------------------------ bound, reached

BINDINGS = [
    ("an assignment", ["x = 1"], "x"),
    ("the value it had", ["x = 1", "x = 1"], "x"),
    ("an import", ["import os.path"], "os"),
    ("a star import", ["from fractions import *"], "Fraction"),
    ("a def", ["def f(): pass"], "f"),
    ("a loop", ["for i in range(3): j = i"], "i j"),
    ("with as", ["import io\nwith io.StringIO() as f: pass"], "f"),
    ("a walrus in a comprehension", ["[y := x for x in range(3)]"], "y"),
    ("global in a function", ["def f():\n global x\n x = 1", "f()"], "x"),
    ("exec", ["exec('x = 1')"], "x"),
    (
        "global in a function, a number where the one before the last was",
        ["x = 0.5\ndef f():\n global x\n x = x + 1.0", "for _ in 'ab': f()"],
        "_ x",
    ),
    ("global in a function, and the same with an int", ["x = 1000\ndef f():\n global x\n x += 1", "f(), f()"], "x"),
    ("exec, twice", ["x = 0.5", "exec('x += 1.0; x += 1.0')"], "x"),
    ("globals()", ["globals()['x'] = 1"], "x"),
    ("%%time", ["%%time\nx = 1"], "x"),
    ("%time", ["%time x = 1"], "x"),
    ("%%capture", ["%%capture out\nx = 1"], "x"),
    ("an assignment from a shell line", ["x = !echo hello"], "x"),
    ("a name of IPython's", ["(exit) = 1"], "exit"),
    ("an underscore", ["_ = 5"], "_"),
    ("a private name", ["_private = 5"], "_private"),
    ("an object at the same address", ["x = [1]", "del x; x = [2]"], "x"),
    ("a branch not taken", ["x = [1]", "if not x: y = 2"], ""),
    ("what a failure leaves unbound", ["x = 1 / 0"], ""),
    ("a match", ["match [1, 2]:\n case [a, b]: pass"], "a b"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "cells", "names"), BINDINGS, ids=[row[0] for row in BINDINGS])
def test_names_are_bound_by(session: Session, sentence: str, cells: list[str], names: str) -> None:
    session.run(*cells)
    assert set(session.statement().bound) == set(names.split())


REACHES = [
    ("a name", ["x = 1; y = 2", "x"], "x"),
    ("nothing for a label", ["x = 1; d = {}", "d.get('x')"], "d"),
    ("through a function", ["x = 1\ndef f(): return x", "f()"], "f x"),
    ("not through a def", ["x = 1", "def f(): return x"], ""),
    ("through a decorator's def", ["x = 1\ndef d(f): return f()", "@d\ndef g(): return x"], "d x"),
    ("through a method", ["rate = 2\nclass A:\n def pay(self): return rate\na = A()", "a.pay()"], "A a rate"),
    ("through a base class",
     ["rate = 2\nclass A:\n def pay(self): return rate\nclass B(A): pass\nb = B()", "b.pay()"], "A B b rate"),
    ("through __iter__", ["n = 2\nclass A:\n def __iter__(self): return iter(range(n))\na = A()", "list(a)"], "A a n"),
    ("through a dict of handlers", ["x = 1\nh = {'f': lambda: x}", "h['f']()"], "h x"),
    ("through a partial", ["import functools\nx = 1\ndef f(): return x\np = functools.partial(f)", "p()"], "f p x"),
    ("through a closure",
     ["x = 1\ndef d(f):\n def g(): return f()\n return g\ndef f(): return x\nh = d(f)", "h()"], "f h x"),
    ("through a default", ["x = 1\ndef f(): return x\ndef g(h=f): return h()", "g()"], "f g x"),
    ("through a generator", ["x = 1\ndef f():\n yield x\ng = f(); del f", "next(g)"], "g x"),
    ("a mention in a text", ["x = 1\ndef f(t): pass", "f('a > @x')"], "f x"),
    ("every name with exec", ["x = 1; y = 2", "exec('')"], "x y"),
    ("a template in a magic", ["x = 1; y = 2", "!echo {x}"], "x"),
    ("a frame in query",
     ["import pandas as pd\nlimit = 1\ndf = pd.DataFrame({'a': [1, 2]})", "df.query('a > @limit')"], "df limit"),
    ("a function put into a large list",
     ["x = 1\nhs = [0] * 500_000\ndef f(): return x", "hs[0] = f\nhs[0]()"], "f hs x"),
    ("what is linked", ["a = []; b = [a]", "a"], "a b"),
    ("the class of an instance in a list", ["class A: pass\nxs = [A()]", "xs"], "A xs"),
    ("a function in a list, by its name", ["def f(): pass\nfs = [f]", "fs[0]()"], "f fs"),
    ("not the class of another name", ["class A: pass\na = A()\nclass A: pass", "a"], "a"),
    ("what a weak reference leads to", [WEAK + "r = weakref.ref(k)", "r()"], "K k r"),
    ("what a proxy stands for", [WEAK + "p = weakref.proxy(k)", "p.v"], "K k p"),
    ("what holds the target of a weak reference", [WEAK + "ks = [k]; r = weakref.ref(k); del k", "r()"], "K ks r"),
    ("nothing through a weak reference that is dead", [WEAK + "r = weakref.ref(k); del k", "r()"], "r"),
    ("what runs when a value goes away", [FINALIZER, "d = 1"], "D d log"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "cells", "names"), REACHES, ids=[row[0] for row in REACHES])
def test_a_statement_reaches(session: Session, sentence: str, cells: list[str], names: str) -> None:
    session.run(*cells)
    assert set(session.statement().reached) == set(names.split())


def test_small_values_give_evidence_by_statement(session: Session) -> None:
    session.run("xs = []", "len(xs)\nxs.append(1)\nlen(xs)")
    assert [run.changed for run in session.last().statements] == [(), ("xs",), ()]
    assert all(run.unseen == () for run in session.last().statements)


def test_large_values_are_looked_at_once_and_leave_every_reader_suspect(session: Session) -> None:
    session.run("import numpy as np\na = np.zeros(100_000)", "a.sum()\na[0] = 1\na.sum()")
    first, second, third = session.last().statements
    assert (first.unseen, second.unseen, third.unseen) == (("a",), ("a",), ("a",))
    assert (first.changed, second.changed, third.changed) == ((), (), ("a",))


def test_a_link_made_in_the_cell_reaches_back(session: Session) -> None:
    session.run("import numpy as np\na = np.zeros(100_000)\nb = a[5:]\nb[0] = 1\nc = 1")
    runs = session.last().statements
    assert "a" in runs[3].reached and "a" in runs[3].unseen
    assert set(runs[-1].changed) == {"a", "b"}


def test_deleted_names_are_reported_and_their_history_ends(session: Session) -> None:
    session.run("x = [1]", "del x", "x = [2]")
    assert [run.deleted for run in session.executions()[1].statements] == [("x",)]
    assert session.statement().bound == ("x",) and session.statement().changed == ()


# ------------------------------------------------------------------------------------------------ executions


def test_executions_come_in_the_order_they_ran_with_re_runs_and_edits(session: Session) -> None:
    session.run("x = 1", cell_id="one")
    session.run("y = 2", cell_id="two")
    session.run("x = 3", cell_id="one")
    found = [(run.ordinal, run.cell_id, run.source, run.count) for run in session.executions()]
    assert found == [(0, "one", "x = 1", 1), (1, "two", "y = 2", 2), (2, "one", "x = 3", 3)]


OUTCOMES = [
    ("x = 1", Outcome.OK, "", 1),
    ("x = 1\n1 / 0\ny = 2", Outcome.ERROR, "ZeroDivisionError: division by zero", 2),
    ("def (", Outcome.REFUSED, "SyntaxError: invalid syntax", 0),
    ("x = 1\nreturn", Outcome.ERROR, "SyntaxError: 'return' outside function", 1),
    ("raise KeyboardInterrupt", Outcome.INTERRUPTED, "KeyboardInterrupt", 1),
    ("import asyncio\nawait asyncio.sleep(0)\nraise KeyboardInterrupt", Outcome.INTERRUPTED, "KeyboardInterrupt", 3),
    ("import sys\nsys.exit(3)", Outcome.ERROR, "SystemExit: 3", 2),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("cell", "outcome", "error", "statements"), OUTCOMES, ids=[row[0] for row in OUTCOMES])
def test_an_execution_ends_with(session: Session, cell: str, outcome: Outcome, error: str, statements: int) -> None:
    session.run(cell)
    last = session.last()
    assert (last.outcome, last.error.replace("__main__.", ""), len(last.statements)) == (outcome, error, statements)
    if outcome in (Outcome.ERROR, Outcome.INTERRUPTED) and "return" not in cell:
        assert not last.statements[-1].completed


def test_statements_have_their_places_and_durations(session: Session) -> None:
    session.run("\n\nimport time\n@staticmethod\ndef f():\n    pass\ntime.sleep(0.02)\n")
    runs = session.last().statements
    assert [(run.node, run.line, run.end_line) for run in runs] == [(0, 3, 3), (1, 4, 6), (2, 7, 7)]
    assert runs[2].seconds >= 0.02 and runs[1].seconds < runs[2].seconds
    assert session.last().seconds >= 0.02


def test_a_cell_inside_a_cell_knows_its_parent(session: Session) -> None:
    session.run("%%capture out\nx = 1\nxs = [1]")
    outer, inner = session.executions()
    assert (outer.ordinal, outer.parent, inner.ordinal, inner.parent) == (0, None, 1, 0)
    assert [run.bound for run in inner.statements] == [("x",), ("xs",)]
    assert outer.statements[0].bound == ("out", "x", "xs")


def test_an_empty_cell_inside_a_cell_changes_nothing(session: Session) -> None:
    session.run("x = 1\nget_ipython().run_cell('')\ny = 2", "z = 3")
    assert [len(execution.statements) for execution in session.executions()] == [3, 1]


def test_silent_requests_are_recorded_with_their_text_and_ours_are_not(session: Session) -> None:
    session.run("x = [1]\n")
    session.run("x.append(2)\ny = 1", silent=True)
    session.run("", silent=True)
    last = session.last()
    assert (len(session.executions()), last.silent, last.count, last.source) == (2, True, None, "x.append(2)\ny = 1")
    assert [(run.changed, run.bound) for run in last.statements] == [(("x",), ()), ((), ("y",))]


def test_covariables_are_recorded_after_each_execution(session: Session) -> None:
    session.run("a = []; b = [a]; c = 1", "b = 2", "d = (a, [])")
    assert [execution.covariables for execution in session.executions()] == [(("a", "b"),), (), (("a", "d"),)]


# ------------------------------------------------------------------------------------------------ world


def test_drawing_keeps_the_state_from_before(session: Session) -> None:
    from nbdag.portable.randomness import set_state

    session.run("import random, numpy as np", "a = 1\nr = random.random()\nn = np.random.rand()\nb = 2")
    runs = session.last().statements
    assert [run.drew for run in runs] == [(), ("random",), ("numpy",), ()]
    set_state(dict(runs[1].random_state) | dict(runs[2].random_state))
    first = (session.value("r"), session.value("n"))
    session.run("r = random.random()\nn = np.random.rand()")
    assert (session.value("r"), session.value("n")) == first


def test_files_are_recorded_as_the_code_spells_them(session: Session, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("a\n1\n")
    session.run("import pandas as pd\nfrom pathlib import Path")
    session.run("df = pd.read_csv('in.csv')\ndf.to_csv(Path('out.csv'))\nlen(Path('in.csv').read_text())")
    read, written, again = session.last().statements
    assert [(use.path, use.absolute, use.mode, use.size) for use in read.files] == [
        ("in.csv", str(tmp_path / "in.csv"), "r", 4)
    ]
    assert len(read.files[0].digest) == 64
    assert [(use.path, use.mode) for use in written.files] == [("out.csv", "w")]
    assert (read.effects, written.effects, again.effects) == (("file-read",), ("file-write",), ("file-read",))


EFFECTS = [
    ("a subprocess", "import subprocess\nsubprocess.run(['true'])", "process"),
    ("a shell line", "!true", "process"),
    ("os.system", "import os\nos.system('true')", "process"),
    ("a socket",
     "import socket\ntry: socket.create_connection(('127.0.0.1', 9), 0.01)\nexcept OSError: pass", "network"),
    ("a directory", "import os\nos.mkdir('made-here')", "file-write"),
    ("an import", "import wave", ""),
    ("nothing", "x = 1", ""),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "cell", "effects"), EFFECTS, ids=[row[0] for row in EFFECTS])
def test_the_world_is_asked_for(
    session: Session, tmp_path: Path, monkeypatch: Any, sentence: str, cell: str, effects: str
) -> None:
    monkeypatch.chdir(tmp_path)
    session.run(cell)
    assert session.statement().effects == tuple(effects.split())


def test_a_file_read_without_an_event_shows_by_its_bytes(session: Session, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    session.run(
        f"import pyarrow as pa\npath = {str(tmp_path / 'x.parquet')!r}\nimport pyarrow.parquet as pq\n"
        "pq.write_table(pa.table({'a': list(range(200_000))}), path)"
    )
    session.run("pq.read_table(path)", "t = pq.read_table(path)")  # the first one loads libraries as well
    assert "file-read" in session.statement().effects


# ------------------------------------------------------------------------------------------------ survey


def test_the_survey_lists_the_users_names_and_nothing_of_ipythons(session: Session) -> None:
    session.run("x = 1\n_hidden = 2\n5", "import os\ndef f(): pass\nclass C: pass\ng = lambda: 0\nh = f")
    kinds = {variable.name: variable.kind.value for variable in session.trace().variables}
    assert kinds == {
        "x": "data", "_hidden": "data", "os": "module", "f": "function", "C": "class", "g": "function", "h": "data",
    }  # fmt: skip


def test_the_survey_says_what_can_be_stored(session: Session) -> None:
    session.run("a = [0] * 1000; b = a\nlock = [(i for i in range(3))]")
    assert session.variable("a").storable and session.variable("a").size > 1000
    assert session.variable("a").group == session.variable("b").group
    assert not session.variable("lock").storable and "lock[0]" in session.variable("lock").obstacle


def test_a_change_behind_the_recorders_back_is_altered_until_bound_again(session: Session) -> None:
    session.run("xs = []\nys = []\nn = 1")
    session.value("xs").append(1)
    session.shell.user_ns["n"] = 2
    altered = [variable.name for variable in session.trace().variables if variable.altered]
    assert altered == ["xs", "n"]
    session.run("pass")
    assert session.variable("n").altered
    session.run("n = 3")
    assert not session.variable("n").altered


def test_a_definition_that_was_replaced_by_hand_is_no_definition(session: Session) -> None:
    session.run("def f(): pass", "def g(): pass\nf = g")
    kinds = {variable.name: variable.kind.value for variable in session.trace().variables}
    assert session.command("definitions")["names"] == ["g"]
    assert kinds["g"] == "function"


# ------------------------------------------------------------------------------------------------ good manners


def test_nothing_is_kept_alive(session: Session) -> None:
    session.run(BOX + "b = Box()\nxs = [b]\ndef f(): return b", "f()\nxs.append(b)")
    dead = weakref.ref(session.value("b"))
    session.trace()
    session.run("del b, xs, f")
    gc.collect()
    assert dead() is None


def test_history_and_counters_are_ipythons_own(session: Session, tmp_path: Path) -> None:
    cells = ["1 + 1", "x = 5", "x", "_", "%%capture o\nprint(1)", "1/0", "None", "'end'"]
    session.run(*cells)
    recorded = state_of_history(session.shell)
    session.command("stop")
    with plain_shell(tmp_path / "plain") as shell:
        plain = Session(shell, tmp_path)
        plain.run(*cells)
        assert recorded == state_of_history(shell)


def state_of_history(shell: InteractiveShell) -> dict[str, Any]:
    names = ("In", "Out", "_", "__", "___", "_i", "_ii", "_iii")
    return {name: shell.user_ns[name] for name in names} | {
        "count": shell.execution_count,
        "names": sorted(name for name in shell.user_ns if name[:2] == "_i" or name[1:].isdigit()),
    }


TRACEBACKS = [
    "1 / 0",
    "def f(): raise ValueError('x')\nf()",
    "import warnings\nwarnings.warn('careful', stacklevel=2)",
    "import traceback\ntraceback.print_stack()",
    "import inspect\nprint(len(inspect.stack()), [f.function for f in inspect.stack()])",
    "try:\n    1 / 0\nexcept Exception as e:\n    raise KeyError('y') from e",
    "import asyncio\nasync def g(): raise OSError(1)\nawait g()",
    "def (",
    "import sys\nprint(sys.getrefcount(object()), sys.getrecursionlimit())",
    "def deep(n): return deep(n + 1)\nimport sys\ntry: deep(0)\nexcept RecursionError as e: print(type(e))",
]


@pytest.mark.parametrize("cell", TRACEBACKS)
def test_output_is_the_same_with_and_without(tmp_path: Path, cell: str) -> None:
    outputs = []
    for recording in (True, False):
        with plain_shell(tmp_path) as shell:
            other = Session(shell, tmp_path)
            if recording:
                other.command("start", late=False)
            outputs.append(output_of(other, cell))
    assert outputs[0] == outputs[1]


def output_of(session: Session, cell: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        session.run(cell, quiet=False)
    return out.getvalue()


TAMPERING = [
    "len = 5\nlist = []\nprint = None\ntype = 3",
    "id = map = dict = isinstance = None",
    "class Liar:\n __class__ = property(lambda self: 1 / 0)\nx = Liar()",
    "class R:\n def __reduce__(self): raise SystemExit\nx = R()\ny = [x]",
    "class G:\n def __getattribute__(self, name): raise KeyboardInterrupt\nx = G()",
    "class H:\n __hash__ = None\n def __eq__(self, other): raise ValueError\nx = H()\ny = {1: x}",
    "class M(type):\n def __hash__(self): raise ValueError\n def __eq__(self, other): raise ValueError\n"
    "class C(metaclass=M): pass\nx = C()",
    "class D(dict):\n def __iter__(self): raise ValueError\n def items(self): raise ValueError\nx = D(a=1)",
    "class P:\n def __repr__(self): raise ValueError\n def __len__(self): raise ValueError\nx = P()",
    "class S:\n __slots__ = ('a',)\nx = S()",
    "import types\nx = types.ModuleType('made')\nx.y = [1]",
    "globals()[5] = 1\nx = 1",
    "__name__ = None\nx = 1",
]


@pytest.mark.parametrize("cell", TAMPERING)
def test_a_hostile_session_is_recorded_without_a_fault(session: Session, cell: str) -> None:
    result = session.run(cell)
    assert result.success, result.error_in_exec
    session.run("keep = x if 'x' in globals() else 1", "xs = [1]", "xs.append(2)")
    assert session.statement().changed == ("xs",)


def test_a_fault_in_the_recorder_is_a_diagnostic_and_the_cell_runs(session: Session, monkeypatch: Any) -> None:
    from nbdag.portable import recorder

    def broken(*arguments: Any) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(recorder, "statement_look", broken)
    assert session.run("x = 1\ny = 2").success
    monkeypatch.undo()
    session.run("z = 3")
    session.command("trace", path=str(session.directory / "t.json"))
    trace = _read(session.directory / "t.json")
    assert [finding.message for finding in trace.diagnostics if "broken on purpose" in finding.message]
    assert session.value("z") == 3


def test_threads_that_write_while_we_look_break_nothing(session: Session) -> None:
    session.run("d = {}\nstop = []")
    done = threading.Event()

    def write() -> None:
        n = 0
        while not done.is_set():
            n += 1
            session.value("d")[n % 1000] = n
            session.shell.user_ns[f"t{n % 50}"] = n

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(20):
            assert session.run("len(d)").success
    finally:
        done.set()
        writer.join()
    assert session.executions()[-1].outcome is Outcome.OK


def test_stop_leaves_nothing_behind(session: Session) -> None:
    session.run("x = 1")
    session.command("stop")
    assert "run_code" not in vars(session.shell)
    assert not [name for name in vars(session.shell) if "nbdag" in name]
    ours = [
        callback
        for callbacks in session.shell.events.callbacks.values()
        for callback in callbacks
        if "nbdag" in str(getattr(callback, "__module__", ""))
    ]
    assert ours == [] and sys._nbdag_audit_holder == [None]  # type: ignore[attr-defined]
    assert session.command("status")["recording"] is False
    session.command("start")
    session.run("y = 2")
    assert [execution.source for execution in session.executions()] == ["y = 2"]


def test_after_stop_the_audit_hook_asks_nothing_and_no_thread_task_or_file_is_left(session: Session) -> None:
    session.command("stop")
    threads = threading.active_count()
    descriptors = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    session.command("start")
    recorder = agent.recorder_of(session.shell)
    assert recorder is not None
    session.run("x = [1]", "x.append(2)")
    recorder.listener.switch_on()
    sys.audit("subprocess.Popen")
    assert [event for event, _ in recorder.listener.heard] == ["subprocess.Popen"]
    session.command("stop")
    sys.audit("subprocess.Popen")
    assert recorder.listener.heard == []
    assert threading.active_count() == threads and recorder.idle.handle is None
    if descriptors:
        assert set(os.listdir("/proc/self/fd")) <= descriptors


def test_starting_twice_keeps_what_was_recorded(session: Session) -> None:
    session.run("x = 1")
    assert session.command("start")["already"] is True
    assert len(session.executions()) == 1


def test_attached_late_it_takes_over_history(tmp_path: Path) -> None:
    with plain_shell(tmp_path) as shell:
        session = Session(shell, tmp_path)
        session.run("xs = [1]", "def f(): return xs", "%time ys = xs")
        session.command("start", late=True)
        session.run("f().append(2)")
        trace = session.trace()
        found = [(run.source, run.known, run.count) for run in trace.executions]
        assert found == [
            ("xs = [1]", False, 1),
            ("def f(): return xs", False, 2),
            ("%time ys = xs", False, 3),
            ("f().append(2)", True, 4),
        ]
        assert session.statement().changed == ("xs", "ys")
        assert {variable.name: variable.kind.value for variable in trace.variables}["f"] == "function"
        session.command("stop")


def test_started_from_a_cell_it_takes_that_cells_work_as_given(tmp_path: Path) -> None:
    with plain_shell(tmp_path) as shell:
        session = Session(shell, tmp_path)
        shell.user_ns["begin"] = lambda: session.command("start", late=True)
        session.run("xs = [1]", "begin()\nys = [2]", "ys.append(3)")
        trace = session.trace()
        assert [(run.known, run.source) for run in trace.executions] == [
            (False, "xs = [1]"), (False, "begin()\nys = [2]"), (True, "ys.append(3)"),
        ]  # fmt: skip
        assert session.statement().changed == ("ys",)
        assert not any(variable.altered for variable in trace.variables)
        session.command("stop")


def test_the_trace_survives_its_file(session: Session, tmp_path: Path) -> None:
    session.run("import random\nx = random.random()", "open('/dev/null').read()", "1/0")
    trace = session.trace()
    write_trace(trace, tmp_path / "again.json")
    assert read_trace(tmp_path / "again.json") == trace
    assert json.loads((tmp_path / "again.json").read_text())["format"] == "nbdag-trace"
