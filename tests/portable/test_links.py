"""Which names of a notebook share state: each case is a notebook, and the groups of two and more it must give."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdag.portable.links import NOTHING_REACHED, Reach, covariables, group, reach, regroup

PRELUDE = """
import array, collections, copy, dataclasses, enum, functools, io, itertools, logging, mmap, operator, os, re, sys
import threading, types, weakref
import numpy as np
import pandas as pd
"""

# name of the case: notebook, "a b | c d" for two groups, "" where nothing is linked
LINKED = {
    "one list, two names": ("a = []; b = a", "a b"),
    "list in a list": ("a = []; b = [a]", "a b"),
    "list in a tuple": ("a = []; b = (1, a)", "a b"),
    "list in a frozen tuple of tuples": ("a = []; b = ((a,),); c = ((a,), 2)", "a b c"),
    "list as a dict value": ("a = []; b = {'k': a}", "a b"),
    "instance as a dict key": ("class K: pass\na = K(); b = {a: 1}", "a b"),
    "instance in a set": ("class K: pass\na = K(); b = {a}", "a b"),
    "list in a deque": ("a = []; b = collections.deque([a])", "a b"),
    "list in a defaultdict": ("a = []; b = collections.defaultdict(list, k=a)", "a b"),
    "list in an OrderedDict": ("a = []; b = collections.OrderedDict(k=a)", "a b"),
    "list in a ChainMap": ("a = {}; b = collections.ChainMap(a)", "a b"),
    "list in a namespace": ("a = []; b = types.SimpleNamespace(x=a)", "a b"),
    "list behind a mapping proxy": ("a = {}; b = types.MappingProxyType(a)", "a b"),
    "an attribute": ("class C: pass\na = []; b = C(); b.x = a", "a b"),
    "an attribute whose dict was asked for": ("class C: pass\na = []; b = C(); b.x = a; vars(b)", "a b"),
    "a slot": ("class C: __slots__ = ('x',)\na = []; b = C(); b.x = a", "a b"),
    "a dataclass field": ("@dataclasses.dataclass\nclass C:\n    x: list\na = []; b = C(a)", "a b"),
    "a namedtuple field": ("P = collections.namedtuple('P', 'x'); a = []; b = P(a)", "a b"),
    "a shared __dict__": (
        "class C: pass\na = C(); b = C(); b.__dict__ = a.__dict__",
        "a b",
    ),
    "a closure cell": ("def f():\n    x = []\n    return x, lambda: x\na, b = f()", "a b"),
    "two closures over one number": (
        "def f():\n    n = 0\n    def add():\n        nonlocal n; n += 1\n    return add, lambda: n\na, b = f()",
        "a b",
    ),
    "a default argument": ("a = []\ndef b(x=a): pass", "a b"),
    "a keyword default": ("a = []\ndef b(*, x=a): pass", "a b"),
    "a function attribute": ("a = []\ndef b(): pass\nb.cache = a", "a b"),
    "function with state in a list": ("def a(x=[]): pass\nb = [a]", "a b"),
    "a bound method": ("class C:\n    def m(self): pass\na = C(); b = a.m", "a b"),
    "a bound builtin method": ("a = []; b = a.append", "a b"),
    "a method wrapper": ("a = []; b = a.__len__", "a b"),
    "a partial": ("a = []; b = functools.partial(print, a)", "a b"),
    "a keyword of a partial": ("a = []; b = functools.partial(print, x=a)", "a b"),
    "a result in an lru_cache": ("@functools.lru_cache\ndef a(n): return [n]\nb = a(1)", "a b"),
    "a generator's local": ("a = []\ndef g(x):\n    yield x\nb = g(a); next(b)", "a b"),
    "a fresh generator's argument": ("a = []\ndef g(x):\n    yield x\nb = g(a)", "a b"),
    "a generator expression": ("a = [1]; b = (x for x in a)", "a b"),
    "a coroutine": ("a = []\nasync def g(x): pass\nb = g(a)\nkeep = b.close", "a b keep"),
    "an iterator": ("a = [1]; b = iter(a)", "a b"),
    "a dict view": ("a = {}; b = a.keys()", "a b"),
    "zip and map": ("a = [1]; b = zip(a); c = map(str, a)", "a b c"),
    "an itertools iterator": ("a = [1]; b = itertools.cycle(a)", "a b"),
    "a sentinel": ("a = object(); b = [a]", "a b"),
    "a class attribute and its value": ("a = {}\nclass b: registry = a", "a b"),
    "an alias of a class": ("class a: pass\nb = a", "a b"),
    "a class made in a function": ("def f():\n    class L: pass\n    return L\nL = f(); a = L()", "L a"),
    "an exception": ("a = []; b = ValueError(a)", "a b"),
    "a callable property object": ("a = []\nb = property(lambda self, x=a: x)", "a b"),
    "a memoryview of a bytearray": ("a = bytearray(4); b = memoryview(a)[1:]", "a b"),
    "a memoryview of an array.array": ("a = array.array('d', [1]); b = memoryview(a)", "a b"),
    "frombuffer of a bytearray": ("a = bytearray(8); b = np.frombuffer(a)", "a b"),
    "two frombuffers of one bytearray": ("x = bytearray(16)\na = np.frombuffer(x); b = np.frombuffer(x)\ndel x", "a b"),
    "frombuffer of an mmap": ("a = mmap.mmap(-1, 64); b = np.frombuffer(a, 'u1')", "a b"),
    "frombuffer of an array.array": ("a = array.array('d', [1]); b = np.frombuffer(a)", "a b"),
    "memoryview of an ndarray": ("a = np.zeros(4); b = memoryview(a)", "a b"),
    "a view": ("a = np.zeros(9); b = a[:3]", "a b"),
    "disjoint views of one base": ("x = np.zeros(9); a = x[:3]; b = x[6:]\ndel x", "a b"),
    "reshaped, transposed, reversed": ("a = np.zeros((3, 4)); b = a.T; c = a.ravel()[::-1]", "a b c"),
    "as_strided": ("a = np.zeros(9); b = np.lib.stride_tricks.as_strided(a, (3,), (8,))", "a b"),
    "a view of another type": ("a = np.zeros(4); b = a.view('i8')", "a b"),
    "a record of a structured array": ("a = np.zeros(2, dtype=[('x', 'f8')]); b = a[0]", "a b"),
    "a flat iterator": ("a = np.zeros(2); b = a.flat", "a b"),
    "elements of an object array": ("a = []; b = np.array([a, None], dtype=object)", "a b"),
    "a masked array's data": ("a = np.zeros(3); b = np.ma.masked_array(a, copy=False)", "a b"),
    "a generator and its bit generator": (
        "a = np.random.default_rng(); b = np.random.Generator(a.bit_generator)",
        "a b",
    ),
    "column of a frame": ("a = pd.DataFrame({'x': [1., 2.]}); b = a['x']", "a b"),
    "values of a frame": ("a = pd.DataFrame({'x': [1., 2.]}); b = a.values", "a b"),
    "a list in an object column": ("a = []; b = pd.DataFrame({'x': [a, None]})", "a b"),
    "a list in a series": ("a = []; b = pd.Series([a, 1])", "a b"),
    "attrs of a frame": ("a = []; b = pd.DataFrame(); b.attrs['x'] = a", "a b"),
    "a group-by and its frame": ("a = pd.DataFrame({'x': [1, 2]}); b = a.groupby('x')", "a b"),
    "an index over a writable array": (
        "a = np.array([3, 1, 2]); b = pd.Index(a, copy=False)",
        "a b",
    ),
    "through a third name": ("a = []; b = [a]; c = [b]", "a b c"),
    "two groups": ("a = []; b = [a]; c = {}; d = [c]", "a b | c d"),
    "a cycle": ("a = []; a.append(a); b = [a]", "a b"),
    "a string io": ("a = io.StringIO(); b = [a]", "a b"),
    "a thread's arguments": ("a = []; b = threading.Thread(target=print, args=(a,))", "a b"),
    "a subclass of dict": ("class D(dict): pass\na = []; b = D(k=a)", "a b"),
    "a subclass of ndarray": (
        "class N(np.ndarray): pass\na = np.zeros(3); b = a.view(N)",
        "a b",
    ),
    "an attribute of an ndarray subclass": (
        "class N(np.ndarray): pass\na = []; b = np.zeros(3).view(N); b.x = a",
        "a b",
    ),
    "a weak dictionary": ("a = weakref.WeakValueDictionary(); b = [a]", "a b"),
    "an instance in a class attribute": ("class a:\n    pass\nb = a(); a.first = b", "a b"),
}

APART = {
    "numbers, strings, None": "a = b = 10 ** 9; c = d = 'text'; e = f = None; g = h = 1.5",
    "tuples of atoms": "a = b = (1, 'x', (2.0, None))",
    "frozensets": "a = b = frozenset(['x', (1, 2)])",
    "ranges and slices": "a = b = range(5); c = d = slice(1, 2)",
    "modules": "a = np; b = [np]; c = sys; d = {'s': sys}",
    "equal lists": "a = [1]; b = [1]",
    "library types and functions": "a = [dict, len, np.sin]; b = [dict, len, np.sin, os.path.join]",
    "instances of one class": "class C:\n    shared = []\n    def m(self): pass\na = C(); b = C()",
    "an instance and its class": "class C:\n    shared = []\na = C()",
    "a class and its subclass": "class A:\n    def m(self): return super().m()\nclass B(A): pass",
    "an instance and a class attribute": "d = {}\nclass C: pass\na = C()",
    "two dataclass instances": "@dataclasses.dataclass\nclass C:\n    x: int = 1\na = C(); b = C()",
    "a plain function held twice": "def f(x, y=1): return x\na = [f]; b = {'f': f}",
    "a decorated function held twice": (
        "def deco(g):\n    @functools.wraps(g)\n    def w(*args): return g(*args)\n    return w\n"
        "@deco\ndef f(): pass\na = [f]; b = {'f': f}"
    ),
    "functions of one notebook": "state = []\ndef f(): return state\ndef g(): return state",
    "enum members": "class E(enum.Enum):\n    A = 1\na = [E.A]; b = {E.A: 1}",
    "a logger": "a = logging.getLogger('x'); b = [a, logging.getLogger()]",
    "a dtype": "a = np.dtype('f8'); b = [a]; c = pd.CategoricalDtype(['x']); d = [c]",
    "standard streams": "a = [sys.stdout]; b = {'out': sys.stdout}; c = types.SimpleNamespace(o=sys.stderr)",
    "weak references": "class C: pass\na = C(); b = weakref.ref(a); c = [weakref.ref(a)]",
    "compiled patterns": "a = b = re.compile('x')",
    "copies of an array": "a = np.zeros(5); b = a.copy()",
    "arrays over one bytes": "x = b'12345678'; a = np.frombuffer(x); b = np.frombuffer(x)",
    "a frame and its deep copy": "a = pd.DataFrame({'x': [1, 2], 'y': ['u', 'v']}, index=[5, 6]); b = a.copy()",
    "a frame and rows of it": (
        "a = pd.DataFrame({'x': [1, 2], 'y': ['u', 'v']}); b = a[a.x > 1]; c = a.groupby('y').sum()"
    ),
    "an index shared by frames": "i = pd.Index([5, 6]); a = pd.Series([1, 2], index=i); b = pd.Series([3, 4], index=i)",
    "missing values": "a = [pd.NA, pd.NaT]; b = [pd.NA, pd.NaT]",
    "two lru_caches": (
        "@functools.lru_cache\ndef f(x=1): return x\n@functools.lru_cache\ndef g(x=1): return x\nf(x=2); g(x=3)"
    ),
    "the global random state": "a = np.random.randn; b = [np.random.rand]",
    "threads": "a = threading.Thread(); b = threading.Thread(target=print); c = [threading.main_thread()]",
    "locks": "a = threading.Lock(); b = threading.Lock()",
    "handlers of one logger": "a = logging.StreamHandler(); b = logging.StreamHandler()",
    "named tuples": "P = collections.namedtuple('P', 'x'); a = b = P(1)",
    "deleted link": "x = []; a = [x]; b = [x]; a.clear(); del x",
}

PLOTS = {
    "two figures": ("f, a = plt.subplots(2); g, b = plt.subplots(); a[0].plot([1, 2]); b.hist([1, 2, 2])", "a f | b g"),
    "axes of one figure": ("a, b = plt.subplots(1, 2)[1]", "a b"),
    "drawn figures with dates": (
        "f, a = plt.subplots(); g, b = plt.subplots()\n"
        "for x in (a, b):\n    x.plot(pd.date_range('2024', periods=3), [1, 2, 3]); x.legend(['x']); x.set_title('t')\n"
        "    x.scatter(pd.date_range('2024', periods=3), [1, 2, 3])\n"
        "f.canvas.draw(); g.canvas.draw()",
        "a f | b g",
    ),
    "images": ("f = plt.figure(); g = plt.figure()\nfor x in (f, g):\n    x.colorbar(x.gca().imshow(np.eye(3)))", ""),
    "rcParams": ("a = [plt.rcParams]; b = [plt.rcParams]", ""),
    "colour maps": ("a = [plt.get_cmap('viridis')]; b = [plt.get_cmap('viridis')]", ""),
    "two models": ("a = RandomForestClassifier(3).fit(X, y); b = RandomForestClassifier(3).fit(X, y)", ""),
    "a pipeline and its step": ("a = StandardScaler(); b = make_pipeline(a)", "a b"),
    "different models on the same data": (
        "a = LinearRegression().fit(X, y); b = make_pipeline(StandardScaler()).fit(X)",
        "",
    ),
}
PLOT_PRELUDE = """
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
X = np.arange(20.0).reshape(10, 2); y = np.arange(10) % 2
"""


def run_notebook(source: str, prelude: str = PRELUDE) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(prelude, namespace)
    before = set(namespace)
    exec(source, namespace)
    return {name: value for name, value in namespace.items() if name not in before}


def groups_of(namespace: dict[str, Any]) -> list[list[str]]:
    return [members for members in covariables(namespace, namespace) if len(members) > 1]


def parse_groups(text: str) -> list[list[str]]:
    return [part.split() for part in text.split("|") if part.strip()]


@pytest.mark.parametrize("case", LINKED)
def test_shared_state_links(case: str) -> None:
    source, expected = LINKED[case]
    namespace = run_notebook(source)
    groups = groups_of(namespace)
    wanted = parse_groups(expected)
    assert [[name for name in members if name in expected.split()] for members in groups] == wanted


@pytest.mark.parametrize("case", APART)
def test_what_is_nobodys_does_not_link(case: str) -> None:
    assert groups_of(run_notebook(APART[case])) == []


@pytest.mark.parametrize("case", PLOTS)
def test_global_state_of_libraries_does_not_link(case: str) -> None:
    source, expected = PLOTS[case]
    namespace = run_notebook(source, PRELUDE + PLOT_PRELUDE)
    namespace.pop("x", None)
    assert groups_of(namespace) == parse_groups(expected)
    sys.modules["matplotlib.pyplot"].close("all")


TABLES = """
import json, sys
sys.path.insert(0, sys.argv[1])
from nbdag.portable.links import covariables
tables = json.load(sys.stdin)
wrong = []
for case, (source, expected) in tables["cases"].items():
    namespace = {"__name__": "__main__"}
    exec(tables["prelude"], namespace)
    before = set(namespace)
    exec(source, namespace)
    names = [name for name in namespace if name not in before]
    groups = [[name for name in g if name in expected.split()] for g in covariables(namespace, names) if len(g) > 1]
    if groups != [part.split() for part in expected.split("|") if part.strip()]:
        wrong.append([case, groups])
