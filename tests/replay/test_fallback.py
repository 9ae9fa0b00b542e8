"""What replaces a stored value that the target cannot load: code fit for replay, or a reason why there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from nbdag.errors import PlanError
from nbdag.model.graph import SessionGraph, Version
from nbdag.model.plan import Load, Replay
from nbdag.replay.cost import CostModel
from nbdag.replay.fallback import Fallbacks, fallbacks
from nbdag.replay.planner import Preferences, make_plan
from tests.replay.test_planner import CLOCK, NEVER, graphs, session

DEAR = dict.fromkeys(range(9), 60.0)
"""Every statement takes a minute: everything that can be stored is."""


def found(graph: SessionGraph, preferences: Preferences = Preferences()) -> tuple[Fallbacks, dict[str, int]]:
    """The fallbacks of the plan of ``graph``, and the groups of its loads by name."""
    costs = CostModel(1e9)
    plan = make_plan(graph, costs, preferences)
    groups = {name: step.group for step in plan.steps if isinstance(step, Load) for name in step.names}
    return fallbacks(graph, costs, preferences, plan), groups


def slice_of(name: str, graph: SessionGraph, preferences: Preferences = Preferences()) -> list[int]:
    slices, groups = found(graph, preferences)
    return [slices.steps[index].position for index, _ in slices.of[groups[name]]]


SLICES = [
    ("its own statement, reading what is there", session("-> a", "a -> b", seconds=DEAR), "b", [1]),
    ("what made a value that is gone, too", session("-> t", "t -> b", "-> t", seconds=DEAR), "b", [0, 1]),
    ("every change in place", session("-> x", "-> x!", "-> y", "-> x!", seconds=DEAR), "x", [0, 1, 3]),
    ("no definition: it is replayed in any case", session("-> f", "f -> b", definitions=[0], seconds=DEAR), "b", [1]),
    ("for all linked names together", session("-> a", "a -> b", linked=["ab"], seconds=DEAR), "a", [0, 1]),
]


@pytest.mark.parametrize(("sentence", "graph", "name", "expected"), SLICES, ids=[row[0] for row in SLICES])
def test_slices(sentence: str, graph: SessionGraph, name: str, expected: list[int]) -> None:
    assert slice_of(name, graph) == expected


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_every_statement_of_a_slice_finds_its_inputs_in_place_when_the_load_has_failed(graph: SessionGraph) -> None:
    try:
        plan = make_plan(graph, CostModel(1e6))
    except PlanError:
        return
    slices = fallbacks(graph, CostModel(1e6), Preferences(), plan)
    active = {version.name: version for covariable in graph.covariables for version in covariable.versions}
    present: dict[str, Version] = {}
    for step in plan.steps:
        if isinstance(step, Replay):
            present |= {version.name: version for version in graph.steps[step.position].outputs}
            continue
        if step.group in slices.of:
            there = dict(present)
            for index, put_back in slices.of[step.group]:
                there |= {name: present[name] for name in put_back}
                if index < 0:
                    continue
                source = graph.steps[slices.steps[index].position]
                assert all(there.get(v.name) == v for v in source.inputs if v.made_by >= 0)
                there |= {version.name: version for version in source.outputs}
            assert all(there[name] == active[name] for name in step.names)
        present |= {name: active[name] for name in step.names}


def test_statements_stand_once_whatever_the_number_of_slices() -> None:
    graph = session("-> t", "t -> a", "t -> b", "-> t", seconds=DEAR)
    slices, groups = found(graph)
    assert [step.position for step in slices.steps] == [0, 1, 2, 3]
    assert slices.of[groups["a"]] == ((0, ()), (1, ())) and slices.of[groups["b"]] == ((0, ()), (2, ()))


def test_a_name_that_an_early_statement_overwrites_is_put_back_for_a_later_one() -> None:
    # cell 1: a, df = first()   cell 2: df = second()   cell 3: model = f(a, df)   cell 4: a = 0
    slices, groups = found(session("-> a df", "-> df", "a df -> model", "-> a", seconds=DEAR))
    first, second = slices.of[groups["model"]]
    assert first[1] == () and second[1] == ("df",)


def test_what_must_not_be_replayed_has_none_and_says_why() -> None:
    slices, groups = found(session("-> a", "-> b", hazards={0: [NEVER]}, seconds=DEAR))
    assert slices.closed == {groups["a"]: "it asks the user"} and groups["a"] not in slices.of


def test_what_may_come_out_different_has_one_and_says_so() -> None:
    slices, groups = found(session("-> t", "t -> b", "-> t", hazards={0: [CLOCK]}, seconds=DEAR))
    assert slices.doubts[groups["b"]] == "it reads the clock" and len(slices.of[groups["b"]]) == 2


def test_what_changed_while_no_cell_ran_has_none() -> None:
    graph = session("-> a", seconds=DEAR)
    graph = replace(graph, covariables=tuple(replace(c, altered=True) for c in graph.covariables))
    assert found(graph)[0].closed == {0: "it changed while no cell ran"}


def test_what_verification_saw_come_out_different_has_none() -> None:
    learned = Preferences(store=frozenset("a"), learned=(("a", "replayed, a came back different"),))
    assert found(session("-> a"), learned)[0].closed == {0: "replaying it gives another value"}
    assert slice_of("a", session("-> a"), Preferences(store=frozenset("a"))) == [0]


def test_no_statement_of_a_cell_that_must_not_run_again() -> None:
    slices, _ = found(session("-> a", "a -> b", "-> a", seconds=DEAR), Preferences(never_rerun=frozenset({0})))
    assert set(slices.closed.values()) == {"its cell is tagged nbdag-never-rerun"}
