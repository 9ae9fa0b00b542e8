"""An explanation in words: why a variable is stored, replayed or lost, and what would change that.

wine: stored (pandas.DataFrame, 21.9 kB)
    Storing it takes 102 µs at 537 MB/s.
    Replaying it takes 14 ms: 3 statements.
        cell 3, line 5   wine = raw.rename(columns=tidy)
        ...
    The cheaper way was taken: the other one would add 14 ms to the plan.
    What would change it: a destination slower than 2.3 MB/s, or --replay wine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nbdag.model.graph import Reluctance
from nbdag.model.plan import Action, Explanation, Obstacle, Replay
from nbdag.model.results import Planned
from nbdag.report.units import say_bytes, say_count, say_fine, say_seconds

MOST_STATEMENTS = 12
"""Statements shown of one explanation: as many as one reads."""

INEXACT = 1e6
"""Seconds; costs above this are no durations: the cost model puts more on a step that may come out different."""


GIVEN = (
    "Imports, functions and classes are always replayed from source, together with what they need: "
    "that works on every version of Python. Nothing was weighed."
)


@dataclass(frozen=True, slots=True)
class Words:
    """What is said: a heading, sentences, and behind the sentence number ``listed_after`` the code that would run."""

    heading: str
    sentences: tuple[str, ...]
    listing: tuple[tuple[str, str], ...] = ()  # (place, code)
    listed_after: int = 0


def words_of(explanation: Explanation, planned: Planned) -> Words:
    """The explanation as sentences for people."""
    if explanation.given:
        return Words(_heading(explanation), (GIVEN,), _listing(explanation.statements), 1)
    storing = _storing(explanation, planned)
    replaying = tuple(_replaying(explanation))
    sentences = (
        *_linked(explanation),
        storing,
        *replaying,
        *_decision(explanation, planned),
        *_what_would_change_it(explanation, planned),
    )
    after = len(_linked(explanation)) + 2 if explanation.statements else 0
    return Words(_heading(explanation), sentences, _listing(explanation.statements) if after else (), after)


def _heading(e: Explanation) -> str:
    what = {Action.STORE: "stored", Action.REPLAY: "replayed", Action.LOSE: "lost"}[e.decision.action]
    facts = [e.type] if e.type else []
    if e.decision.size and not e.linked and not e.against_storing:
        facts.append(say_bytes(e.decision.size))
    return f"{e.name}: {what}" + (f" ({', '.join(facts)})" if facts else "")


def _linked(e: Explanation) -> tuple[str, ...]:
    if not e.linked:
        return ()
    shared = f" ({e.link})" if e.link else ""
    return (
        f"It shares state with {say_names(e.linked)}{shared}: they are stored together or replayed together"
        + (f", {say_bytes(e.decision.size)} in all." if not e.against_storing else "."),
    )


def _storing(e: Explanation, planned: Planned) -> str:
    it = "them" if e.linked else "it"
    if e.against_storing:
        return f"It cannot be stored: {say_obstacle(e.against_storing[0], (e.name, *e.linked))}."
    if planned.objective == "size":
        return f"Storing {it} takes {say_bytes(e.decision.size)}."
    weight = " (writing counts a twentieth)" if planned.objective == "restore" else ""
    speed = f" at {say_bytes(planned.bandwidth)}/s" if planned.bandwidth else ""
    return f"Storing {it} takes {say_fine(e.decision.store_cost)}, writing and loading{speed}{weight}."


def _replaying(e: Explanation) -> Iterable[str]:
    closed = [obstacle for obstacle in e.against_replaying if obstacle.grade is Reluctance.NEVER]
    it = "them" if e.linked else "it"
    if not e.statements:
        if closed:
            yield f"It cannot be replayed: {say_obstacle(closed[0])}."
        return
    count = say_count(len(e.statements), "statement")
    if closed:
        yield f"It cannot be replayed: {say_obstacle(closed[0])}. These would have to run ({count}):"
    else:
        beyond = (
            f", beyond {say_count(e.definitions, 'definition')} that {_runs(e.definitions)} in any case"
            if e.definitions
            else ""
        )
        yield f"Replaying {it} takes {say_fine(e.replay_seconds)}, {count}{beyond}:"
    if len(closed) > 1:
        yield f"Nor would that be all: {'; '.join(say_obstacle(obstacle) for obstacle in closed[1:4])}."
    shared = len(e.shared)
    if shared and not closed and not e.against_storing:
        every = shared == len(e.statements)
        yield f"{'All' if every else shared} of them {_is_are(shared)} replayed anyway, for other variables."
    doubts = [obstacle for obstacle in e.against_replaying if obstacle.grade is Reluctance.LAST_RESORT]
    if doubts:
        yield f"It might come out different: {'; '.join(map(say_obstacle, doubts[:3]))}{_more(doubts, 3)}."
    risks = [obstacle for obstacle in e.against_replaying if obstacle.grade is Reluctance.RISK]
    if risks:
        extra = e.decision.replay_cost - e.replay_seconds
        worth = f"; not to depend on that is worth {say_seconds(extra)}" if not doubts and extra < INEXACT else ""
        yield f"It depends on files: {'; '.join(map(say_obstacle, risks[:3]))}{_more(risks, 3)}{worth}."


def _decision(e: Explanation, planned: Planned) -> Iterable[str]:
    action, costs_more = e.decision.action, e.other_way - e.plan_cost
    closed = any(obstacle.grade is Reluctance.NEVER for obstacle in e.against_replaying)
    doubtful = any(obstacle.grade is Reluctance.LAST_RESORT for obstacle in e.against_replaying)
    if e.unmet and action is not Action.LOSE:
        yield f"{e.unmet[0].upper()}{e.unmet[1:]} asks for the other way, which is not open."
    if action is Action.LOSE:
        yield "Neither way is open, so it stays behind."
    elif e.wish:
        price = "" if planned.objective == "size" else _price(costs_more)
        yield f"{e.wish[0].upper()}{e.wish[1:]} asks for that{price}."
    elif action is Action.REPLAY and e.against_storing:
        yield "Replaying is the only way" + (", so it is taken all the same." if doubtful else ".")
    elif action is Action.STORE and closed:
        yield "Storing is the only way."
    elif action is Action.STORE and doubtful:
        yield "What can be stored is not left to such a replay."
    elif lacks_room(e, planned):
        it = "them" if e.linked else "it"
        room = say_bytes(planned.max_bytes or 0)
        yield f"Storing {it} would be cheaper, but {room} (--max-size) are no room for {it}."
    elif planned.objective == "size":
        yield "The cheaper way was taken: --objective size weighs 10 kB like a second of replay."
    elif costs_more >= 0:
        yield f"The cheaper way was taken{_price(costs_more)}."


def lacks_room(e: Explanation, planned: Planned) -> bool:
    """Whether the variable is replayed for want of room."""
    replayed = e.decision.action is Action.REPLAY and planned.max_bytes is not None
    return replayed and len(e.shared) < len(e.statements) and e.decision.store_cost < e.decision.replay_cost


def _price(costs_more: float) -> str:
    if math.isinf(costs_more) or abs(costs_more) >= INEXACT:
        return ""
    if costs_more < 0:
        return f", which makes the plan {say_fine(-costs_more)} dearer than it need be"
    if costs_more < 1e-6:
        return ": the other one would cost as much"
    return f": the other one would make the whole plan {say_fine(costs_more)} dearer"


def _what_would_change_it(e: Explanation, planned: Planned) -> Iterable[str]:
    changes: list[str] = []
    action = e.decision.action
    closed = any(obstacle.grade is Reluctance.NEVER for obstacle in e.against_replaying)
    if action is Action.LOSE:
        changes.append("a form of it that can be stored (its data instead of the handle)")
        first = next((obstacle for obstacle in e.against_replaying if obstacle.at), None)
        if first is not None:
            cell = first.at.partition(", line ")[0]
            tag = "is tagged" in say_obstacle(first)
            changes.append(f"taking the tag away from {cell}" if tag else f"other code at {first.at}")
        changes.append(f"doing without it: --exclude {e.name}")
    elif e.wish.startswith("--"):
        changes.append(f"leaving {e.wish} out")
    elif e.wish:
        changes.append("taking the tag away from the cell")
    elif action is Action.STORE and not closed:
        if e.turning_point:
            changes.append(f"a destination slower than {say_bytes(e.turning_point)}/s")
        if not math.isinf(e.other_way):
            changes.append(f"--replay {e.name} (or the tag nbdag-recompute on its cell)")
    elif action is Action.STORE:
        changes.append("nothing short of other code in its cells")
    elif e.against_storing:
        changes += ["a value that can be stored", f"doing without it: --exclude {e.name}"]
    elif e.statements:
        if lacks_room(e, planned):
            changes.append("a larger --max-size, or large variables left behind with --exclude")
        if e.turning_point:
            changes.append(f"a destination faster than {say_bytes(e.turning_point)}/s")
        if not math.isinf(e.other_way):
            changes.append(f"--store {e.name} (or the tag nbdag-always-store on its cell)")
    if changes:
        yield f"What would change it: {'; '.join(changes[:-1])}{'; or ' if changes[:-1] else ''}{changes[-1]}."


# ------------------------------------------------------------------------------------------------ small words


def _listing(statements: Sequence[Replay]) -> tuple[tuple[str, str], ...]:
    """Place and first line of each statement; of a long history its beginning and its end."""
    rows = [(f"{statement.cell}, line {statement.line}", first_line(statement.code)) for statement in statements]
    if len(rows) <= MOST_STATEMENTS:
        return tuple(rows)
    half = MOST_STATEMENTS // 2
    between = len(rows) - 2 * half
    return (*rows[:half], ("", f"... and {say_count(between, 'statement')} between"), *rows[-half:])


def first_line(code: str) -> str:
    """The first line of a statement, with a mark where more follow."""
    lines = code.strip().splitlines() or ["(its text is unknown)"]
    return lines[0] + (" ..." if len(lines) > 1 else "")


def say_obstacle(obstacle: Obstacle, names: Sequence[str] = ()) -> str:
    """``("it reads the clock", "cell 3, line 2")`` -> ``"cell 3, line 2 reads the clock"``.

    An obstacle of storing begins with the way to the object: "x.lock: a lock belongs to its process"; of a variable in
    ``names`` itself that says nothing new.
    """
    if obstacle.at:
        reason = obstacle.reason
        if reason.startswith("its cell is "):
            return f"{obstacle.at.partition(', line ')[0]} {reason.removeprefix('its cell ')}"
        return f"{obstacle.at} {reason[3:]}" if reason.startswith("it ") else f"{obstacle.at}: {reason}"
    path, colon, reason = obstacle.reason.partition(": ")
    if colon and path in names:
        return reason if path == names[0] else f"{path} is {reason}"
    if colon and any(path.startswith(name) for name in names):
        return f"at {path}, {reason}"
    return obstacle.reason


def say_names(names: Sequence[str], most: int = 6) -> str:
    """``("a", "b", "c")`` -> ``"a, b and c"``; of many the first, and how many more."""
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _more(found: Sequence[object], shown: int) -> str:
    return f", and {len(found) - shown} more" if len(found) > shown else ""


def _runs(count: int) -> str:
    return "runs" if count == 1 else "run"


def _is_are(count: int) -> str:
    return "is" if count == 1 else "are"