print(json.dumps(wrong))
"""


def pythons() -> list[str]:
    roots = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    found = [*Path(roots).glob("versions/3.*/bin/python")]
    return sorted(str(path) for path in found if int(path.parts[-3].split(".")[1]) >= 8)


@pytest.mark.slow
@pytest.mark.parametrize("python", pythons())
def test_the_tables_hold_in_every_python(python: str) -> None:
    def standard(source: str) -> bool:
        return "np." not in source and "pd." not in source

    cases = {case: entry for case, entry in LINKED.items() if standard(entry[0])}
    cases.update({case: (source, "") for case, source in APART.items() if standard(source)})
    prelude = PRELUDE.replace("import numpy as np", "").replace("import pandas as pd", "np = math")
    tables = {"prelude": "import math" + prelude, "cases": cases}
    root = str(Path(__file__).resolve().parents[2])
    command = [python, "-W", "ignore", "-c", TABLES, root]
    done = subprocess.run(command, input=json.dumps(tables), capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "[]\n", (done.stdout, done.stderr[-2000:])


def test_every_name_is_in_exactly_one_group_in_order() -> None:
    shared: list[int] = []
    namespace = {"z": shared, "b": 1, "a": [shared], "c": []}
    assert covariables(namespace, ["c", "z", "b", "a", "gone"]) == [["a", "z"], ["b"], ["c"]]


def test_a_reach_keeps_nothing_alive() -> None:
    class Thing:
        pass

    thing = Thing()
    watcher = weakref.ref(thing)
    found = reach([thing, {"x": thing}])
    del thing
    gc.collect()
    assert watcher() is None and found


def test_an_atom_reaches_nothing() -> None:
    assert reach(1) is NOTHING_REACHED and not reach("x")
    assert reach([]) != reach([1]) and reach(sys) == NOTHING_REACHED


def test_code_of_what_an_instance_can_run() -> None:
    namespace = run_notebook(
        """
