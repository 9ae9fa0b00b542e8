"""The plan: which covariables are stored and which steps are replayed, at the exact minimum of the cost.

ElasticNotebook (section 5.2) reduces the choice to a minimum cut; here the nodes are statements instead of cells::

    source --store(x)--> maker(x) --inf--> what maker(x) needs ... --run(s)--> sink     (every step s has a run arc)

A covariable that is not stored lies on the source's side with its makers, and every step on that side is replayed.
``problem.py`` says what is open to choice at all, ``choice.py`` and ``closures.py`` find the minimum, ``budget.py``
the one that fits into ``--max-size``, and ``layout.py`` puts the steps in order and says why.

Between two plans that cost the same the one that stores more is taken. Costs are measured, and measurements differ from
run to run: what the bundle that is replaced did with a variable stays as it is while neither side is dearer by
``STAYS``. docs/plans.md tells the whole story.
"""

from __future__ import annotations

import gc

from nbdag.model.graph import SessionGraph
from nbdag.model.plan import Plan
from nbdag.replay.budget import fit
from nbdag.replay.choice import cheapest as cheapest
from nbdag.replay.cost import CostModel
from nbdag.replay.layout import lay_out, replay_everything, store_everything
from nbdag.replay.preferences import Preferences as Preferences
from nbdag.replay.problem import Problem as Problem
from nbdag.replay.problem import evaluate as evaluate
from nbdag.replay.problem import pose as pose
from nbdag.replay.problem import replay_set as replay_set
from nbdag.replay.problem import select as select
from nbdag.replay.problem import stored_bytes

STAYS = 1.25
"""How much dearer a side may be than the other while the variable stays on it. Statement times of one notebook, run
twice on one machine, differ by up to ten percent both ways: the quotient of two such costs by a fifth."""


def make_plan(graph: SessionGraph, costs: CostModel, preferences: Preferences = Preferences()) -> Plan:
    """The cheapest plan that restores every active name that can be restored.

    With ``preferences.max_bytes``, the cheapest found among those whose stored values take no more (``budget.py`` says
    when it is the cheapest of all). Raises PlanError when the session has variables and not one of them can be moved,
    or not all that can be moved fit.
    """
    collecting = gc.isenabled()
    gc.disable()  # a long history makes a hundred thousand small tuples, and not one cycle among them
    try:
        problem = pose(select(graph, preferences), costs, preferences)
        return lay_out(problem, choose(problem))
    finally:
        if collecting:
            gc.enable()


def choose(problem: Problem) -> frozenset[int]:
    """The covariables to store, everything considered: cost, the bundle before, the room there is."""
    preferences = problem.preferences
    stored = cheapest(problem)
    if preferences.stored_before or preferences.replayed_before:
        stored = _as_before(problem, stored)
    if preferences.max_bytes is not None and stored_bytes(problem, stored) > preferences.max_bytes:
        stored = fit(problem, preferences.max_bytes)
    return stored


def _as_before(problem: Problem, best: frozenset[int]) -> frozenset[int]:
    """``best``, or a plan nearer to the one before where that is hardly dearer and no worse than the plain ways."""
    preferences = problem.preferences
    prices = problem.prices()
    for number, covariable in enumerate(problem.graph.covariables):
        if all(name in preferences.stored_before for name in covariable.names):
            prices[number] = int(prices[number] / STAYS)
        elif all(name in preferences.replayed_before for name in covariable.names):
            prices[number] = int(prices[number] * STAYS)
    stored = cheapest(problem, prices)
    cost = evaluate(problem, stored)
    plain = [evaluate(problem, way(problem)) for way in (store_everything, replay_everything)]
    worse = cost is None or any(other is not None and other < cost for other in plain)
    return best if worse else stored
