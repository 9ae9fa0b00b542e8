"""Explanations agree with the plan: its costs, its statements, its obstacles, and what would turn it."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from nbdag.model.graph import Hazard, Reluctance, SessionGraph
from nbdag.model.plan import Action, Explanation
from nbdag.replay.cost import CostModel
from nbdag.replay.explain import explain, explain_all, with_labels
from nbdag.replay.planner import make_plan
from nbdag.replay.preferences import Preferences
from nbdag.replay.wishes import unmet_tags
from tests.replay.test_planner import session

CLOCK = Hazard(Reluctance.LAST_RESORT, "it depends on the moment it runs (time.time)")
FILE = Hazard(Reluctance.RISK, "it reads a.csv, which the target may lack")
INPUT = Hazard(Reluctance.NEVER, "it asks the user (input)")


class Cells:
    """Every execution is the run of a cell of its own."""

    def of(self, execution: int) -> str:
        return f"cell {execution + 1}"


def explained(
    name: str, graph: SessionGraph, preferences: Preferences = Preferences(), bandwidth: float = 1e6
) -> Explanation:
    costs = CostModel(bandwidth)
    plan = make_plan(graph, costs, preferences)
    (found,) = explain([name], graph, costs, preferences, plan, Cells(), {name: "some.Type"})
    assert name in found.decision.names
    return found


def positions(explanation: Explanation) -> list[int]:
    return [statement.position for statement in explanation.statements]


def test_a_stored_variable_shows_what_its_replay_would_run() -> None:
    graph = session("-> raw", "raw -> df", "df -> df!", "df -> plot", "-> raw", seconds={0: 9.0})
    found = explained("df", graph)
    assert (found.decision.action, found.type) == (Action.STORE, "some.Type")
    assert positions(found) == [0, 1, 2]  # raw was bound anew: its old value must be made too
    assert [statement.cell for statement in found.statements] == ["cell 1", "cell 2", "cell 3"]
    assert found.replay_seconds == pytest.approx(11.0, rel=0.1)
    assert found.against_storing == found.against_replaying == ()


def test_the_other_way_is_the_plan_with_the_variable_forced_there() -> None:
    graph = session("-> a", "a -> b", seconds={0: 5.0, 1: 1.0}, sizes={"b": 100_000})
    costs = CostModel(1e6)
    for name, wish in (("a", Preferences(replay=frozenset("a"))), ("b", Preferences(replay=frozenset("b")))):
        found = explained(name, graph)
        assert found.plan_cost == make_plan(graph, costs).cost
        assert found.other_way == make_plan(graph, costs, wish).cost
        assert found.other_way > found.plan_cost


def test_where_there_is_no_other_way_its_cost_is_infinite() -> None:
    graph = session("-> gen", "-> answer", unstorable=["gen"], hazards={1: [INPUT]})
    assert explained("gen", graph).other_way == explained("answer", graph).other_way == inf
    assert explained("gen", graph).turning_point == explained("answer", graph).turning_point == 0.0


@pytest.mark.parametrize(("seconds", "action"), [(0.1, Action.REPLAY), (10.0, Action.STORE)])
def test_the_decision_turns_at_the_turning_point(seconds: float, action: Action) -> None:
    graph = session("-> x", seconds={0: seconds}, sizes={"x": 1_000_000})
    found = explained("x", graph)
    assert found.decision.action is action
    point = found.turning_point
    assert point
    for speed, side in ((0.9 * point, Action.REPLAY), (1.1 * point, Action.STORE)):
        assert explained("x", graph, bandwidth=speed).decision.action is side


def test_an_obstacle_is_told_where_it_begins() -> None:
    # cell 1: a = input()     cell 2: b = f(a)     cell 3: c = g(b)     cell 4: a = b = 0
    graph = session("-> a", "a -> b", "b -> c", "-> a b", hazards={0: [INPUT]})
    found = explained("c", graph)
    (obstacle,) = found.against_replaying
    assert (obstacle.reason, obstacle.at, obstacle.grade) == (INPUT.reason, "cell 1, line 1", Reluctance.NEVER)
    assert found.decision.action is Action.STORE


def test_what_cannot_be_stored_says_why() -> None:
    (obstacle,) = explained("gen", session("-> gen", unstorable=["gen"])).against_storing
    assert obstacle.reason == "a generator"


def test_doubts_and_risks_stand_behind_what_closes_the_way() -> None:
    graph = session("-> a", "a -> b", "b -> c", "-> a b", hazards={0: [FILE], 1: [CLOCK], 2: [INPUT]})
    assert [(o.at, o.grade) for o in explained("c", graph).against_replaying] == [
        ("cell 3, line 1", Reluctance.NEVER),
        ("cell 2, line 1", Reluctance.LAST_RESORT),
        ("cell 1, line 1", Reluctance.RISK),
    ]


def test_what_nothing_recorded_made_says_so() -> None:
    graph = session("-> x")
    graph = replace(
        graph,
        covariables=tuple(
            replace(c, versions=tuple(replace(v, made_by=-1) for v in c.versions)) for c in graph.covariables
        ),
    )
    (obstacle,) = explained("x", graph).against_replaying
    assert obstacle.reason == "nothing that was recorded made it"


def test_statements_that_run_for_others_anyway_are_marked() -> None:
    graph = session("-> a", "a -> gen", "-> b", sizes={"a": 10**9}, unstorable=["gen"])
    found = explained("a", graph)
    assert (found.decision.action, found.shared) == (Action.REPLAY, ())
    graph = session("-> a", "a -> gen", "-> a", seconds={0: 5.0}, unstorable=["gen"])
    assert positions(explained("gen", graph)) == [0, 1]


def test_linked_names_are_named() -> None:
    found = explained("x", session("-> x", "x -> y", linked=[("x", "y")]))
    assert found.linked == ("y",)


def test_definitions_are_given() -> None:
    graph = session("-> f", "f -> x", definitions=[0], seconds={1: 9.0})
    assert explained("f", graph).given and positions(explained("f", graph)) == [0]
    found = explained("x", graph)
    assert (found.given, found.definitions, positions(found)) == (False, 0, [1])


def test_wishes_are_named() -> None:
    graph = session("-> x", seconds={0: 9.0})
    assert explained("x", graph).wish == ""
    assert explained("x", graph, Preferences(replay=frozenset("x"))).wish == "--replay x"
    assert explained("x", graph, Preferences(recompute=frozenset([0]))).wish == "the tag nbdag-recompute"
    assert explained("x", graph, Preferences(always_store=frozenset([0]))).wish == "the tag nbdag-always-store"


def test_a_tag_in_vain_is_named() -> None:
    graph = session("-> gen", "-> answer", unstorable=["gen"], hazards={1: [INPUT]})
    tagged = Preferences(always_store=frozenset([0]), recompute=frozenset([1]))
    gen, answer = explained("gen", graph, tagged), explained("answer", graph, tagged)
    assert (gen.wish, gen.unmet) == ("", "the tag nbdag-always-store")
    assert (answer.wish, answer.unmet) == ("", "the tag nbdag-recompute")
    found = unmet_tags(graph, tagged, make_plan(graph, CostModel(1e6), tagged))
    assert [finding.message for finding in found] == [
        "nbdag-recompute has no effect on answer: it cannot be replayed: it asks the user (input)",
        "nbdag-always-store has no effect on gen: it cannot be stored: a generator",
    ]


def test_of_two_tags_on_the_cells_of_one_value_storing_wins_and_that_is_told() -> None:
    # cell 1, to be stored: a = zeros()     cell 2, to be replayed: view = a[:2]
    graph = session("-> a", "a -> view", linked=[("a", "view")])
    tagged = Preferences(always_store=frozenset([0]), recompute=frozenset([1]))
    (finding,) = unmet_tags(graph, tagged, make_plan(graph, CostModel(1e6), tagged))
    assert finding.message == (
        "nbdag-recompute has no effect on a, view: nbdag-always-store on another of its cells wins"
    )


def test_all_names_are_explained_and_those_asked_for_first() -> None:
    graph = session("-> a", "-> b", "-> c")
    costs = CostModel(1e6)
    plan = make_plan(graph, costs)
    found = explain_all(["b"], graph, costs, Preferences(), plan, Cells(), {})
    assert [explanation.name for explanation in found] == ["b", "a", "c"]
    assert all(explanation.other_way < inf for explanation in found)


def test_a_plan_is_labelled_by_cells() -> None:
    graph = session("-> a", unstorable=["a"])
    plan = with_labels(make_plan(graph, CostModel(1e6)), graph, Cells())
    assert [step.cell for step in plan.steps] == ["cell 1"]  # type: ignore[union-attr]
