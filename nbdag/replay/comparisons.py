"""The plan beside the ways that need no planner: store everything, replay everything, decide by whole cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nbdag.errors import PlanError
from nbdag.model.graph import Hazard, SessionGraph, Step, Version
from nbdag.model.plan import Action, Alternative, Plan
from nbdag.model.trace import ValueKind
from nbdag.replay.cost import NANOSECONDS, CostModel
from nbdag.replay.layout import replay_everything, store_everything
from nbdag.replay.planner import choose, pose, select
from nbdag.replay.preferences import Preferences
from nbdag.replay.problem import Problem, evaluate, replay_set, stored_bytes


def comparisons(
    graph: SessionGraph, costs: CostModel, preferences: Preferences, plan: Plan | None = None
) -> tuple[Alternative, ...]:
    """The ways "plan", "store-all", "replay-all", "per-cell", each under the same wishes and as good as it can be done.

    ``plan`` is the one that was chosen (planned anew where it is not given). What cannot be stored is replayed by
    store-all, what cannot be replayed is stored by replay-all: these names are its exceptions. "per-cell" is the exact
    optimum of ElasticNotebook's granularity: a cell is replayed as a whole or not at all. A way that is none, because a
    cell as a whole brings back not one variable, has an infinite cost.
    """
    problem = pose(select(graph, preferences), costs, preferences)
    stored = choose(problem) if plan is None else _stored_by(problem, plan)
    found = [
        _alternative("plan", problem, stored, ()),
        _alternative("store-all", problem, store_everything(problem), _names(problem, _not_storable(problem))),
        _alternative("replay-all", problem, replay_everything(problem), _names(problem, replay_everything(problem))),
    ]
    names = tuple(name for covariable in graph.covariables for name in covariable.names)
    try:
        found.append(_per_cell(problem, select(by_cell(graph, problem.forced), preferences)))
    except PlanError:
        found.append(Alternative("per-cell", float("inf"), 0, 0.0, 0, (), names))
    return tuple(found)


def _stored_by(problem: Problem, plan: Plan) -> frozenset[int]:
    side = {name: decision.action for decision in plan.decisions for name in decision.names}
    return frozenset(
        number
        for number, covariable in enumerate(problem.graph.covariables)
        if side.get(covariable.names[0]) is Action.STORE
    )


def _not_storable(problem: Problem) -> frozenset[int]:
    covariables = enumerate(problem.graph.covariables)
    return frozenset(n for n, c in covariables if not c.storable and n not in problem.lost and not problem.given(n))


def _names(problem: Problem, numbers: frozenset[int]) -> tuple[str, ...]:
    return tuple(sorted(name for n in numbers for name in problem.graph.covariables[n].names))


def _alternative(title: str, problem: Problem, stored: frozenset[int], exceptions: tuple[str, ...]) -> Alternative:
    cost = evaluate(problem, stored)
    replayed = replay_set(problem, stored)
    steps = [problem.graph.steps[position] for position in replayed]
    return Alternative(
        title,
        float("inf") if cost is None else cost / NANOSECONDS,
        stored_bytes(problem, stored),
        sum(step.seconds for step in steps),
        sum(1 for step in steps if step.code),
        exceptions,
        _names(problem, frozenset(problem.lost)),
    )


def _per_cell(problem: Problem, cells: SessionGraph) -> Alternative:
    """The choice that is best for whole cells, at the prices of single statements: a cell costs what is in it. What the
    definitions give that are replayed in any case is there for nothing, here too. Raises PlanError where there is none.
    """
    given = {c.names for number, c in enumerate(problem.graph.covariables) if problem.given(number)}
    free = {name for names in given for name in names}
    preferences = problem.preferences
    whole = pose(
        replace(
            cells,
            covariables=tuple(
                replace(c, size=0, store_seconds=0.0, storable=True, kind=ValueKind.DATA) if c.names in given else c
                for c in cells.covariables
            ),
        ),
        problem.costs,
        replace(preferences, store=preferences.store - free, replay=preferences.replay - free),
    )
    chosen = choose(whole)
    stored = frozenset(number for number in chosen if whole.graph.covariables[number].names not in given)
    executions = {whole.graph.steps[position].execution for position in replay_set(whole, chosen)}
    steps = [s for s in problem.graph.steps if s.execution in executions or s.position in problem.forced]
    prices = whole.prices()
    cost = sum(prices[number] for number in stored) + sum(problem.runs[step.position] for step in steps)
    return Alternative(
        "per-cell",
        float("inf") if evaluate(whole, chosen) is None else cost / NANOSECONDS,
        stored_bytes(whole, stored),
        sum(step.seconds for step in steps),
        sum(1 for step in steps if step.code),
        (),
        _names(whole, frozenset(whole.lost)),
    )


def by_cell(graph: SessionGraph, given: frozenset[int] = frozenset()) -> SessionGraph:
    """``graph`` with one step for each execution: all its statements, with their plots and prints, or none.

    Statements that are ``given``, replayed in any case, take no time.
    """
    step_of: dict[int, int] = {}
    members: list[list[Step]] = []
    for step in graph.steps:
        if step.execution not in step_of:
            step_of[step.execution] = len(members)
            members.append([])
        members[step_of[step.execution]].append(step)
    place = [step_of[step.execution] for step in graph.steps]

    def moved(version: Version) -> Version:
        return version if version.made_by < 0 else Version(version.name, place[version.made_by])

    steps = []
    for position, statements in enumerate(members):
        mine = frozenset(step.position for step in statements)
        inputs = {moved(v) for step in statements for v in step.inputs if v.made_by not in mine}
        outputs = {Version(v.name, position) for step in statements for v in step.outputs}
        steps.append(
            replace(
                statements[0],
                position=position,
                code="\n".join(step.code for step in statements if step.code is not None),
                seconds=sum(step.seconds for step in statements if step.position not in given),
                inputs=tuple(sorted(inputs)),
                outputs=tuple(sorted(outputs)),
                binds=tuple(sorted({name for step in statements for name in step.binds})),
                reads=(),
                definition=all(step.definition for step in statements),
                display=all(step.display for step in statements),
                hazards=_gravest(statements),
                files=tuple(use for step in statements for use in step.files),
                failed=any(step.failed for step in statements),
            )
        )
    covariables = tuple(
        replace(covariable, versions=tuple(moved(version) for version in covariable.versions))
        for covariable in graph.covariables
    )
    return SessionGraph(tuple(steps), covariables, graph.diagnostics)


def _gravest(statements: Sequence[Step]) -> tuple[Hazard, ...]:
    found = dict.fromkeys(hazard for step in statements for hazard in step.hazards)
    return tuple(sorted(found, key=lambda hazard: -hazard.reluctance))
