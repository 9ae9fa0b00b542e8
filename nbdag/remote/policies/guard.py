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

A target that has not kept its word yet may take no more of a session than the session itself can bear: its slack, and
a twentieth of what is sure to come (sessions were never shorter). A small cell may be sent there as a trial even if it
gains nothing by itself. Once one has taken there what was promised, what earlier sessions left counts, too.

A run that outlasts what (2) allows, or half as long again as it takes when it goes badly, is given up and run here
(``patience``); a trial of a target that has not kept its word gets ``GRACE`` beyond what the session can bear. "The
least a cell takes here" is evidence: four fifths of its fastest run with the same text and parameters, else the lower
end of what is expected. With that right, no order of cells and no target make the sum over all sessions more than 5 %
slower, and a session is slower than that only by what sessions before it left: both are property tests over adversarial
sequences. What they left is not risked on a target that never kept its word, but for one trial.
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

USUAL = 20
"""Sessions that tell how long one is at the least: the last ones."""

SHORTER = 0.3
"""A session is taken to be no shorter than this share of the shortest of them."""


TRIAL = 0.1
"""Seconds here from which on a cell can tell whether a target keeps its word."""

KEPT = 1.3
"""Times what was expected that a cell may take there for the target to have kept its word."""

GRACE = 0.6
"""Seconds beyond a bad visit after which one to a target that never kept its word is given up: less says nothing."""

LINE_MARGIN = 1.25
"""A line is taken to be no slower than its measured time and a quarter."""


@dataclass
class Account:
    """``saved``: the slack that earlier sessions left. ``slack`` of this one. ``exposed`` is what of it stands for
    results that exist only there, by their names: if they are lost, it is, too.

    ``granted`` are seconds that the user is ready to lose. ``lengths`` of earlier sessions, ``passed`` of this one:
    seconds that they would have taken here. ``proven``: the target has kept its word.
    """

    saved: float = 0.0
    slack: float = 0.0
    exposed: dict[tuple[str, ...], float] = field(default_factory=dict)
    granted: float = 0.0
    lengths: list[float] = field(default_factory=list)
    passed: float = 0.0
    proven: bool = False

    def ahead(self) -> float:
        """Seconds here that are still to come, if this session is nearly as long as the shortest of the last ones."""
        usual = SHORTER * min(self.lengths[-USUAL:], default=0.0)
        return max(usual - self.passed, 0.0)

    @property
    def balance(self) -> float:
        """What could be lost without the sum of all sessions being slower than allowed."""
        return self.saved + self.slack - sum(self.exposed.values())

    def close(self) -> None:
        """The session ends, and everything is here."""
        if self.passed:
            self.lengths.append(self.passed)
        self.passed = 0.0
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
        self._least = self._promised = 0.0

    def decide(self, question: Question) -> Decision:
        account = self.account
        only_there = {held.names for held in question.state if not held.here}
        account.exposed = {names: credit for names, credit in account.exposed.items() if names in only_there}
        decision = self.policy.decide(question)
        self._least = self.experience.least_here(question.reading, question.needed_bytes)
        worst, owed = self._worst(question)
        session = account.slack + account.granted + self._tolerance * account.ahead()
        limit = account.balance if account.proven else min(account.balance, session)
        afforded = max(limit - owed, 0.0)
        self.patience = min(afforded, LONGEST_VISIT * worst)
        if not account.proven:
            self.patience = min(max(account.balance - owed, 0.0), max(afforded, worst + GRACE))
        if decision.where is Where.HERE:
            if self._is_trial(question, worst, afforded):
                return replace(decision, where=Where.THERE, reason=f"a trial of the target: {decision.reason}")
            return decision
        if worst > afforded:
            need = f"a visit may take {time_in_words(worst)}, and {time_in_words(afforded)} are earned"
            return self._refused(decision, need)
        least_gain = (1 + self._tolerance) * self._least - worst - owed
        if least_gain < 0 and session + least_gain < 0:
            return self._refused(decision, "at worst it would make this session more than 5 % slower")
        return decision

    def learn(self, outcome: Outcome) -> None:
        """Enter what a run took, and tell the policy."""
        account = self.account
        account.passed += outcome.seconds if outcome.where is Where.HERE else self._least
        if outcome.where is Where.HERE:
            account.slack += (1 + self._tolerance) * outcome.seconds - outcome.total
        else:
            credit = (1 + self._tolerance) * self._least
            account.proven = account.proven or (not outcome.given_up and outcome.seconds <= self._promised)
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
        self._promised = KEPT * bill.there.seconds
        if not self.lazy:
            return worst, 0.0
        made = self.experience.made_bytes(question.reading.shape, question.needed_bytes)
        return worst, LINE_MARGIN * (question.owed_seconds + question.link.seconds_to_fetch(made))

    def _is_trial(self, question: Question, worst: float, afforded: float) -> bool:
        """Whether a cell that would stay may go, to see what the target is worth."""
        movable = all(question.state[index].movable for index in question.needs)
        return not self.account.proven and not question.stays and movable and self._least > TRIAL and worst <= afforded

    def _refused(self, decision: Decision, why: str) -> Decision:
        reason = f"{decision.reason}; stays here nevertheless: {why}"
        return replace(decision, where=Where.HERE, reason=reason, bytes=0, block=1)
