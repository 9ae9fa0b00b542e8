"""The stages in order: the only place where understanding (analysis) and deciding (replay) meet."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nbdag.analysis.agent_client import Agent, LocalAgent
from nbdag.analysis.cells import analyze_cell
from nbdag.analysis.dataflow import static_edges, summarize_cell
from nbdag.analysis.finding import Missing, find_notebooks
from nbdag.analysis.kernels import (
    DEFAULT_IDLE_SECONDS,
    find_session,
    is_alive,
    keep_session,
)
from nbdag.analysis.late import runs_in_file, with_runs
from nbdag.analysis.live import LiveSession, attach, live_session, run_in_session
from nbdag.analysis.reconcile import reconcile
from nbdag.analysis.resolve import analyze_session, resolve
from nbdag.analysis.several import analyze_files, default_jobs, failure
from nbdag.analysis.static import analyze_text, diagnostics_of, read_settled
from nbdag.analysis.summary import (
    add_runs,
    cell_of_execution,
    cells_of_executions,
    join_edges,
    observed_edges,
    summarize_variables,
)
from nbdag.analysis.trace import read_trace
from nbdag.errors import EnvironmentRefused, KernelProtocolError, UsageError
from nbdag.model.facts import CellFacts
from nbdag.model.findings import Diagnostic
from nbdag.model.graph import SessionGraph
from nbdag.model.notebook import Cell, Notebook
from nbdag.model.plan import Decision, Explanation, Plan
from nbdag.model.results import Analysis, Compiled, Failed, Planned
from nbdag.model.trace import Trace
from nbdag.progress import Progress, Silent
from nbdag.replay.bundle import Form
from nbdag.replay.comparisons import comparisons
from nbdag.replay.compile import Labels, compile_session
from nbdag.replay.compression import Packing
from nbdag.replay.cost import CostModel, measure_bandwidth
from nbdag.replay.explain import explain_all, with_labels
from nbdag.replay.filesystem import is_url, without_password
from nbdag.replay.history import History, ask_past
from nbdag.replay.manifests import earlier_choices, is_bundle
from nbdag.replay.planner import make_plan
from nbdag.replay.preferences import Preferences
from nbdag.replay.requirements import Installed
from nbdag.replay.sending import check_remote, deliver, outgoing
from nbdag.replay.stores import Store
from nbdag.replay.weights import with_packed_sizes
from nbdag.replay.wishes import (
    ALWAYS_STORE,
    NEVER_RERUN,
    RECOMPUTE,
    check_consistent,
    check_explained,
    check_linked,
    check_names,
    check_possible,
    unmet_tags,
    wishes_of_cells,
)
from nbdag.replay.withhold import Withheld, credentials_in_bundle, withhold


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
    notebook = read_settled(path)
    if static:
        return analyze_text(notebook, begun)
    session = run_in_session(
        notebook,
        kernel_name=kernel_name,
        allow_errors=allow_errors,
        state_directory=state_directory,
        cell_timeout=cell_timeout,
        idle_seconds=idle_seconds,
        progress=progress,
    )
    with attach(session, progress) as agent:
        understood = understand(agent, session.trace_path, notebook)
    keep_session(session)
    return _summary(understood, session.id, time.perf_counter() - begun, notebook)


def analyze_several(
    paths: Sequence[Path],
    *,
    static: bool = False,
    jobs: int = 0,
    kernel_name: str = "",
    allow_errors: bool = False,
    state_directory: Path = Path(".nbdag"),
    cell_timeout: float | None = None,
    idle_seconds: float = 0.0,
    progress: Progress = Silent(),
) -> tuple[Analysis | Failed, ...]:
    """``analyze`` for every notebook at or below ``paths``, in the order of ``find_notebooks``.

    What goes wrong with one file is its entry, and the others go on. ``static`` analyses share ``jobs`` processes (0:
    one per processor); without it the notebooks run one after the other, each in a kernel that ends with it unless
    ``idle_seconds`` says otherwise.
    """
    found = find_notebooks(paths)
    files = [path for path in found if isinstance(path, Path)]
    if static:
        progress.begin("analyzing", len(files))
        try:
            results = analyze_files(files, jobs or default_jobs(), lambda path: progress.advance(1, str(path)))
        finally:
            progress.end()
    else:
        results = []
        for number, path in enumerate(files, 1):
            progress.say(f"{number} of {len(files)}: {path}")
            try:
                results.append(
                    analyze(
                        path,
                        kernel_name=kernel_name,
                        allow_errors=allow_errors,
                        state_directory=state_directory,
                        cell_timeout=cell_timeout,
                        idle_seconds=idle_seconds,
                        progress=progress,
                    )
                )
            except Exception as error:
                results.append(failure(path, error))
    rest = iter(results)
    return tuple(failure(one.path, one.error) if isinstance(one, Missing) else next(rest) for one in found)


def understand(agent: Agent, trace_path: Path, notebook: Notebook | None) -> Understood:
    """Survey the session behind ``agent`` and reconcile it with the texts it ran."""
    agent.command("trace", {"path": str(trace_path)})
    trace = read_trace(trace_path)
    if notebook is not None and not all(execution.known for execution in trace.executions):
        trace = with_runs(trace, runs_in_file(Path(notebook.path)))
    names = frozenset(variable.name for variable in trace.variables)
    facts = analyze_session([execution.source for execution in trace.executions], names)
    graph = reconcile(facts, trace)
    cells = notebook.cells if notebook else cells_of_executions(trace.executions)
    cell_facts = resolve([analyze_cell(cell.source, names) for cell in cells])
    labels = Labels(cell_of_execution(cells, trace.executions), trace.executions)
    return Understood(cells, cell_facts, trace, graph, labels, notebook.path if notebook else "")


def compile_bundle(
    out: Path | str,
    *,
    notebook: Path | None = None,
    connection_file: Path | None = None,
    agent: Agent | None = None,
    state_directory: Path = Path(".nbdag"),
    objective: str = "migrate",
    bandwidth: float | None = None,
    max_bytes: int | None = None,
    verify: bool = True,
    include_files: str = "auto",
    compression: str = "auto",
    store_directory: Path | None = None,
    allow_errors: bool = False,
    store: Sequence[str] = (),
    replay: Sequence[str] = (),
    exclude: Sequence[str] = (),
    only: Sequence[str] = (),
    with_credentials: bool = False,
    timeout: float | None = None,
    save: Mapping[str, Any] | None = None,
    unchanged: frozenset[str] = frozenset(),
    progress: Progress = Silent(),
) -> Compiled:
    """Compile a live session into the bundle ``out``: a directory, a file that ends in ``.pyz``, or a URL.

    The session is that of ``agent``, of ``connection_file``, of ``notebook``, or the one last analyzed in this
    directory. A notebook that Jupyter runs is compiled from there; one whose kernel is gone is run again. ``timeout``:
    seconds to wait for a kernel that is busy, None for ever.
    ``save`` is what the bundle is to know of itself as the save of a session (``saving/``), and what is ``unchanged``
    since the bundle at ``out`` was proven needs no second proof where it is stored.

    ``include_files``: which input files travel, ``auto``, ``all``, ``none`` or a pattern. ``compression`` is one of
    ``compression.CODECS``; blobs are shared with other bundles in ``store_directory``.
    With ``agent`` or ``connection_file``, ``notebook`` is where its cells (their numbers, their tags) are read.
    Raises UsageError, PlanError, OutputError, EnvironmentRefused, KernelDied, KernelProtocolError.
    """
    wishes = _wishes(store, replay, exclude, only, max_bytes)
    request = Request(wishes, objective, bandwidth, with_credentials, save, unchanged, compression=compression)
    packing = Packing(compression)
    packing.check()
    form = Form(packing, Store.at(store_directory) if store_directory is not None else None)
    url = str(out) if is_url(out) else ""
    if url:
        out = outgoing(url, state_directory)
        speed = check_remote(url, out, store=store_directory is not None)
        if not bandwidth:
            request = replace(request, bandwidth=speed, bandwidth_source=f"measured to {without_password(url)}")
    with live_session(notebook, connection_file, agent, state_directory, allow_errors, progress, timeout) as live:
        compiled = _compile(live, Path(out), request, form, verify, include_files, progress)
    if url:
        deliver(Path(out), url, progress)
        compiled = replace(compiled, bundle=replace(compiled.bundle, directory=without_password(url)))
    return compiled


def plan_session(
    *,
    notebook: Path | None = None,
    connection_file: Path | None = None,
    agent: Agent | None = None,
    state_directory: Path = Path(".nbdag"),
    destination: Path = Path("."),
    objective: str = "migrate",
    bandwidth: float | None = None,
    max_bytes: int | None = None,
    allow_errors: bool = False,
    store: Sequence[str] = (),
    replay: Sequence[str] = (),
    exclude: Sequence[str] = (),
    only: Sequence[str] = (),
    with_credentials: bool = False,
    explained: Sequence[str] = (),
    progress: Progress = Silent(),
) -> Planned:
    """The plan that ``compile_bundle`` would begin with; nothing is encoded, written or restored.

    ``destination`` is where the bundle would be, or the directory that would hold it: its speed is measured if no
    ``bandwidth`` is given, and what a bundle there chose is kept where costs are nearly the same. Raises what
    ``compile_bundle`` does.
    """
    wishes = _wishes(store, replay, exclude, only, max_bytes)
    request = Request(wishes, objective, bandwidth, with_credentials, compression="auto")
    check_explained(explained, wishes)
    with live_session(notebook, connection_file, agent, state_directory, allow_errors, progress) as live:
        return _plan(live, destination, request, tuple(explained), progress)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a picture shows: an analysis, the texts of its cells, and a plan's decisions where a kernel is there."""

    analysis: Analysis
    sources: tuple[str, ...]
    decisions: tuple[Decision, ...] = ()


