"""What encoding promises beside the values: honest measures, the way to an obstacle, the same bytes."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from nbdag.portable.encode import Unstorable, measure_group, write_group
from tests.portable.session import Session


def stored_bytes(index: dict[str, object]) -> int:
    parts = [index["head"], *index["regions"]]  # type: ignore[misc]
    return sum(len(p["inline"]) * 3 // 4 - p["inline"].count("=") if "inline" in p else p["size"] for p in parts)  # type: ignore[index]


def test_measuring_says_what_writing_writes(tmp_path: Path) -> None:
    session = Session().run(
        "import numpy as np; a = np.zeros(50_000); b = a[::2]; c = np.zeros((100, 100))[:, 1]; x = {'k': [1] * 1000}"
    )
    for names in ("a b", "b", "c", "x", "a b c x"):
        values = {name: session[name] for name in names.split()}
        measured = measure_group(values, {}, session.namespace)
        assert measured["bytes"] == stored_bytes(session.encode(tmp_path, names)) and measured["seconds"] >= 0


def test_large_memory_is_not_copied(tmp_path: Path) -> None:
    session = Session()
    session.namespace.update(a=np.zeros(10_000_000), b=bytearray(50_000_000), s="x" * 10_000_000)
    values = {name: session[name] for name in "abs"}
    tracemalloc.start()
    try:
        measure_group(values, {}, session.namespace)
        write_group(values, {}, session.namespace, str(tmp_path))
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


def test_equal_memory_is_one_blob(tmp_path: Path) -> None:
    session = Session().run("import numpy as np; a = np.ones(50_000); b = np.ones(50_000)")
    session.encode(tmp_path, "a b")
    assert len(list((tmp_path / "blobs").iterdir())) == 1
    after = session.move(tmp_path, "a b").run("a[0] = 5")
    assert after["b"][0] == 1


def test_the_same_values_give_the_same_bytes(tmp_path: Path) -> None:
    cells = (
        "import numpy as np\nclass A: pass",
        "a = np.arange(30_000); v = a[3:9]; x = {'s': ['t' * 3] * 2, 'o': A(), 'f': [lambda n: n]}",
    )
    session = Session().run(*cells)
    first, second = (session.encode(tmp_path / str(n), "a v x", "A") for n in range(2))
    assert first == second


PATHS = {
    "x = {'steps': [1, (2, {'fh': L})]}": 'x["steps"][1][1]["fh"]',
    "import types; x = types.SimpleNamespace(a=[types.SimpleNamespace(lock=L)])": "x.a[0].lock",
    "class S: __slots__ = ('s',)\nx = S(); x.s = L": "x.s",
    "x = (lambda held: lambda: held)(L)": "x.<held>",
    "def f(a=L): pass\nx = [f]": "x[0].__defaults__[0]",
    "import numpy as np; x = np.array([1, L], object)": "x.flat[1]",
    "import functools; x = functools.partial(print, L)": "x",
    "class T(Exception):\n    def __reduce__(self): raise ValueError('not me')\nx = [T()]": "x[0]",
}


@pytest.mark.parametrize("cell", PATHS)
def test_the_way_to_the_obstacle(cell: str) -> None:
    session = Session().run("import threading; L = threading.Lock(); L.acquire()", cell)
    by_name = session.by_name(*({"S", "T"} & session.namespace.keys()))
    with pytest.raises(Unstorable) as caught:
        measure_group({"y": 1, "x": session["x"]}, by_name, session.namespace)
    assert caught.value.path.startswith(PATHS[cell]) and caught.value.reason and caught.value.type_name


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    session = Session().run("import threading; x = ['a' * 100_000, threading.Lock()]; x[1].acquire()")
    with pytest.raises(Unstorable):
        session.encode(tmp_path, "x")
    assert list((tmp_path / "blobs").iterdir()) == []
    assert "nbdag_restorers" not in sys.modules


def test_a_full_disk_is_an_oserror(tmp_path: Path) -> None:
    session = Session().run("x = 'a' * 100_000; import numpy as np; a = np.zeros(100_000)")
    (tmp_path / "blobs").write_text("in the way")
    for name in ("x", "a"):
        with pytest.raises(OSError):
            session.encode(tmp_path, name)


DEEP = {
    "a linked list of a million": "class N: pass\nx = None\nfor i in range(10**6):\n    n = N(); n.next = x; x = n",
    "slots": "class N: __slots__ = ('next',)\nx = None\nfor i in range(10**5):\n    n = N(); n.next = x; x = n",
    "dicts in instances": "class N: pass\nx = None\nfor i in range(10**5):\n    n = N(); n.d = {'k': [x]}; x = n",
}


@pytest.mark.parametrize("what", DEEP)
def test_deep_structures_survive_the_default_stack(what: str, tmp_path: Path) -> None:
    """In a process of its own: a stack that overflows takes the process with it."""
    target = "class N: __slots__ = ('next',)" if what == "slots" else "class N: pass"
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom tests.portable.session import Session\n"
        f"session = Session().run({DEEP[what]!r})\nsys.setrecursionlimit(10**6)\n"
        f"x = session.move(Path({str(tmp_path)!r}), 'x', {target!r}, 'N').namespace.pop('x')\n"
        "n = 0\n"
        "while x is not None:\n    x = x.next if hasattr(x, 'next') else x.d['k'][0]\n    n += 1\n"
        "print(n, flush=True)\nos._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and int(done.stdout) >= 10**5, done.stderr[-500:]


NESTED = {
    "lists": ("x = []", "x = [x]", "x = x[0]"),
    "dicts": ("x = {}", "x = {'k': x}", "x = x['k']"),
    "pairs": ("x = ()", "x = (x, 1)", "x = x[0]"),
    "all kinds": ("x = []", "x = [{'k': (x, 1, 2, 3)}]", "x = x[0]['k'][0]"),
}


@pytest.mark.parametrize("what", NESTED)
def test_nesting_of_a_hundred_thousand_levels(what: str, tmp_path: Path) -> None:
    start, wrap, unwrap = NESTED[what]
    session = Session().run(start, f"for _ in range(100_000): {wrap}")
    session.move(tmp_path, "x").run(f"n = 0\nwhile x: {unwrap}; n += 1\nassert n == 100_000")


def test_a_value_that_panics_is_unstorable_and_an_interrupt_is_not() -> None:
    session = Session().run(
        "class Panic(BaseException): pass\nclass A:\n    def __reduce__(self): raise ERROR\nx = [A()]",
        "ERROR = Panic('rust')",
    )
    with pytest.raises(Unstorable, match="rust"):
        measure_group({"x": session["x"]}, session.by_name("A"), session.namespace)
    session.run("ERROR = KeyboardInterrupt()")
    with pytest.raises(KeyboardInterrupt):
        measure_group({"x": session["x"]}, session.by_name("A"), session.namespace)


def shared_after(moved: Session, one: str, other: str) -> bool:
    from nbdag.portable.links import group, reach

    return len(group({name: reach(moved[name]) for name in (one, other)})) == 1


@pytest.mark.parametrize("size", [10, 100_000])
def test_parts_of_one_array_without_a_name_stay_parts_of_one(size: int, tmp_path: Path) -> None:
    session = Session().run(f"import numpy as np; x, y = np.random.default_rng().normal(size=(2, {size}))")
    moved = session.move(tmp_path, "x y", "import numpy as np")
    assert moved.run("same = x.base is y.base")["same"] and shared_after(moved, "x", "y")
    assert np.array_equal(moved["x"], session["x"]) and np.array_equal(moved["y"], session["y"])
    moved["x"][:] = 0
    assert np.array_equal(moved["y"], session["y"])


def test_far_ends_of_a_large_array_do_not_take_along_what_lies_between(tmp_path: Path) -> None:
    session = Session().run(
        "import numpy as np; whole = np.ones(5_000_000); head, tail = whole[:1000], whole[-1000:]; del whole"
    )
    assert stored_bytes(session.encode(tmp_path, "head tail")) < 100_000
