"""Does a fingerprint change exactly when the value does? A case is a notebook that makes x, and what is done to it."""

from __future__ import annotations

import copy
import gc
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdag.portable import fingerprint as fingerprint_module
from nbdag.portable import hashing
from nbdag.portable.fingerprint import Fingerprint, fingerprint

ROOT = str(Path(__file__).resolve().parents[2])

PRELUDE = """
import array, collections, copy, dataclasses, datetime, enum, functools, io, math, mmap, operator, pickle, random, re
import sys, types, weakref
class C: pass
class Slots: __slots__ = ("a", "b")
@dataclasses.dataclass
class D:
    a: object = 1
class L(list): pass
class M(dict): pass
def c(**attributes):
    made = C(); vars(made).update(attributes); return made
"""
LIBRARIES = """
import numpy as np, pandas as pd
X = np.arange(20.0).reshape(10, 2); y = np.arange(10) % 2
"""

# name of the case: how x is made, what is done to it
MUTATIONS = {
    "append": ("x = [1]", "x.append(2)"),
    "int to bool": ("x = [1]", "x[0] = True"),
    "int to float": ("x = [1]", "x[0] = 1.0"),
    "int to equal numpy-free decimal": ("import decimal; x = [1]", "x[0] = decimal.Decimal(1)"),
    "sign of zero": ("x = [0.0]", "x[0] = -0.0"),
    "sign of zero among objects": ("x = [0.0, []]", "x[0] = -0.0"),
    "None to 0": ("x = [None]", "x[0] = 0"),
    "str to bytes": ("x = ['a']", "x[0] = b'a'"),
    "order of a list": ("x = [1, 2]", "x.reverse()"),
    "order of a long list": ("x = list(range(10 ** 5))", "x[5], x[6] = x[6], x[5]"),
    "one of 200,000 strings": ("x = [str(i) for i in range(200000)]", "x[150000] = 'changed'"),
    "nested append": ("x = [[[1]]]", "x[0][0].append(2)"),
    "list to tuple": ("x = [[1, 2]]", "x[0] = (1, 2)"),
    "alias to copy": ("s = []; x = [s, s]", "x[1] = []"),
    "copy to alias": ("x = [[], []]", "x[1] = x[0]"),
    "alias among instances": ("s = C(); x = [s, s]", "x[1] = C()"),
    "a cycle closed elsewhere": ("a = []; b = [a]; a.append(b); x = a", "b[0] = b"),
    "new key": ("x = {1: 1}", "x[2] = 2"),
    "value of a key": ("x = {1: 1}", "x[1] = 2"),
    "type of a key": ("x = {1: 1}", "x.clear(); x[True] = 1"),
    "order of a dict": ("x = {1: 1, 2: 2}", "x[1] = x.pop(1)"),
    "list in a dict": ("x = {1: []}", "x[1].append(1)"),
    "set add": ("x = {1}", "x.add(2)"),
    "set discard": ("x = {1, 'a'}", "x.discard('a')"),
    "set element type": ("x = {1}", "x.clear(); x.add(True)"),
    "bytearray": ("x = bytearray(b'ab')", "x[0] = 0"),
    "bytearray in a list": ("x = [bytearray(b'ab')]", "x[0].append(0)"),
    "deque": ("x = collections.deque([1])", "x.appendleft(2)"),
    "maxlen of a deque": ("x = [collections.deque([1])]", "x[0] = collections.deque([1], maxlen=1)"),
    "Counter": ("x = collections.Counter('ab')", "x.update('a')"),
    "defaultdict factory": ("x = collections.defaultdict(list)", "x.default_factory = set"),
    "defaultdict read of a missing key": ("x = collections.defaultdict(list)", "x[1]"),
    "OrderedDict order": ("x = collections.OrderedDict(a=1, b=2)", "x.move_to_end('a')"),
    "ChainMap": ("x = collections.ChainMap({}, {})", "x['a'] = 1"),
    "attribute": ("x = c(a=1)", "x.a = 2"),
    "attribute type": ("x = c(a=1)", "x.a = True"),
    "new attribute": ("x = c(a=1)", "x.b = None"),
    "deleted attribute": ("x = c(a=1)", "del x.a"),
    "renamed attribute": ("x = c(a=1, b=2)", "x.c = x.b; del x.b"),
    "only attribute renamed": ("x = C(); x.a = 1", "x.b = x.a; del x.a"),
    "attributes of many instances": ("x = [c(a=i) for i in range(1000)]", "x[777].a = -1"),
    "renamed among many instances": ("x = [c(a=i, b=i) for i in range(100)]", "x[50].c = x[50].b; del x[50].b"),
    "swapped attributes": ("x = [c(a=1, b=2), c(a=1, b=2)]", "x[1].a, x[1].b = x[1].b, x[1].a"),
    "class of an instance": ("class E: pass\nx = c(a=1)", "x.__class__ = E"),
    "slot": ("x = Slots(); x.a = 1", "x.a = 2"),
    "slot set": ("x = Slots(); x.a = 1", "x.b = 1"),
    "slot deleted": ("x = Slots(); x.a = 1", "del x.a"),
    "dataclass field": ("x = D([])", "x.a.append(1)"),
    "list subclass": ("x = L([1])", "x.append(1)"),
    "attribute of a list subclass": ("x = L([1])", "x.name = 1"),
    "dict subclass": ("x = M(a=1)", "x['a'] = 2"),
    "user's __getstate__ that hides": (
        "class H(C):\n    def __getstate__(self): return 0\nx = H(); x.a = 1",
        "x.a = 2",
    ),
    "user's __reduce__ that hides": (
        "class H(C):\n    def __reduce__(self): return (H, ())\nx = H(); x.a = 1",
        "x.a = 2",
    ),
    "exception arguments": ("x = ValueError([])", "x.args[0].append(1)"),
    "exception attribute": ("class Oops(Exception): pass\nx = Oops()", "x.code = 1"),
    "simple namespace": ("x = types.SimpleNamespace(a=1)", "x.a = 2"),
    "default argument": ("def x(a=[]): a.append(1)", "x()"),
    "replaced defaults": ("def x(a=1): pass", "x.__defaults__ = (2,)"),
    "keyword default": ("def x(*, a={}): a[1] = 1", "x()"),
    "function attribute": ("def x(): pass", "x.calls = 1"),
    "function code": ("def x(): return 1\ndef other(): return 2", "x.__code__ = other.__code__"),
    "closure number": (
        "def f():\n    n = 0\n    def add():\n        nonlocal n; n += 1\n    return add\nx = f()",
        "x()",
    ),
    "closure list": ("def f():\n    n = []\n    return lambda: n.append(1)\nx = f()", "x()"),
    "closure in a list": ("def f():\n    n = []\n    return lambda: n.append(1)\nx = [f()]", "x[0]()"),
    "class attribute": ("class x: a = 1", "x.a = 2"),
    "mutable class attribute": ("class x: a = []", "x.a.append(1)"),
    "patched method": ("class x:\n    def m(self): return 1", "x.m = lambda self: 2"),
    "default of a method": ("class x:\n    def m(self, a=[]): a.append(1)", "x().m()"),
    "attribute deleted from a class": ("class x: a = 1", "del x.a"),
    "instance of a method": ("class E:\n    def m(self): self.n = 1\nx = E().m", "x()"),
    "list of a builtin method": ("x = [].append", "x(1)"),
    "argument of a partial": ("x = functools.partial(print, [])", "x.args[0].append(1)"),
    "state of a partial": ("x = functools.partial(print)", "x.note = 1"),
    "property's function": ("l = []\nx = property(lambda self, a=l: a)", "l.append(1)"),
    "array.array": ("x = array.array('d', [1.0])", "x[0] = 2.0"),
    "memoryview": ("b = bytearray(4); x = memoryview(b)", "x[1] = 1"),
    "mmap": ("x = mmap.mmap(-1, 10)", "x[3:4] = b'a'"),
    "BytesIO content": ("x = io.BytesIO()", "x.write(b'a')"),
    "StringIO position": ("x = io.StringIO('abc')", "x.read(1)"),
    "iterator": ("x = iter([1, 2])", "next(x)"),
    "enumerate": ("x = enumerate('abc')", "next(x)"),
    "random.Random": ("x = random.Random(1)", "x.random()"),
    "attribute of a function in a dict": ("def f(): pass\nx = {'f': f}", "f.a = 1"),
    "dead weak reference": ("o = C(); x = weakref.ref(o)", "del o; gc.collect()"),
    "weak dictionary": ("o = C(); x = weakref.WeakValueDictionary()", "x[1] = o"),
    "deep chain": (
        "b = []; x = b\nfor _ in range(20000): x = [x]",
        "b.append(1)",
    ),
    "deep chain of instances": (
        "b = C(); x = b\nfor _ in range(20000): x = c(next=x)",
        "b.end = 1",
    ),
    "enum class attribute": ("class x(enum.Enum): A = 1", "x.note = 1"),
    "mapping proxy": ("d = {}; x = types.MappingProxyType(d)", "d[1] = 1"),
    "lone surrogate": ("x = ['\\ud800']", "x[0] = '\\ud801'"),
}

