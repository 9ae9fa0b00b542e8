"""Lets a policy choose in a live session: before a cell it asks where, after it it takes note of what happened.

    source --decide--> Decision            reads the session's numbers and, if it may pay at all, what the cell needs
    what ran --settle--> log, history      what the recorder saw of it, and what the run there reported

It knows no IPython: what it has to ask about the session comes through :class:`Session`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from nbdag.errors import IntegrityError
from nbdag.remote.decisions import Entry, append_entry, read_log, regret, saved_so_far
from nbdag.remote.experience import Held, Outcome, Question
from nbdag.remote.history import History, Piece, Run, read_history, write_history
from nbdag.remote.knowledge import read_cell
from nbdag.remote.model import Decision, Link, RemoteRun, Where
from nbdag.remote.policies import POLICIES
from nbdag.remote.policies.base import stay
from nbdag.remote.policies.guard import Account, Guarded
from nbdag.remote.recording import label_of

WORTH_A_LOOK = 0.5
"""Seconds: what is expected to take less here is not sent away, and nothing is looked at for it."""

LOOK_SECONDS, LOOK_SHARE = 0.1, 0.01
"""Looking at the session may take so long (seconds of CPU) before any cell, or this share of what the cell is expected
to take: where it took longer the last time, one does not look."""

HISTORIES = 50
"""Sessions that are remembered; the oldest go first."""

WRITE_EVERY = 10
"""Cells between two writings of the session's history."""


class Session(Protocol):
    """What is asked of the live session."""

    def numbers(self) -> Mapping[str, object]:
        """The variables by name; only plain numbers are looked at."""
        ...

    def warm(self) -> None:
        """Let the other side make ready for cells of this session; nobody waits for that."""
        ...

    def look(self, source: str) -> tuple[tuple[Held, ...], tuple[int, ...], int, str]:
        """The pieces of the session, which of them ``source`` needs, the bytes of all, and why it cannot go ("")."""
        ...

    def sizes(self, names: tuple[str, ...], exact: bool) -> tuple[Held, ...]:
        """Pieces for those of the names that are there; unless ``exact``, with sizes that are quick to tell."""
        ...


@dataclass(frozen=True, slots=True)
class Ran:
    """What the recorder saw of a cell. ``reached`` and ``made`` are names; ``stays`` is why it has to run here."""

    source: str
    seconds: float
    outcome: str = "ok"
    reached: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    stays: str = ""
    started: float = 0.0


@dataclass
class Pending:
    """A decision whose cell has not been settled."""

    question: Question
    decision: Decision
    numbered: int
    source: str
    whole_bytes: int = 0
    run: RemoteRun | None = None
    total: float = 0.0
    failed: str = ""
    raised: bool = False  # it ran there and raised
    looking: float = 0.0  # seconds that the decision took


