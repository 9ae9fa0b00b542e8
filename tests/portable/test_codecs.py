"""Values of every codec, moved into a new namespace: equal, of the same type, and as linked as they were."""

from __future__ import annotations

import itertools
import linecache
import pickle
import sys
import types
import weakref
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbdag.portable.additions import added_attributes, may_have_additions
from nbdag.portable.decode import Loading
from nbdag.portable.digest import digest
from nbdag.portable.encode import Unstorable
from tests.portable.session import Session, as_in_bundle

# ------------------------------------------------------------------------------------------------ arrays

ARRAYS = {
    "float64": np.linspace(0, 1, 7),
    "large": np.arange(30_000.0),
    "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "strided": np.arange(20)[::3],
    "reversed": np.arange(20)[::-1],
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
    "broadcast": np.broadcast_to(np.arange(3), (4, 3)),
    "scalar array": np.array(3.5),
    "empty": np.zeros((0, 3)),
    "big-endian": np.arange(5, dtype=">i4"),
    "bool": np.array([True, False]),
    "complex": np.array([1 + 2j]),
    "half": np.array([1.5], "f2"),
    "long double": np.array([1.5], np.longdouble),
    "bytes": np.array([b"ab", b"c"]),
    "text": np.array(["ab", "äöü"]),
    "datetime": np.array(["2020-01-01", "NaT"], "M8[ns]"),
    "timedelta": np.array([3, 4], "m8[s]"),
    "structured": np.array([(1, 2.5, "a")], [("x", "<i4"), ("y", "<f8"), ("z", "<U3")]),
    "aligned": np.zeros(2, np.dtype([("x", "i1"), ("y", "f8")], align=True)),
    "nested": np.zeros(2, [("x", [("a", "i2"), ("b", "f4", (2, 2))])]),
    "objects": np.array([1, "a", None, [2]], object),
    "objects 2d fortran": np.asfortranarray(np.array([[1, "a"], [None, "b"], [3, 4]], object)),
    "structured with objects": np.array([(1, [2]), (3, None)], [("n", "i4"), ("o", "O")]),
    "strings of numpy 2": np.array(["a", "long" * 30], np.dtypes.StringDType()),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_with_dtype_shape_order_and_values(name: str, tmp_path: Path) -> None:
    before = ARRAYS[name]
    session = Session()
    session.namespace["a"] = before
    after = session.move(tmp_path, "a")["a"]
    assert type(after) is type(before) and after.dtype == before.dtype and after.shape == before.shape
    if name not in ("strided", "broadcast"):  # gathered: a lone view that spans more than it holds
        assert after.flags.c_contiguous == before.flags.c_contiguous
        assert after.flags.f_contiguous == before.flags.f_contiguous
    assert after.flags.writeable == before.flags.writeable
    assert repr(after.tolist()) == repr(before.tolist())


def test_a_masked_array_a_matrix_and_records(tmp_path: Path) -> None:
    session = Session()
    masked = np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0], fill_value=-9.0)
    session.namespace.update(
        m=masked, x=np.matrix([[1, 2]]), r=np.rec.array([(1, "a")], dtype=[("n", "i4"), ("s", "U2")])
    )
    after = session.move(tmp_path, "m x r")
    assert after["m"].tolist() == [1.0, None, 3.0] and after["m"].fill_value == -9.0
    assert isinstance(after["x"], np.matrix) and (after["x"] * after["x"].T).tolist() == [[5]]
    assert after["r"].n.tolist() == [1] and type(after["r"][0]) is type(session["r"][0])


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_mapped_file_is_mapped_again_where_it_is_the_same(mode: str, tmp_path: Path) -> None:
    np.arange(100).tofile(tmp_path / "data")
    session = Session()
    mapped = np.memmap(tmp_path / "data", np.int64, mode, offset=80)  # type: ignore[call-overload]
    if mode == "c":
        mapped[3] = -5
    session.namespace.update(a=mapped, b=mapped[10:20], c=np.asarray(mapped).reshape(9, 10), d=mapped + 1)
    after = session.move(tmp_path, "a b c d").namespace
    assert [type(after[name]) for name in "abcd"] == [type(session[name]) for name in "abcd"]
    assert all(after[name].tolist() == session[name].tolist() for name in "abcd")
    assert (after["a"].mode, after["a"].offset, after["a"].filename) == (mode, 80, mapped.filename)
    if mode == "r":
        assert not after["a"].flags.writeable and not after["c"].flags.writeable
    else:
        after["b"][0] = 77
        assert after["a"][10] == 77 and after["c"][1, 0] == 77
        after["a"].flush()
        assert np.fromfile(tmp_path / "data", np.int64)[20] == (77 if mode == "r+" else 20)


