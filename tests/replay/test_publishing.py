"""How a bundle takes its place: whatever happens on the way, the old one or the new one is there, whole."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbdag.replay import publishing
from nbdag.replay.publishing import clean_up, swap_in, workspace

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, limits and mounts of POSIX")

PLACES = ["bundle", "bundle.pyz"]


def play(scene: str, out: Path, *arguments: object, before: str = "") -> dict[str, Any]:
    """What ``writing_driver.py`` reports of a scene; ``before`` is done by a shell in a file system of its own."""
    command = [sys.executable, "-m", "tests.replay.writing_driver", scene, str(out), *map(str, arguments)]
    if before:
        quoted = " ".join(f"'{word}'" for word in command)
        command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", f"{before} && exec {quoted}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_killed_at_a_hundred_moments_the_old_or_the_new_bundle_is_there(tmp_path: Path, name: str) -> None:
    found = play("kill", tmp_path / name, 100)
    assert found["old"] >= 10 and found["new"] >= 10 and found["left"]  # the moments were spread over the whole of it
    assert found["leftovers"] == []


@pytest.mark.slow
def test_killed_where_directories_cannot_be_exchanged_the_next_compilation_puts_it_right(tmp_path: Path) -> None:
    found = play("kill-without-exchange", tmp_path / "bundle", 60)
    assert found["old"] and found["new"] and found["leftovers"] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_whichever_operation_the_disk_refuses_the_old_bundle_stays(tmp_path: Path, name: str, number: int) -> None:
    found = play("refuse", tmp_path / name, number)
    assert found["refused"] >= 15 and found["leftovers"] == []


@pytest.mark.parametrize("name", PLACES)
def test_a_disk_that_is_full_in_the_middle_of_a_file_keeps_the_old_bundle(tmp_path: Path, name: str) -> None:
    found = play("limit", tmp_path / name)
    assert found["refused"] >= 5 and found["leftovers"] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_compilations_into_one_place_at_the_same_time_do_not_disturb_each_other(tmp_path: Path, name: str) -> None:
    found = play("at-once", tmp_path / name, 10)
    assert found == {"failed": 0, "last": 9, "leftovers": []}


def can_mount() -> bool:
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"]
    return bool(shutil.which("unshare")) and subprocess.run(command, capture_output=True, check=False).returncode == 0


DISKS = [("size=150k", "No space left|ENOSPC", "free some space"), ("ro", "Read-only", "choose another")]


@pytest.mark.parametrize(("options", "said", "hint"), DISKS, ids=["full", "read-only"])
def test_a_disk_that_takes_nothing_is_named_with_a_remedy(tmp_path: Path, options: str, said: str, hint: str) -> None:
    if not can_mount():
        pytest.skip("this system does not let us mount")
    (tmp_path / "disk").mkdir()
    mount = f"mount -t tmpfs -o {options} none '{tmp_path / 'disk'}'"
    found = play("disk", tmp_path / "disk" / "bundle", before=mount)
    assert any(word in found["said"] for word in said.split("|")), found
    assert hint in found.get("hint", hint) and found["leftovers"] == []


def test_what_a_killed_compilation_left_is_removed_and_what_others_do_is_not(tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = publishing._host()
    dead = tmp_path / f".bundle.nbdag-{host}-{gone.pid}-abc"
    elsewhere = tmp_path / f".bundle.nbdag-other{host}-{gone.pid}-abc"
    reused = tmp_path / f".bundle.nbdag-{host}-{os.getppid()}-abc"
    for folder in (dead, elsewhere, reused):
        folder.mkdir()
    with workspace(out) as work:
        assert work.is_dir() and not dead.exists()
        assert not reused.exists()  # its process lives, but holds no lock: it is another one with the same number
        clean_up(out)
        assert work.is_dir() and elsewhere.is_dir()
    assert not work.exists()


def test_a_workspace_that_another_compilation_took_for_abandoned_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = publishing._locked
    taken: list[Path] = []

    def late(path: Path) -> int | None:
        if not taken:
            taken.append(path.parent)
            shutil.rmtree(path.parent)
        return locked(path)

    monkeypatch.setattr(publishing, "_locked", late)
    with workspace(tmp_path / "bundle") as work:
        assert work.is_dir() and taken and work not in taken
    assert list(tmp_path.iterdir()) == []


def test_a_lock_on_a_file_that_was_removed_in_between_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    lock = fcntl.flock
    taken: list[Path] = []

    def late(descriptor: int, operation: int) -> None:
        if not taken:  # another compilation had locked the file, removed the workspace and let go of it
            taken.extend(tmp_path.iterdir())
            shutil.rmtree(taken[0])
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with workspace(tmp_path / "bundle") as work:
        assert work.is_dir() and taken and work not in taken
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_that_was_moved_aside_for_a_moment_is_put_back(tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    (tmp_path / ".bundle.old-abc" / "bundle").mkdir(parents=True)
    (tmp_path / ".bundle.old-abc" / "bundle" / "restore.py").write_text("the only copy")
    clean_up(out)
    assert (out / "restore.py").read_text() == "the only copy" and not (tmp_path / ".bundle.old-abc").exists()


def test_a_link_to_a_bundle_stays_a_link(tmp_path: Path) -> None:
    for name in ("real", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "restore.py").write_text(name)
        (tmp_path / name / "data.msgpack").write_text(name)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    publishing.put_in_place(tmp_path / "new", tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "restore.py").read_text() == "new"


def test_somebody_who_was_faster_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "restore.py").write_text("ours")
    real = publishing._move

    def late(new: Path, out: Path) -> None:
        if not out.exists():
            out.mkdir()
            (out / "restore.py").write_text("theirs")
        real(new, out)

    monkeypatch.setattr(publishing, "_move", late)
    swap_in(tmp_path / "new", tmp_path / "bundle")
    assert (tmp_path / "bundle" / "restore.py").read_text() == "ours"
