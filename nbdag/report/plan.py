"""What ``nbdag plan`` prints: a row per variable, totals, the ways not taken, and why in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from textwrap import wrap

from nbdag.model.graph import Reluctance
from nbdag.model.plan import Action, Alternative, Decision, Explanation, Plan, Replay
from nbdag.model.results import Compiled, Planned
from nbdag.model.trace import ValueKind
from nbdag.report.analysis import print_diagnostics
from nbdag.report.explained import INEXACT, lacks_room, say_names, say_obstacle, words_of
from nbdag.report.paths import relative
from nbdag.report.tables import Column, Page, Value
from nbdag.report.units import say_bytes, say_count, say_fine, say_seconds

ACTIONS = {
    Action.STORE: Value("stored", "good"),
    Action.REPLAY: Value("replayed", ""),
    Action.LOSE: Value("lost", "bad"),
}
_ORDER = {Action.LOSE: 0, Action.STORE: 1, Action.REPLAY: 2}

WAYS = {
    "plan": "this plan",
    "store-all": "store everything",
    "replay-all": "replay everything",
    "per-cell": "cell by cell",
}


def print_plan(planned: Planned, page: Page, *, command: str = "nbdag") -> None:
    """The plan's table, its totals, the comparison, findings, and what to do next; or the explanations asked for.

    ``command`` is how nbdag is called where the page is read: "%nbdag" in a notebook.
    """
    if planned.asked:
        _print_explanations(planned, page)
        return
    source = relative(planned.notebook) or "session"
    page.line(f"{source}: plan for {say_planned(planned)}", "strong")
    page.line(say_conditions(planned), "faint")
    page.line()
    _print_table(planned, page)
    page.line()
    page.line(say_totals(planned.plan))
    print_comparison(planned, page)
    print_diagnostics(planned.diagnostics, page)
    page.line()
    explain, compile = (
        ("explain NAME", "compile DIR") if command == "%nbdag" else ("plan --explain NAME", "compile --out DIR")
    )
    page.line(f"nothing was written; {command} {explain} says why, {command} {compile} does it", "faint")


def say_conditions(planned: Planned | Compiled) -> str:
    """What was minimised, at which speed, and within which room."""
    parts = [f"objective {planned.objective}"]
    if planned.bandwidth:
        source = f" ({planned.bandwidth_source})" if planned.bandwidth_source else ""
        parts.append(f"destination {say_bytes(planned.bandwidth)}/s{source}")
    if planned.max_bytes is not None:
        parts.append(f"at most {say_bytes(planned.max_bytes)}" + (" of values" if isinstance(planned, Planned) else ""))
    return ", ".join(parts)


def say_planned(planned: Planned | Compiled) -> str:
    """How many variables the plan is for, and of how many where some stay behind."""
    decided, there = sum(len(d.names) for d in planned.plan.decisions), len(planned.variables)
    return say_count(there, "variable") if decided == there else f"{decided} of {say_count(there, 'variable')}"


def say_totals(plan: Plan) -> str:
    """How many variables go which way, and what that moves and runs."""
    names = {action: [name for d in plan.decisions if d.action is action for name in d.names] for action in Action}
    stored = sum(decision.size for decision in plan.decisions if decision.action is Action.STORE)
    replays = [step for step in plan.steps if isinstance(step, Replay)]
    seconds = sum(step.seconds for step in replays)
    size = f" ({say_bytes(stored)})" if names[Action.STORE] else ""
    time = f" ({say_count(len(replays), 'statement')}, {say_seconds(seconds)})" if replays else ""
    return (
        f"{len(names[Action.STORE])} stored{size}, {len(names[Action.REPLAY])} replayed{time}, "
        f"{len(names[Action.LOSE])} lost"
    )


def lost_names(planned: Planned) -> tuple[str, ...]:
    """Names that the plan gives up."""
    return tuple(sorted(name for d in planned.plan.decisions if d.action is Action.LOSE for name in d.names))


# ------------------------------------------------------------------------------------------------ the table


def sorted_decisions(plan: Plan) -> list[Decision]:
    """What is lost first, then what is stored, the largest first, then what is replayed."""
    return sorted(plan.decisions, key=lambda d: (_ORDER[d.action], -d.size if d.action is Action.STORE else 0))


def _print_table(planned: Planned, page: Page) -> None:
    types = {variable.name: variable.type for variable in planned.variables}
    kinds = {variable.name: variable.kind for variable in planned.variables}
    explained = {explanation.name: explanation for explanation in planned.explanations}
    given = [d for d in planned.plan.decisions if d.action is Action.REPLAY and is_definition(d, kinds, explained)]
    page.table(
        (
            Column("variable, type" if page.narrow else "variable", least=10),
            Column("" if page.narrow else "type", least=10),
            Column("action", whole=True, least=8),
            Column("size", right=True, whole=True, least=5),
            Column("store+load", right=True, whole=True, least=10),
            Column("replay", right=True, whole=True, least=6),
            Column("why", least=16),
        ),
        [
            [
                *_names_and_types(decision, types, page),
                ACTIONS[decision.action],
                say_bytes(decision.size) if not math.isinf(decision.store_cost) else "",
                Value(say_store(decision, planned.objective), "" if decision.action is Action.STORE else "faint"),
                Value(
                    say_replay(decision, explained.get(decision.names[0])),
                    "" if decision.action is Action.REPLAY else "faint",
                ),
                say_why(decision, explained.get(decision.names[0]), planned),
            ]
            for decision in sorted_decisions(planned.plan)
            if decision not in given
        ],
    )
    if given:
        names = [name for decision in given for name in decision.names]
        page.line(f"replayed from source in any case: {', '.join(names)}", "faint")


def _names_and_types(decision: Decision, types: Mapping[str, str], page: Page) -> tuple[str, str]:
    """Two columns; on a narrow page one, and the types stand below the names."""
    names = ", ".join(decision.names)
    kinds = ", ".join(dict.fromkeys(types[name] for name in decision.names if name in types))
    return (f"{names}\n{kinds}", "") if page.narrow else (names, kinds)


def is_definition(decision: Decision, kinds: Mapping[str, ValueKind], explained: Mapping[str, Explanation]) -> bool:
    """Whether there was nothing to decide: imports, functions and classes that their source makes."""
    explanation = explained.get(decision.names[0])
    if explanation is not None:
        return explanation.given
    return all(kinds.get(name, ValueKind.DATA) is not ValueKind.DATA for name in decision.names)


def say_why(decision: Decision, explanation: Explanation | None, planned: Planned) -> str:
    """The reason, with the place of the statement at fault; just a word where it is the costs alone."""
    if explanation is None or explanation.given:
        return decision.reason
    if decision.action is Action.LOSE:
        return "; ".join(_obstacles(explanation)) or decision.reason
    if explanation.wish and decision.action is Action.STORE and explanation.against_replaying:
        return say_obstacle(explanation.against_replaying[0])
    if explanation.wish:
        return f"{explanation.wish} asks for it"
    if decision.action is Action.REPLAY and explanation.against_storing:
        return f"cannot be stored: {say_obstacle(explanation.against_storing[0], decision.names)}"
    if decision.action is Action.STORE and explanation.against_replaying:
        gravest = explanation.against_replaying[0]
        words = {Reluctance.NEVER: "cannot be replayed: ", Reluctance.LAST_RESORT: "replay is not exact: "}
        return words.get(gravest.grade, "") + say_obstacle(gravest)
    if decision.action is Action.REPLAY and set(explanation.shared) == {s.position for s in explanation.statements}:
        return "its statements are replayed anyway"
    if lacks_room(explanation, planned):
        return "no room to store it (--max-size)"
    return "cheaper"


def _obstacles(explanation: Explanation) -> Iterable[str]:
    names = (explanation.name, *explanation.linked)
    for obstacle in explanation.against_storing[:1]:
        yield f"cannot be stored: {say_obstacle(obstacle, names)}"
    for obstacle in explanation.against_replaying[:1]:
        if obstacle.grade is Reluctance.NEVER:
            yield f"cannot be replayed: {say_obstacle(obstacle)}"


def say_store(decision: Decision, objective: str) -> str:
    """What storing and loading takes, "no" where it cannot be."""
    if math.isinf(decision.store_cost):
        return "no"
    return "" if objective == "size" else say_fine(decision.store_cost)


def say_replay(decision: Decision, explanation: Explanation | None) -> str:
    """What running the statements takes, "no" where they cannot be run; with a mark where they may not do the same."""
    if explanation is None:
        if math.isinf(decision.replay_cost):
            return "no"
        return "not exact" if decision.replay_cost >= INEXACT else say_fine(decision.replay_cost)
    if any(obstacle.grade is Reluctance.NEVER for obstacle in explanation.against_replaying):
        return "no"
    if any(obstacle.grade is Reluctance.LAST_RESORT for obstacle in explanation.against_replaying):
        return "not exact"
    return say_fine(explanation.replay_seconds)


# ------------------------------------------------------------------------------------------------ the comparison


def print_comparison(planned: Planned | Compiled, page: Page) -> None:
    """What the plan costs beside the ways that were not taken."""
    objective = planned.objective
    if not planned.alternatives:
        return
    page.line()
    page.table(
        (
            Column("in comparison", whole=True),
            Column("" if objective == "size" else "cost", right=True, whole=True),
            Column("stored", right=True, whole=True),
            Column("statements", right=True, whole=True),
            Column("replay", right=True, whole=True),
            Column("but", least=16),
        ),
        [
            [
                Value(WAYS.get(way.name, way.name), "strong" if way.name == "plan" else ""),
                "" if objective == "size" else say_cost(way.cost),
                say_bytes(way.stored_bytes),
                str(way.replayed_statements),
                say_seconds(way.replay_seconds),
                say_exceptions(way, planned.max_bytes),
            ]
            for way in planned.alternatives
        ],
    )


def say_cost(cost: float) -> str:
    """A cost of the model, and how many statements may come out different."""
    if math.isinf(cost):
        return "impossible"
    if cost < INEXACT:
        return say_seconds(cost)
    # The cost model puts 1e7 s on every statement that may come out different: they are counted apart.
    doubtful, seconds = divmod(cost, 10 * INEXACT)
    return f"{say_seconds(seconds)} + {max(1, round(doubtful))} not exact"


def say_exceptions(way: Alternative, max_bytes: int | None = None) -> str:
    """What a way does not do as its name says, or not within ``max_bytes``."""
    parts = []
    if max_bytes is not None and way.stored_bytes > max_bytes:
        parts.append("is too large")
    if way.exceptions:
        what = {"store-all": "has to replay", "replay-all": "has to store"}.get(way.name, "cannot move")
        parts.append(f"{what} {say_names(way.exceptions)}")
    if way.lost:
        parts.append(f"loses {say_names(way.lost)}")
    return "; ".join(parts)


# ------------------------------------------------------------------------------------------------ explanations


def _print_explanations(planned: Planned, page: Page) -> None:
    for number, name in enumerate(planned.asked):
        explanation = next((one for one in planned.explanations if one.name == name), None)
        if explanation is None:
            continue
        words = words_of(explanation, planned)
        if number:
            page.line()
        page.line(words.heading, "strong")
        for count, sentence in enumerate(words.sentences, 1):
            _indented(sentence, page)
            if count == words.listed_after:
                width = max(len(place) for place, _ in words.listing)
                for place, code in words.listing:
                    page.line(f"        {place:{width}}  {code}", "faint")


def _indented(sentence: str, page: Page) -> None:
    lines = wrap(sentence, page.width - 4, break_long_words=False) if page.width < 1000 else [sentence]
    for line in lines:
        page.line(f"    {line}")
