"""The single-cell policy: a cell by itself, as it was the last times.

    there, if   time here  >  time there  +  sending what it needs  +  fetching what it makes

(arXiv 2107.00187). The time here is the mean of its runs, whatever it was given; the time there is that divided by how
much faster the target is, as measured and as seen since. Results come back at once.
"""

from __future__ import annotations

from nbdag.remote.experience import Experience, Outcome, Question
from nbdag.remote.model import Decision
from nbdag.remote.policies.base import bill_of, by_bill


class SingleCell:
    """Each cell for itself."""

    name = "single"
    lazy = False

    def __init__(self) -> None:
        self.experience = Experience(use_bytes=False, use_parameters=False)

    def decide(self, question: Question) -> Decision:
        return by_bill(question, self.name, bill_of(question, self.experience, self.lazy))

    def learn(self, outcome: Outcome) -> None:
        self.experience.learn(outcome)
