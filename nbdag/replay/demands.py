"""What replaying a step takes: the arcs of the plan's graph, and which variables nothing can bring back.

    cell 1: a = [1]        step 0 makes a@0
    cell 2: b = f(a)       step 1 reads a@0, makes b@1
    cell 3: a.append(2)    step 2 reads a@0, makes a@2

b@1 and a@2 are active. Replaying step 1 reads a@0, which is no longer anybody's value: step 0 must be replayed too.
Replaying a step that reads an active version takes nothing more, for that variable is there anyway: stored or
replayed, and in place before the step runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nbdag.model import Covariable, Reluctance, SessionGraph, ValueKind, Version

UNRECORDED = -1
"""``Version.made_by`` of what was there before anything was recorded."""


@dataclass(frozen=True, slots=True)
class Demands:
    """The graph the planner cuts.

    ``makers``: by covariable, the positions that replaying it takes directly. ``needs``: by step, the steps it takes
    directly. ``reads``: by step, the covariables whose active versions it reads. ``load_after``: by covariable, the
    position after which it is loaded when stored. ``bound_by``: by active name, the step that bound it last.
    ``unrecorded``: steps that read something nothing recorded made, with its name.
    """

    makers: Mapping[int, tuple[int, ...]]
    needs: Mapping[int, tuple[int, ...]]
    reads: Mapping[int, tuple[int, ...]]
    load_after: Mapping[int, int]
    bound_by: Mapping[str, int]
    unrecorded: Mapping[int, str]


def demand(graph: SessionGraph) -> Demands:
    """The demands of every step and covariable of ``graph``, in time linear in its size."""
    owner: dict[Version, int] = {}
    makers: dict[int, tuple[int, ...]] = {}
    load_after: dict[int, int] = {}
    for number, covariable in enumerate(graph.covariables):
        for version in covariable.versions:
            owner[version] = number
        makers[number] = tuple(sorted({version.made_by for version in covariable.versions}))
        load_after[number] = makers[number][-1]
    needs: dict[int, tuple[int, ...]] = {}
    reads: dict[int, tuple[int, ...]] = {}
    unrecorded: dict[int, str] = {}
    for step in graph.steps:
        needed, read = set(), set()
        for version in step.inputs:
            holder = owner.get(version)
            # A stored covariable is loaded once the last of its names was bound; whoever reads one of them before
            # that gets it from its maker instead.
            if holder is not None and (load_after[holder] < step.position or version.made_by == UNRECORDED):
                read.add(holder)
            elif version.made_by == UNRECORDED:
                unrecorded.setdefault(step.position, version.name)
            else:
                needed.add(version.made_by)
        needs[step.position] = tuple(sorted(needed))
        reads[step.position] = tuple(sorted(read))
    active = {name for covariable in graph.covariables for name in covariable.names}
    bound_by = {name: step.position for step in graph.steps for name in step.binds if name in active}
    return Demands(makers, needs, reads, load_after, bound_by, unrecorded)


OPTIONS = "<options>"
"""The pseudo-name under which the graph keeps the options of libraries (``analysis/reconcile.py``)."""

MOST_SECONDS_FOR_OPTIONS = 1.0


def forced_steps(graph: SessionGraph, demands: Demands, impossible: Mapping[int, str]) -> frozenset[int]:
    """The steps replayed in any case: definitions whose name they still bind, and all that these need.

    Also what set the options of libraries, where that is cheap: the values that the bundle carries of them are plain
    ones only, and an option may be a function (``display.float_format``) or a handler.
    """
    binding = set(demands.bound_by.values())
    roots = [
        step.position
        for step in graph.steps
        if step.definition and step.position in binding and step.position not in impossible
    ]
    definitions = closure(roots, demands.needs)
    setters = [step.position for step in graph.steps if any(version.name == OPTIONS for version in step.outputs)]
    if not setters or setters[-1] in impossible:
        return definitions
    both = closure([*roots, setters[-1]], demands.needs)  # each needs the one before
    extra = [graph.steps[position] for position in both - definitions]
    cheap = sum(step.seconds for step in extra) <= MOST_SECONDS_FOR_OPTIONS
    safe = all(hazard.reluctance is Reluctance.FREE for step in extra for hazard in step.hazards)
    return both if cheap and safe else definitions


def closure(positions: list[int], needs: Mapping[int, tuple[int, ...]]) -> frozenset[int]:
    """``positions`` and every step they need, directly or not."""
    seen = set(positions)
    frontier = list(seen)
    while frontier:
        for needed in needs[frontier.pop()]:
            if needed not in seen:
                seen.add(needed)
                frontier.append(needed)
    return frozenset(seen)


def impossible_steps(graph: SessionGraph, demands: Demands, lost: frozenset[int]) -> dict[int, str]:
    """Steps that cannot be replayed, each with the reason: by themselves, or because something they need cannot be.

    ``lost`` are covariables that will not be there to read.
    """
    reasons: dict[int, str] = {}
    for step in graph.steps:  # what a step needs stands before it
        position = step.position
        never = next((hazard.reason for hazard in step.hazards if hazard.reluctance is Reluctance.NEVER), "")
        gone = next((number for number in demands.reads[position] if number in lost), None)
        blocked = next((needed for needed in demands.needs[position] if needed in reasons), None)
        if never:
            reasons[position] = never
        elif position in demands.unrecorded:
            reasons[position] = (
                f"it reads an earlier value of {demands.unrecorded[position]} that nothing recorded made"
            )
        elif gone is not None:
            reasons[position] = f"it reads {', '.join(graph.covariables[gone].names)}, which cannot be moved"
        elif blocked is not None:
            reasons[position] = reasons[blocked]
    return reasons


def doubtful_steps(graph: SessionGraph, demands: Demands) -> dict[int, str]:
    """Steps that may come out different, by themselves or through a step they need, each with the reason."""
    reasons: dict[int, str] = {}
    for step in graph.steps:
        own = next((h.reason for h in step.hazards if h.reluctance >= Reluctance.LAST_RESORT), "")
        inherited = next((reasons[needed] for needed in demands.needs[step.position] if needed in reasons), "")
        if own or inherited:
            reasons[step.position] = own or inherited
    return reasons


def lost_covariables(graph: SessionGraph, demands: Demands, must_store: frozenset[int]) -> dict[int, str]:
    """Covariables that can neither be stored nor replayed, each with the reason why replay is out.

    ``must_store`` may not be replayed, whatever the steps say. A covariable that depends on a lost one may be lost in
    its turn, so this iterates to the fixed point.
    """
    lost: dict[int, str] = {}
    while True:
        reasons = impossible_steps(graph, demands, frozenset(lost))
        found = {}
        for number, covariable in enumerate(graph.covariables):
            if number in lost:
                continue
            if covariable.storable:
                reason = _undefined(graph, covariable, demands, reasons)
            else:
                reason = _not_replayable(covariable, number, demands, reasons, must_store)
            if reason:
                found[number] = reason
        if not found:
            return lost
        lost |= found


def _undefined(graph: SessionGraph, covariable: Covariable, demands: Demands, reasons: Mapping[int, str]) -> str:
    """Why a stored function or class would refer to a definition that is not there, "" if it is."""
    if covariable.kind not in (ValueKind.FUNCTION, ValueKind.CLASS):
        return ""
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
