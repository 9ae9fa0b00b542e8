"""One running execution and its open statement: what the recorder keeps while user code runs. No user object in it."""

from __future__ import annotations

import linecache
import time
from typing import Any, Container, Dict, List, Optional, Set, Tuple

from nbdag.portable.celltext import Definitions, NodeText, cell_nodes
from nbdag.portable.codescan import CodeNames
from nbdag.portable.monitoring import Watched
from nbdag.portable.reach import Reached
from nbdag.portable.snapshot import Snapshot

Record = Dict[str, Any]  # a StatementRun or an Execution, by the field names of nbdag.model.trace


class Clocks:
    """Time that passes in the user's code, the recorder's own work in between not counted."""

    def __init__(self) -> None:
        self.began: Optional[float] = None
        self.hooks_before = 0.0

    def start(self, hook_seconds: float) -> None:
        """Start once; ``hook_seconds`` is what the recorder has taken so far."""
        if self.began is None:
            self.hooks_before = hook_seconds
            self.began = time.perf_counter()

    def seconds(self, hook_seconds: float) -> float:
        """Seconds since the start."""
        if self.began is None:
            return 0.0
        return max(0.0, time.perf_counter() - self.began - (hook_seconds - self.hooks_before))


class OpenStatement:
    """A statement that has begun: what was there before it."""

    def __init__(self, node: int, text: NodeText, code: CodeNames, reach: Reached, before: Snapshot) -> None:
        self.node = node
        self.text = text
        self.code = code
        self.stores = code.stores
        self.late_stores = reach.stores
        self.reach = reach
        self.reached: Set[str] = reach.names
        self.reachable = self.reached  # `reached` before it was cut down to what the functions touched that ran
        self.watched: Optional[Watched] = None
        self.mentioned = reach.mentioned
        self.through: Set[str] = set()  # of the names, those through which code may get at more than is linked to them
        self.before = before
        self.plain_before: Dict[str, Any] = {}  # what tells the plain values of names that functions may rebind
        self.could_draw = code.calls
        self.random: Dict[str, Any] = {}
        self.mark: Tuple[int, int] = (0, 0)
        self.changed_inside: Set[str] = set()  # reported by executions nested in this statement
        self.drew_inside: Dict[str, Any] = {}
        self.clocks = Clocks()


class Frame:
    """An execution that has begun. Executions nest: ``%%capture`` runs its body inside a statement of another."""

    def __init__(self, ordinal: int, parent: Optional[int], thread: int, started: float, cwd: str) -> None:
        self.ordinal = ordinal
        self.parent = parent
        self.thread = thread
        self.started = started
        self.cwd = cwd
        self.clocks = Clocks()
        self.info: Any = None  # IPython's ExecutionInfo: text and flags, no user object
        self.source = ""
        self.transformed = ""
        self._nodes: Optional[Tuple[NodeText, ...]] = ()
        self.execution_count: Optional[int] = None
        self.open: Optional[OpenStatement] = None
        self.statements: List[Record] = []
        self.ways_in: List[Set[str]] = []  # ``through`` of each
        self.count = 0  # statements begun
        self.names_at_start: Container[str] = ()
        self.first_bound: Dict[str, int] = {}  # index in `statements` of the first binding of a new name
        self.bound: Set[str] = set()
        self.never_looked_at: Dict[str, Set[str]] = {}  # new values too dear for it -> what was at hand with them
        self.pending: Set[str] = set()  # reached, and not looked at since
        self.later: List[Any] = []  # Later, of statements after which small values were not looked at
        self.unsettled: Set[str] = set()  # names of those that changed, or that nobody can look at any more
        self.looked_at: Dict[str, int] = {}  # name -> index of the statement after which it was looked at last

    def describe(self, info: Any) -> None:
        """IPython says what is about to run."""
        self.info = info
        self.source = text_of(getattr(info, "raw_cell", ""))
        self.transformed = text_of(getattr(info, "transformed_cell", "")) or self.source
        self._nodes = None

    def describe_by_code(self, code: Any) -> None:
        """A silent request says nothing: the text that IPython keeps for tracebacks stands in."""
        entry = linecache.cache.get(code.co_filename)
        if entry is not None and len(entry) == 4:
            self.source = "".join(entry[2])
            self.source = self.source[:-1] if self.source.endswith("\n") else self.source
            self.transformed = self.source
            self._nodes = None

    def node_text(self, node: int) -> NodeText:
        """Place and definitions of the statement that runs as number ``node``."""
        if self._nodes is None:
            self._nodes = cell_nodes(self.source, self.transformed)
        if node < len(self._nodes):
            return self._nodes[node]
        return NodeText(1, max(1, self.source.count("\n") + 1), no_definitions())

    def existed(self, name: str, index: int) -> bool:
        """Whether a name was there when the statement ``index`` of this execution began."""
        return name in self.names_at_start or self.first_bound.get(name, len(self.statements)) < index


def no_definitions() -> Definitions:
    """An empty table of definitions."""
    return {}


def text_of(value: Any) -> str:
    """``value`` if it is a string."""
    return value if type(value) is str else ""


def execution_record(frame: Frame, outcome: str, error: str, seconds: float) -> Record:
    """The fields of ``model.trace.Execution`` for an execution that has ended (or is looked at while it runs)."""
    info = frame.info
    return {
        "ordinal": frame.ordinal,
        "source": frame.source,
        "outcome": outcome,
        "cell_id": text_of(getattr(info, "cell_id", "")),
        "count": frame.execution_count,
        "started": frame.started,
        "seconds": seconds,
        "error": error,
        "silent": info is None,
        "parent": frame.parent,
        "known": True,
        "cwd": frame.cwd,
        "statements": frame.statements,
        "covariables": [],
    }


def history_record(ordinal: int, source: str, count: Optional[int], cwd: str) -> Record:
    """An execution from before the recorder came: its text is all that is known."""
    return {
        "ordinal": ordinal, "source": source, "outcome": "ok", "cell_id": "", "count": count, "started": 0.0,
        "seconds": 0.0, "error": "", "silent": False, "parent": None, "known": False, "cwd": cwd, "statements": [],
        "covariables": [],
    }  # fmt: skip
