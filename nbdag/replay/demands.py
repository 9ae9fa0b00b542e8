"""What replaying a step takes: the arcs of the plan's graph, and which variables nothing can bring back.

    cell 1: a = [1]        step 0 makes a@0
    cell 2: b = f(a)       step 1 reads a@0, makes b@1
    cell 3: a.append(2)    step 2 reads a@0, makes a@2

b@1 and a@2 are active. Replaying step 1 reads a@0, which is no longer anybody's value: step 0 must be replayed too.
Replaying a step that reads an active version takes nothing more, for that variable is there anyway: stored or
replayed, and in place before the step runs.

Steps are numbered by position, covariables in the order of the graph, and everything is a list by these numbers: a
history of 20,000 statements is gone through once, and not once for each question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nbdag.model.graph import Covariable, Reluctance, SessionGraph, Step
from nbdag.model.trace import ValueKind

UNRECORDED = -1
"""``Version.made_by`` of what was there before anything was recorded."""

OPTIONS = "<options>"
"""The pseudo-name under which the graph keeps the options of libraries (``analysis/reconcile.py``)."""

MOST_SECONDS_FOR_OPTIONS = 1.0

TAGGED = "its cell is tagged nbdag-never-rerun"

Numbers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Demands:
    """The graph the planner cuts.

    ``makers``: by covariable, the positions that replaying it takes directly. ``needs``: by step, the steps it takes
    directly. ``reads``: by step, the covariables whose active versions it reads. ``load_after``: by covariable, the
    position after which it is loaded when stored. ``bound_by``: by active name, the step that bound it last.
    ``unrecorded``: steps that read something nothing recorded made, with its name. ``risky``: steps with hazards.
    ``options``: the steps that set options of libraries, in order; each needs the one before.
    """

    makers: Sequence[Numbers]
    needs: Sequence[Numbers]
    reads: Sequence[Numbers]
    load_after: Sequence[int]
    bound_by: Mapping[str, int]
    unrecorded: Mapping[int, str]
    risky: Sequence[Step]
    options: Numbers


def demand(graph: SessionGraph) -> Demands:
    """The demands of every step and covariable of ``graph``, in time linear in its size."""
    owner: dict[str, int] = {}
    maker_of: dict[str, int] = {}  # by active name, who made its active version
    makers: list[Numbers] = []
    for number, covariable in enumerate(graph.covariables):
        versions = covariable.versions
        for version in versions:
            owner[version.name] = number
            maker_of[version.name] = version.made_by
        if len(versions) == 1:
            makers.append((versions[0].made_by,))
        else:
            makers.append(tuple(sorted({version.made_by for version in versions})))
    load_after = [made[-1] for made in makers]
    needs: list[Numbers] = []
    reads: list[Numbers] = []
    unrecorded: dict[int, str] = {}
    risky: list[Step] = []
    options: list[int] = []
    bound_by: dict[str, int] = {}
    nothing: Numbers = ()
    for position, step in enumerate(graph.steps):
        needed: list[int] = []
        read: list[int] = []
        for version in step.inputs:
            maker = version.made_by
            name = version.name
            # A stored covariable is loaded once the last of its names was bound; whoever reads one of them before
            # that gets it from its maker instead.
            if maker_of.get(name, -2) == maker and (load_after[owner[name]] < position or maker == UNRECORDED):
                read.append(owner[name])
            elif maker == UNRECORDED:
                unrecorded.setdefault(position, name)
            else:
                needed.append(maker)
        needs.append(_unique(needed) if needed else nothing)
        reads.append(_unique(read) if read else nothing)
        for name in step.binds:
            if name in owner:
                bound_by[name] = position
        if step.hazards:
            risky.append(step)
        if step.outputs and step.outputs[0].name == OPTIONS:  # outputs are sorted, and "<" sorts before any letter
            options.append(position)
    return Demands(makers, needs, reads, load_after, bound_by, unrecorded, risky, tuple(options))


def _unique(numbers: list[int]) -> Numbers:
    return (numbers[0],) if len(numbers) == 1 else tuple(sorted(set(numbers)))


def forced_steps(graph: SessionGraph, demands: Demands, impossible: Mapping[int, str]) -> frozenset[int]:
    """The steps replayed in any case: definitions whose name they still bind, and all that these need.

    Also what set the options of libraries, where that is cheap: the values that the bundle carries of them are plain
    ones only, and an option may be a function (``display.float_format``) or a handler. Each such step needs the one
    before; so it ends at the first that takes too long or is not free, and ``options_left_out`` says so.
    """
    steps = graph.steps
    roots = [
        position
        for position in sorted(set(demands.bound_by.values()))
        if steps[position].definition and position not in impossible
    ]
    forced = closure(roots, demands.needs)
    seconds = 0.0
    for position in demands.options:
        if position in impossible:
            break
        extra = closure([position], demands.needs, forced)
        seconds += sum(steps[position].seconds for position in extra)
        safe = all(hazard.reluctance is Reluctance.FREE for position in extra for hazard in steps[position].hazards)
        if seconds > MOST_SECONDS_FOR_OPTIONS or not safe:
            break
        forced |= extra
    return forced


def options_left_out(
    graph: SessionGraph, demands: Demands, impossible: Mapping[int, str], replayed: frozenset[int]
) -> list[tuple[int, str]]:
    """The steps that set options of libraries and are not ``replayed``, each with the reason.

    Each needs the one before, so what keeps the first from running keeps them all.
    """
    left = [position for position in demands.options if position not in replayed]
    if not left:
        return []
    first = left[0]
    reason = impossible.get(first, "")
    if not reason:
        extra = [graph.steps[position] for position in sorted(closure([first], demands.needs, replayed))]
        hazards = [h for step in extra for h in step.hazards if h.reluctance is not Reluctance.FREE]
        seconds = sum(step.seconds for step in extra)
        reason = hazards[0].reason if hazards else f"with all that it needs it would take {seconds:.1g} s to run again"
    after = f"it stands after {(graph.steps[first].code or '').strip()[:60]!r}, which is not replayed: {reason}"
    return [(position, reason if position == first else impossible.get(position, after)) for position in left]


def closure(positions: Iterable[int], needs: Sequence[Numbers], known: frozenset[int] = frozenset()) -> frozenset[int]:
    """``positions`` and every step they need, directly or not, without those ``known`` and what only these need."""
    seen = set(positions) - known
    frontier = list(seen)
    while frontier:
        for needed in needs[frontier.pop()]:
            if needed not in seen and needed not in known:
                seen.add(needed)
                frontier.append(needed)
    return frozenset(seen)


def never(step: Step, tagged: frozenset[int] = frozenset()) -> str:
    """Why ``step`` by itself must not be replayed, "" where it may. ``tagged`` are executions that must not run again:
    what they define is code, and comes back all the same.
    """
    for hazard in step.hazards:
        if hazard.reluctance is Reluctance.NEVER:
            return hazard.reason
    return TAGGED if step.execution in tagged and not step.definition else ""


def impossible_steps(
    graph: SessionGraph, demands: Demands, lost: Iterable[int], tagged: frozenset[int] = frozenset()
) -> dict[int, str]:
    """Steps that cannot be replayed, each with the reason: by themselves, or because something they need cannot be.

    ``lost`` are covariables that will not be there to read.
    """
    return _sweep(graph, demands, dict.fromkeys(lost, ""), frozenset(), tagged, final=True)[1]


def doubtful_steps(graph: SessionGraph, demands: Demands) -> dict[int, str]:
    """Steps that may come out different, by themselves or through a step they need, each with the reason."""
    own: dict[int, str] = {}
    for step in demands.risky:
        reason = next((h.reason for h in step.hazards if h.reluctance >= Reluctance.LAST_RESORT), "")
        if reason:
            own[step.position] = reason
    return _inherit(own, demands.needs)


def _inherit(own: Mapping[int, str], needs: Sequence[Numbers]) -> dict[int, str]:
    """``own`` reasons, and those of every step that needs one of these, directly or not."""
    if not own:
        return {}
    reasons: dict[int, str] = {}
    for position in range(min(own), len(needs)):  # what a step needs stands before it
        if position in own:
            reasons[position] = own[position]
            continue
        for needed in needs[position]:
            if needed in reasons:
                reasons[position] = reasons[needed]
                break
    return reasons


def lost_covariables(
    graph: SessionGraph, demands: Demands, must_store: frozenset[int], tagged: frozenset[int] = frozenset()
) -> tuple[dict[int, str], dict[int, str]]:
    """Covariables that can neither be stored nor replayed, each with the reason why replay is out; and the steps that
    cannot be replayed, each with its reason.

    ``must_store`` may not be replayed, whatever the steps say; no statement of the executions ``tagged`` may run again.
    A covariable that depends on a lost one may be lost in its turn: what a step reads was complete before it, so one
    sweep in the order of the session finds nearly all, and another one that finds no more ends it.
    """
    lost: dict[int, str] = {}
    while True:
        found, impossible = _sweep(graph, demands, lost, must_store, tagged)
        if len(found) == len(lost):
            return lost, impossible
        lost = found


def _sweep(
    graph: SessionGraph,
    demands: Demands,
    lost: Mapping[int, str],
    must_store: frozenset[int],
    tagged: frozenset[int],
    *,
    final: bool = False,
) -> tuple[dict[int, str], dict[int, str]]:
    """One pass over the session: more that is ``lost``, unless ``final``, and what is impossible."""
    found = dict(lost)
    own = {step.position: reason for step in demands.risky if (reason := never(step, tagged))}
    if tagged:
        own |= {
            step.position: TAGGED
            for step in graph.steps
            if step.execution in tagged and not step.definition and step.position not in own
        }
    for position, name in demands.unrecorded.items():
        own.setdefault(position, f"it reads an earlier value of {name} that nothing recorded made")
    # Covariables that may be lost, by the position at which all is known that decides it.
    open_at: dict[int, list[int]] = {}
    for number, covariable in enumerate(graph.covariables):
        if final or number in found:
            continue
        if not covariable.storable or covariable.kind in CODE:
            open_at.setdefault(demands.load_after[number], []).append(number)
    impossible: dict[int, str] = {}
    if not own and not found and not any(_doomed(graph, demands, n, must_store) for ns in open_at.values() for n in ns):
        return found, impossible
    for position in range(UNRECORDED, len(graph.steps)):
        if position >= 0:
            reason = own.get(position, "") or _blocked(graph, demands, position, found, impossible)
            if reason:
                impossible[position] = reason
        for number in open_at.get(position, ()):
            covariable = graph.covariables[number]
            if covariable.storable:
                reason = _undefined(graph, covariable, demands, impossible)
            else:
                reason = _not_replayable(covariable, number, demands, impossible, must_store)
            if reason:
                found[number] = reason
    return found, impossible


CODE = (ValueKind.FUNCTION, ValueKind.CLASS)


def _doomed(graph: SessionGraph, demands: Demands, number: int, must_store: frozenset[int]) -> bool:
    """Whether a covariable may be lost although every step could be replayed."""
    covariable = graph.covariables[number]
    return not covariable.storable and bool(_not_replayable(covariable, number, demands, {}, must_store))


def _blocked(
    graph: SessionGraph, demands: Demands, position: int, lost: Mapping[int, str], impossible: Mapping[int, str]
) -> str:
    """Why a step cannot run that could by itself: something it reads or needs will not be there."""
    if lost:
        for number in demands.reads[position]:
            if number in lost:
                return f"it reads {', '.join(graph.covariables[number].names)}, which cannot be moved"
    if impossible:
        for needed in demands.needs[position]:
            if needed in impossible:
                return impossible[needed]
    return ""


def _undefined(graph: SessionGraph, covariable: Covariable, demands: Demands, reasons: Mapping[int, str]) -> str:
    """Why a stored function or class would refer to a definition that is not there, "" if it is."""
    for name in covariable.names:
        maker = demands.bound_by.get(name, UNRECORDED)
        if maker in reasons and graph.steps[maker].definition:
            return reasons[maker]
    return ""


def _not_replayable(
    covariable: Covariable, number: int, demands: Demands, reasons: Mapping[int, str], must_store: frozenset[int]
) -> str:
    if covariable.altered:
        return "it changed while no cell ran (a thread, a callback or a C library), so replay cannot give it"
    if number in must_store:
        return "replaying it gave another value"
    for maker in demands.makers[number]:
        if maker == UNRECORDED:
            return "nothing recorded made it"
        if maker in reasons:
            return reasons[maker]
    return ""
