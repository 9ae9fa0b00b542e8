"""Which object is which: functions, classes and NaNs that several variables hold, and objects that watch who asks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from nbdag.portable.identity import group_with_identities, holders_of, named_definitions, reach_with_identities
from tests.portable.session import Session

FACTORY = "def make():\n    def f(x): return x\n    return f\n"
WRAPS = (
    "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def w(*a): return f(*a)\n    return w\n"
    "@deco\ndef g(): return 1\n"
)

# cell, the names that a def or class statement gave, the groups that are expected of the rest
HELD: dict[str, tuple[str, str, list[str]]] = {
    "a stateless function from a factory": (FACTORY + "a = make(); b = [a]; c = make()", "make", ["a b"]),
    "functions made in a loop": ("fs = []\nfor _ in 'ab':\n    def f(): pass\n    fs.append(f)", "", ["f fs"]),
    "a lambda in two containers": ("k = [lambda: 'held']; d = {'k': k[0]}; other = lambda: 'held'", "", ["d k"]),
    "a class under another name": (
        "from collections import namedtuple\nN = namedtuple('M', 'x'); n = N(1); ns = [N]", "", ["N n ns"],
    ),
    "members of such an enum": ("import enum\nE = enum.Enum('F', 'A'); e = [E.A]", "", ["E e"]),
    "a subclass of a number": ("I = type('J', (int,), {}); i = I(3); js = [I(4)]", "", ["I i js"]),
    "a function that a statement defines": ("def f(): pass\na = [f]; b = [f]", "f", []),
    "instances of a class that a statement defines": ("class C: pass\na = C(); b = [C()]", "C", []),
    "a class in the body of such a class": ("class C:\n    class D: pass\na = C.D(); b = C.D()", "C", []),
    "a method of such a class": ("class C:\n    def m(self): pass\na = C.m; b = [C.m]", "C", []),
    "what a decorator has wrapped": (WRAPS + "a = [g]; b = (g,)", "deco g", []),
    "a function of a library": ("import json\na = [json.dumps]; b = (json.dumps,)", "", []),
}  # fmt: skip


@pytest.mark.parametrize("case", HELD)
def test_who_is_tied_together_by_holding_one_definition(case: str) -> None:
    cell, defined, expected = HELD[case]
    session = Session().run(cell)
    names = [name for name in session.namespace if not name.startswith("__") and name not in defined.split()]
    named = named_definitions(session[name] for name in defined.split())
    found = {name: reach_with_identities(session[name], named) for name in names}
    groups = group_with_identities(
        {name: reached for name, (reached, _) in found.items()}, {name: held for name, (_, held) in found.items()}
    )
    assert [" ".join(group) for group in groups if len(group) > 1] == expected


def test_the_proof_names_for_each_definition_those_who_hold_it() -> None:
    session = Session().run(FACTORY + "a = make(); b = [a, make()]; c = b[1]; d = [1]")
    found = {name: reach_with_identities(session[name])[1] for name in "abcd"}
    assert holders_of(found) == [["a", "b"], ["b", "c"]]


NANS = """
import math
import numpy as np
mine = float("nan")
xs = [mine, np.nan, 1.0]
pair = (mine, {np.nan: math.nan})
odd = [math.inf - math.inf] * 2
"""


def test_a_nan_is_found_in_the_list_that_holds_it(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    from nbdag.portable.decode import Loading
    from tests.portable.session import as_in_bundle

    session = Session().run(NANS)
    after: dict[str, Any] = {}
    loading = Loading(str(tmp_path), after)
    for name in ("xs", "pair", "odd", "mine"):  # each in a group of its own
        after.update(loading.load(as_in_bundle(session.encode(tmp_path, name))))
    assert after["mine"] in after["xs"] and after["mine"] in after["pair"] and np.nan in after["xs"]
    assert np.nan in after["pair"][1] and after["pair"][1][np.nan] is math.nan
    assert after["odd"][0] is after["odd"][1] and after["odd"][0] not in after["xs"]
    assert [math.copysign(1, value) for value in (after["odd"][0], session["odd"][0])] in ([1, 1], [-1, -1])


LOCKS = """
import threading, queue, logging, io
lock, again, event, out = threading.Lock(), threading.RLock(), threading.Event(), io.StringIO()
event.set(); condition = threading.Condition(lock); q = queue.Queue(); q.put([1])
handler = logging.StreamHandler(out)
"""


def test_locks_that_nobody_holds_and_what_is_made_of_them(tmp_path: Path) -> None:
    after = Session().run(LOCKS).move(tmp_path, "lock again event condition q handler out")
    assert after["condition"]._lock is after["lock"] and after["lock"].acquire(False)
    assert after["again"].acquire() and after["again"].acquire() and "RLock" in type(after["again"]).__name__
    assert after["event"].is_set() and after["q"].get() == [1] and after["handler"].stream is after["out"]


WATCHFUL = """
asked = []
class Proxy:
    def __init__(self, target): self._target = target
    def __getattr__(self, name): asked.append(name); return getattr(self._target, name)