def look(
    notebook: Path | None = None,
    *,
    static: bool = False,
    agent: Agent | None = None,
    state_directory: Path = Path(".nbdag"),
    progress: Progress = Silent(),
) -> Seen:
    """The session of ``agent``, of ``notebook`` or the one last analyzed here, with the plan for it; unless ``static``
    or its kernel is gone: then what the code says. Nothing is run. Raises UsageError, NotebookError.
    """
    if agent is not None:
        return _seen(notebook, agent, "", state_directory, progress)
    session = find_session(state_directory, notebook)
    if notebook is None and session is None:
        raise UsageError("no session was analyzed in this directory", "run: nbdag graph NOTEBOOK")
    path = notebook or Path(session.notebook if session else "")
    if static or session is None or not is_alive(session):
        begun = time.perf_counter()
        text = read_settled(path)
        if not static:
            progress.say(f"{path.name} has no kernel here: only what its code says (nbdag analyze runs it)")
        return Seen(analyze_text(text, begun), tuple(cell.source for cell in text.cells))
    return _seen(notebook, None, session.id, state_directory, progress)


def _seen(notebook: Path | None, agent: Agent | None, session: str, state_directory: Path, progress: Progress) -> Seen:
    with live_session(notebook, None, agent, state_directory, False, progress) as live:
        question = _ask(live, Path().absolute(), Request(Preferences()), progress)
        plan = make_plan(question.understood.graph, question.costs, question.preferences)
    understood = question.understood
    analysis = _summary(understood, session, 0.0, live.notebook)
    return Seen(analysis, tuple(cell.source for cell in understood.cells), plan.decisions)