def rate(): return 2
def deco(f):
    def wrapper(*a): return f(*a)
    return wrapper
class Base:
    def inherited(self): pass
class C(Base):
    handlers = {"x": lambda: 1}
    @property
    def p(self): pass
    @staticmethod
    def s(): pass
    @deco
    def m(self): pass
    @functools.cached_property
    def c(self): pass
c = C()
"""
    )
    names = {code.co_name for code in reach([namespace["c"]]).codes}
    assert {"inherited", "p", "s", "m", "wrapper", "c", "<lambda>"} <= names
    assert id(namespace["C"]) in reach(namespace["c"]).definitions
    assert {code.co_name for code in reach({"k": namespace["rate"]}).codes} == {"rate"}


def test_no_code_of_the_users_runs() -> None:
    namespace = run_notebook(
        """
class Hostile:
    def __getattribute__(self, name): raise SystemExit
    def __eq__(self, other): raise SystemExit
    def __hash__(self): raise SystemExit
    def __len__(self): raise SystemExit
    def __iter__(self): raise SystemExit
    def __reduce_ex__(self, p): raise SystemExit
    __class__ = property(lambda self: 1 / 0)
class Meta(type):
    def __getattribute__(cls, name): raise SystemExit
    def mro(cls): return type.mro(cls)
