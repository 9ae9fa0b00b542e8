"""No choice at all: everything here, or everything there. What the other policies are measured against."""

from __future__ import annotations

from nbdag.remote.experience import Experience, Outcome, Question
from nbdag.remote.model import Decision, Where
from nbdag.remote.policies.base import stay


class AllHere:
    """Every cell runs where the session is."""

    name = "here"
    lazy = True

    def __init__(self) -> None:
        self.experience = Experience()

    def decide(self, question: Question) -> Decision:
        return stay(question, self.name, "everything runs here")

    def learn(self, outcome: Outcome) -> None:
        """It never chooses: there is nothing to learn for."""


class AllThere:
    """Every cell that can runs there, and its results come back at once."""

    name = "there"
    lazy = False

    def __init__(self) -> None:
        self.experience = Experience()

    def decide(self, question: Question) -> Decision:
        blocked = question.stays or (
            "it needs something that cannot be sent"
            if any(not question.state[index].movable and not question.state[index].there for index in question.needs)
            else ""
        )
        if blocked:
            return stay(question, self.name, f"it has to run here: {blocked}")
        reason = "everything runs there"
        return Decision(Where.THERE, question.target, self.name, reason, 0.0, 0.0, question.missing_there)

    def learn(self, outcome: Outcome) -> None:
        """It never chooses: there is nothing to learn for."""