LIBRARY_MUTATIONS = {
    "element": ("x = np.zeros(5)", "x[2] = 1"),
    "sign of zero in an array": ("x = np.zeros(5)", "x[2] = -0.0"),
    "far element": ("x = np.zeros(10 ** 6)", "x[-1] = 1"),
    "element of a strided view": ("a = np.zeros((50, 50)); x = a[::2, ::3]", "x[3, 3] = 1"),
    "element of a Fortran array": ("x = np.zeros((3, 4), order='F')", "x[1, 2] = 1"),
    "dtype": ("x = [np.zeros(4)]", "x[0] = x[0].view('i8')"),
    "in-place dtype": ("x = np.zeros(4)", "x.dtype = 'i8'"),
    "shape": ("x = np.zeros(4)", "x.shape = (2, 2)"),
    "writeable flag": ("x = np.zeros(4)", "x.flags.writeable = False"),
    "through a view": ("x = np.zeros(4); v = x[1:]", "v[0] = 1"),
    "object array element": ("x = np.array([[1], None], dtype=object)", "x[0].append(1)"),
    "object array of atoms": ("x = np.array([1, 'a'], dtype=object)", "x[0] = True"),
    "structured field": ("x = np.zeros(2, dtype=[('a', 'f8')])", "x['a'][1] = 1"),
    "datetime element": ("x = np.zeros(2, dtype='M8[s]')", "x[0] = '2024-01-01'"),
    "mask": ("x = np.ma.masked_array([1, 2], mask=[0, 0])", "x.mask[0] = True"),
    "big-endian element": ("x = np.zeros(3, '>f8')", "x[0] = 1"),
    "generator drawn from": ("x = np.random.default_rng(1)", "x.random()"),
    "RandomState drawn from": ("x = np.random.RandomState(1)", "x.rand()"),
    "frame cell": ("x = pd.DataFrame({'a': [1, 2]})", "x.loc[0, 'a'] = 5"),
    "frame column added": ("x = pd.DataFrame({'a': [1, 2]})", "x['b'] = 1"),
    "frame dtype": ("x = pd.DataFrame({'a': [1, 2]})", "x['a'] = x['a'].astype(float)"),
    "frame index": ("x = pd.DataFrame({'a': [1, 2]})", "x.index = [5, 6]"),
    "frame column order": (
        "x = pd.DataFrame({'a': [1], 'b': [2]})",
        "x.insert(0, 'b2', x.pop('b')); x.columns = ['b', 'a']",
    ),
    "frame attrs": ("x = pd.DataFrame({'a': [1]})", "x.attrs['k'] = 1"),
    "frame string": ("x = pd.DataFrame({'a': ['p', 'q']})", "x.loc[1, 'a'] = 'r'"),
    "frame object cell": ("x = pd.DataFrame({'a': [[1], None]})", "x.loc[0, 'a'].append(2)"),
    "frame in place": ("x = pd.DataFrame({'a': [2, 1]})", "x.sort_values('a', inplace=True)"),
    "series name": ("x = pd.Series([1])", "x.name = 'n'"),
    "category": ("x = pd.Series(['a', 'b'], dtype='category')", "x.iloc[0] = 'b'"),
    "nullable integer": ("x = pd.Series([1, None], dtype='Int64')", "x.iloc[1] = 3"),
    "fitted": ("from sklearn.linear_model import LinearRegression; x = LinearRegression()", "x.fit(X, y)"),
    "parameter": ("from sklearn.linear_model import Ridge; x = Ridge().fit(X, y)", "x.set_params(alpha=2)"),
    "tree in a forest": (
        "from sklearn.ensemble import RandomForestClassifier as R; x = R(3, random_state=0).fit(X, y)",
        "x.estimators_[1].tree_.threshold[0] += 1",
    ),
    "own estimator": (
        "from sklearn.base import BaseEstimator\nclass E(BaseEstimator): pass\nx = E()",
        "x.coef_ = [1]",
    ),
    "own frame attribute": ("class F(pd.DataFrame): pass\nx = F({'a': [1]})", "x.iloc[0, 0] = 2"),
}

