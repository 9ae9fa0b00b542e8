"""The plan: which covariables are stored and which steps are replayed, at the exact minimum of the cost.

ElasticNotebook (section 5.2) reduces the choice to a minimum cut; here the nodes are statements instead of cells::

    source --store(x)--> maker(x) --inf--> what maker(x) needs ... --run(s)--> sink     (every step s has a run arc)

A covariable that is not stored lies on the source's side with its makers, and every step on that side is replayed. Two
contractions keep the network small: definitions are replayed in any case and drop out, and a step that only one other
step can ask for is merged into it, so that an object changed in place by every cell is one node and not a long path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from nbdag.errors import PlanError
from nbdag.model import Action, Decision, Diagnostic, Load, Plan, Reluctance, Replay, SessionGraph, Severity, Step
from nbdag.replay.cost import NANOSECONDS, CostModel
from nbdag.replay.demands import (
    Demands,
    closure,
    demand,
    doubtful_steps,
    forced_steps,
    impossible_steps,
    lost_covariables,
)
from nbdag.replay.mincut import INFINITE, FlowNetwork

EXPLAINED = 4_000_000
"""Covariables times steps up to which the replay cost of every single covariable is worked out for the report."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the user, or the verification of an earlier plan, wants of single names.

    ``store`` and ``replay`` force a side where it is possible; ``exclude`` leaves names out; ``only``, where not empty,
    leaves out all others.
    """

    store: frozenset[str] = frozenset()
    replay: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    learned: tuple[tuple[str, str], ...] = ()  # (name, why) of sides that verification and not the user forced

    def keeps(self, name: str) -> bool:
        """Whether ``name`` is to be moved at all."""
        return name not in self.exclude and (not self.only or name in self.only)


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
    learned: Mapping[str, str]

    def why(self, number: int, otherwise: str) -> str:
        """Why a side was forced on covariable ``number``."""
        names = self.graph.covariables[number].names
        return next((self.learned[name] for name in names if name in self.learned), otherwise)

    def run(self, position: int) -> int:
        return INFINITE if position in self.impossible else self.costs.run(self.graph.steps[position])

    def given(self, number: int) -> bool:
        """Whether covariable ``number`` comes out of the definitions alone."""
        return number not in self.must_store and all(maker in self.forced for maker in self.demands.makers[number])


def make_plan(graph: SessionGraph, costs: CostModel, preferences: Preferences = Preferences()) -> Plan:
    """The cheapest plan that restores every active name that can be restored.

    Raises PlanError when the session has variables and not one of them can be moved.
    """
    problem = pose(select(graph, preferences), costs, preferences)
    stored = cheapest(problem)
    return lay_out(problem, stored)


def select(graph: SessionGraph, preferences: Preferences) -> SessionGraph:
    """``graph`` without the names that ``preferences`` leave out."""
    kept = []
    for covariable in graph.covariables:
        pairs = [pair for pair in zip(covariable.names, covariable.versions, strict=True) if preferences.keeps(pair[0])]
        if pairs:
            names, versions = zip(*pairs, strict=True)
            kept.append(replace(covariable, names=names, versions=versions))
    return SessionGraph(graph.steps, tuple(kept), graph.diagnostics)


def pose(graph: SessionGraph, costs: CostModel, preferences: Preferences = Preferences()) -> Problem:
    """Feasibility first: what is lost, what is forced, and what is left to cost."""
    demands = demand(graph)
    named_store = _numbers(graph, preferences.store)
    altered = frozenset(number for number, covariable in enumerate(graph.covariables) if covariable.altered)
    lost = lost_covariables(graph, demands, named_store)
    impossible = impossible_steps(graph, demands, frozenset(lost))
    named_replay = _numbers(graph, preferences.replay)
    doubtful = doubtful_steps(graph, demands)
    # Not even for free: a value that other replays would produce on the way, but perhaps not the same, is stored.
    exact = frozenset(
        number
        for number, makers in demands.makers.items()
        if number not in named_replay and any(maker in doubtful for maker in makers)
    )
    must_store = frozenset(
        number for number in named_store | altered | exact if number not in lost and graph.covariables[number].storable
    )
    must_replay = frozenset(
        number
        for number in named_replay - must_store
        if number not in lost and not any(maker < 0 or maker in impossible for maker in demands.makers[number])
    )
    forced = forced_steps(graph, demands, impossible)
    if graph.covariables and len(lost) == len(graph.covariables):
        name, reason = graph.covariables[0].names[0], lost[0]
        raise PlanError(
            f"not one of {len(lost)} variables can be moved; {name}: {graph.covariables[0].obstacle or reason}",
            "run the cells that make them under nbdag analyze, so that they can be replayed",
        )
    learned = dict(preferences.learned)
    return Problem(graph, demands, costs, lost, impossible, doubtful, forced, must_store, must_replay, learned)


def _numbers(graph: SessionGraph, names: frozenset[str]) -> frozenset[int]:
    return frozenset(n for n, covariable in enumerate(graph.covariables) if not names.isdisjoint(covariable.names))


def cheapest(problem: Problem) -> frozenset[int]:
    """The covariables to store: the minimum cut."""
    demands = problem.demands
    open_makers: dict[int, list[int]] = {}  # covariable -> steps it takes that are not replayed anyway
    for number in range(len(problem.graph.covariables)):
        if number in problem.lost or number in problem.must_store or problem.given(number):
            continue
        if any(maker < 0 for maker in demands.makers[number]):
            continue
        open_makers[number] = [maker for maker in demands.makers[number] if maker not in problem.forced]
    relevant = closure([m for makers in open_makers.values() for m in makers], demands.needs) - problem.forced
    root = _contract(problem, relevant, open_makers)

    node = {position: index + 2 for index, position in enumerate(sorted({root[p] for p in relevant}))}
    shared = {n: len(node) + 2 + i for i, n in enumerate(n for n, makers in open_makers.items() if len(makers) > 1)}
    network = FlowNetwork(2 + len(node) + len(shared))
    run: dict[int, int] = {}
    for position in sorted(relevant):
        run[root[position]] = min(run.get(root[position], 0) + problem.run(position), INFINITE)
        for needed in demands.needs[position]:
            if needed in relevant and root[needed] != root[position]:
                network.connect(node[root[position]], node[root[needed]], INFINITE)
    for position, seconds in run.items():
        network.connect(node[position], 1, seconds)
    for number, makers in open_makers.items():
        covariable = problem.graph.covariables[number]
        priceless = number in problem.must_replay or not covariable.storable
        price = INFINITE if priceless else problem.costs.store(covariable)
        if number in shared:
            network.connect(0, shared[number], price)
            for maker in makers:
                network.connect(shared[number], node[root[maker]], INFINITE)
        else:
            network.connect(0, node[root[makers[0]]], price)
    _, source_side = network.cut(0, 1)
    replayed = {
        number
        for number, makers in open_makers.items()
        if (shared[number] if number in shared else node[root[makers[0]]]) in source_side
    }
    return frozenset(
        number
        for number in range(len(problem.graph.covariables))
        if number not in replayed and number not in problem.lost and not problem.given(number)
    )


def _contract(problem: Problem, relevant: frozenset[int], open_makers: Mapping[int, list[int]]) -> dict[int, int]:
    """By step, the step it is merged into: a step that one other alone can ask for is replayed exactly with it."""
    asked_by: dict[int, set[int]] = {}
    wanted = {maker for makers in open_makers.values() for maker in makers}
    root: dict[int, int] = {}
    for position in sorted(relevant, reverse=True):  # whoever asks for a step stands after it
        askers = asked_by.pop(position, set())
        root[position] = next(iter(askers)) if len(askers) == 1 and position not in wanted else position
        for needed in problem.demands.needs[position]:
            if needed in relevant:
                asked_by.setdefault(needed, set()).add(root[position])
    return root


def evaluate(problem: Problem, stored: frozenset[int]) -> int | None:
    """Nanoseconds that storing exactly ``stored`` costs, None where that is not possible."""
    replayed = replay_set(problem, stored)
    if any(position in problem.impossible for position in replayed):
        return None
    if any(not problem.graph.covariables[number].storable for number in stored):
        return None
    total = sum(problem.costs.store(problem.graph.covariables[number]) for number in stored)
    return total + sum(problem.run(position) for position in replayed)


def replay_set(problem: Problem, stored: frozenset[int]) -> frozenset[int]:
    """Every step that is replayed when ``stored`` are stored."""
    roots = [
        maker
        for number in range(len(problem.graph.covariables))
        if number not in stored and number not in problem.lost
        for maker in problem.demands.makers[number]
    ]
    return closure(roots, problem.demands.needs) | problem.forced


def lay_out(problem: Problem, stored: frozenset[int]) -> Plan:
    """The plan that stores ``stored``, in order: each load as soon as all its names had been bound in the session."""
    graph, demands = problem.graph, problem.demands
    replayed = replay_set(problem, stored)
    timed: list[tuple[int, int, int, Load | Replay]] = []
    for group, number in enumerate(sorted(stored)):
        covariable = graph.covariables[number]
        load = Load(group, covariable.names, covariable.size, demands.load_after[number])
        timed.append((load.after, 1, group, load))
    moved = {
        name
        for number, covariable in enumerate(graph.covariables)
        if number not in problem.lost
        for name in covariable.names
    }
    bound: set[str] = set()
    for position in sorted(replayed):
        step = graph.steps[position]
        bound.update(step.binds)
        names = _outputs(step)
        replay = Replay(
            position,
            f"step {step.position}",
            step.line,
            step.code or "",
            names,
            step.seconds,
            random_state=step.random_state,
            files=step.files,
            may_fail=step.failed,
        )
        timed.append((position, 0, position, replay))
    timed.sort(key=lambda entry: entry[:3])
    cost = sum(problem.costs.store(graph.covariables[n]) for n in stored) + sum(problem.run(p) for p in replayed)
    return Plan(
        steps=tuple(entry[3] for entry in timed),
        decisions=tuple(_decide(problem, stored)),
        cost=cost / NANOSECONDS,
        store_all_cost=_seconds(problem, _store_all(problem)),
        replay_all_cost=_seconds(problem, _replay_all(problem)),
        dropped=tuple(sorted(bound - moved)),
        diagnostics=tuple(_findings(problem, replayed)),
    )


def _outputs(step: Step) -> tuple[str, ...]:
    """The names that ``step`` leaves in a new version, without pseudo-names such as <options>."""
    return tuple(sorted({version.name for version in step.outputs if version.name.isidentifier()}))


def _store_all(problem: Problem) -> frozenset[int]:
    return frozenset(
        number
        for number, covariable in enumerate(problem.graph.covariables)
        if covariable.storable and number not in problem.lost and not problem.given(number)
    )


def _replay_all(problem: Problem) -> frozenset[int]:
    return frozenset(
        number
        for number, covariable in enumerate(problem.graph.covariables)
        if covariable.storable
        and number not in problem.lost
        and (
            number in problem.must_store
            or any(m < 0 or m in problem.impossible for m in problem.demands.makers[number])
        )
    )


def _seconds(problem: Problem, stored: frozenset[int]) -> float:
    cost = evaluate(problem, stored)
    return float("inf") if cost is None else cost / NANOSECONDS


def _decide(problem: Problem, stored: frozenset[int]) -> Iterable[Decision]:
    explained = len(problem.graph.covariables) * len(problem.graph.steps) <= EXPLAINED
    for number, covariable in enumerate(problem.graph.covariables):
        store = problem.costs.store(covariable) / NANOSECONDS if covariable.storable else float("inf")
        replay, obstacle = float("inf"), ""
        makers = problem.demands.makers[number]
        if covariable.altered:
            obstacle = "it changed while no cell ran"
        elif number in problem.must_store:
            reasons = [f"replay is not exact: {problem.doubtful[m]}" for m in makers if m in problem.doubtful]
            obstacle = problem.why(number, reasons[0] if reasons else "--store asks for it")
        elif any(maker < 0 for maker in makers):
            obstacle = "nothing recorded made it"
        elif any(maker in problem.impossible for maker in makers):
            obstacle = next(problem.impossible[maker] for maker in makers if maker in problem.impossible)
        elif explained:
            needed = closure(list(makers), problem.demands.needs) - problem.forced
            replay = sum(problem.costs.run(problem.graph.steps[p]) for p in needed) / NANOSECONDS
            obstacle = _worst(problem, needed) if number in stored else ""
        if number in problem.lost:
            reason = f"{covariable.obstacle}; {problem.lost[number]}".strip("; ")
            yield Decision(covariable.names, Action.LOSE, reason, store, replay, covariable.size)
        elif number in stored:
            reason = obstacle or f"storing takes {_spell(store)}, replaying {_spell(replay)}"
            yield Decision(covariable.names, Action.STORE, reason, store, replay, covariable.size)
        else:
            if problem.given(number):
                reason = "definition"
            elif not covariable.storable:
                reason = f"cannot be stored: {covariable.obstacle}"
            elif number in problem.must_replay:
                reason = problem.why(number, "--replay asks for it")
            else:
                reason = f"its statements are replayed anyway, storing takes {_spell(store)}"
                if replay < store:
                    reason = f"replaying takes {_spell(replay)}, storing {_spell(store)}"
            yield Decision(covariable.names, Action.REPLAY, reason, store, replay, covariable.size)


def _worst(problem: Problem, positions: frozenset[int]) -> str:
    """The reason of the gravest hazard among ``positions``, "" when they are all free of any."""
    worst, reason = Reluctance.FREE, ""
    for position in sorted(positions):
        for hazard in problem.graph.steps[position].hazards:
            if hazard.reluctance > worst:
                worst, reason = hazard.reluctance, hazard.reason
    return f"replay is not exact: {reason}" if worst >= Reluctance.LAST_RESORT else reason


def _findings(problem: Problem, replayed: frozenset[int]) -> Iterable[Diagnostic]:
    for position in sorted(replayed):
        step = problem.graph.steps[position]
        for hazard in step.hazards:
            if hazard.reluctance is Reluctance.LAST_RESORT:
                names = ", ".join(_outputs(step)) or "nothing"
                yield Diagnostic(
                    "replay-not-exact",
                    Severity.WARNING,
                    f"{names} must be replayed although {hazard.reason}: it may come out different",
                )
                break


def _spell(seconds: float) -> str:
    if seconds == float("inf"):
        return "for ever"
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 1000:
            return f"{seconds * factor:.2g} {unit}" if seconds * factor < 10 else f"{seconds * factor:.0f} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