@pytest.mark.parametrize("what", ["changed", "shorter", "gone"])
def test_an_array_over_a_file_that_is_not_the_same_is_an_ordinary_one_and_that_is_said(
    what: str, tmp_path: Path
) -> None:
    path = tmp_path / "data"
    np.arange(100).tofile(path)
    session = Session()
    session.namespace["a"] = np.memmap(path, np.int64, "r+")
    session.namespace["b"] = session["a"][3:]
    index = session.encode(tmp_path, "a b")
    path.unlink()
    if what != "gone":
        np.arange(100 if what == "changed" else 50)[::-1].tofile(path)
    target = Session()
    loading = Loading(str(tmp_path), target.namespace)
    target.namespace.update(loading.load(as_in_bundle(index)))
    assert type(target["a"]) is np.ndarray and target["a"].tolist() == list(range(100))
    target.run("b[0] = 9; assert a[3] == 9")
    assert "which it was mapped from" in loading.take_notes()[0]


def test_a_record_taken_from_an_array_writes_into_it(tmp_path: Path) -> None:
    session = Session().run(
        "import numpy as np", "a = np.zeros((2, 3), [('x', 'i4'), ('y', 'f8')]); b = a[1, 2]; c = b.copy()"
    )
    session.move(tmp_path, "a b c").run("b['x'] = 7; c['x'] = 8; assert a['x'].tolist() == [[0, 0, 0], [0, 0, 7]]")


def test_what_was_hung_on_a_value_comes_along_where_its_own_pickle_drops_it(tmp_path: Path) -> None:
    cell = "import pandas as pd, numpy as np, random, datetime\nclass Day(datetime.date): pass"
    session = Session().run(cell, "xs = [1]\ndf = pd.DataFrame({'a': [1]}); m = np.ma.array([1]); r = random.Random(3)")
    session.run("d = Day(2024, 5, 1)\ndf.note = df.name = df._note = m.note = r.note = d.note = xs")
    after = session.move(tmp_path, "xs df m r d", cell)
    held = [after["df"].note, after["df"].name, after["df"]._note, after["m"].note, after["r"].note, after["d"].note]
    assert all(note is after["xs"] for note in held)
    before = [digest(session[name], session.namespace) for name in ("df", "m", "r", "d")]
    assert [digest(after[name], after.namespace) for name in ("df", "m", "r", "d")] == before
    session.run("xs[0] = 2")
    assert all(
        digest(session[n], session.namespace) != was for n, was in zip(("df", "m", "r", "d"), before, strict=True)
    )


def test_the_caches_of_a_library_are_no_additions() -> None:
    frame = pd.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]}, index=pd.date_range("2024", periods=2))
    frame.groupby("a").sum()
    frame["a"].str.upper()
    frame.loc[frame.index[0], "b"] = 3
    index = pd.MultiIndex.from_product([[1, 2], ["a"]])
    index.get_loc((1, "a"))
    for value in (frame, frame["a"], frame.index, index, np.ma.array([1]), np.matrix([1])):
        repr(value)
        assert may_have_additions(type(value)) and added_attributes(value) == {}


def test_scalars_dtypes_and_generators(tmp_path: Path) -> None:
    session = Session().run("import numpy as np", "g = np.random.default_rng(3); g.random(5)")
    session.run(
        "legacy = np.random.RandomState(5); legacy.rand(3); f = np.float32(1.5); d = np.datetime64('2020-01-02')"
    )
    session.run("t = np.dtype([('x', '>i4')]); u = np.add; s = g.bit_generator")
    after = session.move(tmp_path, "g legacy f d t u s")
    assert after["g"].bit_generator is after["s"]
    assert after["g"].random() == session["g"].random() and after["legacy"].rand() == session["legacy"].rand()
    assert after["g"].spawn(1)[0].random() == session["g"].spawn(1)[0].random()
    assert type(after["f"]) is np.float32 and after["f"] == 1.5 and after["d"] == session["d"]
    assert after["t"] == session["t"] and after["u"] is np.add


