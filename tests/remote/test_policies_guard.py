"""Never more than 5 % slower than staying here, whatever the target does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdag.remote.history import History, Piece, Run
from nbdag.remote.model import Link, Where
from nbdag.remote.policies import POLICIES
from nbdag.remote.policies.guard import Account, Guarded
from nbdag.remote.simulate import Conditions, _Site, simulate
from nbdag.remote.trial import read_sessions, run_trial

LAZY = {"block"}
FIXTURES = Path(__file__).parents[1] / "fixtures" / "remote"


@dataclass(frozen=True)
class Hostile(Conditions):
    """Another side whose times somebody chooses, run by run."""

    chosen: dict[tuple[str, float], float] = field(default_factory=dict)

    def there(self, run: Run) -> float:
        return self.chosen[run.label, run.seconds]


@st.composite
def sessions(draw: st.DrawFn, growing: bool) -> tuple[list[History], Hostile]:
    """Some sessions over few cells. Here, a cell takes at most a quarter longer than at its fastest, which is what the
    guard takes for granted; there it takes anything. ``growing``: results are of any size, new at every run.
    """
    cells = draw(st.lists(st.tuples(st.floats(0.01, 60), st.integers(0, 10**9)), min_size=1, max_size=4))
    chosen: dict[tuple[str, float], float] = {}
    made = []
    for number in range(draw(st.integers(1, 4))):
        runs, pieces = [], []
        for _ in range(draw(st.integers(1, 12))):
            cell = draw(st.integers(0, len(cells) - 1))
            base, size = cells[cell]
            seconds = base * draw(st.floats(1.0, 1.25))
            label = f"{number}.{len(runs)}"
            # Tempting, or hostile.
            chosen[label, seconds] = draw(st.one_of(st.floats(0.0, base), st.floats(0.0, 1000.0)))
            needs = (len(pieces) - 1,) if pieces and draw(st.booleans()) else ()
            pieces.append(Piece((f"x{cell}",), draw(st.integers(0, 10**10)) if growing else size))
            runs.append(Run(f"cell{cell}", f"cell{cell}", label, seconds, needs=needs, makes=(len(pieces) - 1,)))
        last = {piece.names: index for index, piece in enumerate(pieces)}
        made.append(History(f"session {number}", tuple(runs), tuple(pieces), tuple(sorted(last.values()))))
    link = Link(draw(st.floats(0, 1)), draw(st.sampled_from([1e5, 1e7, 1e9])), draw(st.sampled_from([0.5, 4.0, 100.0])))
    return made, Hostile(link, draw(st.floats(0, 1)), chosen=chosen)


def check(name: str, made: list[History], conditions: Hostile, tolerance: float = 0.05) -> None:
    policy = Guarded(POLICIES[name](), tolerance=tolerance)
    waited = here = 0.0
    for session in made:
        left = policy.account.saved
        this = simulate(session, policy, conditions).waited
        by_itself = sum(run.seconds for run in session.runs)
        assert this <= (1 + tolerance) * by_itself + left + 1e-6
        waited, here = waited + this, here + by_itself
        assert waited <= (1 + tolerance) * here + 1e-6


@pytest.mark.parametrize("name", sorted(POLICIES.keys() - LAZY))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_target_makes_a_session_slower_but_for_what_is_left_nor_all_together(name: str, data: st.DataObject) -> None:
    check(name, *data.draw(sessions(growing=True)))


@settings(max_examples=100, deadline=None)
@given(sessions(growing=False))
def test_nor_does_one_where_results_are_left(case: tuple[list[History], Hostile]) -> None:
    check("block", *case)


def repeated(seconds: float, there: float, times: int, size: int = 1000) -> tuple[History, Hostile]:
    """One cell again and again."""
    pieces = tuple(Piece(("x",), size) for _ in range(times))
    runs = tuple(Run("cell", "cell", str(index), seconds, makes=(index,)) for index in range(times))
    chosen = {(str(index), seconds): there for index in range(times)}
    return History("repeated", runs, pieces, (times - 1,)), Hostile(Link(0.01, 1e8, 4.0), 0.05, chosen=chosen)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_new_target_is_tried_once_a_session_can_afford_it_and_then_used(name: str) -> None:
    history, conditions = repeated(10.0, 2.5, 40)
    course = simulate(history, Guarded(POLICIES[name]()), conditions)
    places = [visit.where for visit in course.visits]
    first = places.index(Where.THERE)
    # A visit of 2.5 s, half as long again at worst, can be lost once a twentieth of the time is worth that.
    assert 5 <= first <= 14
    assert places.count(Where.THERE) > 20
    assert course.waited < 0.65 * 400


def test_without_the_guard_a_slow_target_does_make_it_slower() -> None:
    history, conditions = repeated(10.0, 30.0, 5)
    loose = Guarded(POLICIES["single"](), Account(saved=1e9), tolerance=1e9)
    assert simulate(history, loose, conditions).waited > 1.05 * 50


def test_what_was_saved_may_be_risked_in_the_first_cell_on_a_target_that_kept_its_word() -> None:
    history, conditions = repeated(10.0, 2.5, 3)
    account = Account(saved=100.0, proven=True)
    policy = Guarded(POLICIES["single"](), account)
    simulate(history, policy, conditions)
    assert simulate(history, policy, conditions).visits[0].where is Where.THERE
    assert account.saved > 100.0


def test_what_was_saved_is_not_risked_on_a_target_that_never_kept_its_word() -> None:
    history, conditions = repeated(10.0, 40.0, 3)
    policy = Guarded(POLICIES["single"](), Account(saved=100.0))
    for _ in range(10):
        assert simulate(history, policy, conditions).waited <= 1.05 * 30 + 1e-6
    assert not policy.account.proven


def test_what_the_user_grants_may_be_risked_at_once() -> None:
    history, conditions = repeated(10.0, 2.5, 3)
    policy = Guarded(POLICIES["single"](), Account(saved=60.0, granted=60.0))
    assert simulate(history, policy, conditions).visits[1].where is Where.THERE
    assert policy.account.proven


@pytest.mark.parametrize("name", sorted(POLICIES))
@pytest.mark.parametrize("real", [0.25, 1.0])
def test_no_recorded_session_is_much_slower_on_a_target_that_lies(name: str, real: float) -> None:
    """Its benchmark said four times as fast as here. A twentieth, and what one trial of a small cell takes."""

    class Lying(Conditions):
        def there(self, run: Run) -> float:
            return run.seconds / real

    sessions = read_sessions([FIXTURES], Path("nowhere"))
    trial = run_trial(sessions, Lying(Link(0.05, 12.5e6, 4.0)), [name])
    assert len(sessions) == 12
    assert trial.worst(name) <= 1.07


def test_a_session_that_has_lost_may_still_go_where_it_surely_gains() -> None:
    history, conditions = repeated(10.0, 2.5, 3)
    policy = Guarded(POLICIES["single"](), Account(saved=100.0, proven=True))
    simulate(history, policy, conditions)
    policy.account.slack = -20.0
    assert policy.decide(_Site(history, conditions).question(0)).where is Where.THERE


def test_a_target_that_hangs_is_given_up_and_not_trusted_soon_again() -> None:
    history, conditions = repeated(10.0, 1e6, 60)
    course = simulate(history, Guarded(POLICIES["single"]()), conditions)
    given_up = [index for index, visit in enumerate(course.visits) if visit.given_up]
    assert given_up  # it was tried
    assert course.waited <= 1.05 * 600
    # Nothing is known of it after that either, but every trial is paid with a twentieth of what was done meanwhile.
    assert len(given_up) <= 12


def test_the_reason_says_what_is_missing() -> None:
    history, conditions = repeated(10.0, 2.5, 3)
    course = simulate(history, Guarded(POLICIES["single"]()), conditions)
    decision = course.visits[2].decision
    assert decision is not None and decision.where is Where.HERE
    assert "stays here nevertheless: a visit may take" in decision.reason