def _wishes(
    store: Sequence[str], replay: Sequence[str], exclude: Sequence[str], only: Sequence[str], max_bytes: int | None
) -> Preferences:
    asked = Preferences(frozenset(store), frozenset(replay), frozenset(exclude), frozenset(only), max_bytes=max_bytes)
    check_consistent(asked)  # before a notebook runs for an hour
    return asked


@dataclass(frozen=True, slots=True)
class Request:
    """What the user wants of a plan. ``bandwidth``: bytes per second to the destination, None: to be measured."""

    wishes: Preferences
    objective: str = "migrate"
    bandwidth: float | None = None
    with_credentials: bool = False
    save: Mapping[str, Any] | None = None  # what the bundle is to know of itself as the save of a session
    unchanged: frozenset[str] = frozenset()  # names that were proven as they are, in the bundle that is there
    bandwidth_source: str = "given"
    compression: str = "none"


@dataclass(frozen=True, slots=True)
class Question:
    """Everything a planner has to know: what there is, what was asked for, what it costs."""

    understood: Understood
    preferences: Preferences
    costs: CostModel
    bandwidth_source: str
    withheld: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]

    def findings(self, plan: Plan) -> tuple[Diagnostic, ...]:
        """What is to be said about tags: those that say nothing, and those that ``plan`` cannot follow."""
        return (*self.diagnostics, *unmet_tags(self.understood.graph, self.preferences, plan))


