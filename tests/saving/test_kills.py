"""Fifty random kills (kill -9) while a session saves itself: whatever is left is a state that the session had."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nbdag.saving.directory import last_save
from tests.saving.kernels import SavingKernel, children_of, restored, wait_for_savers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a session is copied by fork on Linux only"),
]

KILLS = 50
FIRST = "n = 0; log = []; table = {}; twin = table; data = bytearray(200_000)"
STEP = (
    "n += 1\nlog.append(n * n)\ntable[n % 7] = [n]\nfor i in range(0, len(data), 1000): data[i] = n % 251"
    "\nfresh = list(range(n % 50))"
)
ASKED = "[n, log, sorted(table.items()), twin is table, sum(data), fresh if n else None]"


def oracle(steps: int) -> Any:
    """What the session's answers are after so many steps."""
    space: dict[str, Any] = {}
    exec(FIRST, space)
    for _ in range(steps):
        exec(STEP, space)
    answer = eval(ASKED, space)
    return [*answer[:2], [list(pair) for pair in answer[2]], *answer[3:]]


def victim_of(kernel: SavingKernel, chance: random.Random) -> tuple[str, int]:
    """The kernel, its snapshot, or what the snapshot has started."""
    kind = chance.choice(["kernel", "snapshot", "saver", "witness"])
    generation = [kernel.pid]
    for _ in range(["kernel", "snapshot", "saver", "witness"].index(kind)):
        generation = [child for pid in generation for child in children_of(pid)]
    return (kind, generation[0]) if generation else ("kernel", kernel.pid)


def test_every_kill_leaves_a_state_that_the_session_had(tmp_path: Path) -> None:
    seed = int(os.environ.get("NBDAG_KILL_SEED", "7"))
    chance = random.Random(seed)
    kernel: SavingKernel | None = None
    steps = rounds = 0
    killed: dict[str, int] = {}
    saved_between = 0
    try:
        for number in range(KILLS):
            if kernel is None:
                rounds += 1
                steps = 0
                kernel = SavingKernel(tmp_path / str(rounds), every=0.1)
                kernel.cell(FIRST)
                kernel.begin()
                kernel.wait_until_saved()
            for _ in range(chance.randint(1, 4)):
                kernel.cell(STEP)
                steps += 1
                time.sleep(chance.random() * 0.2)
            if chance.random() < 0.5:  # a save of these steps is there, and the kill comes into the next
                kernel.wait_until_saved()
                kernel.cell(STEP)
                steps += 1
            time.sleep(chance.random())
            kind, pid = victim_of(kernel, chance)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                kind = "nobody"
            killed[kind] = killed.get(kind, 0) + 1
            if kind == "kernel":
                kernel.kill()
            else:
                wait_for_savers(kernel.saves)
            where = f"kill {number} of {kind}, seed {seed}"
            save = last_save(kernel.saves)
            answer, said = restored(kernel.saves, ASKED)
            assert answer == oracle(answer[0]), where
            saved_between += answer[0] > 0
            # What is missing is named: one cell a step, in order.
            assert [cell.source for cell in save.cells_after] == [STEP] * (steps - answer[0]), where
            assert save.lives is (kind != "kernel"), where
            after = steps - answer[0]
            assert "saved by itself at" in said, where
            expected = "no cell was run after that" if not after else f"{after} cell{'s were' if after > 1 else ' was'}"
            assert expected in said, where
            if kind == "kernel":
                kernel = None
    finally:
        if kernel is not None:
            kernel.end()
    assert saved_between > KILLS / 4
    assert killed.get("kernel", 0) >= 5
    assert killed.get("snapshot", 0) + killed.get("saver", 0) + killed.get("witness", 0) >= 5
