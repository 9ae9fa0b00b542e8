"""The directory of a session that saves itself: whose it is, and what is told of it after a crash."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nbdag.analysis.processes import Process, this_host, this_process
from nbdag.errors import OutputError, UsageError
from nbdag.saving.directory import CLAIM, Claim, claim_directory, last_save, locked, read_claim, release

MINE = Claim("mine", "/home/me/work.ipynb", this_host(), this_process(), 1000.0)
DEAD = replace(MINE, session="dead", kernel=Process(2**22 + 1, "never"))


def with_bundle(directory: Path) -> None:
    """Something that counts as a bundle."""
    (directory / "latest").mkdir(parents=True)
    for name in ("restore.py", "data.msgpack"):
        (directory / "latest" / name).write_text("")


def test_a_directory_is_made_and_claimed(tmp_path: Path) -> None:
    place = tmp_path / "a" / "saves"
    assert claim_directory(place, MINE) == MINE
    assert read_claim(place) == MINE
    assert (place / CLAIM).stat().st_mode & 0o077 == 0
    # The same kernel once more: the session stays the same one, whatever it is called now.
    assert claim_directory(place, replace(MINE, session="new")).session == "mine"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["notes.txt"], "holds notes.txt"),
        (["restore.py", "data.msgpack", "blobs"], "is a bundle that nbdag compile wrote"),
        (["restore.py"], "holds restore.py"),
        (["autosave.json", "notes.txt"], "holds notes.txt"),
    ],
)
def test_other_things_are_left_alone(tmp_path: Path, entries: list[str], message: str) -> None:
    for name in entries:
        (tmp_path / name).write_text("")
    with pytest.raises(OutputError, match=message):
        claim_directory(tmp_path, MINE)
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name != "lock") == sorted(entries)


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "saves").write_text("x")
    with pytest.raises(OutputError, match="saves is a file"):
        claim_directory(tmp_path / "saves", MINE)


def test_what_another_session_saves_is_its_own(tmp_path: Path) -> None:
    alive = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        from nbdag.analysis.processes import identify

        other = replace(MINE, session="other", kernel=identify(alive.pid))
        claim_directory(tmp_path, other)
        with pytest.raises(OutputError, match=f"another session saves itself there .*process {alive.pid}"):
            claim_directory(tmp_path, MINE, give_up=True)
        release(tmp_path, "other")  # told to save itself no longer, before it saved anything
        assert claim_directory(tmp_path, MINE) == MINE
    finally:
        alive.communicate(b"\n")


def test_what_a_dead_session_saved_is_not_replaced_unasked(tmp_path: Path) -> None:
    claim_directory(tmp_path, DEAD)
    assert claim_directory(tmp_path, MINE) == MINE  # it had saved nothing
    claim_directory(tmp_path / "b", DEAD)
    with_bundle(tmp_path / "b")
    with pytest.raises(OutputError, match="holds what another session saved") as refusal:
        claim_directory(tmp_path / "b", MINE)
    assert "restore.py" in refusal.value.hint and "--replace" in refusal.value.hint
    assert claim_directory(tmp_path / "b", MINE, restored=["dead"]) == MINE
    claim_directory(tmp_path / "c", DEAD)
    with_bundle(tmp_path / "c")
    assert claim_directory(tmp_path / "c", MINE, give_up=True) == MINE


def test_a_session_of_another_machine_counts_as_alive_but_can_be_given_up(tmp_path: Path) -> None:
    claim_directory(tmp_path, replace(DEAD, host="elsewhere"))
    with_bundle(tmp_path)
    assert last_save_lives(tmp_path)
    with pytest.raises(OutputError, match=r"work\.ipynb on elsewhere"):
        claim_directory(tmp_path, MINE)
    assert claim_directory(tmp_path, MINE, give_up=True) == MINE


def last_save_lives(directory: Path) -> bool:
    claim = read_claim(directory)
    return claim is not None and claim.lives


def test_a_session_that_died_before_its_first_save(tmp_path: Path) -> None:
    claim_directory(tmp_path, DEAD)
    lines = [
        {"event": "session", "session": "dead"},
        {"event": "begin", "ordinal": 0, "time": 5.0, "count": 1, "cell": "abc", "source": "x = 1"},
        {"event": "end", "ordinal": 0, "time": 6.0, "seconds": 1.0, "outcome": "error"},
    ]
    (tmp_path / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"event": "beg')
    save = last_save(tmp_path)
    assert save.bundle is None and save.age_in_words == "never" and not save.lives
    assert [(cell.count, cell.cell_id, cell.seconds, cell.outcome) for cell in save.cells_after] == [
        (1, "abc", 1.0, "error")
    ]
    done = subprocess.run([sys.executable, str(tmp_path / "restore.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "nothing was saved here yet" in done.stderr


def test_a_directory_that_nobody_saves_into(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no session saves itself here"):
        last_save(tmp_path)


def test_two_savers_in_one_directory_wait_for_each_other(tmp_path: Path) -> None:
    with locked(tmp_path, 1.0):
        begun = time.monotonic()
        with pytest.raises(OutputError, match="another save is being written"), locked(tmp_path, 0.2):
            pass
        assert time.monotonic() - begun >= 0.2
    with locked(tmp_path, 0.0):
        pass