READS = {
    "list": ("x = [1, [2], 'a']", "list(x); repr(x); x[0]; copy.deepcopy(x); 2 in x; sorted(map(str, x))"),
    "dict": ("x = {'a': [1]}", "x['a']; x.get('b'); list(x.items()); repr(x); pickle.dumps(x)"),
    "set": ("x = {'a', 'b', 1}", "list(x); x | {3}; 'a' in x; repr(x)"),
    "deque": ("x = collections.deque([1, 2])", "list(x); x[0]; repr(x)"),
    "defaultdict": ("x = collections.defaultdict(list, a=[1])", "x['a']; x.get('b'); repr(x)"),
    "instance": ("x = c(a=1, b=[2])", "x.a; vars(x); repr(x); copy.copy(x); pickle.dumps(x.b)"),
    "instance whose dict is asked for": ("x = C(); x.a = 1; x.b = 2", "vars(x); x.__dict__; dir(x)"),
    "many instances": ("x = [c(a=i, b=[i]) for i in range(50)]", "[vars(i) for i in x]; [i.a for i in x]"),
    "dataclass": ("x = D([1])", "repr(x); x == D([1]); dataclasses.asdict(x)"),
    "function": ("def x(a, b=2): return a + b", "x(1); x.__name__; repr(x); x.__annotations__; x.__dict__"),
    "closure": ("def f():\n    n = [1]\n    return lambda: n\nx = f()", "x(); x.__closure__"),
    "class": (
        "class x:\n    a = 1\n    def m(self): return 1",
        "x(); x().m(); x.a; getattr(x, '__annotations__', 0); dir(x); x.__subclasses__()",
    ),
    "class that is instantiated": ("class x:\n    def __init__(self): self.a = []", "[x() for _ in range(3)]"),
    "subclassed class": ("class x: pass", "class Sub(x): pass"),
    "cached function": ("@functools.lru_cache\ndef x(n): return n", "x(1); x(2); x.cache_info()"),
    "pattern": ("x = re.compile('a')", "x.match('a'); repr(x)"),
    "datetime": ("x = [datetime.datetime(2024, 1, 1)]", "x[0].isoformat(); hash(x[0])"),
    "big list": ("x = list(range(100000))", "sum(x); x[5:10]; len(x)"),
    "strings": ("x = ['abc', 'def' * 3]", "hash(x[0]); sys.intern(x[0]); x[0].encode(); x[1].upper()"),
    "deep chain": ("x = None\nfor _ in range(20000): x = [x]", "x[0][0]"),
    "enum": ("class x(enum.Enum): A = 1", "x.A; x('A' and 1); list(x); x['A']"),
    "bytearray": ("x = bytearray(10)", "bytes(x); memoryview(x)[1:3].tobytes()"),
    "random": ("x = random.Random(1)", "x.getstate(); repr(x)"),
}

