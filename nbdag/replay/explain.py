"""Why the plan treats a variable as it does: the costs, the statements, what binds it, what would change it.

Everything here is read off the planner's own problem, so that an explanation cannot disagree with the plan::

    what replaying it takes      closure of its makers
    what closes a way            the first statements of that closure that are impossible or doubtful by themselves
    what the other way costs     the minimum cut again, with the variable forced to the other side
    where the decision turns     the minimum cut again and again, at other speeds: bisection
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf, sqrt
from typing import Protocol

from nbdag.errors import PlanError, UsageError
from nbdag.model.graph import Covariable, Reluctance, SessionGraph, Step
from nbdag.model.plan import Action, Decision, Explanation, Obstacle, Plan, Replay
from nbdag.model.trace import ValueKind
from nbdag.replay.cost import BANDWIDTH_CEILING, BANDWIDTH_FLOOR, NANOSECONDS, CostModel, penalty
from nbdag.replay.demands import closure
from nbdag.replay.planner import cheapest, make_plan
from nbdag.replay.preferences import Preferences
from nbdag.replay.problem import Problem, pose, replay_set, select

SLOWEST = BANDWIDTH_FLOOR / 100
"""Bytes per second: nobody moves a session over less."""

HALVINGS = 12
"""Steps of bisection: the speed at which a decision turns, to within two percent."""

EXPLAINED = 4_000_000
"""Covariables times steps up to which every single variable is explained: it takes seconds there."""

QUICK = 10_000
"""Covariables times steps up to which the other way of every single name is tried: a cut takes a millisecond there."""


class CellNames(Protocol):
    """Says which cell an execution was a run of (``compile.Labels``)."""

    def of(self, execution: int) -> str: ...


def explain(
    names: Sequence[str],
    graph: SessionGraph,
    costs: CostModel,
    preferences: Preferences,
    plan: Plan,
    labels: CellNames,
    types: Mapping[str, str],
    *,
    what_if: bool = True,
) -> tuple[Explanation, ...]:
    """Why ``plan`` does with each of ``names`` what it does; names that the plan leaves out are passed over.

    ``what_if`` plans again with the variable on the other side, and at other speeds.
    """
    problem = pose(select(graph, preferences), costs, preferences)
    number_of = {name: number for number, c in enumerate(problem.graph.covariables) for name in c.names}
    decision_of = {name: decision for decision in plan.decisions for name in decision.names}
    stored = frozenset(number_of[name] for name, d in decision_of.items() if d.action is Action.STORE)
    found = []
    for name in names:
        if name not in number_of:
            continue
        number, decision = number_of[name], decision_of[name]
        covariable = problem.graph.covariables[number]
        takes = _closure(problem, number)
        needed = takes - problem.forced
        wish, unmet = _wish(covariable, preferences, problem, decision.action)
        given = decision.action is Action.REPLAY and problem.given(number)
        elsewhere = replay_set(problem, stored | {number})
        other_way, turning_point = inf, 0.0
        if what_if and not given and decision.action is not Action.LOSE:
            other_way = _other_way(graph, costs, preferences, name, decision)
            turning_point = _turning_point(problem, number, decision)
        found.append(
            Explanation(
                name=name,
                decision=decision,
                type=types.get(name, ""),
                linked=tuple(other for other in covariable.names if other != name),
                statements=tuple(
                    _statement(problem.graph.steps[p], labels) for p in sorted(takes if given else needed)
                ),
                given=given,
                replay_seconds=_seconds(problem, needed),
                definitions=len(takes & problem.forced),
                shared=tuple(sorted(needed & elsewhere)),
                against_storing=_against_storing(covariable),
                against_replaying=_against_replaying(problem, number, takes, labels),
                wish=wish,
                unmet=unmet,
                plan_cost=plan.cost,
                other_way=other_way,
                turning_point=turning_point,
            )
        )
    return tuple(found)


def explain_all(
    asked: Sequence[str],
    graph: SessionGraph,
    costs: CostModel,
    preferences: Preferences,
    plan: Plan,
    labels: CellNames,
    types: Mapping[str, str],
) -> tuple[Explanation, ...]:
    """Why ``plan`` does what it does with every name: in full for those ``asked``, and for all where that is quick."""
    size = len(graph.covariables) * len(graph.steps)
    every = [name for decision in plan.decisions for name in decision.names] if size <= EXPLAINED else []
    rest = [name for name in every if name not in asked]
    return (
        *explain(asked, graph, costs, preferences, plan, labels, types),
        *explain(rest, graph, costs, preferences, plan, labels, types, what_if=size <= QUICK),
    )


def _closure(problem: Problem, number: int) -> frozenset[int]:
    makers = [maker for maker in problem.demands.makers[number] if maker >= 0]
    return closure(makers, problem.demands.needs)


def _statement(step: Step, labels: CellNames) -> Replay:
    names = tuple(sorted({version.name for version in step.outputs if version.name.isidentifier()}))
    return Replay(
        step.position, labels.of(step.execution), step.line, step.code or "", names, step.seconds, may_fail=step.failed
    )


def _seconds(problem: Problem, positions: Iterable[int]) -> float:
    """What the statements take by the cost model, without what it adds for doubts."""
    steps = problem.graph.steps
    return sum(problem.runs[p] - penalty(steps[p]) for p in positions) / NANOSECONDS


def place_of(step: Step, labels: CellNames) -> str:
    """Where a statement stands, for people: "cell 3, line 2"."""
    return f"{labels.of(step.execution)}, line {step.line}"


def _against_storing(covariable: Covariable) -> tuple[Obstacle, ...]:
    if covariable.storable:
        return ()
    return (Obstacle(covariable.obstacle or "its type does not pickle"),)


def _against_replaying(problem: Problem, number: int, takes: frozenset[int], labels: CellNames) -> tuple[Obstacle, ...]:
    """What closes replay or makes it doubtful, each at the statement it begins with; the gravest first."""
    covariable, steps = problem.graph.covariables[number], problem.graph.steps
    found: list[Obstacle] = []
    if covariable.altered:
        found.append(Obstacle("it changed while no cell ran (a thread, a callback or a C library)"))
    if any(maker < 0 for maker in problem.demands.makers[number]):
        found.append(Obstacle("nothing that was recorded made it"))
    for position in sorted(takes):
        step, here = steps[position], place_of(steps[position], labels)
        inherited = any(needed in problem.impossible for needed in problem.demands.needs[position])
        if position in problem.impossible and not inherited:
            found.append(Obstacle(problem.impossible[position], here))
        for hazard in step.hazards:
            if hazard.reluctance in (Reluctance.RISK, Reluctance.LAST_RESORT):
                found.append(Obstacle(hazard.reason, here, hazard.reluctance))
    return tuple(sorted(dict.fromkeys(found), key=lambda obstacle: -obstacle.grade))


def _wish(covariable: Covariable, preferences: Preferences, problem: Problem, action: Action) -> tuple[str, str]:
    """What was asked for and is so, and what was asked for and is not; "" where nobody asked."""
    found, unmet = "", ""
    for side, option, asked in (
        (Action.STORE, "--store", preferences.store),
        (Action.REPLAY, "--replay", preferences.replay),
    ):
        name = next((name for name in covariable.names if name in asked), "")
        if name and side is action:
            return f"{option} {name}", ""
        unmet = unmet or (f"{option} {name}" if name else "")
    made = (problem.graph.steps[version.made_by] for version in covariable.versions if version.made_by >= 0)
    executions = {step.execution for step in made if not step.definition}
    for side, tag, tagged in (
        (Action.STORE, "nbdag-always-store", preferences.always_store),
        (Action.STORE, "nbdag-never-rerun", preferences.never_rerun),
        (Action.REPLAY, "nbdag-recompute", preferences.recompute),
    ):
        if executions & tagged and side is action:
            found = found or f"the tag {tag}"
        elif executions & tagged:
            unmet = unmet or f"the tag {tag}"
    return found, "" if found else unmet


# ------------------------------------------------------------------------------------------------ what if


def _other_way(graph: SessionGraph, costs: CostModel, preferences: Preferences, name: str, decision: Decision) -> float:
    """What the cheapest plan costs that treats ``name`` the other way; infinite where there is none."""
    names = frozenset(decision.names)
    if decision.action is Action.STORE:
        asked = replace(preferences, store=preferences.store - names, replay=preferences.replay | {name})
    else:
        asked = replace(preferences, store=preferences.store | {name}, replay=preferences.replay - names)
    try:
        plan = make_plan(graph, costs, asked)
    except (PlanError, UsageError):  # not one variable, or not in the room there is
        return inf
    other = next((d for d in plan.decisions if name in d.names), decision)
    same = other.action in (decision.action, Action.LOSE)
    return inf if same else plan.cost


def _turning_point(problem: Problem, number: int, decision: Decision) -> float:
    """The speed at which the minimum cut moves covariable ``number`` to the other side; 0 for none.

    A faster destination only ever makes storing cheaper, so there is at most one such speed.
    """
    covariable = problem.graph.covariables[number]
    closed = not covariable.storable or covariable.altered or number in problem.must_store | problem.must_replay
    if problem.costs.objective == "size" or closed or problem.given(number) or covariable.kind is ValueKind.MODULE:
        return 0.0

    def stores_at(speed: float) -> bool:
        return number in cheapest(replace(problem, costs=replace(problem.costs, bandwidth=speed)))

    now = problem.costs.bandwidth
    slow, fast = (SLOWEST, now) if decision.action is Action.STORE else (now, BANDWIDTH_CEILING)
    # With --max-size the minimum cut is not what was chosen: then there is nothing to follow.
    if slow >= fast or stores_at(slow) or not stores_at(fast) or stores_at(now) != (decision.action is Action.STORE):
        return 0.0
    for _ in range(HALVINGS):
        middle = sqrt(slow * fast)
        slow, fast = (slow, middle) if stores_at(middle) else (middle, fast)
    return sqrt(slow * fast)


def with_labels(plan: Plan, graph: SessionGraph, labels: CellNames) -> Plan:
    """``plan`` with its replays named by cell, and without those that have nothing to run."""
    named = (
        replace(step, cell=labels.of(graph.steps[step.position].execution)) if isinstance(step, Replay) else step
        for step in plan.steps
    )
    return replace(plan, steps=tuple(step for step in named if not isinstance(step, Replay) or step.code))