class Guard:
    __slots__ = ("value", "__dict__")
    def __getattribute__(self, name): asked.append(name); return object.__getattribute__(self, name)
    def __setattr__(self, name, value): asked.append(name); object.__setattr__(self, name, value)
class Record(dict):
    def __getattr__(self, name): return self[name]
    def __setitem__(self, name, value): dict.__setitem__(self, name, ("set", value))
class Row(list):
    def __getattr__(self, name): return len(self)
xs = [1]
proxy, guard, record, row = Proxy(xs), Guard(), Record(a=xs), Row([xs, 2])
guard.value, guard.more, twin = proxy, {"k": xs}, [guard, guard]
del asked[:]
"""


def test_classes_that_watch_their_attributes_are_not_asked(tmp_path: Path) -> None:
    session = Session().run(WATCHFUL)
    after = session.move(tmp_path, "proxy guard record row twin xs", WATCHFUL, "Proxy Guard Record Row")
    assert session["asked"] == [] and after["asked"] == []
    raw = object.__getattribute__
    assert raw(after["proxy"], "_target") is after["xs"] and after["proxy"].append(2) is None and after["xs"] == [1, 2]
    assert raw(after["guard"], "value") is after["proxy"] and raw(after["guard"], "more")["k"] is after["xs"]
    assert after["twin"][0] is after["twin"][1] is after["guard"]
    assert after["record"] == {"a": after["xs"]} and after["row"] == [after["xs"], 2]


NESTED = "class Outer:\n    class Inner:\n        items = []\n"


def test_the_state_of_a_class_in_a_class_is_patched_in(tmp_path: Path) -> None:
    session = Session().run(NESTED, "Outer.Inner.items.append(1); o = Outer.Inner()")
    after = session.move(tmp_path, "Outer o", NESTED, "Outer")
    assert after["Outer"].Inner.items == [1] and type(after["o"]) is after["Outer"].Inner


def test_a_typed_named_tuple_keeps_its_annotations(tmp_path: Path) -> None:
    session = Session().run("from typing import NamedTuple\nP = NamedTuple('Q', [('x', int)]); p = P(1)")
    after = session.move(tmp_path, "P p")
    assert type(after["p"]) is after["P"] and after["P"].__annotations__ == {"x": int} and after["p"] == (1,)


def test_figures_keep_their_numbers(tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    session = Session()
    session.namespace["figures"] = [plt.figure(7), plt.figure(3)]
    index = session.encode(tmp_path, "figures")
    plt.close("all")
    from nbdag.portable.decode import Loading
    from tests.portable.session import as_in_bundle

    figures = Loading(str(tmp_path), {}).load(as_in_bundle(index))["figures"]
    assert [figure.number for figure in figures] == [7, 3] and plt.figure(7) is figures[0]
    assert sorted(plt.get_fignums()) == [3, 7]
    plt.close("all")
