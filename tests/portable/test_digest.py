"""Digests mean the same in every process, say where values differ, and leave out what is no state."""

from __future__ import annotations

import gc
import json
import os
import shutil
import struct
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbdag.portable import canonical_instances, digest_walk
from nbdag.portable.digest import difference_path, digest, digest_tree, shared
from nbdag.portable.objects import slot_descriptors
from nbdag.portable.watch import take_fingerprint

ROOT = Path(__file__).resolve().parents[2]

# One notebook: its names are the table. Run in processes with different hash seeds, and in every Python found.
STANDARD = """
import array, collections, datetime, decimal, enum, fractions, functools, ipaddress, io, math, operator, pathlib
import random, re, types, uuid, weakref, dataclasses, typing

none = None
truth = True
one = 1
big = 2 ** 200
negative = -5
real = 1.5
minus_zero = -0.0
nan = float("nan")
infinite = float("inf")
imaginary = 1 + 2j
text = "na\\u00efve \\U0001f600"
empty_text = ""
raw = b"\\x00\\xff"
dots = ...
missing = NotImplemented
numbers = list(range(1000))
mixed = [1, True, 1.0, None, "x", b"y", 2 ** 70, 1j]
nans = [float("nan")] * 50
nested = [[1], [[2]], ({},)]
pair = (1, "a")
deep_pair = ((1, (2, (3, ("x",)))), frozenset([1, 2]))
names = {"b": 1, "a": [2]}
long_dict = {str(i): i for i in range(100)}
dict_of_lists = {i: [i] for i in range(100)}
words = {"apple", "pear", "plum", "fig", "lime"}
mixed_set = {1, "a", None, (1, 2), 2.5, b"z", frozenset([3])}
frozen = frozenset(["x", "y", "z", ("p", "q")])
set_of_tuples = {(i, str(i)) for i in range(50)}
buffer = bytearray(b"abc")
class Slotted:
    __module__ = "library"
    __slots__ = ("mean", "deviation", "tag", "unit")
    def __getstate__(self): return {slot: getattr(self, slot) for slot in set(self.__slots__)}
slotted = Slotted()
slotted.mean, slotted.deviation, slotted.tag, slotted.unit = 1.0, 0.1, None, "cm"
class Parameters(dict):
    __module__ = "lmfit.parameter"
    def __reduce__(self):
        known = {"decay", "amplitude", "offset", "width"}
        return Parameters, (), {"unique_symbols": {name: len(name) for name in known}, "params": list(self.values())}
parameters = Parameters(decay=1.0, amplitude=2.0)
cut = slice(1, None, 2)
span = range(0, 10, 3)
queue = collections.deque([1, [2]], maxlen=5)
counts = collections.Counter("abracadabra")
groups = collections.defaultdict(list, {"k": [1]})
ordered = collections.OrderedDict([("z", 1), ("a", 2)])
chain = collections.ChainMap({"a": 1}, {"b": 2})
Point = collections.namedtuple("Point", "x y")
point = Point(1, [2])
price = decimal.Decimal("1.10")
half = fractions.Fraction(1, 2)
day = datetime.date(2024, 2, 29)
moment = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc)
offset = datetime.timezone(datetime.timedelta(hours=5), "PKT")
length = datetime.timedelta(days=1, seconds=2)
clock = datetime.time(1, 2, 3)
key = uuid.UUID(int=5)
folder = pathlib.PurePosixPath("/tmp/x")
here = pathlib.Path("a/b")
pattern = re.compile("a+(b)?", re.I)
host = ipaddress.ip_address("10.0.0.1")
doubles = array.array("d", [1.0, 2.0])
view = memoryview(b"abcdef")[1:4]
module = math
builtin = len
bound_builtin = numbers.append
library_function = functools.reduce
library_class = collections.OrderedDict
number_type = int
simple = types.SimpleNamespace(a=1, b=[2])
proxy = types.MappingProxyType({"a": [1]})
memory_file = io.BytesIO(b"abc")
memory_text = io.StringIO("abc")
dice = random.Random(42)
oops = ValueError("bad", [1])
iterator = iter([1, 2, 3])
getter = operator.itemgetter(1)
sentinel = object()

def plain(x, y=2, *, z=[3]):
    "doc"
    return x + y

def outer():
    hidden = [1]
    def inner(value):
        hidden.append(value)
        return hidden
    return inner

closure = outer()
short = lambda a: a + 1
two = [lambda a: a + 1, lambda a: a - 1]
halver = functools.partial(operator.truediv, 1, 2)

@functools.lru_cache(maxsize=10)
def cached(n):
    return n * 2

cached(3)

def counting():
    n = 0
    while True:
        n += 1
        yield n

class Account:
    "An account."
    rate = 2
    owners = {"z": 1}

    def __init__(self, owner):
        self.owner = owner
        self.history = []
        self.history.append(self.history)

    @property
    def name(self):
        return self.owner.title()

    @staticmethod
    def kind():
        return "account"

    @classmethod
    def make(cls):
        return cls("x")

    def __getstate__(self):
        raise RuntimeError("must not be called")

class Savings(Account):
    __slots__ = ("extra", "unset")

class Color(enum.Enum):
    RED = 1
    GREEN = "g"

class Bits(enum.Flag):
    A = 1
    B = 2

@dataclasses.dataclass
class Trade:
    price: float
    tags: list = dataclasses.field(default_factory=list)

class Stack(list):
    pass

class Bag(dict):
    def __iter__(self):
        raise RuntimeError("must not be called")

class Name(str):
    pass

class Typed(typing.NamedTuple):
    a: int

account = Account("ann")
savings = Savings("bob")
savings.extra = {1, 2}
method = account.make
bound = account.history.append
color = Color.RED
colors = {Color.GREEN: 1}
trade = Trade(1.5, ["x"])
trades = [Trade(float(i)) for i in range(50)]
stack = Stack([1, 2])
stack.label = "s"
bag = Bag(a=[1])
name = Name("abc")
name.tag = 1
typed = Typed(1)
accounts = {Account(c) for c in "xyz"}
self_list = [1]
self_list.append(self_list)
self_dict = {}
self_dict["me"] = self_dict
inner_list = []
twice = [inner_list, inner_list]
copies = [[], []]
long_chain = None
for _ in range(20000):
    long_chain = [long_chain]
linked = None
for _ in range(5000):
    linked = types.SimpleNamespace(next=linked)
weak = weakref.ref(account)
"""

