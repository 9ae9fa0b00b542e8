"""What is wrong with the environment, before a command finds out the hard way.

Each function of ``AREAS`` looks at one area and gives one :class:`Check` per thing it looked at. None changes anything
that was there, and none fails: what cannot be looked at is a finding, too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nbdag.analysis.checkup.check import Check, State
from nbdag.analysis.checkup.here import look_here
from nbdag.analysis.checkup.jupyter import look_at_jupyter
from nbdag.analysis.checkup.kernels import look_at_kernelspecs
from nbdag.analysis.checkup.machine import look_at_machine
from nbdag.analysis.checkup.python import look_at_python

__all__ = ["AREAS", "Check", "State", "check_up"]

AREAS: tuple[tuple[str, Callable[[Path], list[Check]]], ...] = (
    ("nbdag", look_at_python),
    ("Jupyter", look_at_jupyter),
    ("kernels", look_at_kernelspecs),
    ("this directory", look_here),
    ("this machine", look_at_machine),
)


def check_up(state_directory: Path) -> dict[str, list[Check]]:
    """All checks, by area, in the order of the report. ``state_directory`` is where nbdag keeps its kernels."""
    found = {}
    for area, look in AREAS:
        try:
            found[area] = look(state_directory)
        except Exception as error:
            found[area] = [Check("the check itself", State.WARNING, f"it failed: {type(error).__name__}: {error}")]
    return found
