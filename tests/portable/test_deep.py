"""The pickler without recursion writes what pickle's own would load: checked against that, not against itself."""

from __future__ import annotations

import collections
import datetime
import io
import pickle
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nbdag.portable.deep import IterativePickler
from tests.portable.cases.witness import describe

atoms = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(len) | st.just(dict)
hashable = st.recursive(atoms, lambda part: st.lists(part, max_size=3).map(tuple) | st.frozensets(st.integers()))
values = st.recursive(
    hashable | st.binary().map(bytearray) | st.dates(),
    lambda part: (
        st.lists(part, max_size=5)
        | st.lists(part, max_size=5).map(tuple)
        | st.dictionaries(st.integers() | st.text(), part, max_size=4)
        | st.lists(part, max_size=3).map(lambda parts: [parts, *parts, parts])
        | st.lists(part, max_size=3).map(collections.deque)
        | st.dictionaries(st.text(), part, max_size=3).map(collections.OrderedDict)
        | st.sets(st.integers(), max_size=3)
    ),
    max_leaves=25,
)


def moved(value: Any) -> Any:
    sink = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []
    IterativePickler(sink, buffers.append).dump(value)
    return pickle.loads(sink.getvalue(), buffers=buffers)


@settings(max_examples=150, deadline=None)
@given(values)
def test_what_it_writes_loads_as_what_pickle_writes(value: Any) -> None:
    assert describe(moved(value)) == describe(pickle.loads(pickle.dumps(value, 5))) == describe(value)


class Reducing:
    """Everything that ``__reduce_ex__`` may return, at once."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.pairs: dict[Any, Any] = {}

    def append(self, item: Any) -> None:
        self.items.append(item)

    def __setitem__(self, key: Any, item: Any) -> None:
        self.pairs[key] = item

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Reducing, (), {"note": 5}, iter(self.items), iter(self.pairs.items())


class WithArguments:
    def __new__(cls, *arguments: Any, **options: Any) -> WithArguments:
        made = super().__new__(cls)
        made.arguments, made.options = arguments, options  # type: ignore[attr-defined]
        return made

    def __getnewargs_ex__(self) -> Any:
        return self.arguments, self.options  # type: ignore[attr-defined]


def test_every_form_of_reduction() -> None:
    value = Reducing()
    value.items, value.pairs = list(range(2500)), {n: [n] for n in range(2500)}
    after = moved(
        [value, WithArguments(1, a=[2]), datetime.datetime(2020, 1, 1), type(None), ..., NotImplemented, value]
    )
    assert after[0] is after[6] and after[0].note == 5
    assert (after[0].items, after[0].pairs) == (value.items, value.pairs)
    assert after[1].arguments == (1,) and after[1].options == {"a": [2]} and after[2:6] == [
        datetime.datetime(2020, 1, 1), type(None), ..., NotImplemented]  # fmt: skip


def test_cycles_through_tuples_sets_and_arguments() -> None:
    inner: list[Any] = []
    pair = (inner, 1)
    inner.append(pair)
    long = (inner, *range(5))
    inner.append(long)
    after = moved([pair, long, inner])
    assert after[0][0] is after[2] and after[2][0] is after[0] and after[2][1] is after[1] and after[1][0] is after[2]


def test_one_bytearray_stays_one_and_buffers_go_beside() -> None:
    raw = bytearray(b"abc")
    large = bytearray(300_000)
    after = moved([raw, raw, large, large, pickle.PickleBuffer(b"xyz")])
    assert after[0] is after[1] and after[2] is after[3] and len(after[2]) == 300_000 and bytes(after[4]) == b"xyz"