LIBRARY_READS = {
    "array": ("x = np.arange(10.0)", "x.sum(); x[2:4]; x.T; repr(x); x + 1; np.sort(x); memoryview(x)"),
    "view": ("a = np.arange(10.0); x = a[::2]", "x.sum(); x.copy(); x.mean()"),
    "frame": (
        "x = pd.DataFrame({'a': [1, 2, 2], 'b': ['u', 'v', 'u'], 'c': [1.5, None, 2]})",
        "x['a']; x.loc[1]; x.iloc[0]; x.groupby('b').sum(numeric_only=True); repr(x); x._repr_html_(); x.values; "
        "x.describe(); x.index.get_loc(1); x.columns.get_loc('a'); x.sort_values('a'); x.merge(x, on='a'); "
        "x[x.a > 1]; x.a.value_counts(); x.to_csv(); x.T; x.isna().sum(); x.memory_usage(deep=True); x.dtypes",
    ),
    "frame with an index": (
        "x = pd.DataFrame({'a': range(5)}, index=list('vwxyz'))",
        "x.loc['w']; 'w' in x.index; x.index.is_unique; x.index.is_monotonic_increasing; x.reindex(list('zy')); "
        "x.index.hasnans; x.join(x, rsuffix='2'); x.index.get_indexer(['v'])",
    ),
    "time series": (
        "x = pd.Series(range(5), index=pd.date_range('2024', periods=5))",
        "x['2024-01-02']; x.resample('2D').sum(); x.index.freq; x.rolling(2).mean(); x.index.year; repr(x)",
    ),
    "group-by": ("x = pd.DataFrame({'a': [1, 2], 'b': [1, 1]}).groupby('b')['a'].sum()", "x.loc[1]; repr(x)"),
    "forest": (
        "from sklearn.ensemble import RandomForestClassifier as R; x = R(3, random_state=0).fit(X, y)",
        "x.predict(X); x.predict_proba(X); x.score(X, y); repr(x); x.get_params(); x.feature_importances_",
    ),
    "pipeline": (
        "from sklearn.pipeline import make_pipeline; from sklearn.preprocessing import StandardScaler as S; "
        "from sklearn.linear_model import LogisticRegression as G; x = make_pipeline(S(), G()).fit(X, y)",
        "x.predict(X); x.score(X, y); repr(x); x.named_steps; x[0].transform(X)",
    ),
    "generator": ("x = np.random.default_rng(1)", "repr(x); x.bit_generator.state"),
}

