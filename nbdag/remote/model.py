"""The values of execution migration, all frozen: what a target is, what a cell needs, what a transfer and a run took.

Units: seconds, bytes, bytes per second. Names are variables of the session.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Where(str, Enum):
    """On which side a cell runs."""

    HERE = "here"
    THERE = "there"


@dataclass(frozen=True, slots=True)
class Target:
    """A machine that cells can run on, as ``%nbdag remote add`` keeps it. Nothing in it is secret.

    ``url`` has no user, password or token in it. ``token_env`` names the environment variable that holds the token, ""
    where the keyring is asked, or none is needed. ``kernel`` is the kernelspec to start ("": the server's default) and
    ``store`` the fsspec URL of an object store that both sides reach, for servers without a Contents API.
    """

    name: str
    url: str
    token_env: str = ""
    kernel: str = ""
    store: str = ""

    @property
    def kind(self) -> str:
        """The scheme of the URL: "http", "https", "tcp" ..."""
        return self.url.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Link:
    """The way to a target, as measured: a round trip, the speed of each direction, and how much faster it computes.

    ``speedup`` 4 means that what takes four seconds here takes one there.
    """

    latency_seconds: float
    bytes_per_second: float  # to the target
    speedup: float = 1.0
    bytes_per_second_back: float = 0.0  # 0: as in the other direction

    @property
    def back(self) -> float:
        """Bytes per second from the target."""
        return self.bytes_per_second_back or self.bytes_per_second

    def seconds_to_send(self, size: int) -> float:
        """How long ``size`` bytes take to the target."""
        return self.latency_seconds + size / max(self.bytes_per_second, 1.0)

    def seconds_to_fetch(self, size: int) -> float:
        """How long ``size`` bytes take from the target."""
        return self.latency_seconds + size / max(self.back, 1.0)


@dataclass(frozen=True, slots=True)
class CellRequest:
    """A cell that is to run somewhere: its Python as the user wrote it, and its id in the notebook where known."""

    source: str
    cell_id: str = ""
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """The state that a cell needs before it can run elsewhere.

    ``names`` are closed over functions, classes and co-variables. ``missing`` are those of them that the target does
    not hold in their present version, ``bytes`` what sending these takes before compression, ``whole_bytes`` the whole
    session. ``opaque``: the code may read anything (``exec``), so ``names`` are all names. ``unknown`` are names that
    the cell mentions and nobody has: builtins, or what it makes itself.
    """

    names: tuple[str, ...]
    missing: tuple[str, ...]
    bytes: int
    whole_bytes: int
    opaque: bool = False
    unknown: tuple[str, ...] = ()

    @property
    def factor(self) -> float:
        """How many times less than the whole session is sent."""
        return self.whole_bytes / max(self.bytes, 1)


@dataclass(frozen=True, slots=True)
class Transfer:
    """What went over the wire in one direction: ``bytes`` as they travelled, ``raw_bytes`` before compression."""

    bytes: int = 0
    seconds: float = 0.0
    raw_bytes: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteRun:
    """A cell that ran elsewhere, and what became of the session here.

    ``outcome`` is "ok", "error" or "interrupted" as the cell ended there. ``seconds`` is the cell's own time there.
    ``changed`` names are back here, ``deleted`` ones gone, ``staying`` ones are only there (they cannot be stored, or
    were left there by ``--lazy``). ``notes`` are sentences for the user.
    """

    target: str
    outcome: str
    seconds: float
    needs: Needs
    sent: Transfer
    fetched: Transfer
    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    staying: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    outputs: int = 0  # messages shown

    @property
    def total_seconds(self) -> float:
        """Both transfers and the cell."""
        return self.sent.seconds + self.seconds + self.fetched.seconds


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a policy wants a cell to run, and why, in words. Seconds are predictions, transfers included.

    ``block`` is how many cells, this one included, are expected to run there in one visit.
    """

    where: Where
    target: str
    policy: str
    reason: str
    here_seconds: float
    there_seconds: float
    bytes: int = 0
    probability: float = 1.0
    block: int = 1
