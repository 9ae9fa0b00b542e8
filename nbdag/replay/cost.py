"""What storing and replaying cost, in seconds, after section 5 of the ElasticNotebook paper.

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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbdag.model.graph import Covariable, Reluctance, Step

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

STEADY_BITS = 4
"""Leading bits of a measured time that are kept: at most 6 % are rounded off."""

BANDWIDTH_FLOOR, BANDWIDTH_CEILING = 1e6, 10e9
"""Bytes per second; a measurement outside is a caching effect (elastic-kernel's issue 21 tells the story)."""

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CostModel:
    """Turns covariables and steps into nanoseconds, integers so that sums are exact."""

    bandwidth: float = 500e6
    objective: str = "migrate"

    def stores(self, covariables: Sequence[Covariable]) -> list[int]:
        """Nanoseconds for storing and loading each of ``covariables``, whether or not it can be stored."""
        bandwidth = SIZE_BANDWIDTH if self.objective == "size" else self.bandwidth
        both_ways = (ALPHA[self.objective] + 1) * NANOSECONDS
        overhead = STORE_OVERHEAD * NANOSECONDS
        costs = []
        for covariable in covariables:
            one_way = covariable.size / bandwidth
            if covariable.store_seconds >= NOTICEABLE:
                one_way += steady(int(covariable.store_seconds * NANOSECONDS)) / NANOSECONDS
            costs.append(int(both_ways * one_way + overhead))
        return costs

    def store(self, covariable: Covariable) -> int:
        """:meth:`stores` of one."""
        return self.stores((covariable,))[0]

    def runs(self, steps: Sequence[Step]) -> list[int]:
        """Nanoseconds for replaying each of ``steps``, its hazards included; NEVER is the planner's business."""
        overhead = int(REPLAY_OVERHEAD * NANOSECONDS)
        costs = []
        for step in steps:
            # steady(), spelled out: a long history has many thousands of statements.
            measured = int(step.seconds * NANOSECONDS)
            excess = measured.bit_length() - STEADY_BITS
            if excess > 0:
                measured = (measured + (1 << excess >> 1)) >> excess << excess
            costs.append(measured + overhead + (penalty(step) if step.hazards else 0))
        return costs

    def run(self, step: Step) -> int:
        """:meth:`runs` of one."""
        return self.runs((step,))[0]


def penalty(step: Step) -> int:
    """Nanoseconds that the hazards of ``step`` are worth."""
    worst = max((hazard.reluctance for hazard in step.hazards), default=Reluctance.FREE)
    if worst is Reluctance.FREE:
        return 0
    return int((RISK_SECONDS if worst is Reluctance.RISK else LAST_RESORT_SECONDS) * NANOSECONDS)


def steady(nanoseconds: int) -> int:
    """``nanoseconds`` rounded to its first four bits: measurements that differ by noise are mostly the same number.

    What still falls on two sides of a step is kept in place by the choice of the bundle before (``planner.py``).
    """
    excess = nanoseconds.bit_length() - STEADY_BITS
    return (nanoseconds + (1 << excess >> 1)) >> excess << excess if excess > 0 else nanoseconds


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
        if len({round_bandwidth(speed) for speed in speeds}) < len(speeds) == 2 and rounds == 3:
            break  # whatever a third one says, the median of three comes to this
    return clamp_bandwidth(round_bandwidth(sorted(speeds)[len(speeds) // 2]))


def round_bandwidth(value: float) -> float:
    """``value`` to the nearest power of two: two measurements of one disk should not make two plans."""
    return 2.0 ** round(math.log2(value))


def clamp_bandwidth(value: float) -> float:
    """``value`` within what storage and networks really do."""
    return min(max(value, BANDWIDTH_FLOOR), BANDWIDTH_CEILING)
