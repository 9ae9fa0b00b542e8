"""What a policy is: it is asked where a cell should run, and learns from what became of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nbdag.remote.experience import Experience, Outcome, Question
from nbdag.remote.learning import Estimate
from nbdag.remote.model import Decision, Where
from nbdag.remote.words import size_in_words, time_in_words


class Policy(Protocol):
    """One way to choose. ``lazy``: results stay there until something here needs them."""

    name: str
    lazy: bool
    experience: Experience

    def decide(self, question: Question) -> Decision:
        """Where the cell should run, with reasons and predictions. Nothing is done, and nothing is learned."""
        ...

    def learn(self, outcome: Outcome) -> None:
        """Take note of a run, wherever it was."""
        ...


@dataclass(frozen=True, slots=True)
class Bill:
    """What a cell takes on either side, transfers included, and the estimates of its own time."""

    here: Estimate
    there: Estimate
    here_total: float
    there_total: float
    sent: int
    fetched: int
    moving: float  # seconds of there_total that are not the cell's own

    @property
    def gain(self) -> float:
        return self.here_total - self.there_total


def bill_of(question: Question, experience: Experience, lazy: bool) -> Bill | None:
    """Both sides of one cell by itself; None if its time is not known. With ``lazy`` its results need not come back."""
    size = question.needed_bytes
    here = experience.here(question.reading, size)
    there = experience.there(question.reading, size, question.target, question.link)
    if here is None or there is None:
        return None
    link = question.link
    sent = question.missing_there
    fetched = 0 if lazy else experience.made_bytes(question.reading.shape, size)
    moving = experience.overhead + link.seconds_to_send(sent) + (0.0 if lazy else link.seconds_to_fetch(fetched))
    missing = question.missing_here
    here_total = here.seconds + (link.seconds_to_fetch(missing) if missing else 0.0)
    return Bill(here, there, here_total, there.seconds + moving, sent, fetched, moving)


def stay(question: Question, policy: str, reason: str, seconds: float = 0.0, there: float = 0.0) -> Decision:
    """The decision to run here."""
    return Decision(Where.HERE, question.target, policy, reason, seconds, there)


def by_bill(question: Question, policy: str, bill: Bill | None, because: str = "") -> Decision:
    """The decision for the side where one cell by itself is cheaper; ``because`` is said before the figures."""
    if question.stays:
        return stay(question, policy, f"it has to run here: {question.stays}")
    if any(not held.movable and not held.there for held in (question.state[index] for index in question.needs)):
        return stay(question, policy, "it needs something that cannot be sent")
    if bill is None:
        return stay(question, policy, "nothing like it has run yet: its time is not known")
    said = because + told(bill)
    if bill.gain <= 0:
        return stay(question, policy, said, bill.here_total, bill.there_total)
    return Decision(Where.THERE, question.target, policy, said, bill.here_total, bill.there_total, bill.sent)


def told(bill: Bill) -> str:
    """The figures of a bill in words."""
    moved = f"sending {size_in_words(bill.sent)}"
    if bill.fetched:
        moved += f" and fetching {size_in_words(bill.fetched)}"
    return (
        f"{time_in_words(bill.here_total)} here ({_runs(bill.here)}), {time_in_words(bill.there.seconds)} there"
        f" + {time_in_words(bill.moving)} for {moved}"
    )


def _runs(expected: Estimate) -> str:
    return "1 run" if expected.runs == 1 else f"{expected.runs} runs"
