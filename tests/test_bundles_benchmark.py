"""benchmarks/bundles.py compares what came back with the originals: a comparison that sees what it should see."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def load_worker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundles_worker", ROOT / "benchmarks" / "bundles_worker.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


worker = load_worker()
SIZE = 200_000


def difference(kind: str, change: Any = lambda values: None) -> str:
    """What the benchmark says of a state, and of one that was made again and changed."""
    one, other = worker.build(kind, SIZE), worker.build(kind, SIZE)
    change(other)
    return next((said for name in one for said in [worker.same(one[name], other[name], {})] if said), "")


@pytest.mark.parametrize("kind", worker.KINDS)
def test_a_state_that_was_made_twice_is_the_same_and_is_touched_the_same(kind: str) -> None:
    assert difference(kind) == ""
    one, other = worker.build(kind, SIZE), worker.build(kind, SIZE)
    assert [worker.touch(value, {}) for value in one.values()] == [worker.touch(value, {}) for value in other.values()]
    assert set(one) == set(worker.NAMES[kind])


def raise_last_bit(array: Any) -> None:
    array.view("u8")[-1] ^= 1


CHANGES: dict[str, Any] = {
    "numeric one bit": lambda v: raise_last_bit(v["measured"]),
    "numeric a flag": lambda v: v["measured"].setflags(write=False),
    "numeric a type": lambda v: v.update(counts=v["counts"].astype("i4")),
    "numeric a setting": lambda v: v["settings"]["names"].append("c"),
    "frames one value": lambda v: v["frame"].iloc.__setitem__((3, 1), -1),
    "frames a column's type": lambda v: v["dear"].__setitem__("amount", v["dear"]["amount"].astype("float64")),
    "strings one letter": lambda v: v["lines"].__setitem__(5, "x"),
    "strings an order": lambda v: v.update(by_number=dict(reversed(list(v["by_number"].items())))),
    "objects deep inside": lambda v: v["rows"][-1]["tags"].append("t"),
    "objects another type": lambda v: v["rows"][0].update(xy=list(v["rows"][0]["xy"])),
    "models a node of a tree": lambda v: v["forest"].estimators_[7].tree_.threshold.__setitem__(0, 0.123),
    "models the data of neighbours": lambda v: raise_last_bit(v["scaled"][-1]._fit_X.ravel()),
}


@pytest.mark.parametrize("case", CHANGES)
def test_any_other_value_is_seen(case: str) -> None:
    assert difference(case.split()[0], CHANGES[case])


def test_lost_sharing_is_seen() -> None:
    values = worker.build("views", SIZE)
    assert worker.sharing(values) == ["train", "flipped"]
    assert worker.sharing({**values, "train": values["train"].copy()}) == ["flipped"]
    objects = worker.build("objects", SIZE)
    assert worker.sharing(objects) == ["index", "last"]
    assert worker.sharing({**objects, "rows": [dict(row) for row in objects["rows"]]}) == []