LIBRARIES = """
import numpy as np, pandas as pd
zeros = np.zeros((3, 4))
fortran = np.asfortranarray(np.arange(6.0).reshape(2, 3))
strided = np.arange(20)[::2]
objects = np.array([1, "a", None, [2]], dtype=object)
strings = np.array(["a", "bb"])
dates = np.array(["2024-01-01"], dtype="datetime64[D]")
records = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
empty = np.zeros((0, 3))
scalar = np.float32(1.5)
zero_d = np.array(5)
readonly = np.arange(3); readonly.flags.writeable = False
masked = np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])
kind = np.dtype("f4")
ufunc = np.add
generator = np.random.default_rng(3)
old_generator = np.random.RandomState(3)
frame = pd.DataFrame({"a": [1, 2, 3], "b": list("xyz"), "c": [1.5, None, 2.5], "d": pd.Categorical(["u", "v", "u"])})
frame["e"] = pd.array([1, None, 3], dtype="Int64")
frame["f"] = pd.date_range("2024-01-01", periods=3, tz="UTC")
frame.attrs["note"] = ["x"]
frame_objects = pd.DataFrame({"o": [[1], {"k": 2}, None]})
series = pd.Series([1.0, 2.0], index=["p", "q"], name="s")
multi = pd.DataFrame({"x": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["l", "m"]))
index = pd.Index([3, 1, 2], name="i")
stamps = pd.date_range("2024-01-01", periods=4, freq="D")
stamp = pd.Timestamp("2024-01-01 10:00", tz="Europe/Berlin")
delta = pd.Timedelta("1D")
period = pd.Period("2024-01")
interval = pd.Interval(0, 1)
nat = pd.NaT
na = pd.NA
groups = frame.groupby("b")
sparse_column = pd.Series(pd.arrays.SparseArray([0, 0, 1]))
from sklearn.linear_model import LinearRegression
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
X = np.arange(20.0).reshape(10, 2); y = np.arange(10) % 2
model = LinearRegression().fit(X, y)
forest = RandomForestClassifier(5, random_state=0).fit(X, y)
pipeline = make_pipeline(StandardScaler(), LinearRegression()).fit(X, y)
import scipy.sparse
sparse = scipy.sparse.csr_matrix(np.eye(3))
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt
fig, ax = plt.subplots()
ax.plot([1, 2, 3], label="line"); ax.set_title("t"); ax.scatter([1], [2]); ax.bar([1, 2], [3, 4])
"""

