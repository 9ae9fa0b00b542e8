"""The problem as a graph of gains and costs, and back: which covariables are stored at the least cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nbdag.replay.closures import best_closure
from nbdag.replay.problem import Problem


def cheapest(
    problem: Problem,
    prices: Sequence[int] | None = None,
    *,
    scale: int = 1,
    fixed: Mapping[int, bool] = {},
) -> frozenset[int]:
    """The covariables to store at the least cost, those that must be stored included.

    By covariable, ``prices`` replaces what storing it costs and ``fixed`` says of some whether they are stored;
    ``scale`` multiplies what replaying costs.
    """
    covariables, slices = problem.graph.covariables, problem.slices
    prices = problem.prices() if prices is None else prices
    weights = [-cost * scale for cost in slices.cost] if scale != 1 else [-cost for cost in slices.cost]
    needs = list(slices.needs)
    taken: list[int] = []
    own: dict[int, int] = {}  # covariable -> the node that stands for it
    for number, nodes in slices.wanted.items():
        covariable = covariables[number]
        side = fixed.get(number) if fixed else None
        if side:
            continue
        if side is False or number in problem.must_replay or not covariable.storable:
            taken.extend(nodes)
            own[number] = nodes[0]
            continue
        price = prices[number]
        if len(nodes) == 1:
            own[number] = nodes[0]
            weights[nodes[0]] += price
        else:
            own[number] = len(weights)
            weights.append(price)
            needs.append(nodes)
    chosen = best_closure(weights, needs, taken)
    replayed = {number for number, node in own.items() if chosen[node]}
    return frozenset(
        number
        for number in range(len(covariables))
        if number not in replayed and number not in problem.lost and not problem.given(number)
    )
