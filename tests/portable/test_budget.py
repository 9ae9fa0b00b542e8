"""What is too dear to look at is put off: the recorder says less, and never something wrong."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdag.portable import agent, reach, watch
from nbdag.portable.budget import MOST_SAVED, Budget
from nbdag.portable.fingerprint import TookTooLong
from nbdag.portable.grouping import Grouping
from nbdag.portable.haze import Haze
from nbdag.portable.idle import IdleWork
from nbdag.portable.links import Reach
from tests.portable.test_recorder import Session, plain_shell

BIG = "import array\nbig = [array.array('d', [0.0] * 9) for _ in range(5000)]; ys = [1]"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session in which there is never time for anything large."""
    with plain_shell(tmp_path) as shell:
        session = Session(shell, tmp_path)
        session.command("start", late=False, share=0.0)
        recorder = agent.recorder_of(shell)
        assert recorder is not None
        recorder.budget.left = -1.0
        yield session
        agent.command("stop", {})


def look_at_the_rest(session: Session) -> None:
    recorder = agent.recorder_of(session.shell)
    assert recorder is not None
    while recorder.look_in_a_pause(lambda: False):
        pass


def changed(session: Session) -> list[set[str]]:
    """Per execution, what it may have changed."""
    return [{name for run in execution.statements for name in run.changed} for execution in session.executions()]


def put_off(session: Session) -> list[set[str]]:
    return [{name for run in execution.statements for name in run.put_off} for execution in session.executions()]


def test_without_a_first_look_every_execution_that_had_the_value_may_have_changed_it(session: Session) -> None:
    session.run(BIG, "len(big)", "big[0][0] = 1.0", "len(ys)")
    assert [("big" in names) for names in changed(session)] == [False, True, True, False]


def test_after_a_first_look_in_a_pause_what_was_put_off_is_cleared_when_nothing_changed(session: Session) -> None:
    session.run(BIG)
    look_at_the_rest(session)
    session.run("len(big)", "big[1]", "len(ys)")
    assert [("big" in names) for names in changed(session)] == [False, False, False, False]
    assert [("big" in names) for names in put_off(session)] == [False, True, True, False]


def test_and_all_of_them_stand_when_it_did(session: Session) -> None:
    session.run(BIG)
    look_at_the_rest(session)
    session.run("len(big)", "big[0][0] = 1.0", "len(ys)")
    assert [("big" in names) for names in changed(session)] == [False, True, True, False]


def test_so_may_the_execution_have_changed_it_that_finds_it_as_it_was(session: Session) -> None:
    # big[0] = 1 was put off; big[0] = 0 is looked at, and the same as before both: the text says who changed it
    session.run(BIG)
    look_at_the_rest(session)
    session.run("big[0][0] = 1.0")
    recorder = agent.recorder_of(session.shell)
    assert recorder is not None
    recorder.budget.left = 5.0
    session.run("big[0][0] = 0.0")
    assert [("big" in names) for names in put_off(session)] == [False, True, True]


def test_a_pause_between_tells_the_executions_apart(session: Session) -> None:
    session.run(BIG)
    look_at_the_rest(session)
    session.run("len(big)")
    look_at_the_rest(session)
    session.run("big[0][0] = 1.0")
    look_at_the_rest(session)
    session.run("len(big)")
    assert [("big" in names) for names in changed(session)] == [False, False, True, False]


def test_a_pause_that_ends_too_soon_leaves_the_links_of_what_it_looked_at(session: Session) -> None:
    # Two names to look at, and a cell comes in after the first: by then big is hazy no more, and linked to ys.
    session.run(BIG, "big = [ys, big]", "other = [array.array('d') for _ in range(3000)]")
    recorder = agent.recorder_of(session.shell)
    assert recorder is not None and {"big", "other"} <= recorder.watch.haze.names
    assert recorder.look_in_a_pause(lambda: False)
    assert recorder.watch.haze.names == {"other"}
    session.run("ys.append(1); ys = None")
    assert "big" in changed(session)[-1]


@pytest.mark.parametrize("looks", [0, 1])
def test_what_came_in_place_of_its_equal_is_linked(session: Session, looks: int) -> None:
    session.run(BIG, "big[0] = []")
    look_at_the_rest(session)
    session.run("big[0] = ys[1:]; zs = [[]]", "zs = big[0]", "big[0] = []", "xs = []", "big[0] = xs")
    for _ in range(looks):
        look_at_the_rest(session)
    session.run("xs.append(1)")
    assert "big" in changed(session)[-1]


def test_a_walk_that_takes_too_long_forgets_nothing_of_what_a_value_mentions() -> None:
    reacher, value = reach.Reacher(), [eval("lambda: rate", {"__name__": "__main__"})]
    assert reacher.mentions("fs", value).names == {"rate"}

    def tired(count: int) -> None:
        raise TookTooLong

    with pytest.raises(TookTooLong):
        reacher.renew("fs", value, tired)
    assert reacher.mentioned["fs"].names == {"rate"} and "fs" in reacher.reaches


