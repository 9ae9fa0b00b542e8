"""When the recorder's share is used up, small values are looked at once, when the cell ends; no change is missed."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbdag.portable import agent, foreign, kinds
from nbdag.portable.foreign import ForeignGlobals
from nbdag.portable.objects import ids_of
from tests.portable.test_budget import session
from tests.portable.test_foreign import library
from tests.portable.test_recorder import Session

__all__ = ["session"]  # the fixture: the share of the session's time is used up

MANY = "[bytearray(9) for _ in range(3000)]"


def looks(session: Session, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that are looked at from now on."""
    watch = agent.recorder_of(session.shell).watch  # type: ignore[union-attr]
    seen: list[str] = []
    look = watch.look

    def noted(name: str, *arguments: Any, **options: Any) -> bool:
        seen.append(name)
        return bool(look(name, *arguments, **options))

    monkeypatch.setattr(watch, "look", noted)
    return seen


def suspects(session: Session, name: str) -> list[bool]:
    """Of each statement of the last cell, whether it may have changed the name."""
    return [name in {*run.changed, *run.unseen, *run.bound} for run in session.last().statements]


def changed(session: Session) -> set[str]:
    return set().union(*(run.changed for run in session.last().statements))


def test_a_value_that_many_statements_use_is_looked_at_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.run("xs = [[1], [2]]")
    seen = looks(session, monkeypatch)
    session.run("\n".join(["len(xs)"] * 9))
    assert seen == ["xs"] and not changed(session)
    session.run("len(xs)\nxs[0].append(1)\nlen(xs)")
    assert seen == ["xs", "xs"] and changed(session) == {"xs"} and suspects(session, "xs") == [True] * 3


@pytest.mark.parametrize(
    "cell",
    [
        "a.append(xs)\na[0].append(1)\na.pop()",
        "a.append(xs)\na[0].append(1)\na = None",
        "a.append(xs)\na[0].append(1)\ndel a",
        "a.append(xs)\nb = a[0]\nb.append(1)\na.pop()",
        "a.append(xs)\nfor item in a: item.append(1)\na.clear()",
    ],
)
def test_what_a_value_held_for_a_while_counts_as_reached_through_it(session: Session, cell: str) -> None:
    session.run("xs = []; a = []")
    session.run(cell)
    at = next(number for number, line in enumerate(cell.split("\n")) if "append(1)" in line)
    assert "xs" in changed(session) and suspects(session, "xs")[at]


def test_a_value_that_got_a_part_of_another_changes_with_it(session: Session) -> None:
    session.run("xs = []; box = {'a': []}")
    session.run("box['a'] = xs\nlen(box)\nxs.append(1)")
    assert changed(session) == {"box", "xs"} and suspects(session, "box")[2]
    session.run("xs.append(1)")
    assert changed(session) == {"box", "xs"}


def test_a_function_that_came_into_a_list_reaches_what_it_mentions(session: Session) -> None:
    session.run("ys = []; fs = []\ndef put(): ys.append(1)")
    session.run("fs.append(put)\nfs[0]()")
    assert "ys" in changed(session) and suspects(session, "ys")[1]


