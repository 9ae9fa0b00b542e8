"""Interrupts at moments that nobody chose: each time the session is as before the cell, or as after it.

The notebook is a process of its own (``interrupted_session.py``): an interrupt that comes where it should not, say in
the test's own code, ends that process and not the one that runs the tests.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.remote.servers import TOKEN, Server

# An interrupt that the kernel there takes between two messages costs the reply of the next one: waiting that out takes
# 20 s each time, and longer than CI has.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("NBDAG_RANDOM_INTERRUPTS"), reason="NBDAG_RANDOM_INTERRUPTS is not set"),
]

CELLS = 8


def test_the_session_is_whole_whenever_an_interrupt_comes(jupyter: Server) -> None:
    chance = random.Random(7)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.remote.interrupted_session", jupyter.url, TOKEN, str(CELLS)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    told = []
    try:
        for line in process.stdout:
            if line == "goes\n":
                time.sleep(chance.random() * 0.35)
                os.kill(process.pid, signal.SIGINT)
            elif line.startswith("{"):
                told.append(json.loads(line))
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert len(told) == CELLS
    assert not [one for one in told if one["wrong"]], told
    # Some came while the cell was under way: else the test says nothing.
    assert len({one["ended"] for one in told}) > 1, told