SHARING = {
    "a slice": ("a = np.arange(20_000.0); b = a[5:9]", "b[0] = -1; assert a[5] == -1"),
    "a small slice": ("a = np.arange(20.0); b = a[5:9]", "b[0] = -1; assert a[5] == -1"),
    "a transpose": ("a = np.arange(20_000.0).reshape(100, 200); b = a.T", "b[3, 0] = -1; assert a[0, 3] == -1"),
    "reversed": ("a = np.arange(20_000); b = a[::-1]", "b[0] = -1; assert a[-1] == -1"),
    "two strided views": ("z = np.arange(20_000); a = z[::2]; b = z[1::2]", "a[0] = -1; assert b[0] == 1"),
    "overlapping, without their base": (
        "z = np.arange(20_000); a = z[:12_000]; b = z[9_000:]",
        "b[0] = -1; assert a[9_000] == -1",
    ),
    "another dtype": ("a = np.arange(20_000); b = a.view('u1')", "b[:8] = 255; assert a[0] == -1"),
    "a memoryview": ("a = np.arange(20_000); b = memoryview(a)", "b[3] = -1; assert a[3] == -1"),
    "a reversed memoryview": ("a = np.arange(20_000); b = memoryview(a)[::-2]", "b[0] = -1; assert a[-1] == -1"),
    "a memoryview of a bytearray": ("a = bytearray(20); b = memoryview(a)[4:9]", "b[0] = 7; assert a[4] == 7"),
    "an array over a bytearray": (
        "a = bytearray(160); b = np.frombuffer(a)[3:]",
        "b[0] = 1; assert a[30:32] == b'\\xf0?'",
    ),
    "objects": ("a = np.array([1, 'a', None], object); b = a[1:]", "b[0] = 5; assert a[1] == 5"),
    "masked": ("a = np.arange(9.0); b = np.ma.masked_array(a, a > 5)", "a[0] = -1; assert b[0] == -1"),
    "in a container": ("a = np.arange(20_000); b = {'k': [a[3:4]]}", "b['k'][0][0] = -1; assert a[3] == -1"),
    "one read-only": (
        "a = np.arange(20_000); b = a[:]; b.flags.writeable = False",
        "a[0] = 5; assert b[0] == 5 and not b.flags.writeable",
    ),
}


@pytest.mark.parametrize("name", SHARING)
def test_what_shared_memory_shares_it_again(name: str, tmp_path: Path) -> None:
    make, check = SHARING[name]
    Session().run("import numpy as np", make).move(tmp_path, "a b", "import numpy as np").run(check)


def test_a_small_view_does_not_store_its_base(tmp_path: Path) -> None:
    session = Session().run(
        "import numpy as np", "row = np.zeros((1000, 1000))[3]; column = np.zeros((1000, 1000))[:, 3]"
    )
    session.run("first = np.array([None] * 100_000, object)[:5]")
    for name, limit in (("row", 9_000), ("column", 9_000), ("first", 1_000)):
        index = session.encode(tmp_path, name)
        sizes = [
            len(part["inline"]) if "inline" in part else part["size"] for part in [index["head"], *index["regions"]]
        ]
        assert sum(sizes) < limit * 4 / 3 + 600, name


def test_a_small_view_of_objects_keeps_to_its_base_when_that_moves_too(tmp_path: Path) -> None:
    session = Session().run("import numpy as np", "b = np.array([None] * 1000, object); a = b[:5]")
    session.move(tmp_path, "a b").run("a[0] = 3; assert b[0] == 3")


def test_arrays_can_be_written_to_and_leave_the_bundle_alone(tmp_path: Path) -> None:
    session = Session().run("import numpy as np; a = np.zeros(100_000); b = np.ones(10)")
    first = session.move(tmp_path, "a b").run("a += 1; b += 1; b.resize(3); assert b.tolist() == [2, 2, 2]")
    assert first["a"].sum() == 100_000
    assert session.move(tmp_path, "a b", eager=True)["a"].sum() == 0


# ------------------------------------------------------------------------------------------------ pandas

