"""Never more than 5 % slower than staying here: what a policy may risk, and what it has to earn first.

The account of a session is what it has saved so far, and a twentieth of what staying here would have taken::

    slack  =  sum over runs of   1.05 * (least the cell takes here)  -  what it took

so a session whose slack is not negative took at most 5 % longer. ``saved`` is the slack that earlier sessions left. A
cell goes there only if both hold:

1. *What is credible.* If all goes as badly as nine of ten times it does not, and everything that is there is fetched,
   the visit gains, or the slack of this session does at least not become negative.
2. *What is not.* All that the visit is expected to take could be lost, and all results which exist only there would
   have to be made again here, and slack and saved together would not be negative. So an unknown target is first tried
   with small cells, whose savings pay for larger ones.

A run that outlasts what (2) allows, or half as long again as it takes when it goes badly, is given up and run here
(``patience``). "The least a cell takes here" is evidence: four fifths of its fastest run with the same text and
parameters, else the lower end of what is expected. With that right, no order of cells and no target make the sum over
all sessions more than 5 % slower, and a session is slower than that only by what sessions before it left: both are
property tests over adversarial sequences. Without that exception nothing would ever be tried in short sessions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from nbdag.remote.experience import Outcome, Question
from nbdag.remote.model import Decision, Where
from nbdag.remote.policies.base import Policy, bill_of
from nbdag.remote.words import time_in_words

TOLERANCE = 0.05
"""How much slower than staying here is not noticed."""

LONGEST_VISIT = 1.5
"""Times what a visit takes when it goes badly: whatever takes longer hangs."""

LINE_MARGIN = 1.25
"""A line is taken to be no slower than its measured time and a quarter."""


@dataclass
class Account:
    """``saved``: the slack that earlier sessions left. ``slack`` of this one. ``exposed`` is what of it stands for
    results that exist only there, by their names: if they are lost, it is, too.
    """

    saved: float = 0.0
    slack: float = 0.0
    exposed: dict[tuple[str, ...], float] = field(default_factory=dict)

    @property
    def balance(self) -> float:
        """What could be lost without the sum of all sessions being slower than allowed."""
        return self.saved + self.slack - sum(self.exposed.values())

    def close(self) -> None:
        """The session ends, and everything is here."""
        self.saved, self.slack = self.saved + self.slack, 0.0
        self.exposed.clear()


class Guarded:
    """A policy that is held to the account; it is a policy itself. ``patience``: seconds a visit may take."""

    def __init__(self, policy: Policy, account: Account | None = None, tolerance: float = TOLERANCE) -> None:
        self.policy = policy
        self.name = policy.name
        self.lazy = policy.lazy
        self.experience = policy.experience
        self.account = Account() if account is None else account
        self.patience = float("inf")
        self._tolerance = tolerance
        self._least = 0.0

    def decide(self, question: Question) -> Decision:
        account = self.account
        only_there = {held.names for held in question.state if not held.here}
        account.exposed = {names: credit for names, credit in account.exposed.items() if names in only_there}
        decision = self.policy.decide(question)
        self._least = self.experience.least_here(question.reading, question.needed_bytes)
        worst, owed = self._worst(question)
        afforded = max(account.balance - owed, 0.0)
        self.patience = min(afforded, LONGEST_VISIT * worst)
        if decision.where is Where.HERE:
            return decision
        if worst > afforded:
            need = f"a visit may take {time_in_words(worst)}, and {time_in_words(afforded)} are earned"
            return self._refused(decision, need)
        least_gain = (1 + self._tolerance) * self._least - worst - owed
        if least_gain < 0 and account.slack + least_gain < 0:
            return self._refused(decision, "at worst it would make this session more than 5 % slower")
        return decision

    def learn(self, outcome: Outcome) -> None:
        """Enter what a run took, and tell the policy."""
        account = self.account
        if outcome.where is Where.HERE:
            account.slack += (1 + self._tolerance) * outcome.seconds - outcome.total
        else:
            credit = (1 + self._tolerance) * self._least
            account.slack += credit - outcome.total
            left = [held.names for held in outcome.made if not held.here]
            account.exposed.update({names: credit / len(left) for names in left})
        self.policy.learn(outcome)

    def paid(self, seconds: float) -> None:
        """Something was fetched outside of any run."""
        self.account.slack -= seconds

    def _worst(self, question: Question) -> tuple[float, float]:
        """Seconds that a visit takes when it goes badly, and that fetching everything takes after it."""
        bill = bill_of(question, self.experience, self.lazy)
        if bill is None:
            return float("inf"), 0.0
        worst = bill.there.high + LINE_MARGIN * bill.moving
        if not self.lazy:
            return worst, 0.0
        made = self.experience.made_bytes(question.reading.shape, question.needed_bytes)
        return worst, LINE_MARGIN * (question.owed_seconds + question.link.seconds_to_fetch(made))

    def _refused(self, decision: Decision, why: str) -> Decision:
        reason = f"{decision.reason}; stays here nevertheless: {why}"
        return replace(decision, where=Where.HERE, reason=reason, bytes=0, block=1)
