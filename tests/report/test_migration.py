"""What ``%nbdag migrate log`` prints: the last decisions, and what all of them saved."""

from __future__ import annotations

import io
from pathlib import Path

from nbdag.remote.decisions import Entry
from nbdag.report.migration import print_decisions
from nbdag.report.tables import Page

HERE = Entry(0.0, "s", "c1", "df = load()", "here", "gpu", "block", "its time is not known yet", seconds=2.0)
THERE = Entry(
    1.0, "s", "c2", "fit(df)", "there", "gpu", "block", "4 s instead of 10 s", 10.0, 4.0, 5.0, 3.0, 2_000_000, 1_000,
    regret=-5.0,
)  # fmt: skip
BACK = Entry(
    2.0, "s", "c3", "plot(df)", "there", "gpu", "block", "1 s instead of 2 s", 2.0, 1.0, 4.0, outcome="error",
    regret=2.0, failed="the connection was lost",
)  # fmt: skip


def printed(entries: tuple[Entry, ...], last: int = 20) -> str:
    stream = io.StringIO()
    print_decisions(entries, last, Path("somewhere/decisions.jsonl"), Page(stream))
    return stream.getvalue()


def test_all_decisions_count_and_the_last_are_shown() -> None:
    text = printed((HERE, THERE, BACK), last=2)
    assert "3 decisions, 2 for another machine: 3.0 s saved" in text
    assert "df = load()" not in text and "fit(df)" in text and "plot(df)" in text
    assert "somewhere/decisions.jsonl" in text


def test_a_row_says_where_a_cell_ran_and_why() -> None:
    rows = {line.split("  ")[0].strip(): line for line in printed((HERE, THERE, BACK)).splitlines()}
    assert "gpu (error)" in rows["plot(df)"] and "it ran here after all: the connection was lost" in rows["plot(df)"]
    assert "-5.0 s" in rows["fit(df)"] and "+2.0 s" in rows["plot(df)"]
    assert "its time is not known yet" in rows["df = load()"]


def test_no_decision_says_how_to_begin() -> None:
    assert "%nbdag migrate auto" in printed(())
