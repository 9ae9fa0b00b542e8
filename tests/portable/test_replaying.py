"""Cells that run again: under which names their text is known."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Iterator
from typing import Any

import pytest

from nbdag.portable.replaying import Replayer
from nbdag.portable.steps import Replay


@pytest.fixture(autouse=True)
def sources() -> Iterator[None]:
    before = dict(linecache.cache)
    linecache.cache.clear()  # other tests of this process have cells of the same names
    yield
    linecache.cache.clear()
    linecache.cache.update(before)


def restored(*steps: tuple[str, int, str], then: tuple[tuple[str, int, str], ...] = ()) -> dict[str, Any]:
    """What a bundle of these (cell, line, code) makes, with some that are added ``then``."""
    plan = [Replay(cell=cell, line=line, names=(), code=code) for cell, line, code in steps]
    more = [Replay(cell=cell, line=line, names=(), code=code) for cell, line, code in then]
    namespace: dict[str, Any] = {"__name__": "__main__"}
    replayer = Replayer(namespace, plan, "")
    for step in plan:
        replayer.run(step)
    replayer.add(more)
    for step in more:
        replayer.run(step)
    return namespace


def test_two_bundles_in_one_process_have_their_own_first_cells() -> None:
    one = restored(("cell 1", 2, "def f():\n    return 1"))["f"]
    other = restored(("cell 1", 2, "def f():\n    return 2"))["f"]
    assert inspect.getsource(one).endswith("return 1\n") and inspect.getsource(other).endswith("return 2\n")
    assert other.__code__.co_filename == "<cell 1 (2)>"


def test_a_bundle_that_is_restored_twice_keeps_the_names_of_its_cells() -> None:
    steps = [("cell 1", 1, "def f():\n    return 1"), ("cell 1", 5, "def g():\n    return 2")]
    spare = (("cell 1", 8, "def h():\n    return 3"),)
    for _ in range(2):
        made = restored(*steps, then=spare)
        for name in "fgh":
            assert made[name].__code__.co_filename == "<cell 1>"
            assert inspect.getsource(made[name]).startswith(f"def {name}")


def test_a_cell_that_ran_in_two_versions_has_two_names() -> None:
    made = restored(("cell 1", 1, "def f():\n    return 1"), ("cell 1", 1, "def g():\n    return 2"))
    assert [made[name].__code__.co_filename for name in "fg"] == ["<cell 1>", "<cell 1 (2)>"]
