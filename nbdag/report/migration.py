"""What ``%nbdag migrate`` shows: what decides now, and every decision with what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbdag.report.tables import Column, Page, Value
from nbdag.report.units import say_bytes, say_count, say_seconds

if TYPE_CHECKING:
    from nbdag.remote.decisions import Entry
    from nbdag.remote.driving import Driver

OFTEN = 3  # blocks that are shown


def print_driver(driver: Driver, there: int, here: int, page: Page) -> None:
    """Which policy decides and by what it knows; ``there`` and ``here`` count the cells that ran on either side."""
    link, experience = driver.link, driver.policy.experience
    page.line(f"the {driver.policy.name} policy decides what runs on {driver.target}", "strong")
    page.line(f"{say_count(there, 'cell')} ran there, {here} here")
    page.line(
        f"{link.speedup:.1f} times as fast as here; {say_bytes(link.bytes_per_second)}/s to it, "
        f"{say_bytes(link.back)}/s back, a round trip {say_seconds(link.latency_seconds)}"
    )
    balance = max(driver.policy.account.balance, 0.0)
    page.line(f"a visit may take {say_seconds(balance)} that could be lost, by what was earned so far")
    for block in experience.miner.blocks()[:OFTEN]:
        habits = (experience.habits.get(shape) for shape in block.shapes)
        names = " > ".join("?" if habit is None else habit.label for habit in habits)
        page.line(f"often in this order ({block.times} times): {names}", "faint")


def print_decisions(entries: Sequence[Entry], last: int, log: Path, page: Page) -> None:
    """The ``last`` of ``entries`` as a table, and what all of them saved; ``log`` is the file that has them all."""
    if not entries:
        page.line("no decision was made yet; %nbdag migrate auto lets a policy decide")
        return
    there = [entry for entry in entries if entry.where == "there"]
    gain = -sum(entry.regret for entry in there)
    page.line(
        f"{say_count(len(entries), 'decision')}, {len(there)} for another machine: "
        f"{say_seconds(abs(gain))} {'saved' if gain >= 0 else 'lost'} by what was predicted of staying here",
        "strong",
    )
    numbers = [Column(name, right=True) for name in ("took", "here", "there", "sent", "back", "regret")]
    columns = [Column("cell", least=16), Column("ran"), *numbers, Column("why", least=24)]
    page.table(columns, [_row(entry) for entry in entries[-last:]])
    page.line(f'predicted times in "here" and "there"; all of it: {log}', "faint")


def _row(entry: Entry) -> list[str | Value]:
    there = entry.where == "there"
    place = entry.target if there else "here"
    why = entry.reason + (f"; it ran here after all: {entry.failed}" if entry.failed else "")
    said = f"{'+' if entry.regret > 0 else '-'}{say_seconds(abs(entry.regret))}" if entry.regret else ""
    return [
        entry.label,
        place + ("" if entry.outcome == "ok" else f" ({entry.outcome})"),
        say_seconds(entry.seconds),
        say_seconds(entry.predicted_here) if entry.predicted_here else "",
        say_seconds(entry.predicted_there) if entry.predicted_there else "",
        say_bytes(entry.sent_bytes) if there else "",
        say_bytes(entry.fetched_bytes) if there else "",
        Value(said, "bad" if entry.regret > 1 else ""),
        why,
    ]