def _ask(live: LiveSession, place: Path, request: Request, progress: Progress) -> Question:
    """Survey ``live``, and put together what names and tags ask for with how fast ``place`` can be written."""
    wishes = request.wishes
    progress.say("surveying the session")
    with tempfile.TemporaryDirectory(prefix="nbdag-") as folder:
        understood = understand(live.agent, Path(folder) / "trace.json", live.notebook)
    there = [variable.name for variable in understood.trace.variables]
    check_names(wishes.store | wishes.replay | wishes.exclude | wishes.only, there)
    if not there:
        raise EnvironmentRefused("the session has no variables: there is nothing to move")
    check_linked(understood.graph, wishes)
    withheld = Withheld(understood.graph)
    if not request.with_credentials:
        withheld = withhold(understood.graph, understood.trace.variables, wishes.store | wishes.only, wishes.replay)
        understood = replace(understood, graph=withheld.graph)
    tags = wishes_of_cells(
        live.notebook.cells if live.notebook else (), understood.labels.cell_of, understood.trace.executions
    )
    preferences = replace(
        wishes,
        exclude=wishes.exclude | withheld.names,
        never_rerun=tags.of(NEVER_RERUN),
        always_store=tags.of(ALWAYS_STORE),
        recompute=tags.of(RECOMPUTE),
    )
    speed = request.bandwidth or measure_bandwidth(place)
    source = request.bandwidth_source if request.bandwidth else f"measured in {nearest_directory(place)}"
    costs = CostModel(speed, request.objective)
    packing = Packing(request.compression, speed, request.objective)
    understood = replace(understood, graph=with_packed_sizes(understood.graph, packing, live.agent))
    check_possible(understood.graph, costs, preferences)
    return Question(
        understood,
        preferences,
        costs,
        source,
        tuple(sorted(withheld.names)),
        (*withheld.diagnostics, *tags.diagnostics),
    )


