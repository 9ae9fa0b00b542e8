"""The performance-aware policy: a cell by itself, on what its time does when it is given more or less.

    a run on 10 MB took 1 s, one on 100 MB took 9 s      ->      on 1 GB: about 80 s here, so it goes there

As the single-cell policy, with times that follow the bytes of the inputs (``learning.py``) on both sides.
"""

from __future__ import annotations

from nbdag.remote.experience import Experience, Outcome, Question
from nbdag.remote.learning import BYTES
from nbdag.remote.model import Decision
from nbdag.remote.policies.base import bill_of, by_bill
from nbdag.remote.words import size_in_words


class PerformanceAware:
    """Times by the size of the inputs, here and there."""

    name = "performance"
    lazy = False

    def __init__(self) -> None:
        self.experience = Experience(use_parameters=False)

    def decide(self, question: Question) -> Decision:
        bill = bill_of(question, self.experience, self.lazy)
        times = self.experience.times.get(question.reading.shape)
        power = times.exponents().get(BYTES) if times is not None and times.runs > 1 else None
        because = f"given {size_in_words(question.needed_bytes)}"
        if power is not None:
            because += f" (time goes with its power {power:.2g})"
        return by_bill(question, self.name, bill, because + ": ")

    def learn(self, outcome: Outcome) -> None:
        self.experience.learn(outcome)
