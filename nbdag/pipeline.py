"""The stages in order: the only place where understanding (analysis) and deciding (replay) meet."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nbdag.analysis.agent_client import Agent, KernelAgent
from nbdag.analysis.cells import analyze_cell
from nbdag.analysis.dataflow import static_edges, summarize_cell
from nbdag.analysis.kernels import (
    DEFAULT_IDLE_SECONDS,
    Session,
    find_session,
    is_alive,
    keep_session,
    notebook_digest,
    open_session,
    stop_session,
    why_gone,
)
from nbdag.analysis.notebook import read_notebook
from nbdag.analysis.reconcile import reconcile
from nbdag.analysis.resolve import analyze_session, resolve
from nbdag.analysis.runner import run_notebook
from nbdag.analysis.summary import (
    add_runs,
    cell_of_execution,
    cells_of_executions,
    join_edges,
    observed_edges,
    summarize_variables,
)
from nbdag.analysis.trace import read_trace
from nbdag.errors import CellFailed, EnvironmentRefused, UsageError
from nbdag.model import (
    Analysis,
    Cell,
    CellFacts,
    Compiled,
    Diagnostic,
    Notebook,
    SessionGraph,
    Trace,
)
from nbdag.replay.compile import Labels, compile_session
from nbdag.replay.cost import CostModel, measure_bandwidth
from nbdag.replay.planner import Preferences


class Progress(Protocol):
    """Where a stage reports how far it is; the command line draws a bar, a test collects."""

    def begin(self, stage: str, total: float | None) -> None: ...

    def advance(self, amount: float = 1, note: str = "") -> None: ...

    def say(self, message: str) -> None: ...

    def end(self) -> None: ...


class Silent:
    """A Progress that nobody sees."""

    def begin(self, stage: str, total: float | None) -> None:
        """Nothing."""

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Nothing."""

    def say(self, message: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Understood:
    """A session after the analysis half: its trace reconciled with its texts."""

    cells: tuple[Cell, ...]
    cell_facts: tuple[CellFacts, ...]  # of the cells, in their order
    trace: Trace
    graph: SessionGraph
    labels: Labels
    source: str


def analyze(
    path: Path,
    *,
    static: bool = False,
    kernel_name: str = "",
    allow_errors: bool = False,
    state_directory: Path = Path(".nbdag"),
    cell_timeout: float | None = None,
    idle_seconds: float = DEFAULT_IDLE_SECONDS,
    progress: Progress = Silent(),
) -> Analysis:
    """What the cells of the notebook at ``path`` define and use; unless ``static``, by running it in a kept kernel.

    Raises NotebookError, EnvironmentRefused, CellFailed (the kernel stays), KernelDied.
    """
    begun = time.perf_counter()
    notebook = read_notebook(path)
    if static:
        facts = resolve([analyze_cell(cell.source) for cell in notebook.cells])
        return Analysis(
            notebook=notebook.path,
            cells=tuple(summarize_cell(cell, fact) for cell, fact in zip(notebook.cells, facts, strict=True)),
            edges=static_edges(facts),
            diagnostics=_diagnostics(notebook, facts),
            seconds=time.perf_counter() - begun,
        )
    session = run_in_session(
        notebook,
        kernel_name=kernel_name,
        allow_errors=allow_errors,
        state_directory=state_directory,
        cell_timeout=cell_timeout,
        idle_seconds=idle_seconds,
        progress=progress,
    )
    with _attach(session, progress) as agent:
        understood = understand(agent, session.trace_path, notebook)
    keep_session(session)
    return _summary(understood, session.id, time.perf_counter() - begun, notebook)


def run_in_session(
    notebook: Notebook,
    *,
    kernel_name: str,
    allow_errors: bool,
    state_directory: Path,
    cell_timeout: float | None,
    idle_seconds: float,
    progress: Progress,
) -> Session:
    """Run ``notebook`` from top to bottom in a kernel of its own, recorded. The session is not kept yet."""
    session = open_session(notebook, state_directory, kernel_name, idle_seconds)
    try:
        with _attach(session, progress) as agent:
            agent.command("start", {"late": False})
        progress.begin("running", len(notebook.cells))
        try:
            run_notebook(
                session,
                notebook,
                allow_errors=allow_errors,
                cell_timeout=cell_timeout,
                on_cell=lambda index, total, seconds: progress.advance(1, f"cell {index + 1}"),
            )
        finally:
            progress.end()
    except CellFailed:
        keep_session(session)  # the user may look into it, mend it, or compile what is there
        raise
    except BaseException:
        stop_session(session)
        raise
    return session


def _attach(session: Session, progress: Progress) -> KernelAgent:
    return KernelAgent(session.connection_file, wait=progress.say, alive=lambda: is_alive(session))


def understand(agent: Agent, trace_path: Path, notebook: Notebook | None) -> Understood:
    """Survey the session behind ``agent`` and reconcile it with the texts it ran."""
    agent.command("trace", {"path": str(trace_path)})
    trace = read_trace(trace_path)
    names = frozenset(variable.name for variable in trace.variables)
    facts = analyze_session([execution.source for execution in trace.executions], names)
    graph = reconcile(facts, trace)
    cells = notebook.cells if notebook else cells_of_executions(trace.executions)
    cell_facts = resolve([analyze_cell(cell.source, names) for cell in cells])
    labels = Labels(cell_of_execution(cells, trace.executions), trace.executions)
    return Understood(cells, cell_facts, trace, graph, labels, notebook.path if notebook else "")


def compile_bundle(
    out: Path,
    *,
    notebook: Path | None = None,
    connection_file: Path | None = None,
    agent: Agent | None = None,
    state_directory: Path = Path(".nbdag"),
    objective: str = "migrate",
    bandwidth: float | None = None,
    verify: bool = True,
    allow_errors: bool = False,
    store: Sequence[str] = (),
    replay: Sequence[str] = (),
    exclude: Sequence[str] = (),
    only: Sequence[str] = (),
    progress: Progress = Silent(),
) -> Compiled:
    """Compile a live session into the bundle ``out``: the one of ``agent``, of ``connection_file``, of ``notebook``, or
    the one last analyzed in this directory. A notebook whose kernel is gone is run again.

    Raises UsageError, PlanError, OutputError, EnvironmentRefused, KernelDied, KernelProtocolError.
    """
    preferences = Preferences(frozenset(store), frozenset(replay), frozenset(exclude), frozenset(only))
    if agent is not None:
        return _compile(agent, out, None, "", objective, bandwidth, verify, preferences, progress)
    if connection_file is not None:
        with KernelAgent(connection_file, wait=progress.say) as kernel:
            if not kernel.command("status", {}).get("recording"):
                kernel.command("start", {"late": True})
                progress.say(
                    "this kernel was not recorded: what ran in it before can be stored, but not replayed safely"
                )
            return _compile(kernel, out, None, "", objective, bandwidth, verify, preferences, progress)
    session, text = _find_or_run(notebook, state_directory, allow_errors, progress)
    with _attach(session, progress) as kernel:
        return _compile(kernel, out, text, session.id, objective, bandwidth, verify, preferences, progress)


def _find_or_run(
    notebook: Path | None, state_directory: Path, allow_errors: bool, progress: Progress
) -> tuple[Session, Notebook | None]:
    """The kept session asked for, and its notebook as the file is now."""
    session = find_session(state_directory, notebook)
    if session is None and notebook is None:
        raise UsageError("no session was analyzed in this directory", "run: nbdag analyze NOTEBOOK")
    path = notebook or Path(session.notebook if session else "")
    if session is not None and is_alive(session):
        there = _read_if_there(path)
        if there is None:
            progress.say(f"{path.name} cannot be read any more; compiling the session as it ran")
        elif notebook_digest(there) != session.notebook_digest:
            progress.say(f"{path.name} has changed since it was analyzed; compiling the session as it ran")
        return session, there
    if session is not None:
        progress.say(f"the kernel of {path.name} is gone{why_gone(session)}; running the notebook again")
    text = read_notebook(path)
    session = run_in_session(
        text,
        kernel_name=session.kernel_name if session else "",
        allow_errors=allow_errors,
        state_directory=state_directory,
        cell_timeout=None,
        idle_seconds=session.idle_seconds if session else DEFAULT_IDLE_SECONDS,
        progress=progress,
    )
    return keep_session(session), text


def _read_if_there(path: Path) -> Notebook | None:
    """The notebook at ``path``; None when the file has gone or broken since: the kernel knows what ran."""
    try:
        return read_notebook(path)
    except UsageError:
        return None


def _compile(
    agent: Agent,
    out: Path,
    notebook: Notebook | None,
    session: str,
    objective: str,
    bandwidth: float | None,
    verify: bool,
    preferences: Preferences,
    progress: Progress,
) -> Compiled:
    import tempfile

    begun = time.perf_counter()
    progress.begin("compiling", None)
    try:
        progress.say("surveying the session")
        with tempfile.TemporaryDirectory(prefix="nbdag-") as folder:
            understood = understand(agent, Path(folder) / "trace.json", notebook)
        _check_names(understood.trace, preferences)
        speed = bandwidth or measure_bandwidth(out.absolute().parent)
        plan, bundle, verdict = compile_session(
            understood.graph,
            understood.trace,
            understood.labels,
            agent,
            out,
            costs=CostModel(speed, objective),
            preferences=preferences,
            provenance=_provenance(understood),
            verify=verify,
            say=progress.say,
        )
    finally:
        progress.end()
    summary = _summary(understood, session, 0.0, notebook)
    return Compiled(
        session=session,
        plan=plan,
        bundle=bundle,
        verdict=verdict,
        variables=summary.variables,
        diagnostics=(*summary.diagnostics, *plan.diagnostics),
        bandwidth=speed,
        objective=objective,
        seconds=time.perf_counter() - begun,
    )


def _check_names(trace: Trace, preferences: Preferences) -> None:
    """Refuse names that the session does not have: a misspelled --store must not pass in silence."""
    there = {variable.name for variable in trace.variables}
    asked = preferences.store | preferences.replay | preferences.exclude | preferences.only
    unknown = sorted(asked - there)
    if unknown:
        raise UsageError(f"the session has no variable {', '.join(unknown)}", "nbdag analyze lists the variables")
    if not there:
        raise EnvironmentRefused("the session has no variables: there is nothing to compile")


def _provenance(understood: Understood) -> dict[str, str]:
    return {
        "notebook": Path(understood.source).name,
        "python": understood.trace.python,
        "implementation": understood.trace.implementation,
    }


def _summary(understood: Understood, session: str, seconds: float, notebook: Notebook | None) -> Analysis:
    trace, graph, cell_of = understood.trace, understood.graph, understood.labels.cell_of
    summaries = [summarize_cell(cell, fact) for cell, fact in zip(understood.cells, understood.cell_facts, strict=True)]
    return Analysis(
        notebook=understood.source,
        cells=add_runs(summaries, graph, trace, cell_of),
        edges=join_edges(static_edges(understood.cell_facts), observed_edges(graph, cell_of)),
        variables=summarize_variables(graph, trace, cell_of),
        diagnostics=(*_diagnostics(notebook, understood.cell_facts), *trace.diagnostics, *graph.diagnostics),
        session=session,
        seconds=seconds,
    )


def _diagnostics(notebook: Notebook | None, facts: Sequence[CellFacts]) -> tuple[Diagnostic, ...]:
    from dataclasses import replace

    found = list(notebook.diagnostics if notebook else ())
    for index, fact in enumerate(facts):
        found += [replace(d, cell=index) if d.cell is None else d for d in fact.diagnostics]
    return tuple(found)