UNSEEN = {
    "generator": "x = (i for i in [1])",
    "generator in a list": "x = [(i for i in [1])]",
    "coroutine frame": "async def f(): pass\nx = f(); x.close()",
    "lock": "import threading; x = threading.Lock()",
    "lock in an instance": "import threading; x = c(lock=threading.RLock())",
    "thread": "import threading; x = threading.Thread(target=print)",
    "open file": "x = open(__import__('os').devnull)",
    "socket": "import socket; x = socket.socket(); x.close()",
    "connection": "import sqlite3; x = sqlite3.connect(':memory:')",
    "itertools": "import itertools; x = itertools.count()",
    "process": "import subprocess, sys; x = subprocess.Popen([sys.executable, '-c', '']); x.wait()",
    "figure": "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt; x = plt.figure()",
    "axes": "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt; x = {'ax': plt.figure().gca()}",
    "a reduction that raises": "class R:\n    def __reduce__(self): raise SystemExit\nR.__module__ = 'lib'; x = [R()]",
}


def run_notebook(source: str, libraries: bool = False) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__", "gc": gc}
    exec(PRELUDE + (LIBRARIES if libraries else ""), namespace)
    exec(source, namespace)
    return namespace


def check_mutation(source: str, action: str, libraries: bool) -> None:
    namespace = run_notebook(source, libraries)
    before = fingerprint(namespace["x"])
    assert before is not None
    assert fingerprint(namespace["x"]) == before
    exec(action, namespace)
    after = fingerprint(namespace["x"])
    assert after is not None and after != before