class Strange(metaclass=Meta): pass
class Words(list):
    def __iter__(self): raise SystemExit
    def __len__(self): raise SystemExit
h = Hostile(); s = Strange(); w = Words([h])
"""
    )
    assert groups_of(namespace) == [["h", "w"]]


def test_depth_and_size_are_no_limit() -> None:
    chain: Any = None
    for _ in range(100_000):
        chain = [chain]
    assert len(reach(chain).ids) == 100_000
    assert len(reach(list(range(1_000_000))).ids) == 1


# ------------------------------------------------------------------------------------------------ grouping


def reach_of(ids: list[int], extents: list[tuple[int, int, bool]] | None = None) -> Reach:
    return Reach(sorted(set(ids)), tuple(sorted(extents or [])), frozenset(), ())


reaches = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.builds(
        reach_of,
        st.lists(st.integers(1, 12), max_size=3),
        st.lists(
            st.tuples(st.integers(0, 30), st.integers(1, 6), st.booleans()).map(lambda e: (e[0], e[0] + e[1], e[2])),
            max_size=2,
        ),
    ),
)


def group_by_pairs(found: dict[str, Reach]) -> list[list[str]]:
    """The definition: names are linked if they share an id, or writable memory; and so on from name to name."""

    def linked(one: Reach, other: Reach) -> bool:
        return bool(set(one.ids) & set(other.ids)) or any(
            a[0] < b[1] and b[0] < a[1] and (a[2] or b[2]) for a in one.extents for b in other.extents
        )

    groups = [{name} for name in found]
    changed = True
    while changed:
        changed = False
        for one in groups:
            for other in groups:
                if one is not other and any(linked(found[a], found[b]) for a in one for b in other):
                    one |= other
                    groups.remove(other)
                    changed = True
                    break
            if changed:
                break
    return sorted(sorted(members) for members in groups)


@given(reaches)
@settings(deadline=None, max_examples=300)
def test_groups_are_the_closure_of_pairs(found: dict[str, Reach]) -> None:
    assert group(found) == group_by_pairs(found)


@given(reaches, reaches, st.sets(st.sampled_from("abcdefgh")))
@settings(deadline=None, max_examples=300)
def test_regrouping_touched_names_is_grouping_again(
    before: dict[str, Reach], after: dict[str, Reach], gone: set[str]
) -> None:
    now = {name: found for name, found in {**before, **after}.items() if name not in gone}
    assert regroup(now, group(before), after) == group(now)


def test_the_second_name_of_the_session_module_does_not_make_its_variables_foreign() -> None:
    # joblib and multiprocessing put sys.modules["__main__"] into sys.modules["__mp_main__"] as well
    probe = (
        "import sys; sys.modules['__mp_main__'] = sys.modules['__main__']\n"
        "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt\n"
        "figure, axes = plt.subplots(1, 2)\n"
        "from nbdag.portable.links import covariables\n"
        "print(covariables({'figure': figure, 'axes': axes}, ['figure', 'axes']))"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[['axes', 'figure']]"
