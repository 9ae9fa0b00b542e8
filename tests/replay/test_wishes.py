"""What the user asks for by names and tags: contradictions and misspellings are told, nothing passes in silence."""

from __future__ import annotations

import pytest

from nbdag.errors import UsageError
from nbdag.model.graph import Hazard, Reluctance
from nbdag.model.notebook import Cell
from nbdag.model.trace import Execution, Outcome
from nbdag.replay.cost import CostModel
from nbdag.replay.preferences import Preferences
from nbdag.replay.wishes import (
    ALWAYS_STORE,
    NEVER_RERUN,
    RECOMPUTE,
    check_consistent,
    check_explained,
    check_linked,
    check_names,
    check_possible,
    wishes_of_cells,
)
from tests.replay.test_planner import session


def asked(**names: str) -> Preferences:
    return Preferences(**{side: frozenset(given.split()) for side, given in names.items()})  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ names

CONTRADICTIONS = [
    (asked(store="x y", replay="x"), "--store x and --replay x: a variable goes one way", "leave one of them out"),
    (asked(only="x", exclude="x"), "--only x and --exclude x: it cannot be taken", "leave one of them out"),
    (asked(store="x", exclude="x"), "--store x and --exclude x", "leave one of them out"),
    (asked(replay="x", exclude="x"), "--replay x and --exclude x", "leave one of them out"),
    (asked(store="x", only="y"), "--store x: --only does not name it", "add --only x, or leave --store x out"),
]


@pytest.mark.parametrize(("preferences", "message", "hint"), CONTRADICTIONS)
def test_contradictions_are_refused(preferences: Preferences, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_consistent(preferences)
    assert refused.value.message.startswith(message)
    assert refused.value.hint == hint


def test_wishes_that_go_together_pass() -> None:
    check_consistent(asked(store="x", replay="y", exclude="z"))
    check_consistent(asked(store="x", only="x y"))


@pytest.mark.parametrize(
    ("name", "hint"),
    [("modle", "did you mean model?"), ("Model", "did you mean model?"), ("q", "nbdag plan lists the variables")],
)
def test_a_misspelled_name_is_told_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_names([name, "df"], ["df", "model"])
    assert (refused.value.message, refused.value.hint) == (f"the session has no variable {name}", hint)


def test_what_is_left_behind_is_not_explained() -> None:
    check_explained(["x"], asked(only="x"))
    for preferences, why in ((asked(exclude="x"), "--exclude x"), (asked(only="y"), "--only, which does not name it")):
        with pytest.raises(UsageError, match=f"--explain x: it is left behind because of {why}"):
            check_explained(["x"], preferences)


def test_names_that_share_state_are_not_parted() -> None:
    graph = session("-> x", "x -> y", linked=[("x", "y")])
    check_linked(graph, asked(store="x y"))
    with pytest.raises(UsageError, match="--store x and --replay y: x and y share state"):
        check_linked(graph, asked(store="x", replay="y"))


NEVER = Hazard(Reluctance.NEVER, "it asks the user (input)")
CLOCK = Hazard(Reluctance.LAST_RESORT, "it depends on the moment it runs")


def test_the_impossible_is_refused_with_its_reason() -> None:
    graph = session("-> lock", "-> answer", "-> now", unstorable=["lock"], hazards={1: [NEVER], 2: [CLOCK]})
    costs = CostModel(1e6)
    with pytest.raises(UsageError, match="--store lock: it cannot be stored: a generator"):
        check_possible(graph, costs, asked(store="lock"))
    with pytest.raises(UsageError, match=r"--replay answer: it cannot be replayed: it asks the user \(input\)"):
        check_possible(graph, costs, asked(replay="answer"))
    check_possible(graph, costs, asked(store="answer now", replay="lock"))
    check_possible(graph, costs, asked(replay="now"))  # it may come out different, and was asked for


# ------------------------------------------------------------------------------------------------ tags


def run(ordinal: int, source: str, cell_id: str = "") -> Execution:
    return Execution(ordinal, source, Outcome.OK, cell_id)


def cell(index: int, source: str, *tags: str) -> Cell:
    return Cell(index, index, f"c{index}", source, frozenset(tags))


def test_tags_speak_of_every_run_of_their_cell() -> None:
    cells = [cell(0, "a = 1", NEVER_RERUN), cell(1, "b = 2", ALWAYS_STORE, "parameters"), cell(2, "c = 3", RECOMPUTE)]
    runs = [run(0, "a = 0", "c0"), run(1, "a = 1", "c0"), run(2, "b = 2", "c1"), run(3, "c = 3", "c2")]
    wishes = wishes_of_cells(cells, {0: 0, 1: 0, 2: 1, 3: 2}, runs)
    assert wishes.of(NEVER_RERUN) == {0, 1}
    assert wishes.of(ALWAYS_STORE) == {2}
    assert wishes.of(RECOMPUTE) == {3}
    assert wishes.diagnostics == ()


def test_a_text_that_stands_in_two_cells_has_the_tags_of_both() -> None:
    cells = [cell(0, "fetch()"), cell(1, "fetch()", NEVER_RERUN)]
    wishes = wishes_of_cells(cells, {0: 0}, [run(0, "fetch()")])  # attached late: nobody knows which of them ran
    assert wishes.of(NEVER_RERUN) == {0}
    known = wishes_of_cells(cells, {0: 0, 1: 1}, [run(0, "fetch()", "c0"), run(1, "fetch()", "c1")])
    assert known.of(NEVER_RERUN) == {1}


def test_a_tag_that_nobody_knows_is_told_with_the_nearest() -> None:
    cells = [cell(0, "a", "nbdag-never-re-run"), cell(1, "b", "NBDAG_RECOMPUTE"), cell(2, "c", "nbdag-q", "slow")]
    found = wishes_of_cells(cells, {}, []).diagnostics
    assert [(finding.code, finding.cell, finding.hint) for finding in found] == [
        ("unknown-tag", 0, f"did you mean {NEVER_RERUN}?"),
        ("unknown-tag", 1, f"did you mean {RECOMPUTE}?"),
        ("unknown-tag", 2, f"there are {NEVER_RERUN}, {ALWAYS_STORE}, {RECOMPUTE}"),
    ]


def test_a_tag_without_effect_is_told() -> None:
    cells = [cell(0, "a = 1"), cell(1, "b = edited_since", ALWAYS_STORE)]
    (finding,) = wishes_of_cells(cells, {0: 0}, [run(0, "a = 1"), run(1, "b = 2")]).diagnostics
    assert (finding.code, finding.cell) == ("tag-without-run", 1)
    assert "no longer the text of this cell" in finding.message


def test_tags_that_contradict_each_other_are_told() -> None:
    (finding,) = wishes_of_cells([cell(0, "a", NEVER_RERUN, RECOMPUTE)], {0: 0}, [run(0, "a", "c0")]).diagnostics
    assert (finding.code, finding.message) == (
        "tags-contradict",
        f"{NEVER_RERUN} and {RECOMPUTE} contradict each other; {NEVER_RERUN} wins",
    )


def test_a_notebook_without_tags_asks_for_nothing() -> None:
    wishes = wishes_of_cells([cell(0, "a", "parameters")], {0: 0}, [run(0, "a")])
    assert wishes.of(NEVER_RERUN) == frozenset() and wishes.diagnostics == ()