def check_reading(source: str, action: str, libraries: bool) -> None:
    namespace = run_notebook(source, libraries)
    before = fingerprint(namespace["x"])
    assert before is not None
    exec(action, namespace)
    assert fingerprint(namespace["x"]) == before


@pytest.mark.parametrize("case", MUTATIONS)
def test_a_mutation_changes_the_fingerprint(case: str) -> None:
    check_mutation(*MUTATIONS[case], libraries=False)


@pytest.mark.parametrize("case", LIBRARY_MUTATIONS)
def test_a_mutation_of_a_librarys_value_changes_the_fingerprint(case: str) -> None:
    check_mutation(*LIBRARY_MUTATIONS[case], libraries=True)


@pytest.mark.parametrize("case", READS)
def test_reading_does_not_change_the_fingerprint(case: str) -> None:
    check_reading(*READS[case], libraries=False)


@pytest.mark.parametrize("case", LIBRARY_READS)
def test_reading_a_librarys_value_does_not_change_the_fingerprint(case: str) -> None:
    check_reading(*LIBRARY_READS[case], libraries=True)


@pytest.mark.parametrize("case", UNSEEN)
def test_what_cannot_be_seen_has_no_fingerprint(case: str) -> None:
    assert fingerprint(run_notebook(UNSEEN[case])["x"]) is None


@pytest.mark.parametrize("case", MUTATIONS)
def test_the_breadth_first_walk_sees_the_same(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint_module, "_hash_pickle", fingerprint_module._hash_breadth_first)
    check_mutation(*MUTATIONS[case], libraries=False)


@pytest.mark.parametrize("case", READS)
def test_the_breadth_first_walk_is_as_stable(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint_module, "_hash_pickle", fingerprint_module._hash_breadth_first)
    check_reading(*READS[case], libraries=False)


@pytest.mark.parametrize("case", list(MUTATIONS)[:12])
def test_without_xxhash(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hashing._CHOSEN_HASH, "", hashing.fastest_stdlib_hash())
    check_mutation(*MUTATIONS[case], libraries=False)


def test_no_code_of_the_users_runs() -> None:
    namespace = run_notebook(
        """
class Hostile:
    def __init__(self): self.a = 1
    def __eq__(self, other): raise SystemExit
    def __hash__(self): raise SystemExit
    def __reduce_ex__(self, p): raise SystemExit
    def __reduce__(self): raise SystemExit
    def __getstate__(self): raise SystemExit
    def __getnewargs_ex__(self): raise SystemExit
    def __sizeof__(self): raise SystemExit
    __class__ = property(lambda self: 1 / 0)
    def __getattribute__(self, name): raise SystemExit
class Words(list):
    def __iter__(self): raise SystemExit
    def __len__(self): raise SystemExit
class Table(dict):
    def items(self): raise SystemExit
    def __getitem__(self, key): raise SystemExit
class Meta(type):
    def __getattribute__(cls, name): raise SystemExit
class Strange(metaclass=Meta): pass
x = [Hostile(), Words([1]), Table(a=1), Strange, Strange()]
"""
    )
    before = fingerprint(namespace["x"])
    assert before is not None
    object.__setattr__(namespace["x"][0], "a", 2)
    assert fingerprint(namespace["x"]) != before


def test_an_interrupt_is_passed_on() -> None:
    class Slow:
        def __reduce__(self) -> Any:
            raise KeyboardInterrupt

    Slow.__module__ = "library"
    with pytest.raises(KeyboardInterrupt):
        fingerprint([Slow()])
    assert gc.isenabled()


def test_a_fingerprint_keeps_nothing_alive() -> None:
    class Thing:
        pass

    thing = Thing()
    watcher = weakref.ref(thing)
    found = fingerprint([thing, {"x": thing}])
    del thing
    gc.collect()
    assert watcher() is None and found is not None


