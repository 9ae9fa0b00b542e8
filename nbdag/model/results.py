"""What the commands return: the values that reports are made of."""

from __future__ import annotations

from dataclasses import dataclass

from nbdag.model.bundle import Bundle, Verdict
from nbdag.model.facts import Statement
from nbdag.model.findings import Diagnostic
from nbdag.model.graph import Edge
from nbdag.model.plan import Alternative, Explanation, Plan
from nbdag.model.trace import Outcome, ValueKind


@dataclass(frozen=True, slots=True)
class CellSummary:
    """One row of ``nbdag analyze``; times and outcome are None for a cell that was not run."""

    index: int
    position: int
    id: str
    defs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    deferred_uses: tuple[str, ...] = ()
    mutates: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    opaque: bool = False
    first_line: str = ""
    count: int | None = None
    runs: int = 0
    seconds: float | None = None
    outcome: Outcome | None = None
    error: str = ""
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class VariableSummary:
    """One row of the table of variables; ``made_by`` is a cell index, None where unknown."""

    name: str
    type: str
    kind: ValueKind
    size: int
    storable: bool
    obstacle: str
    made_by: int | None
    linked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Analysis:
    """What ``nbdag analyze`` found; ``session`` is the id of the kept kernel, "" for a static analysis."""

    notebook: str
    cells: tuple[CellSummary, ...]
    edges: tuple[Edge, ...]
    variables: tuple[VariableSummary, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    session: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    """A notebook of several that could not be analyzed, in the words and with the exit status it would have alone.

    ``traceback`` is filled for a fault of nbdag itself.
    """

    notebook: str
    code: str
    message: str
    hint: str = ""
    exit_status: int = 1
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What ``nbdag compile`` did. ``bandwidth`` is in bytes per second, as measured or given."""

    session: str
    plan: Plan
    bundle: Bundle
    verdict: Verdict
    variables: tuple[VariableSummary, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    bandwidth: float = 0.0
    objective: str = "migrate"
    seconds: float = 0.0
    bandwidth_source: str = ""  # "given", or where it was measured
    alternatives: tuple[Alternative, ...] = ()
    max_bytes: int | None = None
    withheld: tuple[str, ...] = ()  # left out because they look like credentials


@dataclass(frozen=True, slots=True)
class Planned:
    """What ``nbdag plan`` found: the plan that ``nbdag compile`` would begin with. Nothing was written."""

    session: str
    notebook: str
    plan: Plan
    variables: tuple[VariableSummary, ...]
    alternatives: tuple[Alternative, ...] = ()
    explanations: tuple[Explanation, ...] = ()  # of every name, where that is quick, and of those that were asked for
    asked: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    bandwidth: float = 0.0
    bandwidth_source: str = ""
    objective: str = "migrate"
    max_bytes: int | None = None
    withheld: tuple[str, ...] = ()
    seconds: float = 0.0
