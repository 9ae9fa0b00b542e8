"""A chosen set of covariables -> the Plan: steps in order, and for every covariable what happens to it and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nbdag.model.findings import Diagnostic, Severity
from nbdag.model.graph import Reluctance, Step
from nbdag.model.options import option_in
from nbdag.model.plan import Action, Decision, Load, Plan, Replay
from nbdag.replay.cost import NANOSECONDS
from nbdag.replay.demands import options_left_out
from nbdag.replay.problem import Problem, evaluate, replay_set

VISITS_PER_COVARIABLE = 10
"""Nodes looked at, on average, to sum up what replaying one covariable alone costs; where slices are longer than that
in a long session, the rest get an upper bound instead of the sum."""

INFINITY = float("inf")


def lay_out(problem: Problem, stored: frozenset[int]) -> Plan:
    """The plan that stores ``stored``, in order: each load as soon as all its names had been bound in the session."""
    graph, demands = problem.graph, problem.demands
    replayed = sorted(replay_set(problem, stored))
    loads: dict[int, list[Load]] = {}
    for group, number in enumerate(sorted(stored)):
        covariable, after = graph.covariables[number], demands.load_after[number]
        loads.setdefault(after, []).append(Load(group, covariable.names, covariable.size, after))
    bound: set[str] = set()
    steps: list[Load | Replay] = []
    waiting = sorted(loads)
    begun = 0
    for position in replayed:
        while begun < len(waiting) and waiting[begun] < position:
            steps += loads[waiting[begun]]
            begun += 1
        step = graph.steps[position]
        bound.update(step.binds)
        steps.append(replay_of(step))
    for after in waiting[begun:]:
        steps += loads[after]
    lost = problem.lost
    for number, covariable in enumerate(graph.covariables):
        if number not in lost:
            bound.difference_update(covariable.names)
    prices, runs = problem.prices(), problem.runs
    store_all, replay_all = store_everything(problem), replay_everything(problem)
    return Plan(
        steps=tuple(steps),
        decisions=tuple(_decide(problem, stored, prices)),
        cost=(sum(prices[n] for n in stored) + sum(runs[p] for p in replayed)) / NANOSECONDS,
        store_all_cost=_seconds(problem, store_all, prices),
        replay_all_cost=_seconds(problem, replay_all, prices),
        dropped=tuple(sorted(bound)),
        diagnostics=(*_findings(problem, replayed), *_options_left_out(problem, replayed)),
    )


def replay_of(step: Step) -> Replay:
    """The replay of ``step``; which cell it belongs to is said later, where notebooks are known."""
    return Replay(
        step.position,
        "",
        step.line,
        step.code or "",
        outputs_of(step),
        step.seconds,
        random_state=step.random_state,
        files=step.files,
        may_fail=step.failed,
    )


def outputs_of(step: Step) -> tuple[str, ...]:
    """The names that ``step`` leaves in a new version, without pseudo-names such as <options>."""
    outputs = step.outputs
    if len(outputs) == 1:
        return (outputs[0].name,) if outputs[0].name.isidentifier() else ()
    return tuple(sorted({version.name for version in outputs if version.name.isidentifier()}))


def store_everything(problem: Problem) -> frozenset[int]:
    """All covariables that can be stored and were not asked to be replayed."""
    return frozenset(
        number
        for number, covariable in enumerate(problem.graph.covariables)
        if covariable.storable
        and number not in problem.lost
        and number not in problem.must_replay
        and not problem.given(number)
    )


def replay_everything(problem: Problem) -> frozenset[int]:
    """Only the covariables that replay cannot give."""
    impossible = problem.impossible
    return frozenset(
        number
        for number, makers in enumerate(problem.demands.makers)
        if problem.graph.covariables[number].storable
        and number not in problem.lost
        and (
            number in problem.must_store
            or makers[0] < 0
            or (impossible and any(maker in impossible for maker in makers))
        )
    )


def _seconds(problem: Problem, stored: frozenset[int], prices: Sequence[int]) -> float:
    cost = evaluate(problem, stored, prices)
    return INFINITY if cost is None else cost / NANOSECONDS


# ------------------------------------------------------------------------------------------------ why


def _decide(problem: Problem, stored: frozenset[int], prices: list[int]) -> Iterable[Decision]:
    alone = _ReplayCosts(problem)
    for number, covariable in enumerate(problem.graph.covariables):
        names, size = covariable.names, covariable.size
        store = prices[number] / NANOSECONDS if covariable.storable else INFINITY
        obstacle = _obstacle(problem, number)
        replay = INFINITY
        if not obstacle:
            replay, hazard = alone.of(number)
            obstacle = hazard if number in stored else ""
        if number in problem.lost:
            reason = f"{covariable.obstacle}; {problem.lost[number]}".strip("; ")
            yield Decision(names, Action.LOSE, reason, store, replay, size)
        elif number in stored:
            reason = obstacle or f"storing takes {_spell(store)}, replaying {_spell(replay)}"
            yield Decision(names, Action.STORE, reason, store, replay, size)
        else:
            if problem.given(number):
                reason = "definition"
            elif not covariable.storable:
                reason = f"cannot be stored: {covariable.obstacle}"
            elif number in problem.must_replay:
                reason = problem.why(number, "--replay asks for it")
            elif replay < store:
                reason = f"replaying takes {_spell(replay)}, storing {_spell(store)}"
            else:
                reason = f"its statements are replayed anyway, storing takes {_spell(store)}"
            yield Decision(names, Action.REPLAY, reason, store, replay, size)


def _obstacle(problem: Problem, number: int) -> str:
    """What forbids replaying covariable ``number``, "" where that is a matter of cost."""
    makers = problem.demands.makers[number]
    if problem.graph.covariables[number].altered:
        return "it changed while no cell ran"
    if number in problem.must_store:
        reasons = [f"replay is not exact: {problem.doubtful[m]}" for m in makers if m in problem.doubtful]
        return problem.why(number, reasons[0] if reasons else "--store asks for it")
    if makers[0] < 0:
        return "nothing recorded made it"
    if problem.impossible:
        return next((problem.impossible[maker] for maker in makers if maker in problem.impossible), "")
    return ""


class _ReplayCosts:
    """What replaying covariables takes, each alone: seconds, and the gravest hazard in words.

    One pass over all nodes says it exactly for whatever needs no step in two ways, a chain or a tree, and says at most
    how much it is for the rest, where what several need is counted for each.
    """

    def __init__(self, problem: Problem) -> None:
        self.slices = slices = problem.slices
        self.visits = VISITS_PER_COVARIABLE * len(problem.graph.covariables) + 20_000
        self.most = sum(slices.cost)
        self.total: list[int] = []
        self.is_tree = bytearray(len(slices.cost))
        self.worst: dict[int, tuple[int, int, str]] = dict(slices.worst)
        for node, needed in enumerate(slices.needs):  # what a node needs has a smaller number
            total = slices.cost[node]
            for other in needed:
                total += self.total[other]
                if other in self.worst:
                    self.worst[node] = max(self.worst.get(node, self.worst[other]), self.worst[other])
            self.total.append(min(total, self.most))
            self.is_tree[node] = not needed or (len(needed) == 1 and self.is_tree[needed[0]])

    def of(self, number: int) -> tuple[float, str]:
        """Seconds for covariable ``number``, and what is wrong with its slice, "" if nothing is."""
        nodes = self.slices.wanted.get(number, ())
        if not nodes:
            return 0.0, ""
        hazard = ""
        if self.worst:
            found = [self.worst[node] for node in nodes if node in self.worst]
            hazard = _in_words(max(found)) if found else ""
        total = self.total[nodes[0]] if len(nodes) == 1 and self.is_tree[nodes[0]] else self._sum(nodes)
        return total / NANOSECONDS, hazard

    def _sum(self, nodes: tuple[int, ...]) -> int:
        """The cost of ``nodes`` and all that they need; an upper bound of it once too much has been looked at."""
        cost, needs = self.slices.cost, self.slices.needs
        if self.visits < 0:
            return min(self.most, sum(self.total[node] for node in nodes))
        seen = set(nodes)
        stack = list(nodes)
        while stack:
            for needed in needs[stack.pop()]:
                if needed not in seen:
                    seen.add(needed)
                    stack.append(needed)
        self.visits -= len(seen)
        return sum(cost[node] for node in seen)


def _in_words(hazard: tuple[int, int, str]) -> str:
    reluctance, _, reason = hazard
    return f"replay is not exact: {reason}" if reluctance >= Reluctance.LAST_RESORT else reason


def _findings(problem: Problem, replayed: Iterable[int]) -> Iterable[Diagnostic]:
    risky = {step.position: step for step in problem.demands.risky}
    for position in replayed if risky else ():
        step = risky.get(position)
        for hazard in step.hazards if step else ():
            if step is not None and hazard.reluctance is Reluctance.LAST_RESORT:
                names = ", ".join(outputs_of(step)) or "nothing"
                yield Diagnostic(
                    "replay-not-exact",
                    Severity.WARNING,
                    f"{names} must be replayed although {hazard.reason}: it may come out different",
                )
                break


def _options_left_out(problem: Problem, replayed: Iterable[int]) -> Iterable[Diagnostic]:
    graph = problem.graph
    left = options_left_out(graph, problem.demands, problem.impossible, frozenset(replayed))
    last = {option_in(graph.steps[position].code or ""): position for position, _ in left}
    for position, reason in left:
        if last[option_in(graph.steps[position].code or "")] != position:
            continue
        text = (graph.steps[position].code or "").strip()[:60]
        yield Diagnostic(
            "options-not-replayed",
            Severity.WARNING,
            f"what {text!r} set comes back as far as it is plain values, a function or a handler does not: {reason}",
            hint="set options in a cell of their own that takes no time",
        )


def _spell(seconds: float) -> str:
    if seconds >= 1:
        return "for ever" if seconds == INFINITY else f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    factor, unit = (1e3, "ms") if seconds >= 1e-3 else (1e6, "µs")
    value = seconds * factor
    return f"{value:.2g} {unit}" if value < 10 else f"{value:.0f} {unit}"