DRIVER = """
import json, linecache, sys
text = open(sys.argv[1], encoding="utf-8").read()
linecache.cache["<cell 1>"] = (len(text), None, text.splitlines(True), "<cell 1>")
before = set(globals()) | {"before", "text"}
exec(compile(text, "<cell 1>", "exec"), globals())
values = {name: value for name, value in globals().items() if name not in before}
from nbdag.portable.digest import digest, digest_tree
found = {name: [digest(value, globals()), digest_tree(value, globals(), 2)] for name, value in values.items()}
print(json.dumps(found))
"""


def digests_in(python: str, notebook: Path, seed: str) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [python, "-c", DRIVER, str(notebook)], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("source", [STANDARD, LIBRARIES], ids=["standard", "libraries"])
def test_two_processes_agree_on_every_value(tmp_path: Path, source: str) -> None:
    notebook = tmp_path / "cell.py"
    notebook.write_text(source, encoding="utf-8")
    one, other = (digests_in(sys.executable, notebook, seed) for seed in ("1", "77"))
    assert {name for name in one if one[name] != other[name]} == set()
    assert {name: found[0] for name, found in one.items() if "?" in found[0]} == {}
    assert len(one) >= (80 if source is STANDARD else 30)


def other_pythons() -> list[str]:
    found = [shutil.which(f"python3.{minor}") for minor in range(8, 14)]
    runnable = []
    for python in filter(None, found):
        done = subprocess.run([python, "-c", "print(1)"], capture_output=True, check=False)
        if done.returncode == 0:
            runnable.append(python)
    roots = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    for minor in range(8, 14):
        runnable.extend(str(path) for path in sorted(Path(roots).glob(f"versions/3.{minor}.*/bin/python"))[:1])
    return runnable


@pytest.mark.slow
def test_every_python_agrees_on_standard_values(tmp_path: Path) -> None:
    notebook = tmp_path / "cell.py"
    notebook.write_text(STANDARD, encoding="utf-8")
    reference = digests_in(sys.executable, notebook, "1")
    pythons = other_pythons()
    if not pythons:
        pytest.skip("no other Python here")
    for python in pythons:
        found = digests_in(python, notebook, "5")
        different = {name for name in reference if found.get(name) != reference[name]}
        assert different == set(), python


# ------------------------------------------------------------------------------------------------ what counts

