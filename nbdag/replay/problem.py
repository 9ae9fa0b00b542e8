"""The planner's question with everything decided that is not a matter of cost: what is lost, what is forced, what is
left to choose, and what each choice takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from nbdag.errors import PlanError
from nbdag.model.graph import Reluctance, SessionGraph
from nbdag.replay.cost import CostModel
from nbdag.replay.demands import (
    Demands,
    closure,
    demand,
    doubtful_steps,
    forced_steps,
    lost_covariables,
)
from nbdag.replay.preferences import Preferences


@dataclass(frozen=True, slots=True)
class Slices:
    """What replaying the covariables takes that are open to choice, contracted: a step that one other alone can ask for
    is replayed exactly with it, so that an object changed in place by every cell is one node and not a long path.

    ``cost``: nanoseconds, by node. ``needs``: by node, the nodes it needs directly. ``wanted``: by open covariable, the
    nodes that replaying it takes directly. ``worst``: by node, the gravest hazard of its steps where there is one, as
    (reluctance, minus the position, reason).
    """

    cost: Sequence[int]
    needs: Sequence[Sequence[int]]
    wanted: Mapping[int, tuple[int, ...]]
    worst: Mapping[int, tuple[int, int, str]]


@dataclass(frozen=True, slots=True)
class Problem:
    """A graph with everything decided that is not a matter of cost."""

    graph: SessionGraph
    demands: Demands
    costs: CostModel
    lost: Mapping[int, str]  # covariable -> why
    impossible: Mapping[int, str]  # step -> why
    doubtful: Mapping[int, str]  # step -> why it may come out different
    forced: frozenset[int]
    must_store: frozenset[int]
    must_replay: frozenset[int]
    wishes: Mapping[int, str]  # covariable -> who asked for its side, in words
    runs: Sequence[int]  # nanoseconds by step
    slices: Slices
    preferences: Preferences

    def why(self, number: int, otherwise: str) -> str:
        """Why a side was forced on covariable ``number``."""
        return self.wishes.get(number, otherwise)

    def given(self, number: int) -> bool:
        """Whether covariable ``number`` comes out of the definitions alone."""
        return number not in self.must_store and self.forced.issuperset(self.demands.makers[number])

    def prices(self) -> list[int]:
        """Nanoseconds for storing each covariable, whether or not it can be stored."""
        return self.costs.stores(self.graph.covariables)


def select(graph: SessionGraph, preferences: Preferences) -> SessionGraph:
    """``graph`` without the names that ``preferences`` leave out."""
    if not preferences.exclude and not preferences.only:
        return graph
    kept = []
    for covariable in graph.covariables:
        pairs = [pair for pair in zip(covariable.names, covariable.versions, strict=True) if preferences.keeps(pair[0])]
        if pairs:
            names, versions = zip(*pairs, strict=True)
            kept.append(replace(covariable, names=names, versions=versions))
    return SessionGraph(graph.steps, tuple(kept), graph.diagnostics)


def pose(graph: SessionGraph, costs: CostModel, preferences: Preferences = Preferences()) -> Problem:
    """Feasibility first: what is lost, what is forced, and what is left to cost. ``graph`` is what ``select`` gave.

    Raises PlanError when the session has variables and not one of them can be moved.
    """
    demands = demand(graph)
    named_store, named_replay = _named(graph, preferences.store), _named(graph, preferences.replay)
    lost, impossible = lost_covariables(graph, demands, named_store, preferences.never_rerun)
    if graph.covariables and len(lost) == len(graph.covariables):
        name, reason = graph.covariables[0].names[0], lost[0]
        raise PlanError(
            f"not one of {len(lost)} variables can be moved; {name}: {graph.covariables[0].obstacle or reason}",
            "run the cells that make them under nbdag analyze, so that they can be replayed",
        )
    doubtful = doubtful_steps(graph, demands)
    tagged_store = _made_by(graph, demands, preferences.always_store) - named_replay
    tagged_replay = _made_by(graph, demands, preferences.recompute) - named_store - tagged_store
    altered = {number for number, covariable in enumerate(graph.covariables) if covariable.altered}
    # Not even for free: a value that other replays would produce on the way, but perhaps not the same, is stored.
    exact = {
        number
        for number, makers in enumerate(demands.makers if doubtful else ())
        if number not in named_replay | tagged_replay and any(maker in doubtful for maker in makers)
    }
    must_store = frozenset(
        number
        for number in named_store | tagged_store | altered | exact
        if number not in lost and graph.covariables[number].storable
    )
    must_replay = frozenset(
        number
        for number in (named_replay | tagged_replay) - must_store
        if number not in lost and not any(maker < 0 or maker in impossible for maker in demands.makers[number])
    )
    wishes = dict.fromkeys(tagged_store & must_store, "its cell is tagged nbdag-always-store")
    wishes |= dict.fromkeys(tagged_replay & must_replay, "its cell is tagged nbdag-recompute")
    wishes |= dict.fromkeys(named_store & must_store, "--store asks for it")
    wishes |= dict.fromkeys(named_replay & must_replay, "--replay asks for it")
    learned = dict(preferences.learned)
    for number in (named_store | named_replay) if learned else ():
        name = next((name for name in graph.covariables[number].names if name in learned), "")
        if name and number in must_store | must_replay:
            wishes[number] = learned[name]
    forced = forced_steps(graph, demands, impossible)
    runs = costs.runs(graph.steps)
    open_to_choice = {
        number: makers
        for number, makers in enumerate(demands.makers)
        if number not in lost and number not in must_store and not (makers[0] < 0 or _any_in(makers, impossible))
    }
    slices = contract(graph, demands, runs, forced, open_to_choice)
    return Problem(
        graph, demands, costs, lost, impossible, doubtful, forced, must_store, must_replay, wishes, runs, slices,
        preferences,
    )  # fmt: skip


def _any_in(makers: Iterable[int], impossible: Mapping[int, str]) -> bool:
    return bool(impossible) and any(maker in impossible for maker in makers)


def _named(graph: SessionGraph, names: frozenset[str]) -> frozenset[int]:
    if not names:
        return frozenset()
    return frozenset(n for n, covariable in enumerate(graph.covariables) if not names.isdisjoint(covariable.names))


def _made_by(graph: SessionGraph, demands: Demands, executions: frozenset[int]) -> frozenset[int]:
    """The covariables that statements of ``executions`` made or changed last, in part at least; not definitions."""
    if not executions:
        return frozenset()
    made = {step.position for step in graph.steps if step.execution in executions and not step.definition}
    return frozenset(number for number, makers in enumerate(demands.makers) if not made.isdisjoint(makers))


def contract(
    graph: SessionGraph,
    demands: Demands,
    runs: Sequence[int],
    forced: frozenset[int],
    open_to_choice: Mapping[int, tuple[int, ...]],
) -> Slices:
    """The slices of the covariables ``open_to_choice`` (with their makers), without the ``forced`` steps."""
    needs = demands.needs
    nobody, many = -1, -2
    asker = [nobody] * len(runs)  # by step: the root of the one that can ask for it, or one of the two words above
    wanted = bytearray(len(runs))
    for makers in open_to_choice.values():
        for maker in makers:
            wanted[maker] = 1
    given = bytearray(len(runs))
    for position in forced:
        given[position] = 1
    root = [nobody] * len(runs)
    for position in range(len(runs) - 1, -1, -1):  # whoever asks for a step stands after it
        if given[position]:
            continue
        asking = asker[position]
        if wanted[position] or asking == many:
            asking = position
        elif asking == nobody:
            continue
        root[position] = asking
        for needed in needs[position]:
            if asker[needed] != asking:
                asker[needed] = asking if asker[needed] == nobody else many
    node_of: dict[int, int] = {}
    cost: list[int] = []
    members: list[set[int]] = []
    for position, merged in enumerate(root):
        if merged == position:
            node_of[position] = len(cost)
            cost.append(0)
            members.append(set())
    if not node_of:
        return Slices([], [], {}, {})
    for position, merged in enumerate(root):
        if merged == nobody:
            continue
        node = node_of[merged]
        cost[node] += runs[position]
        for needed in needs[position]:
            other = root[needed]
            if other != merged and other != nobody:
                members[node].add(node_of[other])
    worst: dict[int, tuple[int, int, str]] = {}
    for step in demands.risky:
        if root[step.position] == nobody:
            continue
        node = node_of[root[step.position]]
        for hazard in step.hazards:
            found = (int(hazard.reluctance), -step.position, hazard.reason)
            if hazard.reluctance is not Reluctance.FREE and found[:2] > worst.get(node, (0, 0, ""))[:2]:
                worst[node] = found
    chosen = {}
    for number, makers in open_to_choice.items():
        nodes = tuple(node_of[maker] for maker in makers if maker not in forced)
        if nodes:
            chosen[number] = nodes
    return Slices(cost, [sorted(found) if found else () for found in members], chosen, worst)


def replay_set(problem: Problem, stored: frozenset[int]) -> frozenset[int]:
    """Every step that is replayed when ``stored`` are stored."""
    makers = problem.demands.makers
    roots = [
        maker
        for number in range(len(problem.graph.covariables))
        if number not in stored and number not in problem.lost
        for maker in makers[number]
        if maker >= 0 and maker not in problem.forced
    ]
    return closure(roots, problem.demands.needs) | problem.forced


def evaluate(problem: Problem, stored: frozenset[int], prices: Sequence[int] | None = None) -> int | None:
    """Nanoseconds that storing exactly ``stored`` costs, None where that is not possible.

    ``prices`` are those of ``problem``, where they are at hand.
    """
    makers = problem.demands.makers
    if any(made[0] < 0 and n not in stored and n not in problem.lost for n, made in enumerate(makers)):
        return None
    replayed = replay_set(problem, stored)
    if problem.impossible and any(position in problem.impossible for position in replayed):
        return None
    if not all(problem.graph.covariables[number].storable for number in stored):
        return None
    prices, runs = prices or problem.prices(), problem.runs
    return sum(prices[number] for number in stored) + sum(runs[position] for position in replayed)


def stored_bytes(problem: Problem, stored: Iterable[int]) -> int:
    """The bytes of the values of ``stored``."""
    return sum(problem.graph.covariables[number].size for number in stored)
