"""Recorded sessions as histories: a notebook that is run for it, or a trace that somebody kept.

``record`` runs the cells of a notebook in a kernel of its own, in any order, and surveys the session after each: every
version of every piece is measured. ``history_of`` also takes a single trace with the one survey at its end; versions
that were gone by then have the size of the last one of their name, and say that this is a guess.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nbdag.analysis.kernels import open_session, stop_session
from nbdag.analysis.live import attach
from nbdag.analysis.reconcile import OPTIONS, reconcile
from nbdag.analysis.resolve import analyze_session
from nbdag.analysis.runner import run_notebook
from nbdag.analysis.trace import read_trace
from nbdag.model.facts import CellFacts, EffectKind
from nbdag.model.graph import SessionGraph, Version
from nbdag.model.notebook import Notebook
from nbdag.model.trace import Execution, Outcome, Trace, ValueKind, Variable
from nbdag.portable.credentials import credential_in_text, known_form
from nbdag.progress import Progress, Silent
from nbdag.remote.history import LABEL_LENGTH, History, Piece, Run
from nbdag.remote.knowledge import assigned_numbers, read_cell

LARGEST_SOURCE = 4096
"""Bytes of a function or class: it goes as text."""

STAYING_EFFECTS = {"network": "it asks the network", "process": "it starts a process", "file-write": "it writes a file"}


def record(
    notebook: Notebook, name: str, *, state_directory: Path, kernel_name: str = "", progress: Progress = Silent()
) -> History:
    """Run the cells in the order given, and measure the session after each. Raises what ``run_notebook`` raises."""
    surveys: list[tuple[Variable, ...]] = []
    session = open_session(notebook, state_directory, kernel_name, 0.0)
    try:
        with attach(session, progress) as agent, tempfile.TemporaryDirectory(prefix="nbdag-") as folder:
            agent.command("start", {"late": False, "share": None})
            path = Path(folder, "trace.json")

            def survey(index: int, total: int, seconds: float) -> None:
                agent.command("trace", {"path": str(path)})
                surveys.append(read_trace(path).variables)

            run_notebook(session, notebook, on_cell=survey)
            trace = read_trace(path)
    finally:
        stop_session(session)
    return history_of(trace, name, surveys, notebook=notebook.path)


def history_of(trace: Trace, name: str, surveys: Sequence[Sequence[Variable]] = (), *, notebook: str = "") -> History:
    """The history of a trace; ``surveys`` are the variables after each of its executions, where they were looked at."""
    names = frozenset(variable.name for survey in (*surveys, trace.variables) for variable in survey)
    facts = analyze_session([execution.source for execution in trace.executions], names)
    graph = reconcile(facts, trace)
    top = [execution for execution in trace.executions if execution.parent is None]
    if surveys and len(surveys) != len(top):
        surveys = ()  # a survey per cell, and cells that ran nothing: they cannot be told apart any more
    builder = _Builder(trace, graph, surveys)
    numbers: dict[str, object] = {}
    runs = []
    ended = 0.0
    by_ordinal = dict(zip((execution.ordinal for execution in trace.executions), facts, strict=True))
    for index, execution in enumerate(top):
        reading = read_cell(execution.source, numbers)
        needs, makes, everything = builder.add(index, execution)
        if execution.outcome is Outcome.REFUSED or not execution.statements:
            continue
        runs.append(
            Run(
                cell=reading.cell,
                shape=reading.shape,
                label=label_of(execution.source),
                seconds=execution.seconds,
                pause=max(0.0, execution.started - ended) if ended else 0.0,
                needs=needs,
                makes=makes,
                parameters=reading.parameters,
                stays=_why_it_stays(execution, by_ordinal[execution.ordinal], builder.defines_only(execution)),
                session_bytes=everything,
            )
        )
        ended = execution.started + execution.seconds
        for bound, number in assigned_numbers(execution.source).items():
            numbers[bound] = number
    origin = "recorded" if surveys else "trace"
    return History(name, tuple(runs), tuple(builder.pieces), builder.last(), origin, notebook)


def label_of(source: str) -> str:
    """The first line of a cell that says something, for people; none that looks like a credential."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    first = next((line for line in lines if not line.startswith(("#", "%"))), lines[0] if lines else "")
    word = first.partition("=")[0].strip()
    if known_form(source) or credential_in_text(word, first.partition("=")[2].strip(" '\"")):
        return "(a cell with a credential)"
    return first if len(first) <= LABEL_LENGTH else first[: LABEL_LENGTH - 1] + "…"