def test_what_a_large_value_may_hold_is_reached_with_it(session: Session) -> None:
    # big holds ys, and nobody has looked: whoever changes ys may have changed big
    session.run(BIG)
    look_at_the_rest(session)
    session.run("big.append(ys)", "ys.append(2)")
    assert "big" in session.last().statements[-1].reached
    assert {"big", "ys"} <= changed(session)[-1]


def test_a_large_value_that_was_made_from_a_name_may_hold_it(session: Session) -> None:
    session.run("ys = [1]", "many = [ys] * 1 + [[i] for i in range(5000)]", "ys.append(2)")
    assert "many" in changed(session)[-1]


def test_a_part_of_a_large_value_is_linked_to_it(session: Session) -> None:
    session.run(BIG, "part = big[3]", "part[0] = 5.0")
    assert {"big", "part"} <= changed(session)[-1]


def test_functions_in_a_large_value_are_reached_through_it(session: Session) -> None:
    session.run(
        "rate = [1]\ndef make():\n return [lambda: rate.append(1) for _ in range(5000)]", "calls = make()", "calls[0]()"
    )
    assert "rate" in changed(session)[-1]


def test_and_still_are_when_it_was_looked_at_and_is_put_off_again(session: Session) -> None:
    session.run(BIG, "rate = [1]; big[0] = lambda: rate.append(2); big[1] = ys")
    look_at_the_rest(session)
    session.run("ys.append(1)", "big[0]()")  # the first does not mention big, so nobody asks what big mentions
    assert "rate" in changed(session)[-1]


def test_functions_that_came_from_a_name_that_is_gone_are_reached_as_well(session: Session) -> None:
    session.run(
        "rate = [1]\ndef make():\n return [lambda: rate.append(1) for _ in range(5000)]",
        "calls = make()",
        "del make",
        "calls[0]()",
    )
    assert "rate" in changed(session)[-1]


def test_a_name_that_the_code_in_a_large_value_will_find_later_is_reached_too(session: Session) -> None:
    session.run(
        "def make():\n return [lambda: later.append(1) for _ in range(5000)]",
        "calls = make()",
        "later = []",
        "calls[0]()",
    )
    assert "later" in changed(session)[-1]


def test_a_new_value_of_the_name_starts_afresh(session: Session) -> None:
    session.run(BIG, "len(big)", "big = [1]", "len(big)", "big.append(2)")
    assert [("big" in names) for names in changed(session)] == [False, True, False, False, True]


def test_small_values_are_looked_at_whatever_the_budget(session: Session) -> None:
    session.run("xs = [1]", "len(xs)", "xs.append(2)", "len(xs)")
    assert [("xs" in names) for names in changed(session)] == [False, False, True, False]


def test_an_earned_second_is_worth_its_share_and_savings_end() -> None:
    budget = Budget(0.01)
    budget.left = 0.0
    budget.earn(2.0)
    assert budget.left == pytest.approx(0.02)
    assert budget.allows(0.02) and not budget.allows(0.03)
    budget.spend(0.005)
    budget.settle_hook(0.015)
    assert budget.left == pytest.approx(0.005)
    budget.earn(1e6)
    assert budget.left == MOST_SAVED
    assert Budget(None).allows(1e9)


def test_haze_links_both_ways_and_lifts() -> None:
    haze = Haze()
    haze.cover(["big"], ["rate"], ["big", "ys", "zs"])
    assert haze.closure(["ys"], {}) == {"ys", "zs", "big"}
    assert haze.mentions("big", []) == {"rate"}
    haze.lift("big")
    assert haze.closure(["ys"], {}) == {"ys"}
    assert "big" not in haze


def test_haze_of_a_great_many_statements_stays_small() -> None:
    haze = Haze()
    for number in range(500):
        haze.cover([f"big{number}"], [f"m{number}"], [f"o{number}"])
    assert len(haze.clouds) <= 33
    assert "big3" in haze.closure(["o3"], {})


def test_idle_work_waits_for_the_pause_and_gives_way_to_what_comes_in() -> None:
    async def scene() -> list[bool]:
        told: list[bool] = []

        def work(stop: object) -> bool:
            told.append(stop())  # type: ignore[operator]
            return len(told) < 2

        idle = IdleWork(work)
        idle.wait()
        assert idle.handle is not None and not told
        idle.cancel()
        idle.wait()
        idle.run()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon_threadsafe(lambda: None)  # something comes in
        assert idle.somebody_waits()
        return told

    assert asyncio.run(scene()) == [False, False]


def test_without_a_loop_there_is_no_pause() -> None:
    idle = IdleWork(lambda stop: True)
    idle.wait()
    assert idle.handle is None


# ------------------------------------------------------------------------------------------- values without an end