# name of the case: one value, another; the same digest or not
EQUAL = {
    "set order": ("{'a', 'b', 'c'}", "{'c', 'b', 'a'}"),
    "string identity": ("['ab', 'ab']", "['ab', ''.join(['a', 'b'])]"),
    "tuple identity": ("(lambda t: [t, t])((1, 2))", "[(1, 2), tuple([1, 2])]"),
    "nan": ("[math.nan, [math.nan]]", "[-math.nan, [float('nan')]]"),
    "attribute order": ("c(a=1, b=2)", "c(b=2, a=1)"),
    "cached property": ("W()", "(lambda w: (w.costly, w)[1])(W())"),
    "filled cache": ("cached", "(cached(1), cached)[1]"),
    "view and copy": ("np.arange(10)[::2]", "np.arange(0, 10, 2)"),
    "block layout": (
        "pd.DataFrame({'a': [1, 2], 'b': [3, 4]})",
        "(lambda f: (f.__setitem__('b', [3, 4]), f)[1])(pd.DataFrame({'a': [1, 2]}))",
    ),
    "what is under a mask": ("np.ma.masked_array([1, 2], mask=[1, 0])", "np.ma.masked_array([9, 2], mask=[1, 0])"),
    "used frame": ("frame()", "(lambda f: (f.loc[0], f.groupby('a').sum(), repr(f), f)[-1])(frame())"),
    "sparse caches": ("sp.csr_matrix(np.eye(3))", "(lambda m: (m.has_sorted_indices, m)[1])(sp.csr_matrix(np.eye(3)))"),
}
DIFFERENT = {
    "bool": ("[1]", "[True]"),
    "float": ("[1]", "[1.0]"),
    "sign of zero": ("[0.0]", "[-0.0]"),
    "bytes": ("['a']", "[b'a']"),
    "sharing": ("(lambda s: [s, s])([])", "[[], []]"),
    "list and tuple": ("[1]", "(1,)"),
    "dict order": ("{1: 1, 2: 2}", "{2: 2, 1: 1}"),
    "long dict order": ("{i: i for i in range(99)}", "{i: i for i in reversed(range(99))}"),
    "set element": ("{1, 2}", "{1, 3}"),
    "set element type": ("{1, 'a'}", "{True, 'a'}"),
    "state in a set of instances": ("{c(a=1), c(a=2)}", "{c(a=1), c(a=3)}"),
    "maxlen": ("collections.deque([1])", "collections.deque([1], 3)"),
    "factory": ("collections.defaultdict(list)", "collections.defaultdict(set)"),
    "type of an instance": ("c(a=1)", "types.SimpleNamespace(a=1)"),
    "attribute": ("c(a=1)", "c(a=2)"),
    "argument of a partial": ("functools.partial(print, 1)", "functools.partial(print, 2)"),
    "closure state": ("adder(1)", "adder(2)"),
    "default": ("(lambda a=1: a)", "(lambda a=2: a)"),
    "dtype": ("np.zeros(2)", "np.zeros(2, 'f4')"),
    "order of an array": ("np.zeros((2, 3))", "np.zeros((2, 3), order='F')"),
    "element": ("np.zeros(3)", "np.array([0, 0, 1.0])"),
    "writeable": ("np.zeros(3)", "(lambda a: (a.setflags(write=False), a)[1])(np.zeros(3))"),
    "shape": ("np.zeros((2, 3))", "np.zeros((3, 2))"),
    "index": ("pd.Series([1, 2])", "pd.Series([1, 2], index=[1, 2])"),
    "index name": ("pd.Index([1])", "pd.Index([1], name='i')"),
    "column dtype": ("pd.DataFrame({'a': [1]})", "pd.DataFrame({'a': [1.0]})"),
    "column order": ("pd.DataFrame({'a': [1], 'b': [1]})", "pd.DataFrame({'b': [1], 'a': [1]})"),
    "attrs": ("pd.DataFrame({'a': [1]})", "(lambda f: (f.attrs.update(k=1), f)[1])(pd.DataFrame({'a': [1]}))"),
    "category order": ("pd.Categorical(['a'], ['a', 'b'])", "pd.Categorical(['a'], ['b', 'a'])"),
    "time zone": ("pd.Timestamp('2024', tz='UTC')", "pd.Timestamp('2024')"),
    "random state": ("np.random.default_rng(1)", "(lambda g: (g.random(), g)[1])(np.random.default_rng(1))"),
    "generator position": ("(i for i in [1, 2])", "(lambda g: (next(g), g)[1])(i for i in [1, 2])"),
}
WORKBENCH = """
import collections, functools, math, types
import numpy as np, pandas as pd, scipy.sparse as sp
class C: pass
def c(**attributes):
    made = C(); vars(made).update(attributes); return made
class W:
    @functools.cached_property
    def costly(self): return [1]
@functools.lru_cache
def cached(n): return n
def adder(n): return lambda x: x + n
def frame(): return pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
"""


def evaluate(source: str) -> str:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(WORKBENCH, namespace)
    return digest(eval(source, namespace), namespace)


@pytest.mark.parametrize("case", EQUAL)
def test_what_is_no_state_does_not_count(case: str) -> None:
    one, other = EQUAL[case]
    assert evaluate(one) == evaluate(other)


@pytest.mark.parametrize("case", DIFFERENT)
def test_every_difference_counts(case: str) -> None:
    one, other = DIFFERENT[case]
    assert evaluate(one) != evaluate(other)


INCOMPARABLE = {
    "lock": "import threading; x = threading.Lock()",
    "thread": "import threading; x = threading.Thread()",
    "socket": "import socket; x = socket.socket(); x.close()",
    "database connection": "import sqlite3; x = sqlite3.connect(':memory:')",
    "iterator": "import itertools; x = itertools.count()",
    "open file": "import tempfile; x = tempfile.TemporaryFile('w')",
}


