"""Whenever an interrupt comes, the session is as before the cell, or as after it."""

from __future__ import annotations

import os
import signal
import time

import pytest

from nbdag.remote import apply
from tests.remote.notebook import Notebook

CHANGES_MUCH = """
log.append(count)
table[:] = count + 1
pair = (log, count)
random.random()
count += 1
"""


def set_up(notebook: Notebook) -> None:
    notebook.runs("import random, numpy as np\ncount = 0; log = []; table = np.zeros(200_000); pair = (log, -1)")


def assert_whole(notebook: Notebook) -> None:
    count = notebook["count"]
    assert notebook["log"] == list(range(count))
    assert (notebook["table"] == count).all()
    assert notebook["pair"] == (notebook["log"], count - 1)
    assert notebook["pair"][0] is notebook["log"]


@pytest.mark.parametrize("moment", ["fill", "rename_in_history", "set_states"])
def test_an_interrupt_while_the_result_is_applied_waits_for_the_end(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    set_up(notebook)
    work = getattr(apply, moment)

    def interrupted(*arguments: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        return work(*arguments)

    monkeypatch.setattr(apply, moment, interrupted)
    outcome = notebook.sends_anyway(CHANGES_MUCH)
    assert isinstance(outcome.error, KeyboardInterrupt)
    assert any("as after the cell" in note for note in outcome.run.notes)
    assert notebook["count"] == 1
    assert_whole(notebook)
    monkeypatch.undo()
    notebook.sends(CHANGES_MUCH)
    assert notebook["count"] == 2
    assert_whole(notebook)


def test_interrupts_can_come_again_after_the_result_was_applied(notebook: Notebook) -> None:
    set_up(notebook)
    before = signal.getsignal(signal.SIGINT)
    notebook.sends(CHANGES_MUCH)
    assert signal.getsignal(signal.SIGINT) is before
