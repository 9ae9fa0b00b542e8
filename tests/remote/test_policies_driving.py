"""Deciding in a live session: a fake one, whose cells take what the test says."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from nbdag.remote.decisions import LOG_NAME, read_log
from nbdag.remote.driving import Driver, Ran, read_histories
from nbdag.remote.experience import Held
from nbdag.remote.model import Link, Needs, RemoteRun, Transfer, Where

LINE = Link(0.01, 1e8, 4.0)
FIT = "model = fit(data, epochs=10)"


class FakeSession:
    """One variable, ``data``, that every cell needs."""

    def __init__(self) -> None:
        self.looks = 0
        self.stays = ""
        self.numbers_there: dict[str, object] = {}

    def numbers(self) -> Mapping[str, object]:
        return self.numbers_there

    def warm(self) -> None:
        pass

    def look(self, source: str) -> tuple[tuple[Held, ...], tuple[int, ...], int, str]:
        self.looks += 1
        return (Held(("data",), 10**6), Held(("other",), 10**9)), (0,), 10**9 + 10**6, self.stays

    def sizes(self, names: tuple[str, ...], exact: bool) -> tuple[Held, ...]:
        return tuple(Held((name,), 1000) for name in names)


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


def drive(session: FakeSession, folder: Path, allowance: float = 100.0) -> Driver:
    return Driver.begin("single", "gpu", LINE, session, folder, allowance)


def run_here(driver: Driver, number: int, seconds: float, source: str = FIT, **more: object) -> None:
    driver.decide(source, number)
    driver.settle(Ran(source, seconds, reached=("data",), made=("model",), **more))  # type: ignore[arg-type]


def remote_run(seconds: float) -> RemoteRun:
    needs = Needs(("data",), ("data",), 10**6, 10**9 + 10**6)
    return RemoteRun("gpu", "ok", seconds, needs, Transfer(500_000, 0.05), Transfer(900, 0.01), changed=("model",))


def test_a_cell_runs_here_until_its_time_is_known_and_then_where_it_is_faster(
    session: FakeSession, tmp_path: Path
) -> None:
    driver = drive(session, tmp_path)
    assert driver.decide(FIT, 1).where is Where.HERE
    assert "its time is not known" in driver.decide(FIT, 1).reason
    driver.settle(Ran(FIT, 20.0, made=("model",)))
    decision = driver.decide(FIT, 2)
    assert decision.where is Where.THERE
    assert decision.bytes == 10**6
    assert decision.reason.startswith("20 s here (1 run), 5 s there")


def test_asking_again_for_the_same_cell_is_the_same_answer(session: FakeSession, tmp_path: Path) -> None:
    driver = drive(session, tmp_path)
    run_here(driver, 1, 20.0)
    looks = session.looks
    assert driver.decide(FIT, 2) is driver.decide(FIT, 2)
    assert session.looks == looks + 1


def test_what_ran_there_is_learned_logged_and_remembered(session: FakeSession, tmp_path: Path) -> None:
    driver = drive(session, tmp_path)
    run_here(driver, 1, 20.0)
    driver.decide(FIT, 2)
    driver.ran_there(remote_run(5.0), 5.5)
    entry = driver.settle(Ran(FIT, 5.5))
    assert entry is not None and entry.where == "there"
    assert (entry.seconds, entry.own_seconds, entry.sent_bytes, entry.fetched_bytes) == (5.5, 5.0, 500_000, 900)
    assert entry.regret == pytest.approx(5.5 - 20.0)
    assert entry.slack == pytest.approx(1.05 * 0.8 * 20 - 5.5, abs=0.01)
    driver.close()
    assert [logged.where for logged in read_log(tmp_path)] == ["here", "there"]
    (history,) = read_histories(tmp_path)
    assert [run.target for run in history.runs] == ["", "gpu"]
    assert history.runs[1].there_seconds == 5.0
    assert history.runs[1].seconds == pytest.approx(20.0, rel=0.2)  # what it was expected to take here


def test_the_next_session_knows_what_this_one_learned_and_earned(session: FakeSession, tmp_path: Path) -> None:
    driver = drive(session, tmp_path)
    run_here(driver, 1, 20.0)
    driver.decide(FIT, 2)
    driver.ran_there(remote_run(5.0), 5.5)
    driver.settle(Ran(FIT, 5.5))
    driver.close()
    later = drive(session, tmp_path, allowance=0.0)
    assert later.policy.account.saved == pytest.approx(0.05 * 20 + 1.05 * 16 - 5.5, abs=0.1)
    assert later.decide(FIT, 1).where is Where.THERE


def test_a_run_that_failed_there_is_counted_with_what_it_wasted(session: FakeSession, tmp_path: Path) -> None:
    driver = drive(session, tmp_path)
    run_here(driver, 1, 20.0)
    driver.decide(FIT, 2)
    driver.ran_there(None, 3.0, failed="the connection was cut")
    entry = driver.settle(Ran(FIT, 23.0, made=("model",)))
    assert entry is not None
    assert (entry.where, entry.seconds, entry.own_seconds, entry.failed) == (
        "here",
        23.0,
        20.0,
        "the connection was cut",
    )
    assert entry.slack == pytest.approx(1.05 * 20 - 23, abs=0.01)


def test_what_raised_there_teaches_nothing_and_is_logged(session: FakeSession, tmp_path: Path) -> None:
    driver = drive(session, tmp_path)
    run_here(driver, 1, 20.0)
    driver.decide(FIT, 2)
    driver.ran_there(None, 0.2, raised=True)
    entry = driver.settle(Ran(FIT, 0.2, outcome="error"))
    assert entry is not None and (entry.where, entry.outcome) == ("there", "error")
    (times,) = driver.policy.experience.times.values()
    assert times.runs == 1


def test_short_cells_and_cells_tied_to_this_machine_are_not_looked_at(session: FakeSession, tmp_path: Path) -> None:
    driver = drive(session, tmp_path)
    run_here(driver, 1, 0.01, "x = 1")
    run_here(driver, 2, 30.0, "table = read('a.csv')", stays="it reads a.csv")
    looks = session.looks
    assert "too little" in driver.decide("x = 1", 3).reason
    assert "it reads a.csv" in driver.decide("table = read('a.csv')", 4).reason
    assert session.looks == looks


def test_a_cell_that_was_never_decided_about_is_passed_over(session: FakeSession, tmp_path: Path) -> None:
    driver = drive(session, tmp_path)
    assert driver.settle(Ran("x = 1", 1.0)) is None


def test_neither_texts_nor_credentials_are_kept(session: FakeSession, tmp_path: Path) -> None:
    driver = drive(session, tmp_path)
    secret = "ghp_" + "a1B2" * 10
    run_here(driver, 1, 1.0, f"token = '{secret}'\nmodel = fit(data)")
    run_here(driver, 2, 1.0, "password = 'hunter2!'")
    run_here(driver, 3, 1.0, "first = 1\nprivate_text = 'my diary'")
    driver.close()
    kept = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "a cell with a credential" in kept
    for word in (secret, "hunter2", "my diary"):
        assert word not in kept


def test_only_the_owner_can_read_what_is_kept(session: FakeSession, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    driver = drive(session, folder)
    run_here(driver, 1, 1.0)
    driver.close()
    assert stat.S_IMODE((folder / LOG_NAME).stat().st_mode) == 0o600
    (history,) = (folder / "history").iterdir()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_a_damaged_log_and_a_damaged_history_are_passed_over(session: FakeSession, tmp_path: Path) -> None:
    driver = drive(session, tmp_path)
    run_here(driver, 1, 1.0)
    driver.close()
    with (tmp_path / LOG_NAME).open("a") as log:
        log.write('{"time": "yesterday"}\n{"torn": \n' + json.dumps([1]) + "\n")
    (tmp_path / "history" / "zzz.json").write_text("{")
    assert len(read_log(tmp_path)) == 1
    assert len(read_histories(tmp_path)) == 1
    assert drive(session, tmp_path).decide(FIT, 1) is not None