def test_through_what_a_large_value_holds_one_cannot_get_at_its_rest(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.run("ys = [1]; zs = [2]", f"big = [ys, zs] + {MANY}")
    watch = agent.recorder_of(session.shell).watch  # type: ignore[union-attr]
    assert watch.link_closure(["ys"], through=set()) == {"big", "ys"}
    assert watch.link_closure(["big"], through={"big"}) == {"big", "ys", "zs"}
    assert watch.link_closure(["ys"], through={"ys"}) == {"big", "ys", "zs"}  # ys may lead into what holds it


FINALIZED = {
    "its class is in sight": "class Last:\n def __del__(self): ys.append(1)\nmake = Last",
    "its class is inside a function": "def make():\n class Last:\n  def __del__(self): ys.append(1)\n return Last()",
    "nothing says so": "import weakref\nclass Kept: pass\n"
    "def make():\n kept = Kept(); weakref.finalize(kept, ys.append, 1)\n return kept",
}


@pytest.mark.parametrize("made", FINALIZED.values(), ids=FINALIZED)
def test_what_was_under_a_name_that_is_given_to_something_else_may_have_a_finalizer(
    session: Session, made: str
) -> None:
    session.run(made, "ys = [1]", f"big = [make(), ys] + {MANY}", "big = 1")
    assert "ys" in session.last().statements[0].reached


def test_what_a_waiting_value_got_is_reached_through_it(session: Session) -> None:
    session.run("ys = [1]; a = []", f"big = [ys] + {MANY}")
    session.run("a.append(big)\na[0][0].append(1)\na.pop()\nlen(ys)")
    assert suspects(session, "ys")[1]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForeignGlobals]:
    index = ForeignGlobals()
    monkeypatch.setattr(foreign, "_FOREIGN_GLOBALS", index)
    monkeypatch.setattr(foreign, "_REFRESHED", [0, -1])
    yield index


def test_of_a_library_only_the_modules_that_matter_are_indexed(
    session: Session, hurried: ForeignGlobals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library(monkeypatch, "shelf_one.tables", "own = [1, []]\nclass Thing: pass\n")
    library(monkeypatch, "shelf_one.more", "registry = {'units': []}")
    session.run("import sys; tables = sys.modules['shelf_one.tables']; more = sys.modules['shelf_one.more']")
    session.run("a = tables.Thing(); a.held = tables.own; b = [tables.own]; a.other = [1]")
    recorder = agent.recorder_of(session.shell)
    assert recorder is not None and not recorder.watch.groups
    assert hurried.confirm(vars(session.shell.user_ns["tables"])["own"])
    assert not hurried.confirm(session.shell.user_ns["more"].registry)
    # Two values with something in common that is nobody's own: now the whole library is asked.
    session.run("c = tables.Thing(); c.held = more.registry; d = tables.Thing(); d.held = more.registry")
    assert recorder.watch.groups == (("c", "d"),)  # or later, when there is time
    recorder.look_at_the_rest()
    assert not recorder.watch.groups
    recorder.budget.left = 1.0
    session.run("d.more = more.registry; c.more = more.registry")
    assert not recorder.watch.groups and hurried.confirm(session.shell.user_ns["more"].registry)
    session.run("e = [a.other]")
    assert recorder.watch.groups == (("a", "e"),)


def test_addresses_are_those_that_id_gives() -> None:
    values = [object(), 1, "x", types, None, []]
    assert ids_of(values) == list(map(id, values)) and ids_of(values[:1]) == [id(values[0])] and ids_of([]) == []


def test_what_is_known_of_a_class_goes_with_it() -> None:
    made = type("Made", (), {"__module__": "shelf_one"})
    key = id(made)
    assert kinds.kind_of(made) == kinds.REACH_FOREIGN and key in kinds._KINDS
    assert not kinds.depends_on_session(made) and kinds.modules_behind(made) == {"shelf_one", "builtins"}
    del made
    __import__("gc").collect()
    assert key not in kinds._KINDS
    own = type("Own", (), {"__module__": "__main__"})
    heir = type("Heir", (own,), {"__module__": "shelf_one"})
    assert kinds.depends_on_session(heir) and kinds.kind_of(heir) is not None and id(heir) not in kinds._KINDS


def test_an_array_is_walked_through_without_a_walk() -> None:
    from nbdag.portable.links import reach, reach_of_array, reach_of_walk
    from nbdag.portable.walk import ObjectWalk

    base = np.arange(12.0)
    objects = np.empty(3, object)
    for value in (base, base[2:5], base[::-1], base.reshape(3, 4).T, np.empty(0), np.array(3), base[:3][1:]):
        walk = ObjectWalk(value)
        walk.run()
        quick, slow = reach_of_array(value), reach_of_walk(walk)
        assert quick is not None and quick == slow and quick.ajar == slow.ajar and reach(value) == slow
    assert reach_of_array(np.frombuffer(bytearray(16))) is None
    assert reach(objects).ids
