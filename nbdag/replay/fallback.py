"""What replaces a stored value that the target cannot load: the statements that make it, from what is there by then.

The slice of a co-variable is everything that replaying it would have taken, were it not stored::

    cell 1: df = read()            stored, loads
    cell 2: model = Model(df)      stored, its library is another version on the target: cannot be loaded
    cell 3: model.fit()

Its slice is the two statements of cells 2 and 3; df is in place when model's turn comes, for what a step reads was
complete before it ran. But the whole slice runs then, and not each statement in its time: an early one may bind a name
anew that a later one reads as it is in the end. Such names are put back before that later one::

    cell 1: a, df = first()        df as of cell 1 is nobody's value any more
    cell 2: df = second()          stored, and in place
    cell 3: model = f(a, df)       slice: cell 1, df put back, cell 3

Where a slice would do what replay never does (write a file, ask the user), or is known to give
another value, there is none, and the value is named as lost on such a target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nbdag.model.graph import SessionGraph
from nbdag.model.plan import Load, Plan, Replay
from nbdag.replay.cost import CostModel
from nbdag.replay.layout import replay_of
from nbdag.replay.preferences import Preferences
from nbdag.replay.problem import Problem, pose, select

MOST_STATEMENTS = 200_000
"""Of all slices together, each counted in every slice it is in: a thousand variables made of one object that thousands
of statements changed would need millions."""


@dataclass(frozen=True, slots=True)
class Fallbacks:
    """``steps``: every statement of any slice, once, in order. ``of``: by the number of a load's group, its slice: the
    index of each statement among ``steps``, with the names to put back before it runs; -1 stands for no statement.
    ``doubts``: by group, why its slice may come out different. ``closed``: by group without a slice, why there is none.
    """

    steps: tuple[Replay, ...] = ()
    of: Mapping[int, tuple[tuple[int, tuple[str, ...]], ...]] = field(default_factory=dict)
    doubts: Mapping[int, str] = field(default_factory=dict)
    closed: Mapping[int, str] = field(default_factory=dict)


def fallbacks(graph: SessionGraph, costs: CostModel, preferences: Preferences, plan: Plan) -> Fallbacks:
    """The fallback slices of everything that ``plan`` (made of the same graph, costs and preferences) stores."""
    problem = pose(select(graph, preferences), costs, preferences)
    number_of = {covariable.names: number for number, covariable in enumerate(problem.graph.covariables)}
    slices: dict[int, list[tuple[int, tuple[str, ...]]]] = {}
    doubts: dict[int, str] = {}
    closed: dict[int, str] = {}
    room = MOST_STATEMENTS
    present: dict[str, int] = {}  # what the plan has put in place so far: name -> the step that made it
    for load in plan.steps:
        if not isinstance(load, Load):
            present |= {version.name: load.position for version in problem.graph.steps[load.position].outputs}
            continue
        number = number_of[load.names]
        reason = _why_none(problem, number)
        positions = [] if reason else sorted(_slice(problem, number, present))
        present |= {version.name: version.made_by for version in problem.graph.covariables[number].versions}
        room -= len(positions)
        if room < 0:
            reason = "its statements are too many to carry for this"
        if reason:
            closed[load.group] = reason
            continue
        slices[load.group] = list(_with_put_back(problem, number, positions))
        doubt = next((problem.doubtful[position] for position in positions if position in problem.doubtful), "")
        if doubt:
            doubts[load.group] = doubt
    used = sorted({position for parts in slices.values() for position, _ in parts if position >= 0})
    index = {position: place for place, position in enumerate(used)}
    return Fallbacks(
        tuple(replay_of(problem.graph.steps[position]) for position in used),
        {
            group: tuple((index.get(position, -1), names) for position, names in parts)
            for group, parts in slices.items()
        },
        doubts,
        closed,
    )


def _slice(problem: Problem, number: int, present: Mapping[str, int]) -> set[int]:
    """The steps that make covariable ``number`` where ``present`` is in place: without definitions, which the plan has
    replayed, unless one is needed as it was before another one took its name."""
    found = {maker for maker in problem.demands.makers[number] if maker not in problem.forced}
    pending = list(found)
    while pending:
        position = pending.pop()
        inputs = problem.graph.steps[position].inputs
        for needed in problem.demands.needs[position]:
            if needed in found:
                continue
            if needed in problem.forced and all(present.get(v.name) == needed for v in inputs if v.made_by == needed):
                continue
            found.add(needed)
            pending.append(needed)
    return found


def _with_put_back(problem: Problem, number: int, positions: Sequence[int]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each step of a slice, with the names that it reads as they are in the end and earlier ones have overwritten; at
    the end, as step -1, those that the slice was not to make: definitions that covariable ``number`` is linked to."""
    made: dict[str, int] = {}
    for position in positions:
        step = problem.graph.steps[position]
        names = tuple(v.name for v in step.inputs if v.name.isidentifier() and made.get(v.name, v.made_by) != v.made_by)
        yield position, names
        for name in names:
            del made[name]
        made |= {version.name: position for version in step.outputs}
    versions = problem.graph.covariables[number].versions
    names = tuple(v.name for v in versions if made.get(v.name, v.made_by) != v.made_by)
    if names:
        yield -1, names


def _why_none(problem: Problem, number: int) -> str:
    """Why covariable ``number`` must not be replayed, not even then; "" where it may."""
    covariable, makers = problem.graph.covariables[number], problem.demands.makers[number]
    learned = {name for name, _ in problem.preferences.learned}
    if covariable.altered:
        return "it changed while no cell ran"
    if number in problem.must_store and not learned.isdisjoint(covariable.names):
        return "replaying it gives another value"
    if makers[0] < 0:
        return "nothing recorded made it"
    return next((problem.impossible[maker] for maker in makers if maker in problem.impossible), "")
