"""Static facts: what the text of a cell says that its statements read, bind, change and do besides."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from nbdag.model.findings import Diagnostic, Place


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
