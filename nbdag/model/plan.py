"""The plan: which variables are loaded, which statements are replayed, what that costs and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nbdag.model.findings import Diagnostic
from nbdag.model.graph import Reluctance
from nbdag.model.trace import FileUse


@dataclass(frozen=True, slots=True)
class Load:
    """Put the stored values of one co-variable into the namespace. ``group`` numbers it within the bundle."""

    group: int
    names: tuple[str, ...]
    size: int
    after: int  # position of the step that made this version


@dataclass(frozen=True, slots=True)
class Replay:
    """Run the code of one step. ``names`` are the session names it is run for."""

    position: int
    cell: str  # "cell 3", or "In [7]" where the notebook's cell is unknown
    line: int
    code: str
    names: tuple[str, ...]
    seconds: float
    why: str = ""
    random_state: tuple[tuple[str, bytes], ...] = ()
    files: tuple[FileUse, ...] = ()
    cwd: str = ""
    may_fail: bool = False  # it raised in the session too: the same exception is expected


class Action(str, Enum):
    """What the plan does with an active variable."""

    STORE = "store"
    REPLAY = "replay"
    LOSE = "lose"


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one co-variable and why, in words; both costs in seconds, infinite where impossible."""

    names: tuple[str, ...]
    action: Action
    reason: str
    store_cost: float
    replay_cost: float
    size: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The order of loads and replays, and what they cost by the cost model (seconds)."""

    steps: tuple[Load | Replay, ...]
    decisions: tuple[Decision, ...]
    cost: float
    store_all_cost: float
    replay_all_cost: float
    dropped: tuple[str, ...] = ()  # names that a replayed step binds but that the session no longer has
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class Alternative:
    """A way of moving the session, for comparison: "plan" (the chosen one), "store-all", "replay-all", "per-cell".

    ``cost`` is that of the cost model, infinite where it is no way at all. ``exceptions`` are the names that it had to
    treat the other way (a lock cannot be stored) and ``lost`` those that it does not move.
    """

    name: str
    cost: float
    stored_bytes: int
    replay_seconds: float
    replayed_statements: int
    exceptions: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a way is closed (``grade`` NEVER) or only taken unwillingly; ``at`` is the place of the statement at fault
    ("cell 3, line 2"), "" where it is none's.
    """

    reason: str
    at: str = ""
    grade: Reluctance = Reluctance.NEVER


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a variable is stored, replayed or lost: the answer to ``--explain NAME``.

    The costs of ``decision`` are those of its co-variable alone. ``statements`` are what replaying it runs beyond the
    ``definitions`` that are replayed in any case, in ``replay_seconds`` (what is added to the cost for doubts is not in
    it); those at the positions ``shared`` the plan replays for others, too. What is ``given`` comes out of such
    definitions alone, and ``statements`` are these. ``against_storing`` and ``against_replaying`` are the obstacles,
    the gravest first. ``wish`` is what the user or a tag asked for and got, ``unmet`` what was not possible.
    ``other_way`` is what the cheapest plan would cost if it went the other way, infinite where it cannot; ``plan_cost``
    is what the plan costs. ``turning_point`` is the speed to the destination, in bytes per second, at which the
    cheapest plan sends it the other way; 0 where no speed between a modem and a memory bus does.
    """

    name: str
    decision: Decision
    type: str = ""
    linked: tuple[str, ...] = ()
    link: str = ""  # what they share, in words
    statements: tuple[Replay, ...] = ()
    replay_seconds: float = 0.0
    given: bool = False
    definitions: int = 0
    shared: tuple[int, ...] = ()
    against_storing: tuple[Obstacle, ...] = ()
    against_replaying: tuple[Obstacle, ...] = ()
    wish: str = ""
    unmet: str = ""
    plan_cost: float = 0.0
    other_way: float = float("inf")
    turning_point: float = 0.0
