"""A recorded session under every policy: how long the user would have waited.

The session is replayed as it was: the cells in their order, their seconds here, the pieces of state that went from one
to the next, in the sizes they had. There, a cell takes its seconds divided by the speedup, the overhead and a latency;
pieces cross at the line's speed; changing sides takes one latency; a cell that asks for something which is only on the
other side waits for it; and when the session ends everything it has is here. Policies know what they have learned and
never what comes. Pauses are the user's: they are neither waiting nor won.

The *oracle* knows everything, and is exact (``placement.py``): no policy can wait less under these rules.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from nbdag.remote.experience import Held, Outcome, Question
from nbdag.remote.history import History, Run
from nbdag.remote.knowledge import Reading
from nbdag.remote.model import Decision, Link, Where
from nbdag.remote.placement import Row, Task, best_placement
from nbdag.remote.policies.base import Policy
from nbdag.remote.policies.guard import Account

TARGET = "simulated"

ORACLE = "oracle"


@dataclass(frozen=True, slots=True)
class Conditions:
    """The other side: the line, the seconds that every run there takes beside its own, and how much single cells differ
    from the speedup (``spread``, of its log; drawn once for every shape, the same for all policies).
    """

    link: Link
    overhead: float = 0.3
    spread: float = 0.0

    def there(self, run: Run) -> float:
        """A cell's own time there."""
        ratio = self.link.speedup
        if self.spread:
            ratio *= math.exp(random.Random(run.shape).gauss(0.0, self.spread))
        return run.seconds / ratio


@dataclass(frozen=True, slots=True)
class Visit:
    """One cell of a simulated session: where it ran, what that took, and why. ``waited`` includes what was moved."""

    label: str
    where: Where
    waited: float
    sent: int = 0
    fetched: int = 0
    here_seconds: float = 0.0  # what it takes here, nothing moved
    decision: Decision | None = None
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Course:
    """A session under one policy. ``waited`` is the user's, ``homecoming`` the part of it at the end."""

    policy: str
    session: str
    visits: tuple[Visit, ...]
    homecoming: float = 0.0

    @property
    def waited(self) -> float:
        return sum(visit.waited for visit in self.visits) + self.homecoming

    @property
    def there(self) -> int:
        """Cells that ran there."""
        return sum(visit.where is Where.THERE for visit in self.visits)

    @property
    def moved(self) -> int:
        """Bytes, both ways; those of the homecoming not among them."""
        return sum(visit.sent + visit.fetched for visit in self.visits)


# ------------------------------------------------------------------------------------------------ the oracle


def row_of(history: History, conditions: Conditions) -> Row:
    """The session as tasks to place, with everything known."""
    link, latency = conditions.link, conditions.link.latency_seconds
    made = {piece for run in history.runs for piece in run.makes}
    never = float("inf")
    sending, fetching = {}, {}
    for index, piece in enumerate(history.pieces):
        sending[index] = link.seconds_to_send(piece.bytes) - latency if piece.movable else never
        fetching[index] = link.seconds_to_fetch(piece.bytes) - latency if piece.movable else never
    return Row(
        tasks=tuple(
            Task(
                run.seconds,
                never if stays_here(history, run) else conditions.there(run) + conditions.overhead + latency,
                run.needs,
                run.makes,
            )
            for run in history.runs
        ),
        sending=sending,
        fetching=fetching,
        at={index: Where.HERE for index in range(len(history.pieces)) if index not in made},
        home=history.last,
        enter=latency,
        leave=latency,
    )


def stays_here(history: History, run: Run) -> str:
    """Why a run cannot be anywhere else."""
    if run.stays:
        return run.stays
    fixed = [piece for piece in run.makes if not history.pieces[piece].movable]
    return f"what it makes cannot be sent back ({history.pieces[fixed[0]].names[0]})" if fixed else ""


def oracle(history: History, conditions: Conditions) -> Course:
    """The course that waits least."""
    _, placement = best_placement(row_of(history, conditions))
    return follow(history, conditions, placement, ORACLE)


def follow(history: History, conditions: Conditions, placement: Sequence[Where], name: str) -> Course:
    """The course of a session whose places are given, results left where they were made."""
    site = _Site(history, conditions)
    visits = [site.run(index, place, lazy=True) for index, place in enumerate(placement)]
    return Course(name, history.name, tuple(visits), site.come_home())


# ------------------------------------------------------------------------------------------------ a policy


def simulate(history: History, policy: Policy, conditions: Conditions) -> Course:
    """The course under a policy, which learns as it goes."""
    site = _Site(history, conditions)
    visits = []
    account: Account | None = getattr(policy, "account", None)
    for index, run in enumerate(history.runs):
        question = site.question(index)
        decision = policy.decide(question)
        if decision.where is Where.THERE and not site.can_go(index):
            decision = replace(decision, where=Where.HERE)
        patience = float(getattr(policy, "patience", math.inf))
        visit = site.run(index, decision.where, policy.lazy, patience)
        visits.append(replace(visit, decision=decision))
        seconds = run.seconds if visit.where is Where.HERE else conditions.there(run)
        moving = visit.waited - seconds - (0.0 if visit.where is Where.HERE else conditions.overhead)
        policy.learn(
            Outcome(question, visit.where, seconds, visit.waited, site.made(index), max(moving, 0.0), visit.given_up)
        )
    homecoming = site.come_home()
    if account is not None:
        account.slack -= homecoming
        account.close()
    policy.experience.miner.end([run.shape for run in history.runs])
    return Course(policy.name, history.name, tuple(visits), homecoming)


