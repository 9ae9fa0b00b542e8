"""The session graph: steps and the versions they leave, after static facts and the trace have been reconciled."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nbdag.model.findings import Diagnostic
from nbdag.model.trace import FileUse, ValueKind


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A name's value as left by one step; ``made_by`` is the step's position, -1 where nothing recorded made it."""

    name: str
    made_by: int


class Reluctance(int, Enum):
    """How unwilling the plan is to replay a step. Higher is only taken when nothing lower moves the variable."""

    FREE = 0
    RISK = 1  # depends on a file that must be on the target, unchanged
    LAST_RESORT = 2  # clock, network, input, failed execution, unseen mutation: may come out different
    NEVER = 3  # cannot run on the target at all, or its text is unknown


@dataclass(frozen=True, slots=True)
class Hazard:
    """A reason not to replay a step."""

    reluctance: Reluctance
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """The unit of replay in the session graph: one statement of one execution (or several that cannot be told apart).

    ``position`` orders all steps of the session. ``definition`` steps (imports, functions, classes) whose product
    is still active are always replayed. ``code`` is plain Python, None when unknown.
    """

    position: int
    execution: int
    code: str | None
    line: int  # where ``code`` begins in the cell's text
    seconds: float
    inputs: tuple[Version, ...]
    outputs: tuple[Version, ...]
    binds: tuple[str, ...] = ()  # the names of ``outputs`` that it bound; the others it changed in place
    reads: tuple[str, ...] = ()  # the names of ``inputs`` that its text or its calls read, seen or said
    definition: bool = False
    display: bool = False  # shows something and changes nothing
    hazards: tuple[Hazard, ...] = ()
    random_state: tuple[tuple[str, bytes], ...] = ()
    drew: tuple[str, ...] = ()
    files: tuple[FileUse, ...] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Covariable:
    """Active names that share state: stored together or replayed together."""

    names: tuple[str, ...]
    versions: tuple[Version, ...]
    size: int
    store_seconds: float
    storable: bool
    obstacle: str
    kind: ValueKind
    altered: bool = False


class Evidence(str, Enum):
    """Who says that one cell depends on another."""

    STATIC = "static"
    OBSERVED = "observed"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Edge:
    """Cell ``target`` uses names that cell ``source`` made; both are cell indices."""

    source: int
    target: int
    names: tuple[str, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class SessionGraph:
    """Steps and versions after static facts and the trace have been reconciled. Acyclic: inputs are made earlier."""

    steps: tuple[Step, ...]
    covariables: tuple[Covariable, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