class _Builder:
    """Goes through the executions and gives every version of every co-variable a number."""

    def __init__(self, trace: Trace, graph: SessionGraph, surveys: Sequence[Sequence[Variable]]) -> None:
        self.pieces: list[Piece] = []
        self._trace = trace
        self._graph = graph
        self._surveys = surveys
        self._final = {variable.name: variable for variable in trace.variables}
        self._current: dict[str, Version] = {}
        self._piece_of: dict[str, int] = {}  # name -> the piece that holds it now
        self._known: dict[tuple[tuple[str, Version], ...], int] = {}
        self._modules = {variable.name for variable in trace.variables if variable.kind is ValueKind.MODULE}

    def add(self, index: int, execution: Execution) -> tuple[tuple[int, ...], tuple[int, ...], int]:
        """The pieces that an execution needs and makes, and the bytes of the session before it."""
        steps = [step for step in self._graph.steps if step.execution == execution.ordinal]
        own = {output for step in steps for output in step.outputs}
        read = {version.name for step in steps for version in step.inputs if version not in own}
        needs = sorted({self._piece_of[name] for name in read if name in self._piece_of})
        everything = sum(self.pieces[piece].bytes for piece in set(self._piece_of.values()))
        for step in steps:
            self._current.update({output.name: output for output in step.outputs})
        makes = self._take_stock(self._variables_after(index, execution))
        return tuple(needs), makes, everything

    def defines_only(self, execution: Execution) -> bool:
        """Whether an execution did nothing but import and define."""
        steps = [step for step in self._graph.steps if step.execution == execution.ordinal]
        return bool(steps) and all(step.definition for step in steps)

    def last(self) -> tuple[int, ...]:
        """The pieces that the session has now."""
        return tuple(sorted(set(self._piece_of.values())))

    def _variables_after(self, index: int, execution: Execution) -> Mapping[str, Variable | None]:
        """The names there after an execution; None for those of which nobody measured anything."""
        if self._surveys:
            return {variable.name: variable for variable in self._surveys[index]}
        gone = {name for statement in execution.statements for name in statement.deleted}
        there = [name for name in self._current if name != OPTIONS and name not in gone]
        return {name: self._final.get(name) for name in there}

    def _take_stock(self, there: Mapping[str, Variable | None]) -> tuple[int, ...]:
        groups: dict[object, list[str]] = {}
        for name, variable in there.items():
            if name not in self._modules and (variable is None or variable.kind is not ValueKind.MODULE):
                groups.setdefault(name if variable is None else variable.group, []).append(name)
        held: dict[str, int] = {}
        made = []
        for names in groups.values():
            key = tuple((name, self._current.get(name, Version(name, -1))) for name in sorted(names))
            number = self._known.get(key)
            if number is None:
                number = self._known[key] = len(self.pieces)
                self.pieces.append(self._piece(tuple(sorted(names)), there[names[0]]))
                made.append(number)
            held.update(dict.fromkeys(names, number))
        self._piece_of = held
        return tuple(made)

    def _piece(self, names: tuple[str, ...], variable: Variable | None) -> Piece:
        guessed = not self._surveys
        if variable is None:
            return Piece(names, 0, guessed=True)
        if variable.kind in (ValueKind.FUNCTION, ValueKind.CLASS):
            return Piece(names, min(variable.size, LARGEST_SOURCE), source=True, guessed=guessed)
        return Piece(names, variable.size, variable.storable, guessed=guessed)


def _why_it_stays(execution: Execution, facts: CellFacts, defines_only: bool) -> str:
    """Why a cell has to run where the session is: what it does beyond its variables belongs to this machine."""
    if defines_only:
        return "it defines and imports: both sides do"
    if any(effect.kind is EffectKind.INPUT for statement in facts.statements for effect in statement.effects):
        return "it asks the user"
    files = [(use.absolute, use.mode) for statement in execution.statements for use in statement.files]
    return tied_to_machine(files, [effect for statement in execution.statements for effect in statement.effects])


def tied_to_machine(files: Iterable[tuple[str, str]], effects: Iterable[str]) -> str:
    """Why what opened these files (path and mode) and had these effects belongs to this machine, "" if it does not."""
    for path, mode in files:
        if not _comes_with_python(path):
            return f"it {'reads' if mode == 'r' else 'writes'} {os.path.basename(path)}, a file of this machine"
    return next((STAYING_EFFECTS[effect] for effect in effects if effect in STAYING_EFFECTS), "")


def _comes_with_python(path: str) -> bool:
    """Whether the file is a library's own: the other side has it, too."""
    return "site-packages" in path or f"{os.sep}lib{os.sep}python" in path