ENDLESS = """
import itertools
class Endless:
    def __reduce__(self):
        return (list, (), None, itertools.count())
class Deeper:
    def __reduce__(self):
        return (list, (Deeper(),))
class Lazy:
    def __getattr__(self, name):
        return Lazy()
class Growing:
    def __iter__(self):
        return self
    def __next__(self):
        return Growing()
    def __reduce__(self):
        return (list, (), None, self)
"""


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module whose objects never end for a pickler. (Of classes of the notebook itself no code is ever called.)"""
    (tmp_path / "endless_helper.py").write_text(ENDLESS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(watch, "SMALL_SECONDS", 0.02)
    monkeypatch.setattr(watch, "LONGEST_LOOK", 0.05)
    monkeypatch.setattr("nbdag.portable.recorder.LONGEST_LOOK", 0.05)
    yield
    sys.modules.pop("endless_helper", None)


@pytest.mark.parametrize("kind", ["Endless", "Deeper", "Lazy", "Growing"])
def test_a_value_without_an_end_does_not_keep_a_cell_waiting(session: Session, helper: None, kind: str) -> None:
    session.run(f"import endless_helper as h\nx = h.{kind}(); ys = [1]", "x", "ys.append(2)")
    look_at_the_rest(session)
    session.run("x", "ys.append(3)")
    names = changed(session)
    assert ["ys" in found for found in names] == [False, False, True, False, True]
    if kind != "Lazy":  # that one shows its (empty) state
        assert ["x" in found for found in names] == [False, True, False, True, False]


@pytest.mark.parametrize("kind", ["Endless", "Deeper", "Lazy", "Growing"])
def test_nor_without_a_budget(tmp_path: Path, helper: None, kind: str) -> None:
    with plain_shell(tmp_path) as shell:
        session = Session(shell, tmp_path)
        session.command("start", late=False, share=None)
        try:
            session.run(f"import endless_helper as h\nx = h.{kind}()", "x", "x = [1]", "x", "x.append(2)")
            given_up = kind != "Lazy"
            assert [("x" in names) for names in changed(session)] == [False, given_up, False, False, True]
        finally:
            agent.command("stop", {})


def test_a_small_value_that_has_grown_large_is_put_off_and_not_given_up(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.run("import datetime\nxs = [[datetime.date(2024, 1, 1)]]")
    monkeypatch.setattr(watch, "SMALL_SECONDS", 0.0)
    session.run("xs += [[datetime.timedelta(i)] for i in range(60_000)]", "len(xs)")
    recorder = agent.recorder_of(session.shell)
    assert recorder is not None and "xs" in recorder.watch.put_off and "xs" not in recorder.watch.endless
    look_at_the_rest(session)
    assert not recorder.watch.put_off and recorder.watch.prints["xs"] is not None


@pytest.mark.parametrize("saved", [0.0, 1.0])
def test_what_has_grown_is_followed_at_once_only_as_far_as_there_is_time(
    session: Session, monkeypatch: pytest.MonkeyPatch, saved: float
) -> None:
    session.run("import datetime\nxs = [[datetime.date(2024, 1, 1)]]")
    recorder = agent.recorder_of(session.shell)
    assert recorder is not None
    monkeypatch.setattr(watch, "SMALL_SECONDS", 0.0)
    monkeypatch.setattr(recorder.budget, "earn", lambda seconds: None)
    recorder.budget.left = saved
    session.run("xs += [[datetime.timedelta(i)] for i in range(10_000)]")  # some hundred KB: not a look of 16 writes
    assert ("xs" in recorder.watch.put_off) == (not saved)


# ------------------------------------------------------------------------------------------- many names


def test_a_cell_in_a_session_of_many_names_looks_at_its_own(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each cell once compared all names with all others: at 2,000 names nothing moved any more.
    walked: list[int] = []
    looked: list[int] = []
    walk, look = reach.reach, watch.take_fingerprint
    monkeypatch.setattr(reach, "reach", lambda *given: walked.append(1) or walk(*given))
    monkeypatch.setattr(watch, "take_fingerprint", lambda *given: looked.append(1) or look(*given))
    session.run("for i in range(2000): globals()['n%d' % i] = [i]", "pass")
    assert len(walked) <= 3 * 2000 and len(looked) <= 3 * 2000
    walked.clear()
    looked.clear()
    session.run(*(f"y = n{number}; z = [n{number}]" for number in range(20)))
    assert len(walked) <= 6 * 20 and len(looked) <= 6 * 20


def test_and_its_links_are_found_by_what_it_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    reaches = {f"n{number}": Reach((10 * number, 10 * number + 1), (), frozenset(), ()) for number in range(2000)}
    found = Grouping()
    found.update(reaches)
    asked: list[str] = []
    neighbours = Grouping._neighbours
    monkeypatch.setattr(Grouping, "_neighbours", lambda self, name: asked.append(name) or neighbours(self, name))
    found.update({"y": reaches["n7"]})
    assert found.linked["y"] == {"y", "n7"} and len(asked) <= 2
