"""The trace: what ran, what it was seen to do, and what the session holds now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nbdag.model.findings import Diagnostic


class Outcome(str, Enum):
    """How an execution ended; REFUSED never ran (a syntax error)."""

    OK = "ok"
    ERROR = "error"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FileUse:
    """A file that a statement opened. ``digest`` is the sha256 of its content then, "" if too large or gone."""

    path: str  # as the code spelled it
    absolute: str
    mode: str  # "r" or "w" (any way of writing)
    size: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class StatementRun:
    """One top-level node that ran, as the recorder saw it. Names are names of the session's namespace.

    ``reached``: every name the code could read, through the functions, methods and instances it mentions and the
    co-variables of all these, as they were when it started: a superset of what it read.
    ``changed``: names whose value was seen to have changed in place since the last look.
    ``unseen``: names of ``reached`` whose value was not looked at after this statement but only after a later one of
    the same execution: a change reported there may have happened here.
    ``put_off``: names looked at only after later executions, and the same then. What the text says that it may have
    changed them it may have: a later statement may have changed them back.
    ``drew``: generators ("random", "numpy", "torch") whose state it changed; ``random_state`` holds the states from
    before it, by generator, as the bytes that ``portable.randomness`` understands.
    ``effects``: kinds observed through audit events ("file-read", "file-write", "network", "process").
    The rest needs Python 3.12, empty otherwise. ``lines``: ranges of the cell's lines that ran, and ``missed``: of
    those with code that did not, first and last line included; for statements with code in more than one line.
    ``started``: the functions of the session that ran, as far as the recorder watched them. ``beyond``: what only
    functions mention that did not start. It is not in ``reached``: nothing there was changed, but a library may have
    looked into such a function (numba, a pickle for another process), and another run may call it.
    """

    node: int
    line: int
    end_line: int
    seconds: float
    completed: bool = True
    bound: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    put_off: tuple[str, ...] = ()
    drew: tuple[str, ...] = ()
    random_state: tuple[tuple[str, bytes], ...] = ()
    files: tuple[FileUse, ...] = ()
    effects: tuple[str, ...] = ()
    lines: tuple[tuple[int, int], ...] = ()
    missed: tuple[tuple[int, int], ...] = ()
    started: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a cell's text, in the order things really ran; ``ordinal`` counts from 0.

    ``count`` is IPython's number in ``In [n]`` (None for silent and nested runs). ``parent`` is the ordinal of the
    execution inside which this one ran. ``known`` is False for what happened before the recorder came: source only.
    ``covariables`` are the groups of two and more linked names after it.
    """

    ordinal: int
    source: str
    outcome: Outcome
    cell_id: str = ""
    count: int | None = None
    started: float = 0.0
    seconds: float = 0.0
    error: str = ""
    silent: bool = False
    parent: int | None = None
    known: bool = True
    cwd: str = ""
    statements: tuple[StatementRun, ...] = ()
    covariables: tuple[tuple[str, ...], ...] = ()


class ValueKind(str, Enum):
    """What a variable holds, as far as moving it is concerned."""

    DATA = "data"
    MODULE = "module"
    FUNCTION = "function"  # a Python function of the session
    CLASS = "class"  # a class of the session


@dataclass(frozen=True, slots=True)
class Variable:
    """An active name of the session as the survey found it.

    ``group`` numbers its co-variable: names with the same number are stored and replayed together. ``size`` is the
    group's stored bytes (shared by its names), ``store_seconds`` what encoding took, ``storable`` whether the
    encoder accepts it and ``obstacle`` why not, with the path to the offending object. ``altered`` says that the
    value differs from its last recorded version: it changed behind the recorder's back. ``credential`` says why it
    looks like one, "" if it does not.
    """

    name: str
    type: str
    kind: ValueKind
    group: int
    size: int = 0
    store_seconds: float = 0.0
    storable: bool = True
    obstacle: str = ""
    altered: bool = False
    credential: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """What ran and what it did, plus the survey of what is there now."""

    python: str  # "3.11.7"
    implementation: str  # "cpython"
    executable: str
    cwd: str  # working directory when the recorder started
    executions: tuple[Execution, ...] = ()
    variables: tuple[Variable, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
