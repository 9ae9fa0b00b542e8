"""The values that cross stages, all frozen: the glossary of nbdag (DESIGN section 2).

Read top to bottom it is the way of the data::

    Notebook -> CellFacts -+
                           +-> SessionGraph -> Plan -> (bundle on disk) -> Verdict
    live kernel -> Trace --+

Units: seconds, bytes, unix time. Lines count from 1 and columns from 0, in characters of the text the user wrote.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

# ------------------------------------------------------------------------------------------------ findings


class Severity(str, Enum):
    """How much a finding matters: ``ERROR`` means that something of the notebook was left out."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Place:
    """A span of the user's own text in one cell; ``end_column`` is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


EXCERPT_BEFORE = 80  # characters in front of a place that an excerpt shows of a very long line


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A finding about the notebook or the session; the run goes on. ``code`` is stable (``docs/errors.md``).

    ``excerpt`` is the line of the user's text that ``place`` begins in, shown with a caret. Of a place far to the right
    it holds what is around it, behind an ellipsis: the place is then at character ``EXCERPT_BEFORE`` + 1.
    """

    code: str
    severity: Severity
    message: str
    cell: int | None = None
    place: Place | None = None
    hint: str = ""
    excerpt: str = ""


# ------------------------------------------------------------------------------------------------ notebook


@dataclass(frozen=True, slots=True)
class Cell:
    """One code cell: ``index`` counts code cells from 0, ``position`` counts all cells of the file from 0."""

    index: int
    position: int
    id: str
    source: str
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Notebook:
    """The code cells of a file in the order they stand there; ``kernel_name`` is "" where the file names none."""

    path: str
    cells: tuple[Cell, ...]
    kernel_name: str = ""
    language: str = "python"
    diagnostics: tuple[Diagnostic, ...] = ()


# ------------------------------------------------------------------------------------------------ static facts


class AccessKind(str, Enum):
    """What a statement does to a name. MUTATE changes the object in place and does not imply READ."""

    READ = "read"
    BIND = "bind"
    MUTATE = "mutate"
    DELETE = "delete"


class Certainty(str, Enum):
    """MUST happens whenever the statement completes; MAY cannot be excluded."""

    MUST = "must"
    MAY = "may"


@dataclass(frozen=True, slots=True)
class Access:
    """One access of a session name. ``deferred`` accesses happen when a function made here is called, not now."""

    name: str
    kind: AccessKind
    certainty: Certainty
    place: Place
    deferred: bool = False


class EffectKind(str, Enum):
    """What a statement does beyond its variables."""

    RANDOM = "random"  # draws from or seeds a process-wide random generator
    CLOCK = "clock"  # depends on the time, the process id, fresh uuids, os.urandom: new at every run
    FILE_READ = "file-read"
    FILE_WRITE = "file-write"
    NETWORK = "network"
    PROCESS = "process"  # subprocesses, shell lines
    DISPLAY = "display"  # prints, plots, rich display: nothing that a later statement could read
    INPUT = "input"  # asks the user
    ENVIRONMENT = "environment"  # working directory, os.environ, sys.path
    CONFIG = "config"  # process-wide options of a library: pd.set_option, plt.style.use, warnings.filterwarnings
    HISTORY = "history"  # reads _, __, _12, Out[3], In[2]


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect; ``detail`` names what was recognised, such as ``"pd.read_csv"``."""

    kind: EffectKind
    certainty: Certainty
    place: Place
    detail: str = ""
    deferred: bool = False


class StatementKind(str, Enum):
    """The shape of a top-level statement. IMPORT, FUNCTION and CLASS are definitions: replayed from source."""

    IMPORT = "import"
    FUNCTION = "function"  # def, async def, and NAME = lambda ...
    CLASS = "class"
    ASSIGNMENT = "assignment"
    EXPRESSION = "expression"
    CONTROL = "control"  # if, for, while, with, try, match
    MAGIC = "magic"  # no Python of the user's in it: %matplotlib inline, !pip install x, %%bash
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Statement:
    """A top-level statement of a cell after IPython syntax became Python: the unit of replay.

    ``node`` is the index of the top-level node that IPython runs for it: the statements in the body of a ``%%time``
    cell are several statements of one node. ``python`` is the text to run on a plain Python without IPython
    (``%time x = f()`` is ``x = f()``), "" where there is nothing to run, and None where no plain Python does the same.
    ``opaque`` statements (exec, unknown magics, star imports) may read and write anything.
    """

    index: int
    node: int
    kind: StatementKind
    place: Place
    python: str | None
    accesses: tuple[Access, ...] = ()
    effects: tuple[Effect, ...] = ()
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class CellFacts:
    """What one cell's text says: its statements in order. A cell that does not parse has none, and a diagnostic."""

    statements: tuple[Statement, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    language: str = "python"  # "bash", "html" ... for a cell whose %%magic hands its body to another language
    code: object = field(default=None, compare=False, repr=False)  # for analysis.resolve: the cell, lowered


# ------------------------------------------------------------------------------------------------ trace


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


# ------------------------------------------------------------------------------------------------ session graph


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


# ------------------------------------------------------------------------------------------------ plan


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


# ------------------------------------------------------------------------------------------------ bundle, verdict


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


# ------------------------------------------------------------------------------------------------ what commands return


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
