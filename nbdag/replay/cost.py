"""What storing and replaying cost, in seconds: DESIGN section 7, ElasticNotebook section 5.

    store(x) = alpha * (encoding + bytes / bandwidth) + (decoding + bytes / bandwidth)
    run(s)   = seconds it took, plus what its hazards are worth

``alpha`` weighs the time of leaving against the time of coming back: 1 when the user waits for both (``migrate``), 0.05
when the session is put aside and only coming back matters (``restore``). ``size`` counts bytes and nearly nothing else.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from nbdag.errors import UsageError
from nbdag.model import Covariable, Reluctance, Step

ALPHA = {"migrate": 1.0, "restore": 0.05, "size": 1.0}
"""Weight of the time of leaving, by objective (ElasticNotebook, section 5.3)."""

SIZE_BANDWIDTH = 1e4
"""Bytes per second assumed by ``--objective size``: a megabyte is worth a hundred seconds of replay."""

STORE_OVERHEAD = 20e-6
"""Seconds that an entry in the bundle costs, however small (measured: 1,000 small values load in 20 ms)."""

REPLAY_OVERHEAD = 1e-3
"""Seconds added to every replayed statement: compiling it, and the preference for stored data where both are free."""

RISK_SECONDS = 30.0
"""What it is worth not to depend on a file that the target may lack: about the time of fetching it by hand."""

LAST_RESORT_SECONDS = 1e7
"""More than any transfer costs: such a step is only replayed when nothing else moves the variable."""

NOTICEABLE = 20e-3
"""Seconds of encoding below which a measurement is noise: the same session must give the same plan."""

BANDWIDTH_FLOOR, BANDWIDTH_CEILING = 1e6, 10e9
"""Bytes per second; a measurement outside is a caching effect (elastic-kernel's issue 21 tells the story)."""

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CostModel:
    """Turns covariables and steps into nanoseconds, integers so that sums are exact."""

    bandwidth: float = 500e6
    objective: str = "migrate"

    def store(self, covariable: Covariable) -> int:
        """Nanoseconds for storing and loading ``covariable``, whether or not it can be stored."""
        bandwidth = SIZE_BANDWIDTH if self.objective == "size" else self.bandwidth
        measured = covariable.store_seconds
        one_way = (measured if measured >= NOTICEABLE else 0.0) + covariable.size / bandwidth
        return int((ALPHA[self.objective] * one_way + one_way + STORE_OVERHEAD) * NANOSECONDS)

    def run(self, step: Step) -> int:
        """Nanoseconds for replaying ``step``, its hazards included; NEVER is the planner's business."""
        worst = max((hazard.reluctance for hazard in step.hazards), default=Reluctance.FREE)
        penalty = 0.0
        if worst is Reluctance.RISK:
            penalty = RISK_SECONDS
        elif worst >= Reluctance.LAST_RESORT:
            penalty = LAST_RESORT_SECONDS
        return int((step.seconds + REPLAY_OVERHEAD + penalty) * NANOSECONDS)


def measure_bandwidth(directory: Path, *, size: int = 16 << 20, rounds: int = 3) -> float:
    """Bytes per second of writing ``size`` bytes durably into ``directory``, or the nearest parent that exists."""
    while not directory.is_dir():
        directory = directory.parent
    block = os.urandom(1 << 20)
    speeds = []
    for _ in range(rounds):
        try:
            with tempfile.TemporaryFile(dir=directory) as file:
                begun = time.perf_counter()
                for _ in range(size >> 20):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
                speeds.append(size / max(time.perf_counter() - begun, 1e-9))
        except OSError:
            return BANDWIDTH_FLOOR  # the writer will say what is wrong with the place
    return clamp_bandwidth(round_bandwidth(sorted(speeds)[len(speeds) // 2]))


def round_bandwidth(value: float) -> float:
    """``value`` to the nearest power of two: two measurements of one disk should not make two plans."""
    return 2.0 ** round(math.log2(value))


def clamp_bandwidth(value: float) -> float:
    """``value`` within what storage and networks really do."""
    return min(max(value, BANDWIDTH_FLOOR), BANDWIDTH_CEILING)


UNITS = {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
UNITS |= {"bit": 0.125, "kbit": 125.0, "mbit": 125e3, "gbit": 125e6}


def parse_bandwidth(text: str) -> float | None:
    """Bytes per second of ``"50MB/s"``, ``"100Mbit/s"`` or ``"100Mbps"``; None for ``"auto"``.

    Raises UsageError for anything else.
    """
    if text == "auto":
        return None
    spelled = text.strip().lower().replace(" ", "").removesuffix("/s")
    if spelled.endswith("bps"):
        spelled = spelled[:-3] + "bit"
    digits = spelled.rstrip("abcdefghijklmnopqrstuvwxyz")
    try:
        value = float(digits) * UNITS[spelled[len(digits) :]]
        if not 0 < value < float("inf"):
            raise ValueError
    except (KeyError, ValueError):
        raise UsageError(
            f"--bandwidth {text!r} is not a speed", "give a number with a unit, such as 50MB/s or 100Mbit/s, or auto"
        ) from None
    return value
