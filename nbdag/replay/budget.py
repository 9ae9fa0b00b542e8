"""``--max-size``: the cheapest plan whose stored values fit into so many bytes.

Storing is given a price per byte on top of what it costs. As the price rises, plans get smaller; each is the cheapest
of its size. The price at which one that does not fit and one that does cost the same is found exactly, in whole
numbers, by going from one plan to the next along the edge of what is possible::

    cost |     b                     a: cheapest, does not fit       b: fits
         |      \\                    the slope between two plans is the next price; where no plan
         |       o---a               lies below the line, b is the best on the edge
         +------|-------- bytes
               max

Plans beside that edge can be cheaper than b (it is a knapsack). They are looked for by branch and bound: a branch is
cut off when the line promises nothing better in it.

Guaranteed: the plan never takes more than ``most`` bytes; PlanError where not one plan does, and it names the smallest
possible. When the search ends within ``WORK``, the plan is the cheapest that fits; otherwise it costs no more than the
best on the edge. The search is the same from run to run: it counts what it does and looks at no clock.

M. L. Fisher, "The Lagrangian relaxation method for solving integer programming problems", 1981.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nbdag.errors import PlanError
from nbdag.portable.telling import size_text
from nbdag.replay.choice import cheapest
from nbdag.replay.problem import Problem, evaluate, stored_bytes

WORK = 400_000
"""Nodes of the contracted graph gone through in the search for something better: about a second."""


def bytes_in_words(count: int) -> str:
    """``12345678 bytes (12.3 MB)``: what somebody types behind ``--max-size``, and how much that is."""
    return f"{count} bytes" if count < 1000 else f"{count} bytes ({size_text(count)})"


def fit(problem: Problem, most: int) -> frozenset[int]:
    """The covariables to store: at most ``most`` bytes together. Raises PlanError where nothing fits."""
    large = cheapest(problem)
    if stored_bytes(problem, large) <= most:
        return large
    enough = 1 + sum(problem.prices()) + sum(problem.runs)  # a byte at this price outweighs all costs there are
    small = _Priced(problem, scale=1, per_byte=enough).cheapest()
    smallest = stored_bytes(problem, small)
    if smallest > most:
        raise PlanError(
            f"the variables do not fit into {bytes_in_words(most)}: "
            f"the smallest plan there is stores {bytes_in_words(smallest)}",
            "give --max-size more, or leave large variables out with --exclude",
        )
    while True:
        saved = stored_bytes(problem, large) - stored_bytes(problem, small)
        price = _cost(problem, small) - _cost(problem, large)
        priced = _Priced(problem, scale=saved, per_byte=max(price, 0))
        between = priced.cheapest()
        if priced.value(between) >= priced.value(small):
            break
        if stored_bytes(problem, between) > most:
            large = between
        else:
            small = between
    return _Search(problem, priced, most, small).run()


def _cost(problem: Problem, stored: frozenset[int]) -> int:
    cost = evaluate(problem, stored)
    if cost is None:
        raise AssertionError("a plan of the planner's own is not possible")
    return cost


@dataclass(slots=True)
class _Priced:
    """The problem with costs times ``scale`` plus ``per_byte`` for every stored byte."""

    problem: Problem
    scale: int
    per_byte: int

    def cheapest(self, fixed: Mapping[int, bool] = {}) -> frozenset[int]:
        """The covariables to store; ``fixed`` says of some whether they are."""
        sizes = (covariable.size for covariable in self.problem.graph.covariables)
        prices = [
            price * self.scale + size * self.per_byte for price, size in zip(self.problem.prices(), sizes, strict=True)
        ]
        return cheapest(self.problem, prices, scale=self.scale, fixed=fixed)

    def value(self, stored: frozenset[int]) -> int:
        """What it costs to store ``stored``."""
        return _cost(self.problem, stored) * self.scale + stored_bytes(self.problem, stored) * self.per_byte


@dataclass(slots=True)
class _Search:
    """Depth first, with an explicit stack of what is fixed."""

    problem: Problem
    priced: _Priced
    most: int
    best: frozenset[int]
    best_cost: int = field(init=False)

    def __post_init__(self) -> None:
        self.best_cost = _cost(self.problem, self.best)

    def run(self) -> frozenset[int]:
        problem, priced = self.problem, self.priced
        covariables = problem.graph.covariables
        rounds = 1 + WORK // (len(problem.slices.cost) + len(covariables) + len(problem.graph.steps) // 4 + 1)
        branches: list[dict[int, bool]] = [{}]
        while branches and rounds:
            fixed = branches.pop()
            rounds -= 1
            stored = priced.cheapest(fixed)
            # Every plan of this branch that fits costs at least this much: its bytes are at most those paid for here.
            if priced.value(stored) - self.most * priced.per_byte >= self.best_cost * priced.scale:
                continue
            size = stored_bytes(problem, stored)
            if size <= self.most and (cost := _cost(problem, stored)) < self.best_cost:
                self.best, self.best_cost = stored, cost
            choice = self._branch_on(fixed, stored, size)
            if choice is not None:
                branches.append({**fixed, choice: size > self.most})
                branches.append({**fixed, choice: size <= self.most})  # the likelier side is looked at first
        return self.best

    def _branch_on(self, fixed: Mapping[int, bool], stored: frozenset[int], size: int) -> int | None:
        """The largest covariable that is still open: a stored one where the plan is too large, otherwise any that is
        replayed and would fit, None where there is nothing left to try."""
        problem = self.problem
        room = self.most - size
        candidates = [
            number
            for number in problem.slices.wanted
            if number not in fixed
            and problem.graph.covariables[number].storable
            and number not in problem.must_replay
            and (number in stored if room < 0 else number not in stored)
        ]
        return max(candidates, key=lambda n: (problem.graph.covariables[n].size, -n), default=None)