FRAME = """
import numpy as np, pandas as pd
df = pd.DataFrame({"x": np.arange(5.0), "n": range(5), "s": list("abcde"), "o": [1, "a", None, [2], 3]})
df["c"] = pd.Categorical(["u", "v", "u", None, "v"])
df["t"] = pd.date_range("2020-01-01", periods=5, tz="Europe/Paris")
df["i"] = pd.array([1, None, 3, 4, 5], "Int64")
df["p"] = pd.period_range("2020-01", periods=5, freq="M")
df.attrs["unit"] = "m"
df.index = pd.MultiIndex.from_product([["a"], range(5)], names=["k", "j"])
s = df["x"]
"""


FRAMES = {
    "numbers": "pd.DataFrame({'a': np.arange(5.0), 'b': range(5), 'c': [True] * 5})",
    "text": "pd.DataFrame({'s': ['a', 'bé', None, 'd', '']})",
    "a slice of text": "pd.DataFrame({'s': ['a', 'bé', None, 'd', '']}).iloc[1:4]",
    "no text": "pd.DataFrame({'s': pd.Series([], dtype='str')})",
    "nullable text": "pd.DataFrame({'s': pd.array(['a', None], dtype='string')})",
    "several chunks of text": "pd.concat([pd.DataFrame({'s': ['a', None]}), pd.DataFrame({'s': ['b']})])",
    "objects": "pd.DataFrame({'o': pd.Series([1, 'a', None, [2]], dtype=object)})",
    "categories": "pd.DataFrame({'c': pd.Categorical(['u', None, 'v'], ordered=True)})",
    "zones": "pd.DataFrame({'t': pd.date_range('2020-01-01', periods=5, tz='Europe/Paris')})",
    "times": "pd.DataFrame({'n': pd.date_range('2020', periods=5), 'd': pd.to_timedelta(range(5), unit='s')})",
    "nullable": "pd.DataFrame({'i': pd.array([1, None], 'Int64'), 'b': pd.array([True, None], 'boolean')})",
    "periods": "pd.DataFrame({'p': pd.period_range('2020-01', periods=5, freq='M'), 'i': pd.interval_range(0, 5)})",
    "levels": "pd.DataFrame({('a', 'x'): [1, 2]}, index=pd.MultiIndex.from_product([['k'], [1, 2]], names=['p', 'q']))",
    "frequency": "pd.DataFrame({'v': range(5)}, index=pd.date_range('2020-01-01', periods=5, freq='h', name='when'))",
    "text index": "pd.DataFrame({'v': range(3)}, index=['a', 'b', 'c'])",
    "category index": "pd.DataFrame({'v': range(3)}, index=pd.CategoricalIndex(list('aba')))",
    "empty": "pd.DataFrame()",
    "mixed": "pd.DataFrame({'a': [1, 2], 's': ['x', 'y'], 'b': [3, 4], 't': ['p', 'q'], 1: [0.5, 1.5]})",
    "sparse": "pd.DataFrame({'s': pd.arrays.SparseArray([0, 0, 1])})",
    "arrow": "pd.DataFrame({'a': pd.array([1, None], dtype='int64[pyarrow]')})",
    "no duplicates": "pd.DataFrame({'a': [1]}).set_flags(allows_duplicate_labels=False)",
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_kind_of_column_and_index(name: str, tmp_path: Path) -> None:
    session = Session().run(
        "import numpy as np, pandas as pd", f"df = {FRAMES[name]}", "s = df.iloc[:, 0] if df.size else 0"
    )
    after = session.move(tmp_path, "df s").run("before = df.copy(); repr(df); df.reset_index(); df == before")
    pd.testing.assert_frame_equal(after["df"], session["df"], check_freq=True)
    assert after["df"].flags == session["df"].flags
    if isinstance(session["s"], pd.Series):
        pd.testing.assert_series_equal(after["s"], session["s"])


def test_a_frame_comes_back_equal(tmp_path: Path) -> None:
    session = Session().run(FRAME)
    after = session.move(tmp_path, "df s")
    pd.testing.assert_frame_equal(after["df"], session["df"])
    assert after["df"].attrs == {"unit": "m"}


def test_frames_that_copy_on_write_do_not_change_each_other(tmp_path: Path) -> None:
    session = Session().run(
        "import pandas as pd", "df = pd.DataFrame({'x': [1.0, 2.0]}); s = df['x']; t = df.copy(deep=False)"
    )
    after = session.move(tmp_path, "df s t").run("s.iloc[0] = 99; df.iloc[1, 0] = -1")
    assert (
        after["df"]["x"].tolist() == [1.0, -1.0]
        and after["s"].tolist() == [99, 2]
        and after["t"]["x"].tolist() == [1, 2]
    )


def test_a_frame_over_an_array_shares_it(tmp_path: Path) -> None:
    session = Session().run(
        "import numpy as np, pandas as pd", "a = np.zeros((3, 2)); df = pd.DataFrame(a, copy=False)"
    )
    after = session.move(tmp_path, "a df").run("a[0, 0] = 5")
    session.run("a[0, 0] = 5")
    assert after["df"].iloc[0, 0] == session["df"].iloc[0, 0]


# ------------------------------------------------------------------------------------------------ functions and classes


def test_closures_share_their_cells(tmp_path: Path) -> None:
    session = Session().run(
        "def counter(n):\n"
        "    def step(by=1):\n        nonlocal n\n        n += by\n        return n\n"
        "    return step, lambda: n",
        "step, read = counter(5); step()",
    )
    after = session.move(tmp_path, "step read")
    assert after["step"]() == 7 and after["read"]() == 7
    assert after["step"].__qualname__ == "counter.<locals>.step" and after["step"].__defaults__ == (1,)


FUNCTIONS = {
    "lambdas of one line": ("f, g = lambda v: v + 1, lambda v: v * 2", "assert f(3) == 4 and g(3) == 6"),
    "recursive closure": (
        "def make():\n    def fact(n): return 1 if n < 2 else n * fact(n - 1)\n    return fact\nf = make()",
        "assert f(5) == 120",
    ),
    "attributes, keywords, doc": (
        "def make():\n"
        "    def f(a, *, b=[2]) -> int:\n        'doc'\n        b.append(a)\n        return b\n"
        "    return f\n"
        "f = make(); f.tag = {'x': f}; f(1)",
        "assert f(5) == [2, 1, 5] and f.tag['x'] is f and f.__doc__ == 'doc' and f.__annotations__ == {'return': int}",
    ),
    "reads the session": ("f = (lambda: [lambda: RATE])()[0]\nRATE = 3", "RATE = 4; assert f() == 4"),
    "in a partial": ("import functools; f = functools.partial(lambda a, b: a - b, b=1)", "assert f(3) == 2"),
    "default dict": (
        "import collections; d = collections.defaultdict(lambda: 5); d['a']",
        "assert d['b'] == 5 and d == {'a': 5, 'b': 5}",
    ),
    "generator function": ("f = [g for g in [lambda n: (i for i in range(n))]][0]", "assert list(f(3)) == [0, 1, 2]"),
    "bound method of a patched instance": (
        "import types; o = types.SimpleNamespace(n=3); f = types.MethodType(lambda self: self.n, o)",
        "o.n = 4; assert f() == 4",
    ),
    "decorated cache": (
        "import functools; f = functools.lru_cache(maxsize=7)(lambda n: n + 1)",
        "assert f(1) == 2 and f.cache_info().maxsize == 7",
    ),
    "future annotations": (
        "from __future__ import annotations\ndef k():\n    def f(x: Missing): return x\n    return f\nf = k()",
        "assert f(2) == 2",
    ),
    "cell magic": ("get_ipython().run_cell_magic('time', '', 'f = [lambda n: n + 41][0]\\n')", "assert f(1) == 42"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_travels_by_source(name: str, tmp_path: Path) -> None:
    make, check = FUNCTIONS[name]
    session = Session()

    def run_cell_magic(magic: str, line: str, body: str) -> None:
        exec(compile(body, "<timed exec>", "exec"), session.namespace)

    session.namespace["get_ipython"] = lambda: types.SimpleNamespace(run_cell_magic=run_cell_magic)
    session.run(make)
    names = " ".join(name for name in ("f", "g", "o", "d") if name in session.namespace)
    session.move(tmp_path, names).run(check)


def test_a_function_without_known_source_is_refused(tmp_path: Path) -> None:
    session = Session()
    exec("f = [lambda: 1]", session.namespace)
    with pytest.raises(Unstorable, match=r"f\[0\].*source"):
        session.encode(tmp_path, "f")


CLASSES = """
import enum, dataclasses, collections, abc
class Model:
    kinds = []
    def __init__(self): self.parts = {}
    class Part: pass
    def fit(self, seen=[]): seen.append(1); return seen
class Color(enum.Enum):
    RED = 1
@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: int = 0
Pair = collections.namedtuple("Pair", "a b")
def f(x, seen=[]): seen.append(x); return len(seen)
"""


def test_instances_refer_to_classes_that_replay_defines(tmp_path: Path) -> None:
    session = Session().run(
        CLASSES,
        "m = Model(); m.parts['p'] = Model.Part(); c = Color.RED; p = {Point(1, 2): Pair(1, 2)}; h = [f, m.fit]",
    )
    after = session.move(tmp_path, "m c p h", CLASSES, "Model Color Point Pair f")
    assert type(after["m"]) is after["Model"] and type(after["m"].parts["p"]) is after["Model"].Part
    assert after["c"] is after["Color"].RED and after["p"] == {after["Point"](1, 2): after["Pair"](1, 2)}
    assert after["h"][0] is after["f"] and after["h"][1].__self__ is after["m"]


def test_the_state_of_definitions_is_patched_in(tmp_path: Path) -> None:
    session = Session().run(CLASSES, "f(1); f.calls = 3; Model.kinds.append('k'); Model().fit(); k = Model.kinds")
    session.run("Model.predict = lambda self: 42")
    after = session.move(tmp_path, "f Model k", CLASSES, "Model f")
    assert after["f"](0) == 2 and after["f"].calls == 3 and after["Model"].kinds == ["k"]
    assert after["k"] is after["Model"].kinds and after["Model"]().fit() == [1, 1] and after["Model"]().predict() == 42


def test_an_instance_of_an_earlier_class_is_refused(tmp_path: Path) -> None:
    session = Session().run("class A: pass", "old = [A()]", "class A: pass")
    with pytest.raises(Unstorable, match=r"old\[0\].*defined again"):
        session.encode(tmp_path, "old", "A")


def test_classes_that_no_statement_defines(tmp_path: Path) -> None:
    session = Session().run(
        "import collections, enum, dataclasses\n"
        "def make(n):\n"
        "    class Local:\n"
        "        'doc'\n"
        "        limit = n\n"
        "        def __init__(self): self.v = n\n"
        "        def twice(self): return 2 * self.v\n"
        "        @property\n"
        "        def half(self): return self.v / 2\n"
        "        @staticmethod\n"
        "        def one(): return n\n"
        "    class Child(Local):\n"
        "        __slots__ = ('w',)\n"
        "        def twice(self): return super().twice() + 1\n"
        "    @dataclasses.dataclass\n"
        "    class Record:\n"
        "        a: int\n"
        "        b: list = dataclasses.field(default_factory=list)\n"
        "    return Local(), Child(), Record(3)\n"
        "local, child, record = make(4)\n"
        "pair = collections.namedtuple('Row', 'x y')(1, 2)\n"
        "level = enum.Enum('Level', 'LOW HIGH').HIGH\n"
    )
    after = session.move(tmp_path, "local child record pair level")
    assert after["local"].twice() == 8 and after["local"].half == 2 and after["local"].one() == 4
    assert after["child"].twice() == 9 and type(after["child"]).__bases__ == (type(after["local"]),)
    assert after["record"] == type(after["record"])(3, []) and repr(after["record"]).endswith("Record(a=3, b=[])")
    assert after["pair"].y == 2 and after["level"].name == "HIGH"


# ------------------------------------------------------------------------------------------------ the standard library


def test_small_values(tmp_path: Path) -> None:
    session = Session()
    counter = itertools.count(3, 2)
    next(counter)
    mapping = {"a": [1]}
    session.namespace.update(
        paths=[Path("a/b"), PurePosixPath("/x"), PureWindowsPath("c:\\y")],
        counter=counter,
        proxy=types.MappingProxyType(mapping),
        mapping=mapping,
        keys=mapping.keys(),
        sentinel=[object()] * 2,
        module=[pickle, types],
        view=memoryview(b"abcdef")[1:3],
        shaped=memoryview(bytearray(range(12))).cast("B", (3, 4)),
        dots=[..., NotImplemented, None, type(None), type(...), types.FunctionType],
        accessor=property(len),
    )
    after = session.move(tmp_path, " ".join(list(session.namespace)[1:]))
    assert after["paths"] == session["paths"] and next(after["counter"]) == 5
    after["mapping"]["b"] = 2
    assert after["proxy"]["b"] == 2 and list(after["keys"]) == ["a", "b"]
    assert after["sentinel"][0] is after["sentinel"][1] and after["module"] == [pickle, types]
    assert after["view"] == b"bc" and after["view"].readonly and after["shaped"][2, 1] == 9
    assert after["dots"] == session["dots"] and after["accessor"].fget is len


def test_weak_references(tmp_path: Path) -> None:
    session = Session().run(
        "import weakref, types\nclass A: pass", "a = A(); w = weakref.ref(a); dead = weakref.ref(A())"
    )
    after = session.move(tmp_path, "a w dead", "class A: pass", "A")
    assert after["w"]() is after["a"] and after["dead"]() is None and isinstance(after["w"], weakref.ref)


def test_a_function_made_inside_a_library_takes_none_of_its_text_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "makers.py"
    library.write_text("def make(n):\n    def add(x): return x + n\n    return add\n# " + 20_000 * "x")
    monkeypatch.syspath_prepend(tmp_path)
    session = Session().run("import makers; add = makers.make(2)")
    assert session.move(tmp_path, "add")["add"](3) == 5
    index = as_in_bundle(session.encode(tmp_path, "add"))
    assert len(index["head"]) + sum(map(len, index["regions"])) < 2_000
    library.write_text(library.read_text() + "another version")
    linecache.checkcache(str(library))
    with pytest.raises(ImportError, match="makers is another version here"):
        Loading(str(tmp_path), {}).load(index)
    del sys.modules["makers"]


def test_a_weak_proxy_stays_one(tmp_path: Path) -> None:
    session = Session().run("import weakref\nclass A: pass", "a = A(); a.x = 1; p = weakref.proxy(a)")
    after = session.move(tmp_path, "a p", "class A: pass", "A")
    assert type(after["p"]) is weakref.ProxyType and after["p"].__reduce_ex__.__self__ is after["a"]


PROGRESS = """
import sys, threading
class InteractiveShell:  # what IPython 9 does to a stream while a cell runs
    def __init__(self): self.lock = threading.Lock()
    def _tee(self, stream):
        original_write = stream.write
        def write(data): return original_write(data), self
        return write
class Stream:  # what tqdm does
    def __init__(self, stream, write): self.stream = stream; self.write = write
    def __getattr__(self, name): return getattr(self.stream, name)
"""


def test_a_progress_bar_keeps_the_stream_and_not_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "progress.py").write_text(PROGRESS)
    monkeypatch.syspath_prepend(tmp_path)
    session = Session().run(
        "import progress, sys; shell = progress.InteractiveShell()",
        "bar = progress.Stream(sys.stdout, shell._tee(sys.stdout))",
    )
    after = session.move(tmp_path, "bar")["bar"]
    assert after.stream is sys.stdout and after.write.__self__ is sys.stdout
    assert digest(after, {}) == digest(session["bar"], session.namespace)
    assert "?" not in digest(after, {})
    del sys.modules["progress"]


def test_open_files_go_on_where_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "out.txt").write_text("")
    session = Session().run(
        "f = open('in.txt', encoding='latin-1'); f.readline(); b = open('in.txt', 'rb'); b.read(2)",
        "raw = open('in.txt', 'rb', 0)",
        "w = open('out.txt', 'w'); w.write('abc'); a = open('out.txt', 'a'); c = open('in.txt'); c.close()",
    )
    after = session.move(tmp_path, "f b raw w a c")
    assert after["f"].readline() == "two\n" and after["f"].encoding == "latin-1" and after["f"].mode == "r"
    assert after["b"].read(2) == b"e\n" and after["raw"].read(3) == b"one"
    after["w"].write("def")
    after["w"].flush()
    after["a"].write("!")
    after["a"].flush()
    assert (tmp_path / "out.txt").read_text() == "abcdef!" and not after["w"].readable()
    assert after["c"].closed and after["c"].name == "in.txt"


def test_memory_whose_owners_never_end(tmp_path: Path) -> None:
    # Cython's views of memory answer `.base` with another view, each time.
    session = Session().run(
        "import itertools, numpy as np; asked = itertools.count()\n"
        "class Lent:\n"
        "    def __init__(self, held): self.held = held; self.__array_interface__ = held.__array_interface__\n"
        "    @property\n"
        "    def base(self):\n"
        "        assert next(asked) < 1000\n"
        "        return Lent(self.held)",
        "x = np.asarray(Lent(np.arange(3.0)))",
    )
    assert type(session["x"].base).__name__ == "Lent"
    assert session.move(tmp_path, "x")["x"].tolist() == [0.0, 1.0, 2.0]


REFUSED: dict[str, tuple[str, str]] = {
    "(i for i in [])": ("x", "generator"),
    "{'a': [1, {'b': HELD}]}": (r'x\["a"\]\[1\]\["b"\]', "lock"),
    "__import__('types').SimpleNamespace(s=__import__('socket').socket())": (r"x\.s", "connection"),
    "__import__('sqlite3').connect(':memory:').execute('select 1')": ("x", "cursor"),
    "__import__('threading').Thread()": ("x", "thread"),
    "__import__('types').ModuleType('made')": ("x", "module"),
}


@pytest.mark.parametrize("expression", REFUSED)
def test_what_cannot_move_is_refused_with_the_way_to_it(expression: str, tmp_path: Path) -> None:
    session = Session().run("import threading; HELD = threading.Lock(); HELD.acquire()", f"x = {expression}")
    path, reason = REFUSED[expression]
    with pytest.raises(Unstorable, match=f"(?s)^{path}: .*{reason}"):
        session.encode(tmp_path, "x")


def test_nothing_of_nbdag_is_stored(tmp_path: Path) -> None:
    from nbdag.portable import encode

    session = Session()
    for value in (encode, encode.measure_group, encode.Unstorable, encode.GroupEncoder({}, {}, {})):
        session.namespace["x"] = [value]
        with pytest.raises(Unstorable, match="nbdag"):
            session.encode(tmp_path, "x")


# ------------------------------------------------------------------------------------------------ imported definitions


def test_what_an_import_gives_is_not_asked_of_the_session(tmp_path: Path) -> None:
    # cell 2 comes later: when x is loaded, the session has no Fraction yet.
    session = Session().run(
        "import fractions, textwrap; x = [fractions.Fraction(1, 3), textwrap.dedent]",
        "from fractions import Fraction\nfrom textwrap import dedent",
    )
    index = session.encode(tmp_path, "x", "Fraction dedent")
    assert index["needs"] == [] and index["modules"] == ["fractions", "textwrap"]
    assert session.move(tmp_path, "x", by_name="Fraction dedent")["x"] == session["x"]


def test_what_no_search_for_modules_finds_goes_by_the_name_in_the_session(tmp_path: Path) -> None:
    (tmp_path / "apart.py").write_text("class Model: pass\n")
    session = Session().run(
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('apart', {str(tmp_path / 'apart.py')!r})\n"
        "apart = sys.modules['apart'] = importlib.util.module_from_spec(spec); spec.loader.exec_module(apart)\n"
        "Model = apart.Model; x = Model()",
    )
    try:
        assert session.encode(tmp_path, "x", "Model")["needs"] == ["Model"]
    finally:
        del sys.modules["apart"]


def test_a_function_that_the_session_put_into_a_library_is_its_own(tmp_path: Path) -> None:
    session = Session().run(
        "import textwrap\ndef shout(text): return text.upper()",
        "shout.__module__ = 'textwrap'; textwrap.shout = shout; x = [shout]",
    )
    try:
        assert session.encode(tmp_path, "x", "shout")["needs"] == ["shout"]
    finally:
        del session["textwrap"].shout


# ------------------------------------------------------------------------------------------------ deep structures


def length_of(node: Any) -> int:
    length = 0
    while node is not None:
        node, length = node.next, length + 1
    return length


def test_a_long_linked_list(tmp_path: Path) -> None:
    cell = "class Node:\n    def __init__(self, next): self.next = next"
    session = Session().run(cell, "head = None\nfor _ in range(100_000): head = Node(head)")
    assert length_of(session.move(tmp_path, "head", cell, "Node")["head"]) == 100_000
    session.run("while head is not None: head = head.next")  # no recursion when it goes
