"""The knowledge-aware policy: parameters found in the cell, and from which value on it is worth going.

    model.fit(X, y, epochs=5)      1.1 s here: stays
    model.fit(X, y, epochs=200)    never run so, but epochs go with the time: 44 s here; there pays from epochs = 21 on

Parameters are read by ``remote/knowledge.py``; what they do to the time is learned from all runs of the shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nbdag.remote.experience import Experience, Outcome, Question
from nbdag.remote.knowledge import Parameter
from nbdag.remote.model import Decision
from nbdag.remote.policies.base import bill_of, by_bill

STEPS = 40
WIDEST = 1e6
"""How far from the present value a threshold is looked for."""

MATTERS = 0.2
"""The least exponent of a parameter that is worth a word."""


class KnowledgeAware:
    """Thresholds on parameters."""

    name = "knowledge"
    lazy = False

    def __init__(self) -> None:
        self.experience = Experience()

    def decide(self, question: Question) -> Decision:
        bill = bill_of(question, self.experience, self.lazy)
        because = ""
        if bill is not None:
            parameter = self._weightiest(question)
            if parameter is not None:
                because = f"{parameter.name} = {parameter.value:g}{self._threshold(question, parameter)}: "
        return by_bill(question, self.name, bill, because)

    def learn(self, outcome: Outcome) -> None:
        self.experience.learn(outcome)

    def _weightiest(self, question: Question) -> Parameter | None:
        """The parameter that the time goes by most."""
        times = self.experience.times.get(question.reading.shape)
        if times is None:
            return None
        powers = times.exponents()
        known = [one for one in question.reading.parameters if abs(powers.get(one.name, one.exponent)) >= MATTERS]
        return max(known, key=lambda one: abs(powers.get(one.name, one.exponent)), default=None)

    def _threshold(self, question: Question, parameter: Parameter) -> str:
        """From which value of ``parameter`` on there is cheaper, in words; "" if that is not within reach."""

        def pays(value: float) -> bool:
            read = question.reading
            asked_of = tuple(replace(one, value=value) if one == parameter else one for one in read.parameters)
            asked = replace(question, reading=replace(read, parameters=asked_of))
            bill = bill_of(asked, self.experience, self.lazy)
            return bill is not None and bill.gain > 0

        found = turning_point(pays, parameter.value)
        return "" if found is None else f" (there pays from {found:.3g} on)"


def turning_point(pays: Callable[[float], bool], value: float) -> float | None:
    """The least value near ``value`` at which ``pays`` is true and stays so upwards; None if there is none."""
    low, high = value / WIDEST, value * WIDEST
    if pays(low) or not pays(high):
        return None
    for _ in range(STEPS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if pays(middle) else (middle, high)
    return high
