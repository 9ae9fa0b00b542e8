"""The cheapest placement of a row of cells, against brute force over all of them."""

from __future__ import annotations

import itertools
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from nbdag.remote.model import Where
from nbdag.remote.placement import Row, Task, best_placement, cost_of

HERE, THERE = Where.HERE, Where.THERE
NEVER = float("inf")


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """Up to seven cells over up to eight pieces; seconds are small integers, so that ties are common."""
    count = draw(st.integers(1, 7))
    before = draw(st.integers(0, 3))
    seconds = st.integers(0, 20).map(float)
    known = list(range(before))
    tasks = []
    chance = 1.0
    for _ in range(count):
        needs = draw(st.lists(st.sampled_from(known), unique=True, max_size=3)) if known else []
        makes = [len(known) + offset for offset in range(draw(st.integers(0, 2)))]
        known += makes
        here, there = draw(seconds), draw(st.one_of(seconds, seconds, st.just(NEVER)))
        tasks.append(Task(here, there, tuple(needs), tuple(makes), chance))
        chance *= draw(st.sampled_from([1.0, 0.5, 0.25]))
    sending = {piece: draw(st.one_of(seconds, seconds, st.just(NEVER))) for piece in known}
    fetching = {piece: draw(st.one_of(seconds, seconds, st.just(NEVER))) for piece in known}
    at = {piece: draw(st.sampled_from([HERE, THERE])) for piece in range(before) if draw(st.booleans())}
    home = tuple(draw(st.lists(st.sampled_from(known), unique=True))) if known else ()
    small = st.integers(0, 3).map(float)
    return Row(
        tuple(tasks), sending, fetching, at, home, draw(small), draw(small), draw(st.sampled_from([HERE, THERE]))
    )


@settings(max_examples=200, deadline=None)
@given(rows())
def test_no_placement_is_cheaper(row: Row) -> None:
    every = [cost_of(row, placement) for placement in itertools.product([HERE, THERE], repeat=len(row.tasks))]
    seconds, placement = best_placement(row)
    if math.isinf(min(every)):
        assert math.isinf(seconds)
    else:
        assert math.isclose(seconds, min(every), abs_tol=1e-6)
        assert math.isclose(cost_of(row, placement), min(every), abs_tol=1e-6)


@settings(max_examples=100, deadline=None)
@given(rows(), st.sampled_from([HERE, THERE]))
def test_a_prescribed_first_step_is_kept_and_the_rest_is_best(row: Row, first: Where) -> None:
    choices = itertools.product([HERE, THERE], repeat=len(row.tasks) - 1)
    least = min(cost_of(row, (first, *rest)) for rest in choices)
    seconds, placement = best_placement(row, first)
    if math.isinf(least):
        assert math.isinf(seconds)
    else:
        assert placement[0] is first
        assert math.isclose(seconds, least, abs_tol=1e-6)


def test_a_row_pays_for_one_crossing_of_what_two_cells_need() -> None:
    # Alone, neither cell is worth the 8 s that raw takes; together they are.
    raw, both = 0, (Task(9.0, 2.0, (0,)), Task(9.0, 2.0, (0,)))
    assert best_placement(Row(both[:1], {raw: 8.0}, {}, {raw: HERE}))[1] == (HERE,)
    assert best_placement(Row(both, {raw: 8.0}, {}, {raw: HERE})) == (12.0, (THERE, THERE))


def test_what_nobody_needs_here_does_not_come_back() -> None:
    made, kept = 0, (Task(9.0, 2.0, (), (0,)), Task(9.0, 2.0, (0,)))
    assert best_placement(Row(kept, {made: 50.0}, {made: 50.0}, {}))[0] == 4.0
    assert best_placement(Row(kept, {made: 50.0}, {made: 50.0}, {}, home=(made,)))[1] == (HERE, HERE)


def test_a_chance_of_the_second_cell_counts_by_its_share() -> None:
    row = Row((Task(9.0, 2.0, (0,)), Task(9.0, 2.0, (0,), chance=0.1)), {0: 8.0}, {}, {0: HERE})
    assert best_placement(row)[1][0] is HERE
