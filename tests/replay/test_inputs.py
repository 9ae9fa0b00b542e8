"""Which input files travel, and what --max-size does about all that is not a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbdag.errors import PlanError
from nbdag.model.bundle import Bundle
from nbdag.model.plan import Load, Plan
from nbdag.model.trace import FileUse
from nbdag.replay.inputs import LARGEST_CARRIED, carried_inputs, files_left
from nbdag.replay.manifests import earlier_choices
from nbdag.replay.planner import Preferences
from nbdag.replay.room import Room, size_on_disk
from tests.portable.session import Session
from tests.restoring import bundle_of, replay

FILES = {
    "small.csv": 10,
    "data/part.csv": 10,
    "large.csv": LARGEST_CARRIED + 1,
    ".env": 10,
    "../up.csv": 10,
    "written.csv": 10,
    "spare.csv": 10,
}

INCLUDED = [
    ("auto", ["data/part.csv", "small.csv"]),
    ("none", []),
    ("all", ["data/part.csv", "large.csv", "small.csv", "spare.csv"]),
    ("*.csv", ["data/part.csv", "large.csv", "small.csv", "spare.csv"]),
    ("data/*", ["data/part.csv"]),
    (".env", [".env"]),
    ("nothing", []),
]


@pytest.mark.parametrize(("include", "expected"), INCLUDED)
def test_which_files_travel(include: str, expected: list[str], tmp_path: Path) -> None:
    below = tmp_path / "work"
    uses = []
    for name, size in FILES.items():
        path = below / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        uses.append(FileUse(name, str(path), "w" if name == "written.csv" else "r", size))
    absolute = FileUse(str(below / "small.csv"), str(below / "small.csv"), "r", 10)
    gone = FileUse("gone.csv", str(below / "gone.csv"), "r", 10)
    steps = [replay("...", files=(*uses[:-1], absolute, gone)), Load(0, ("a",), 1, 0)]
    found = carried_inputs(steps, [replay("...", files=(uses[-1],))], include)
    assert [path for path, _ in found] == expected and all(source.is_file() for _, source in found)


def test_what_travels_unasked_is_limited_in_all(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    uses = tuple(FileUse(f"{index}.csv", str(tmp_path / "f"), "r", LARGEST_CARRIED) for index in range(20))
    assert len(carried_inputs([replay("...", files=uses)])) == 16


def loading(size: int) -> Plan:
    return Plan((Load(0, ("a",), size, 0),), (), 0.0, 0.0, 0.0)


BUNDLE = Bundle("bundle", 0, blobs_size=900, blobs=1)


def test_what_a_store_keeps_for_a_bundle_counts(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "restore.py").write_bytes(bytes(200))
    assert not Room(1000).suffices_for(tmp_path, loading(900), BUNDLE)
    assert size_on_disk(tmp_path, BUNDLE) == 1100


def test_the_whole_bundle_fits_and_not_only_its_values(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "a").write_bytes(bytes(900))
    (tmp_path / "restore.py").write_bytes(bytes(200))
    room = Room(1000)
    assert room.applied_to(Preferences(max_bytes=1000)).max_bytes == 1000
    assert not room.suffices_for(tmp_path, loading(900), BUNDLE)
    assert room.applied_to(Preferences(max_bytes=1000)).max_bytes == 800
    with pytest.raises(PlanError, match=r"smallest; 200 of the 1000 bytes \(1.0 kB\) are taken"), room.explained():
        raise PlanError("smallest")
    assert all(Room(most).suffices_for(tmp_path, loading(900), BUNDLE) for most in (1100, None))
    with pytest.raises(PlanError, match="takes 200 bytes beside stored values"):
        Room(199).suffices_for(tmp_path, loading(900), BUNDLE)


def test_what_an_earlier_bundle_chose_is_read_from_it(tmp_path: Path) -> None:
    assert earlier_choices(tmp_path / "bundle") == (frozenset(), frozenset())
    bundle_of(tmp_path, Session().run("a = [1]"), "a")
    assert earlier_choices(tmp_path / "bundle") == (frozenset({"a"}), frozenset())
    (tmp_path / "bundle" / "data.msgpack").write_bytes(b"damaged")
    assert earlier_choices(tmp_path / "bundle") == (frozenset(), frozenset())


HELD = {
    "an open file": ("f = open({path!r})", True),
    "one inside of something": ("f = [0, {{'a': open({path!r}, 'rb')}}]", True),
    "a closed one": ("f = open({path!r}); f.close()", False),
    "a database": ("import sqlite3; f = sqlite3.connect({path!r})", True),
    "one in memory": ("import sqlite3; f = sqlite3.connect(':memory:'); f.execute('create table t (x)')", False),
    "no file": ("f = {path!r}", False),
}


@pytest.mark.parametrize(("code", "needed"), HELD.values(), ids=list(HELD))
def test_what_an_open_handle_needs_on_the_target_is_said(code: str, needed: bool, tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    path.write_bytes(b"")
    code = code.format(path=str(path))
    said = list(files_left([Session().run(code).encode(tmp_path / "staging", "f")]))
    assert [str(path) in one.message and "f has" in one.message for one in said] == [True] * needed
