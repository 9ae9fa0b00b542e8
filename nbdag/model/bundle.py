"""The bundle as it was written, and what a fresh process got out of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bundle:
    """A written bundle: where it is and what is in it (bytes)."""

    directory: str
    data_size: int
    blobs_size: int
    blobs: int
    reused_blobs: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One variable, live session against restored process: "identical", "detached" (an identical value that no longer
    shares state with the same variables), "different", "missing" or "incomparable".
    """

    name: str
    result: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a fresh process got out of the bundle; ``rounds`` counts compilations until it was clean."""

    comparisons: tuple[Comparison, ...] = ()
    restore_seconds: float = 0.0
    exit_status: int = 0
    rounds: int = 1
    verified: bool = True
    notes: tuple[str, ...] = field(default=())
