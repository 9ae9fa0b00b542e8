"""Does a fingerprint change exactly when the value does? A case is a notebook that makes x, and what is done to it."""

from __future__ import annotations

import copy
import gc
import itertools
import random
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdag.portable import fingerprint as fingerprint_module
from nbdag.portable import hashing
from nbdag.portable.fingerprint import Fingerprint, fingerprint
from tests.interpreters import interpreters
from tests.portable.cases.harness import LIBRARIES, PRELUDE, ROOT, ask_python, run_notebook
from tests.portable.cases.mutations import LIBRARY_MUTATIONS, MUTATIONS, UNSEEN
from tests.portable.cases.reads import LIBRARY_READS, READS
from tests.portable.lifetimes import keeps_nothing_alive


def check_mutation(source: str, action: str, libraries: bool) -> None:
    namespace = run_notebook(source, LIBRARIES if libraries else "")
    before = fingerprint(namespace["x"])
    assert before is not None
    assert fingerprint(namespace["x"]) == before
    exec(action, namespace)
    after = fingerprint(namespace["x"])
    assert after is not None and after != before


def check_reading(source: str, action: str, libraries: bool) -> None:
    namespace = run_notebook(source, LIBRARIES if libraries else "")
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
    assert keeps_nothing_alive(fingerprint)


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
print('"fine"')
"""


def test_a_chain_cannot_blow_the_c_stack_even_if_the_limit_allows_it() -> None:
    done = subprocess.run([sys.executable, "-c", DEEP, ROOT], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == '"fine"\n', (done.returncode, done.stderr[-2000:])


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


@pytest.mark.slow
@pytest.mark.parametrize("version", interpreters())
def test_the_tables_hold_in_every_python(version: str) -> None:
    if version.startswith("pypy"):
        pytest.skip("the recorder runs in CPython")
    assert ask_python(version, TABLES, {"prelude": PRELUDE, "mutations": MUTATIONS, "reads": READS}) == []


@pytest.mark.slow
@pytest.mark.parametrize("version", interpreters())
def test_no_python_blows_its_stack(version: str) -> None:
    if version.startswith("pypy"):
        pytest.skip("the recorder runs in CPython")
    assert ask_python(version, DEEP, None) == "fine"


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
