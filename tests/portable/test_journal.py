"""The journal of a session that saves itself: what ran since, whatever became of the machine."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nbdag.portable.journal import cells_after, notes_since, read_journal, words_for_age
from nbdag.portable.journaling import JournalWriter

SAVED = {"session": "s", "executions": 1, "time": 1000.0}


def journal_of(directory: Path) -> JournalWriter:
    writer = JournalWriter(str(directory / "journal.jsonl"), "s", "work.ipynb")
    for ordinal, source in enumerate(["a = 1", "b = 2\nc = 3", "d = forever()"]):
        writer.begin(ordinal, SimpleNamespace(raw_cell=source, cell_id=f"id{ordinal}"), ordinal + 1)
        if ordinal < 2:
            writer.end(ordinal, 0.25, "ok")
    return writer


def test_cells_that_a_save_does_not_hold(tmp_path: Path) -> None:
    writer = journal_of(tmp_path)
    found = cells_after(read_journal(writer.path), "s", 1)
    assert [(cell["source"], cell["ended"]) for cell in found] == [("b = 2\nc = 3", True), ("d = forever()", False)]
    assert cells_after(read_journal(writer.path), "other", 0) == []
    assert cells_after(read_journal(writer.path), "s", 3) == []
    writer.close()


def test_a_session_that_begins_once_more_keeps_what_is_said_of_it(tmp_path: Path) -> None:
    journal_of(tmp_path).close()
    writer = JournalWriter(str(tmp_path / "journal.jsonl"), "s", "work.ipynb")
    writer.end(2, 1.0, "ok")
    writer.close()
    assert [cell["ended"] for cell in cells_after(read_journal(writer.path), "s", 1)] == [True, True]
    JournalWriter(writer.path, "another", "").close()
    assert cells_after(read_journal(writer.path), "s", 0) == []


def test_a_torn_line_and_a_line_of_nonsense_are_passed_over(tmp_path: Path) -> None:
    writer = journal_of(tmp_path)
    text = Path(writer.path).read_bytes()
    for length in range(len(text)):
        Path(writer.path).write_bytes(text[:length])
        found = cells_after(read_journal(writer.path), "s", 0)
        assert [cell["source"] for cell in found] == ["a = 1", "b = 2\nc = 3", "d = forever()"][: len(found)]
    Path(writer.path).write_bytes(b'\xff\xfe\n[1]\n"x"\n' + text)
    assert len(cells_after(read_journal(writer.path), "s", 0)) == 3
    writer.close()


def test_what_a_restored_session_is_told(tmp_path: Path) -> None:
    writer = journal_of(tmp_path)
    (tmp_path / "latest").mkdir()
    notes = notes_since(SAVED, str(tmp_path / "latest"), now=1090.0)
    assert notes[0].endswith(", 90 s ago")
    assert notes[1:] == [
        "2 cells were run after that and not in it:",
        "  In [2], 0.2 s: b = 2...",
        "  In [3] (had not ended): d = forever()",
    ]
    assert notes_since({**SAVED, "executions": 3}, str(tmp_path / "latest"))[1:] == ["no cell was run after that"]
    writer.close()


@pytest.mark.parametrize(
    ("saved", "note"),
    [
        ({**SAVED, "time": 5000.0}, "by a clock that has been set back since"),
        ({**SAVED, "running": True}, "a cell was running when it was saved"),
        ({**SAVED, "proven": False}, "no time to prove this save"),
    ],
)
def test_what_is_doubtful_is_said(tmp_path: Path, saved: dict[str, Any], note: str) -> None:
    assert any(note in line for line in notes_since(saved, str(tmp_path), now=1090.0))


def test_a_bundle_that_is_no_save_and_a_save_without_its_journal(tmp_path: Path) -> None:
    assert notes_since(None, str(tmp_path)) == []
    (tmp_path / "alone").mkdir()
    assert len(notes_since(SAVED, str(tmp_path / "alone"), now=1090.0)) == 1
    # Another session has begun there since, and has not saved anything yet: nothing is known of this one's end.
    JournalWriter(str(tmp_path / "journal.jsonl"), "later", "").close()
    assert len(notes_since(SAVED, str(tmp_path / "alone"), now=1090.0)) == 1


def test_what_is_saved_is_forgotten_once_the_journal_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbdag.portable.journaling.LARGE_JOURNAL", 200)
    writer = journal_of(tmp_path)
    writer.forget(2)
    assert [cell["source"] for cell in cells_after(read_journal(writer.path), "s", 0)] == ["d = forever()"]
    writer.end(2, 9.0, "ok")
    assert cells_after(read_journal(writer.path), "s", 2)[0]["ended"]
    writer.close()


def test_a_journal_that_cannot_be_written_says_so_and_harms_nobody(tmp_path: Path) -> None:
    writer = JournalWriter(str(tmp_path / "gone" / "journal.jsonl"), "s", "")
    assert "No such file" in writer.fault
    writer.begin(0, SimpleNamespace(raw_cell="x"), 1)
    if os.path.exists("/dev/full"):
        writer.descriptor = os.open("/dev/full", os.O_WRONLY)
        writer.begin(0, SimpleNamespace(raw_cell="x"), 1)
        assert "No space left" in writer.fault
        writer.close()


def test_lines_reach_the_disk_in_a_thread_that_ends(tmp_path: Path) -> None:
    writer = journal_of(tmp_path)
    deadline = time.monotonic() + 20
    while writer.syncing:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not writer.unsynced.is_set()
    assert json.loads(Path(writer.path).read_text().splitlines()[-1])["ordinal"] == 2
    writer.close()


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (720, "12 min"), (12_600, "3.5 h"), (200_000, "2 days")])
def test_ages(seconds: float, words: str) -> None:
    assert words_for_age(seconds) == words