@dataclass
class Driver:
    """One session under one policy on one target. ``directory`` holds the log and the histories of earlier sessions."""

    policy: Guarded
    target: str
    link: Link
    session: Session
    directory: Path
    id: str = field(default_factory=lambda: time.strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:4])
    pending: Pending | None = None
    _runs: list[Run] = field(default_factory=list)
    _pieces: list[Piece] = field(default_factory=list)
    _current: dict[str, int] = field(default_factory=dict)
    _ended: float = 0.0
    _look_took: float = 0.0

    @classmethod
    def begin(
        cls,
        name: str,
        target: str,
        link: Link,
        session: Session,
        directory: Path,
        allowance: float = 0.0,
        lazy: bool = False,
    ) -> Driver:
        """A driver that knows the earlier sessions in ``directory``. Makes the directory, for its owner only.

        ``allowance``: seconds that the user is ready to lose, beyond what was earned. ``lazy``: the block policy may
        leave results there, where they are lost with the process.
        """
        (directory / "history").mkdir(parents=True, exist_ok=True, mode=0o700)
        log, histories = read_log(directory), read_histories(directory)
        account = Account(
            saved=max(0.0, saved_so_far(log, target)) + allowance,
            granted=allowance,
            lengths=[sum(run.seconds for run in history.runs) for history in histories if history.runs],
            proven=any(
                entry.target == target and entry.where == Where.THERE.value and entry.slack > 0 for entry in log
            ),
        )
        chosen = POLICIES[name]()
        chosen.lazy = chosen.lazy and lazy
        policy = Guarded(chosen, account)
        policy.experience.recall(histories, link)
        return cls(policy, target, link, session, directory)

    # -------------------------------------------------------------------------------------------- before a cell

    def decide(self, source: str, numbered: int) -> Decision:
        """Where ``source`` should run as cell ``numbered``; asked again for the same, the answer is the same."""
        pending = self.pending
        if pending is not None and (pending.numbered, pending.source) == (numbered, source):
            return pending.decision
        reading = read_cell(source, self.session.numbers())
        question = Question(
            reading, label_of(source), self.target, self.link, before=tuple(run.shape for run in self._runs)
        )
        begun = time.perf_counter()
        decision, question, whole = self._decide(question, source)
        self.pending = Pending(question, decision, numbered, source, whole, looking=time.perf_counter() - begun)
        return decision

    def _decide(self, question: Question, source: str) -> tuple[Decision, Question, int]:
        """The decision, the question with what was seen, and the bytes of the session (0 if nobody looked)."""
        experience, name = self.policy.experience, self.policy.name
        habit = experience.habits.get(question.reading.shape)
        expected = experience.here(question.reading, habit.size if habit is not None else 0)
        if expected is not None and habit is not None and habit.stays:
            return stay(question, name, f"it has to run here: {habit.stays}", expected.seconds), question, 0
        if expected is not None and expected.high < WORTH_A_LOOK:
            return stay(question, name, "it takes too little to be worth a look", expected.seconds), question, 0
        if self._look_took > max(LOOK_SECONDS, LOOK_SHARE * (expected.low if expected is not None else 0.0)):
            self._look_took /= 2  # the session may have become smaller: try again some time
            return stay(question, name, "looking at what it needs would take too long"), question, 0
        begun = time.process_time()
        state, needs, whole, stays = self.session.look(source)
        self._look_took = time.process_time() - begun
        question = replace(question, state=state, needs=needs, stays=stays)
        return self.policy.decide(question), question, whole

    # -------------------------------------------------------------------------------------------- after it

    def ran_there(self, run: RemoteRun | None, total: float, *, failed: str = "", raised: bool = False) -> None:
        """The cell in question ran there in ``total`` seconds; or it ``raised`` there; or it ``failed`` to run there,
        and runs here after all.
        """
        if self.pending is not None:
            self.pending.run, self.pending.total = run, total
            self.pending.failed, self.pending.raised = failed, raised

    def settle(self, ran: Ran) -> Entry | None:
        """Take note of a cell that is over: learn, log, remember. None if it is not one that was decided about."""
        pending = self.pending
        if pending is None or pending.source.strip() != ran.source.strip():
            return None
        self.pending = None
        run = pending.run
        there = run is not None or pending.raised
        own = run.seconds if run is not None else max(ran.seconds - pending.total, 0.0)
        total = pending.total if there else pending.total + own
        made = self.session.sizes(run.changed if run is not None else ran.made, own >= WORTH_A_LOOK)
        where = Where.THERE if there else Where.HERE
        if there:
            ran = replace(ran, stays="")  # what it did there it did not do to this machine
        question = replace(self._with_needs(pending.question, ran), stays=ran.stays)
        before = self.policy.account.slack
        self.policy.paid(pending.looking)
        if ran.outcome == "ok" and not pending.raised:
            moving = run.sent.seconds + run.fetched.seconds if run is not None else 0.0
            self.policy.learn(Outcome(question, where, own, total, made, moving, bool(pending.failed)))
            self._remember(question, ran, where, own, pending, made)
        decision = pending.decision
        entry = Entry(
            time=time.time(),
            session=self.id,
            cell=question.reading.cell,
            label=question.label,
            where=where.value,
            target=self.target,
            policy=self.policy.name,
            reason=decision.reason,
            predicted_here=decision.here_seconds,
            predicted_there=decision.there_seconds,
            seconds=total,
            own_seconds=own,
            sent_bytes=run.sent.bytes if run is not None else 0,
            fetched_bytes=run.fetched.bytes if run is not None else 0,
            whole_bytes=run.needs.whole_bytes if run is not None else pending.whole_bytes,
            regret=regret(where, total, decision.here_seconds, decision.there_seconds),
            slack=self.policy.account.slack - before,
            outcome=ran.outcome,
            failed=pending.failed,
        )
        with suppress(OSError):  # a full disk does not end the user's cells
            append_entry(self.directory, entry)
            if len(self._runs) % WRITE_EVERY == 0:
                self.write()
        return entry

    def write(self) -> None:
        """Put the session's history so far into the directory. Raises OSError."""
        if self._runs:
            last = tuple(sorted(set(self._current.values())))
            history = History(self.id, tuple(self._runs), tuple(self._pieces), last, "recorded")
            write_history(history, self.directory / "history" / f"{self.id}.json")

    def close(self) -> None:
        """The session is over, or no longer driven."""
        with suppress(OSError):
            self.write()
            kept = sorted((self.directory / "history").glob("*.json"))
            for path in kept[:-HISTORIES]:
                path.unlink()

    def _with_needs(self, question: Question, ran: Ran) -> Question:
        """The question with what the cell needed, where that was not looked at before it ran."""
        if question.needs or not ran.reached:
            return question
        state = self.session.sizes(tuple(name for name in ran.reached if name not in ran.made), False)
        return replace(question, state=state, needs=tuple(range(len(state))))

    def _remember(
        self, question: Question, ran: Ran, where: Where, own: float, pending: Pending, made: tuple[Held, ...]
    ) -> None:
        needs = []
        for index in question.needs:
            held = question.state[index]
            known = self._current.get(held.names[0]) if held.names else None
            if known is None:
                known = self._piece(held)
            needs.append(known)
        makes = [self._piece(held) for held in made]
        there = where is Where.THERE
        expected = self.policy.experience.here(question.reading, question.needed_bytes)
        self._runs.append(
            Run(
                cell=question.reading.cell,
                shape=question.reading.shape,
                label=question.label,
                seconds=expected.seconds if there and expected is not None else own,
                pause=max(0.0, ran.started - self._ended) if self._ended else 0.0,
                needs=tuple(sorted(set(needs))),
                makes=tuple(makes),
                parameters=question.reading.parameters,
                stays=ran.stays,
                session_bytes=pending.run.needs.whole_bytes if pending.run is not None else pending.whole_bytes,
                target=self.target if there else "",
                there_seconds=own if there else 0.0,
            )
        )
        self._ended = ran.started + ran.seconds

    def _piece(self, held: Held) -> int:
        self._pieces.append(Piece(held.names, held.bytes, held.movable, guessed=True))
        self._current.update(dict.fromkeys(held.names, len(self._pieces) - 1))
        return len(self._pieces) - 1


def read_histories(directory: Path) -> tuple[History, ...]:
    """The histories of earlier sessions, oldest first; damaged ones are passed over."""
    found = []
    for path in sorted((directory / "history").glob("*.json"))[-HISTORIES:]:
        with suppress(IntegrityError, OSError):
            found.append(read_history(path))
    return tuple(found)


def plain_numbers(values: Mapping[str, Any]) -> dict[str, object]:
    """Of a namespace what may be a parameter."""
    return {name: value for name, value in values.items() if type(value) is int or type(value) is float}