class _Site:
    """Both sides while a session is replayed: which piece is where, and on which side one stands."""

    def __init__(self, history: History, conditions: Conditions) -> None:
        self._history = history
        self._conditions = conditions
        made = {piece for run in history.runs for piece in run.makes}
        self._here = {piece for piece in range(len(history.pieces)) if piece not in made}
        self._there: set[int] = set()
        self._current: dict[str, int] = {
            name: piece for piece in sorted(self._here) for name in history.pieces[piece].names
        }
        self._side = Where.HERE

    def question(self, index: int) -> Question:
        """What a policy is asked about a run."""
        run = self._history.runs[index]
        known = dict.fromkeys([*self._current.values(), *run.needs])
        numbers = {piece: number for number, piece in enumerate(known)}
        return Question(
            reading=Reading(run.cell, run.shape, run.parameters),
            label=run.label,
            target=TARGET,
            link=self._conditions.link,
            state=tuple(self._held(piece) for piece in known),
            needs=tuple(numbers[piece] for piece in run.needs),
            stays=stays_here(self._history, run),
            side=self._side,
            before=tuple(earlier.shape for earlier in self._history.runs[:index]),
        )

    def made(self, index: int) -> tuple[Held, ...]:
        """What a run left, where it is now."""
        return tuple(self._held(piece) for piece in self._history.runs[index].makes)

    def can_go(self, index: int) -> bool:
        """Whether a run is possible there at all."""
        run = self._history.runs[index]
        pieces = self._history.pieces
        return not stays_here(self._history, run) and all(
            pieces[piece].movable or piece in self._there for piece in run.needs
        )

    def run(self, index: int, place: Where, lazy: bool, patience: float = math.inf) -> Visit:
        """Run a cell at ``place``; one that would take longer than ``patience`` there is given up and run here."""
        run = self._history.runs[index]
        if place is Where.HERE:
            return self._run_here(run)
        link = self._conditions.link
        waited = self._cross(Where.THERE) + self._conditions.there(run) + self._conditions.overhead
        waited += link.latency_seconds
        missing = [piece for piece in run.needs if piece not in self._there]
        sent = sum(self._history.pieces[piece].bytes for piece in missing)
        waited += sent / link.bytes_per_second
        fetched = 0
        if not lazy:
            fetched = sum(self._history.pieces[piece].bytes for piece in run.makes)
            waited += fetched / link.back + link.latency_seconds
        if waited > patience:
            self._there.update(piece for piece in missing if patience > sent / link.bytes_per_second)
            self._side = Where.HERE  # nothing was waited for that would have to come back
            again = self._run_here(run)
            return replace(again, waited=again.waited + patience, sent=sent, given_up=True)
        self._there.update(missing)
        self._make(run, self._there)
        if not lazy:
            self._here.update(run.makes)
            self._side = Where.HERE
        return Visit(run.label, Where.THERE, waited, sent, fetched, run.seconds)

    def come_home(self) -> float:
        """Seconds to fetch what the session has at its end and what is only there."""
        missing = [piece for piece in self._history.last if piece not in self._here]
        self._here.update(missing)
        return sum(self._history.pieces[piece].bytes for piece in missing) / self._conditions.link.back

    def _run_here(self, run: Run) -> Visit:
        waited = self._cross(Where.HERE) + run.seconds
        missing = [piece for piece in run.needs if piece not in self._here]
        fetched = sum(self._history.pieces[piece].bytes for piece in missing)
        self._here.update(missing)
        self._make(run, self._here)
        waited += fetched / self._conditions.link.back
        return Visit(run.label, Where.HERE, waited, 0, fetched, run.seconds)

    def _cross(self, place: Where) -> float:
        if place is self._side:
            return 0.0
        self._side = place
        return self._conditions.link.latency_seconds

    def _make(self, run: Run, side: set[int]) -> None:
        side.update(run.makes)
        self._current.update({name: piece for piece in run.makes for name in self._history.pieces[piece].names})

    def _held(self, piece: int) -> Held:
        found = self._history.pieces[piece]
        return Held(found.names, found.bytes, piece in self._here, piece in self._there, found.movable)


# ------------------------------------------------------------------------------------------------ many sessions


def factor(courses: Iterable[Course], references: Iterable[Course]) -> float:
    """How much longer the ``courses`` waited than the ``references``, together."""
    mine = sum(course.waited for course in courses)
    theirs = sum(course.waited for course in references)
    return mine / theirs if theirs else 1.0