def test_a_fingerprint_is_a_value() -> None:
    one, other = fingerprint([1, 2]), fingerprint([1, 2])
    assert isinstance(one, Fingerprint) and one == other and hash(one) == hash(other) and one != "x"
    with pytest.raises(AttributeError):
        one.size = 3
    assert fingerprint(bytearray(10_000)).size >= 10_000  # type: ignore[union-attr]


def test_a_big_array_is_not_copied() -> None:
    import tracemalloc

    arrays = [np.zeros(1 << 22), np.zeros((1 << 12, 1 << 10)).T, np.zeros(1 << 23)[::2]]
    for x in arrays:
        fingerprint(x)
        tracemalloc.start()
        fingerprint(x)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < (1 << 25) + (1 << 20)


def test_a_session_class_counts_for_its_name_not_for_its_instances() -> None:
    namespace = run_notebook("class K: shared = []\nx = K()")
    before, of_class = fingerprint(namespace["x"]), fingerprint(namespace["K"])
    namespace["K"].shared.append(1)
    assert fingerprint(namespace["x"]) == before and fingerprint(namespace["K"]) != of_class


def test_a_thread_that_writes_meanwhile_does_no_harm() -> None:
    x: dict[Any, Any] = {i: [i] for i in range(1000)}
    stop = threading.Event()

    def write() -> None:
        for i in itertools.count(1000):
            x[i] = [i]
            x.pop(i - 500, None)
            if stop.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(50):
            fingerprint(x)
    finally:
        stop.set()
        writer.join()
    assert fingerprint(x) == fingerprint(x)


DEEP = """
import sys, threading
sys.path.insert(0, sys.argv[1])
sys.setrecursionlimit(10 ** 6)
from nbdag.portable.fingerprint import fingerprint
class N: pass
def check():
    def instance(x):
        n = N()
        n.n = x
        return {"n": n}
    for make in (lambda x: [x], lambda x: {"k": x}, lambda x: (x,), instance):
        x = None
        for _ in range(20_000):
            x = make(x)
        assert fingerprint(x) is not None and fingerprint(x) == fingerprint(x)
        while x is not None:  # taken apart by hand: freeing such a chain is deep too
            x = vars(x["n"]).get("n") if isinstance(x, dict) and "n" in x else (x["k"] if isinstance(x, dict) else x[0])
check()
worker = threading.Thread(target=check); worker.start(); worker.join()
assert sys.getrecursionlimit() == 10 ** 6
print("fine")
"""