@pytest.mark.parametrize("reason", INCOMPARABLE)
def test_what_cannot_be_compared_says_why(reason: str) -> None:
    namespace: dict[str, Any] = {}
    exec(INCOMPARABLE[reason], namespace)
    x = namespace["x"]
    assert digest(x, {}) == digest_tree(x, {}) == "?" + reason
    one, other = digest([x, 1], {}), digest([x, 2], {})
    assert one != other and one.endswith("?" + reason) and not one.startswith("?")
    tree = digest_tree({"a": x, "b": [1]}, {})
    assert tree["['a']"] == "?" + reason and tree["['b']"] == digest_tree([1], {}, 1)


def test_a_difference_has_a_place() -> None:
    class Model:
        def __init__(self, weights: list[float]) -> None:
            self.name, self.weights = "m", weights

    def tree(weights: list[float], more: Any = None) -> Any:
        return json.loads(json.dumps(digest_tree({"model": Model(weights), **(more or {})}, {}, 3)))

    assert difference_path(tree([1.0, 2.0]), tree([1.0, 2.0])) == ""
    assert difference_path(tree([1.0, 2.0]), tree([1.0, 3.0])) == "['model'].weights[1]"
    assert difference_path(tree([1.0]), tree([1.0], {"k": 1})) == "['k'] (only in the second)"
    assert difference_path("a", "b") == "." and difference_path("?lock", tree([1.0])) == "."
    frames = [digest_tree(pd.DataFrame({"a": [1, 2], "b": [3, last]}), {}) for last in (4, 5)]
    assert difference_path(*frames) == "['b']"


def test_the_place_of_a_difference_costs_no_more_than_a_few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    # each of the 150 leads to all that follow, and to 5,000 more
    class Node:
        def __init__(self, next: Any) -> None:
            self.next = next

    def tree(last: int) -> Any:
        nodes: list[Any] = [Node(last)]
        for _ in range(5_000):
            nodes.append(Node(nodes[-1]))
        return digest_tree(nodes[-1:-151:-1], {}, 3)

    looks: list[object] = []
    look = digest_walk.Digester.run

    def count(self: Any, value: object) -> str:
        looks.append(value)
        return look(self, value)

    monkeypatch.setattr(digest_walk.Digester, "run", count)
    one, other = tree(1), tree(2)
    assert len(looks) < 40 and one == tree(1)
    assert difference_path(one, other) == "[0].next.next"


def test_what_follows_from_a_class_is_found_once_for_all_its_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        def __init__(self, x: Any, y: Any) -> None:
            self.x, self.y = x, y

    asked: list[type] = []
    look = slot_descriptors

    def count(cls: type) -> list[tuple[str, Any]]:
        asked.append(cls)
        return look(cls)

    monkeypatch.setattr(canonical_instances, "slot_descriptors", count)
    tree = digest_tree({"points": [Point(place, [place]) for place in range(1000)]}, {})
    assert asked == [Point] and set(tree) == {"", "['points']"}


def test_instances_of_one_class_are_told_apart_by_the_names_and_the_kinds_of_their_attributes() -> None:
    class Thing:
        pass

    def thing(**attributes: Any) -> Thing:
        made = Thing()
        vars(made).update(attributes)
        return made

    def numbered(name: Any) -> Thing:
        made = Thing()
        vars(made)[name] = 0
        return made

    assert digest([thing(a=1, b=2), thing(b=2, a=1)], {}) == digest([thing(b=2, a=1), thing(a=1, b=2)], {})
    different = [
        [thing(a=1, b=2), thing(a=1, c=2)],
        [thing(a=1, b=2), thing(a=1, b=2)],
        [thing(a=1, b=2), thing(a=1, b=2.0)],
        [thing(a=1, b=2), thing(a=True, b=2)],
        [thing(a=1, b=2), thing(a=1)],
        [numbered(1), numbered(1)],
        [numbered(1), numbered(True)],
    ]
    assert len({digest(value, {}) for value in different}) == len(different)


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"k": x}, lambda x: [x, "text", []], lambda x: (x, [])])
def test_a_nan_is_a_nan_whatever_its_bits(wrap: Any) -> None:
    other = struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000001))[0]
    assert digest(wrap(other), {}) == digest(wrap(float("nan")), {}) != digest(wrap(float("inf")), {})