def nearest_directory(path: Path) -> Path:
    """``path``, or the nearest directory above it that exists: where a measurement takes place."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def _plan(
    live: LiveSession, destination: Path, request: Request, explained: tuple[str, ...], progress: Progress
) -> Planned:
    begun = time.perf_counter()
    progress.begin("planning", None)
    try:
        place = destination.absolute()
        place = place.parent if is_bundle(place) else place
        question = _ask(live, place, request, progress)
        understood, costs, preferences = question.understood, question.costs, question.preferences
        check_names(explained, [variable.name for variable in understood.trace.variables])
        for name in explained:
            if name in question.withheld:
                hint = f"--store {name} takes it along, and then there is something to explain"
                raise UsageError(f"--explain {name}: it stays behind, as what looks like a credential does", hint)
        stored, replayed = earlier_choices(destination)
        preferences = replace(preferences, stored_before=stored, replayed_before=replayed)
        plan = make_plan(understood.graph, costs, preferences)
        explanations = explain_all(
            explained,
            understood.graph,
            costs,
            preferences,
            plan,
            understood.labels,
            {variable.name: variable.type for variable in understood.trace.variables},
        )
        explanations = _with_links(explanations, explained, live.agent)
    finally:
        progress.end()
    summary = _summary(understood, live.session, 0.0, live.notebook)
    return Planned(
        session=live.session,
        notebook=understood.source,
        plan=with_labels(plan, understood.graph, understood.labels),
        variables=summary.variables,
        alternatives=comparisons(understood.graph, costs, preferences, plan),
        explanations=explanations,
        asked=explained,
        diagnostics=(*summary.diagnostics, *question.findings(plan), *plan.diagnostics),
        bandwidth=costs.bandwidth,
        bandwidth_source=question.bandwidth_source,
        objective=request.objective,
        max_bytes=request.wishes.max_bytes,
        withheld=question.withheld,
        seconds=time.perf_counter() - begun,
    )


def _with_links(explanations: tuple[Explanation, ...], asked: tuple[str, ...], agent: Agent) -> tuple[Explanation, ...]:
    """``explanations``, those ``asked`` for with what the names share: the kernel has to look for that."""
    names = {one.name: list(one.linked) for one in explanations if one.linked and one.name in asked}
    try:
        words = agent.command("sharing", {"names": names})["words"] if names else {}
    except KernelProtocolError:  # an agent of an earlier nbdag does not know the command; the rest is worth saying
        words = {}
    return tuple(replace(one, link=words.get(one.name, "")) for one in explanations)


def _compile(
    live: LiveSession,
    out: Path,
    request: Request,
    form: Form,
    verify: bool,
    include_files: str,
    progress: Progress,
) -> Compiled:
    begun = time.perf_counter()
    progress.begin("compiling", None)
    # The interpreter of a session that compiles itself is known: its packages are looked up during the survey.
    installed = Installed(sys.executable) if isinstance(live.agent, LocalAgent) else None
    try:
        question = _ask(live, out.absolute().parent, request, progress)
        understood = question.understood
        with tempfile.TemporaryDirectory(prefix="nbdag-") as folder:
            past = ask_past(live.agent, Path(folder))
        cells = live.notebook.cells if live.notebook else ()
        history = History(understood.trace, past, cells, request.with_credentials)
        packing = replace(form.packing, bandwidth=question.costs.bandwidth, objective=request.objective)
        form = replace(form, packing=packing)
        plan, bundle, verdict = compile_session(
            understood.graph,
            understood.trace,
            understood.labels,
            live.agent,
            out,
            costs=question.costs,
            preferences=question.preferences,
            provenance=_provenance(understood, question.withheld, request.save),
            verify=verify,
            include_files=include_files,
            with_credentials=request.with_credentials,
            unchanged=request.unchanged,
            form=form,
            progress=progress,
            history=history.packed,
            installed=installed,
        )
    finally:
        progress.end()
        if installed is not None:
            installed.close()
    summary = _summary(understood, live.session, 0.0, live.notebook)
    return Compiled(
        session=live.session,
        plan=plan,
        bundle=bundle,
        verdict=verdict,
        variables=summary.variables,
        diagnostics=(
            *summary.diagnostics,
            *question.findings(plan),
            *plan.diagnostics,
            *(() if request.with_credentials else credentials_in_bundle(out)),
        ),
        bandwidth=question.costs.bandwidth,
        objective=request.objective,
        seconds=time.perf_counter() - begun,
        bandwidth_source=question.bandwidth_source,
        alternatives=comparisons(understood.graph, question.costs, question.preferences, plan),
        max_bytes=request.wishes.max_bytes,
        withheld=question.withheld,
    )


def _provenance(understood: Understood, withheld: Sequence[str], save: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        **({"save": dict(save)} if save is not None else {}),
        **({"withheld": ", ".join(withheld)} if withheld else {}),
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
        diagnostics=(*diagnostics_of(notebook, understood.cell_facts), *trace.diagnostics, *graph.diagnostics),
        session=session,
        seconds=seconds,
    )