def test_a_chain_cannot_blow_the_c_stack_even_if_the_limit_allows_it() -> None:
    done = subprocess.run([sys.executable, "-c", DEEP, ROOT], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "fine\n", (done.returncode, done.stderr[-2000:])


# ------------------------------------------------------------------------------------------------ other Pythons

TABLES = """
import gc, json, sys
sys.path.insert(0, sys.argv[1])
from nbdag.portable.fingerprint import fingerprint
tables = json.load(sys.stdin)
wrong = []
def run(source):
    namespace = {"__name__": "__main__", "gc": gc}
    exec(tables["prelude"], namespace)
    exec(source, namespace)
    return namespace
for kind in ("mutations", "reads"):
    for case, (source, action) in tables[kind].items():
        namespace = run(source)
        before = fingerprint(namespace["x"])
        exec(action, namespace)
        after = fingerprint(namespace["x"])
        if before is None or after is None or (before == after) != (kind == "reads"):
            wrong.append(case)
print(json.dumps(wrong))
"""


def pythons() -> list[str]:
    roots = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    found = [*Path(roots).glob("versions/3.*/bin/python")]
    return sorted(str(path) for path in found if int(path.parts[-3].split(".")[1]) >= 8)


@pytest.mark.slow
@pytest.mark.parametrize("python", pythons())
def test_the_tables_hold_in_every_python(python: str) -> None:
    tables = {"prelude": PRELUDE, "mutations": MUTATIONS, "reads": READS}
    command = [python, "-W", "ignore", "-c", TABLES, ROOT]
    done = subprocess.run(command, input=json.dumps(tables), capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "[]\n", (done.stdout, done.stderr[-2000:])


@pytest.mark.slow
@pytest.mark.parametrize("python", pythons())
def test_no_python_blows_its_stack(python: str) -> None:
    done = subprocess.run([python, "-c", DEEP, ROOT], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "fine\n", (done.returncode, done.stderr[-2000:])


# ------------------------------------------------------------------------------------------------ random graphs


class Node:
    """A session-like instance of the random graphs."""


Node.__module__ = "__main__"

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3), st.binary(max_size=3)
)


def build(choice: random.Random, size: int) -> list[Any]:
    """A graph of ``size`` mutable objects, linked at random: sharing and cycles included."""
    nodes: list[Any] = [choice.choice([list, dict, Node, bytearray])() for _ in range(size)]
    for _ in range(size * 3):
        attach(choice, choice.choice(nodes), choice.choice([*nodes, 1, "a", 2.5, None, (1, 2)]))
    return nodes


def attach(choice: random.Random, node: Any, value: Any) -> None:
    key = choice.choice("abcdef")
    if isinstance(node, list):
        node.append(value)
    elif isinstance(node, dict):
        node[key] = value
    elif isinstance(node, Node):
        setattr(node, key, value)
    else:
        node.append(choice.randrange(256))


def shape(root: Any) -> Any:
    """What the fingerprint must tell apart: the graph from ``root`` with numbered nodes, by plain code."""
    numbers: dict[int, int] = {}
    lines: list[Any] = []
    waiting = [root]

    def number(value: Any) -> Any:
        if isinstance(value, (list, dict, Node, bytearray)):
            if id(value) not in numbers:
                numbers[id(value)] = len(numbers)
                waiting.append(value)
            return ("#", numbers[id(value)])
        return (type(value).__name__, repr(value))

    number(root)
    waiting.pop(0)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, list):
            lines.append(("list", [number(value) for value in node]))
        elif isinstance(node, bytearray):
            lines.append(("bytearray", bytes(node)))
        else:
            items = node.items() if isinstance(node, dict) else vars(node).items()
            lines.append((type(node).__name__, [(key, number(value)) for key, value in items]))
    return lines


def mutate(choice: random.Random, nodes: list[Any]) -> None:
    node = choice.choice(nodes)
    others = [*nodes, 0, 1, True, "a", "b", 2.5, -0.0, None, [], (1, 2)]
    if isinstance(node, list) and node and choice.random() < 0.6:
        action = choice.choice(["set", "pop", "reverse"])
        if action == "set":
            node[choice.randrange(len(node))] = choice.choice(others)
        elif action == "pop":
            node.pop(choice.randrange(len(node)))
        else:
            node.reverse()
    elif isinstance(node, (dict, Node)) and choice.random() < 0.3:
        attributes = node if isinstance(node, dict) else vars(node)
        if attributes:
            del attributes[choice.choice(list(attributes))]
    else:
        attach(choice, node, choice.choice(others))


@pytest.mark.parametrize("breadth_first", [False, True])
@given(st.integers(0, 2**32), st.integers(1, 12))
@settings(deadline=None, max_examples=300)
def test_random_graphs_change_exactly_when_their_shape_does(breadth_first: bool, seed: int, size: int) -> None:
    take = fingerprint_module._hash_breadth_first if breadth_first else fingerprint
    choice = random.Random(seed)
    nodes = build(choice, size)
    for _ in range(5):
        before, was = take(nodes), shape(nodes)
        assert take(nodes) == before
        mutate(choice, nodes)
        assert (take(nodes) == before) == (shape(nodes) == was)


@given(
    st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    )
)
@settings(deadline=None, max_examples=200)
def test_a_value_is_equal_to_itself_and_its_deep_copy_in_place(value: Any) -> None:
    assert fingerprint(value) == fingerprint(value)
    copy.deepcopy(value)
    repr(value)
    assert fingerprint(value) is not None