@pytest.mark.parametrize(
    "make",
    [
        "import pandas; v = pandas.Timedelta(days=1, hours=3)",
        "import pandas; v = pandas.Timestamp('2020-01-01', tz='UTC')",
        "import matplotlib.colors as colors; v = colors.LogNorm(1, 100)",
        "import matplotlib.figure as figure; v = figure.Figure().subplots().bar([1, 2], [3, 4])",
        "import matplotlib.figure as f; f = f.Figure(); v = f.colorbar(f.subplots().imshow([[1, 2], [3, 4]]))",
    ],
)
def test_a_look_at_a_value_leaves_it_as_it_is(make: str) -> None:
    namespace: dict[str, Any] = {}
    exec(make, namespace)
    value = namespace["v"]
    first = digest(value, {}), take_fingerprint(value)
    repr(value)
    assert (digest(value, {}), take_fingerprint(value)) == first


def test_what_pydantic_made_of_a_class_is_not_compared() -> None:
    pytest.importorskip("pydantic")

    def model(default: int) -> str:
        namespace: dict[str, Any] = {"__name__": "__main__"}
        exec(f"import pydantic\nclass Item(pydantic.BaseModel):\n    a: int = {default}", namespace)
        return digest(namespace["Item"], namespace)

    assert model(3) == model(3) != model(4)


def test_sharing_between_variables_is_told() -> None:
    a: list[int] = []
    assert shared({"a": a, "b": [a], "c": []}, ["a", "b", "c"]) == [["a", "b"]]


def test_large_values_differ_in_their_last_element() -> None:
    numbers, words = list(range(1_000_000)), [str(i) for i in range(1_000_000)]
    zeros = np.zeros(12_500_000)
    before = [digest(value, {}) for value in (numbers, words, set(numbers), zeros)]
    numbers[-1], words[-1], zeros[-1] = -1, "", 1.0
    after = [digest(value, {}) for value in (numbers, words, set(numbers), zeros)]
    assert not set(before) & set(after)


def test_a_digest_keeps_nothing_alive() -> None:
    class Thing:
        pass

    thing = Thing()
    watcher = weakref.ref(thing)
    digest_tree([thing, {"x": thing}, np.zeros(3)], {})
    del thing
    gc.collect()
    assert watcher() is None


def test_a_generator_does_not_remember_an_exception_that_was_handled_below_it() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(
        """
def look(item):
    if troubled:
        try: [][item]
        except IndexError: pass
def items():
    for item in [1, 2, 3]:
        look(item)
        yield item
troubled = False; calm = items(); next(calm)
troubled = True; stirred = items(); next(stirred); farther = items(); next(farther); next(farther)
""",
        namespace,
    )
    assert digest(namespace["calm"], namespace) == digest(namespace["stirred"], namespace)
    assert digest(namespace["farther"], namespace) != digest(namespace["stirred"], namespace)


def test_hostile_values_do_no_harm() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(
        """
class Hostile:
    def __init__(self): object.__setattr__(self, "a", 1)
    def __getattribute__(self, name): raise SystemExit
    def __reduce_ex__(self, p): raise SystemExit
    def __eq__(self, other): raise SystemExit
    def __hash__(self): raise SystemExit
    def __repr__(self): raise SystemExit
class Library:
    __module__ = "library"
    def __reduce_ex__(self, p): raise SystemExit
x = [Hostile()]; y = [Library()]
""",
        namespace,
    )
    before = digest(namespace["x"], namespace)
    object.__setattr__(namespace["x"][0], "a", 2)
    assert digest(namespace["x"], namespace) != before
    assert digest(namespace["y"], namespace).endswith("?library.Library (SystemExit)")


def test_looking_at_an_exception_does_not_change_its_digest() -> None:
    fault = ValueError([1])
    assert digest(fault, {}) == digest(fault, {}), "the first look makes its __dict__"
    fault.code = 3  # type: ignore[attr-defined]
    assert digest(fault, {}) != digest(ValueError([1]), {})
