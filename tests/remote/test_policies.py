"""What the policies choose, and why, on cells with known habits; and the simulation that compares them."""

from __future__ import annotations

import copy
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from nbdag import cli
from nbdag.errors import IntegrityError
from nbdag.remote.history import History, Piece, Run, history_from_document, read_history, write_history
from nbdag.remote.knowledge import Parameter
from nbdag.remote.model import Link, Where
from nbdag.remote.placement import best_placement, cost_of
from nbdag.remote.policies import FIXED, POLICIES
from nbdag.remote.policies.block import BlockOfCells
from nbdag.remote.simulate import Conditions, follow, oracle, row_of, simulate
from nbdag.remote.trial import read_sessions, run_trial

FIXTURES = Path(__file__).parents[1] / "fixtures" / "remote"
LINE = Conditions(Link(0.05, 12.5e6, 4.0))
MB = 1_000_000


def cell(name: str, seconds: float, needs: tuple[int, ...] = (), makes: tuple[int, ...] = (), **more: object) -> Run:
    return Run(name, name, name, seconds, needs=needs, makes=makes, **more)  # type: ignore[arg-type]


def block_session() -> History:
    """The data is large, and made smaller step by step: no step by itself is worth sending it for."""
    pieces = (Piece(("data",), 50 * MB), Piece(("data",), 40 * MB), Piece(("data",), 3 * MB), Piece(("model",), 1000))
    runs = (
        cell("load", 0.5, (), (0,), stays="it reads raw.tif"),
        cell("clean", 4.0, (0,), (1,)),
        cell("features", 4.0, (1,), (2,)),
        cell("fit", 4.0, (2,), (3,)),
        cell("plot", 0.1, (3,), (), stays="it writes plot.png"),
    )
    return History("block", runs, pieces, (2, 3))


def learned(name: str, *sessions: History, conditions: Conditions = LINE) -> object:
    policy = POLICIES[name]()
    policy.experience.recall(sessions)
    return policy


def places(name: str, session: History, *before: History) -> str:
    course = simulate(session, learned(name, *before), LINE)  # type: ignore[arg-type]
    return "".join("T" if visit.where is Where.THERE else "h" for visit in course.visits)


def test_cells_by_themselves_are_not_worth_what_a_block_is() -> None:
    session = block_session()
    assert places("single", session, session) == "hhhTh"
    assert places("block", session, session) == "hTTTh"
    waited = {name: simulate(session, learned(name, session), LINE).waited for name in POLICIES}  # type: ignore[arg-type]
    assert waited["block"] == pytest.approx(oracle(session, LINE).waited)
    assert waited["block"] < 0.9 * waited["single"]


def test_a_block_whose_results_come_back_at_once_is_worth_less() -> None:
    session = block_session()
    eager = BlockOfCells(lazy=False)
    eager.experience.recall([session])
    course = simulate(session, eager, LINE)
    assert [visit.where for visit in course.visits[:3]] == [Where.HERE] * 3  # 40 MB would come back in between
    assert course.waited >= oracle(session, LINE).waited


def test_nothing_is_sent_away_whose_time_is_not_known() -> None:
    for name in POLICIES:
        assert "T" not in places(name, block_session())


def test_times_follow_the_size_of_what_a_cell_is_given_only_where_a_policy_looks_at_it() -> None:
    pieces = tuple(Piece(("x",), 10**power) for power in (4, 5, 6, 8))
    runs = tuple(cell("fit", 1e-6 * piece.bytes + 0.01, (index,)) for index, piece in enumerate(pieces))
    session = History("growing", runs, pieces, ())
    assert places("performance", session) == "hhhT"
    assert places("single", session) == "hhhh"


def test_times_follow_parameters_only_where_a_policy_looks_at_them() -> None:
    runs = tuple(
        replace(cell("fit", epochs * 0.1), cell=f"fit{epochs}", parameters=(Parameter("epochs", epochs),))
        for epochs in (2, 3, 200)
    )
    session = History("tuning", runs, (), ())
    assert places("knowledge", session) == "hhT"
    assert places("performance", session) == "hhh"
    reason = simulate(session, POLICIES["knowledge"](), LINE).visits[2].decision
    assert reason is not None and reason.reason.startswith("epochs = 200 (there pays from")


def test_what_cannot_be_sent_is_not_sent() -> None:
    pieces = (Piece(("lock",), 0, movable=False), Piece(("out",), 10))
    runs = tuple(cell("use", 30.0, (0,), ()) for _ in range(4))
    session = History("lock", (cell("make", 1.0, (), (0,)), *runs), pieces, ())
    for name in (*POLICIES, *FIXED):
        policy = POLICIES[name]() if name in POLICIES else FIXED[name]()
        assert all(visit.where is Where.HERE for visit in simulate(session, policy, LINE).visits)
    assert oracle(session, LINE).there == 0


def test_a_policy_does_not_see_what_comes(tmp_path: Path) -> None:
    # Two sessions that are the same up to the last cell: so is what was decided before it.
    session = block_session()
    other = replace(session, runs=(*session.runs[:-1], cell("fit again", 99.0, (2,))))
    for name in POLICIES:
        policy = learned(name, session)
        first = simulate(session, copy.deepcopy(policy), LINE)  # type: ignore[type-var]
        second = simulate(other, copy.deepcopy(policy), LINE)  # type: ignore[type-var]
        assert [visit.where for visit in first.visits[:-1]] == [visit.where for visit in second.visits[:-1]]


# ------------------------------------------------------------------------------------------------ recorded sessions


@pytest.fixture(scope="module")
def recorded() -> tuple[History, ...]:
    return read_sessions([FIXTURES], Path("nowhere"))


def test_there_are_a_dozen_recorded_sessions_from_three_notebooks(recorded: tuple[History, ...]) -> None:
    assert len(recorded) == 12
    assert {history.notebook for history in recorded} == {"rasters.ipynb", "images.ipynb", "digits.ipynb"}
    assert all(history.origin == "recorded" and not any(p.guessed for p in history.pieces) for history in recorded)


@pytest.mark.parametrize("speedup", [2.0, 4.0, 16.0])
def test_no_course_waits_less_than_the_oracle(recorded: tuple[History, ...], speedup: float) -> None:
    conditions = Conditions(Link(0.05, 12.5e6, speedup), spread=0.2)
    trial = run_trial(recorded[::3], conditions, list(POLICIES))
    for name, courses in trial.courses.items():
        for course, best in zip(courses, trial.courses["oracle"], strict=True):
            assert course.waited >= best.waited - 1e-6, name


def test_the_oracle_waits_what_its_placement_costs(recorded: tuple[History, ...]) -> None:
    for history in recorded:
        row = row_of(history, LINE)
        seconds, placement = best_placement(row)
        assert oracle(history, LINE).waited == pytest.approx(seconds, abs=1e-6)
        assert follow(history, LINE, placement, "same").waited == pytest.approx(cost_of(row, placement), abs=1e-6)


def test_the_block_policy_comes_close_to_the_oracle_on_sessions_it_has_not_seen(recorded: tuple[History, ...]) -> None:
    unseen = [history for history in recorded if history.name.endswith(("-back", "-blocks"))]
    seen = [history for history in recorded if history not in unseen]
    trial = run_trial(unseen, LINE, ["block"], learn_from=seen)
    assert trial.against("block", "oracle") < 1.10
    assert trial.worst("block") <= 1.05


def test_no_policy_makes_a_session_slower(recorded: tuple[History, ...]) -> None:
    for speedup in (0.5, 1.0, 4.0):
        trial = run_trial(recorded, Conditions(Link(0.05, 12.5e6, speedup), spread=0.3), list(POLICIES))
        assert max(trial.worst(name) for name in POLICIES) <= 1.05


# ------------------------------------------------------------------------------------------------ files, the command


def test_a_history_survives_its_file(tmp_path: Path) -> None:
    session = block_session()
    write_history(session, tmp_path / "one.json")
    assert read_history(tmp_path / "one.json") == session


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": "other"}, "its format"),
        ({"version": 99}, "its version is 99"),
        ({"last": [77]}, "piece 77, which is not there"),
        ({"runs": "none"}, "runs is not a list"),
        ({"pieces": [{"names": ["a"], "bytes": -1}]}, "a piece of -1 bytes"),
    ],
)
def test_a_damaged_history_says_where(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    write_history(block_session(), tmp_path / "one.json")
    document = {**json.loads((tmp_path / "one.json").read_text()), **change}
    with pytest.raises(IntegrityError, match=complaint):
        history_from_document(document)


def run(*arguments: str) -> int:
    return cli.run(["simulate", *arguments])


def test_the_command_compares_all_policies(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plot = tmp_path / "waiting.svg"
    sessions = [str(FIXTURES / f"images-{habit}.json") for habit in ("tune", "back")]
    assert run(*sessions, "--speedup", "8", "--bandwidth", "1Gbps", "--latency", "10ms", "--plot", str(plot)) == 0
    shown = capsys.readouterr().out
    for word in ("all here", "all there", "single cell", "block", "performance aware", "knowledge aware", "oracle"):
        assert word in shown
    assert "2 sessions (2 recorded)" in shown and "8 times as fast" in shown
    assert ElementTree.parse(plot).getroot().tag.endswith("svg")


def test_the_command_writes_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(FIXTURES / "images-back.json"), "--policy", "block", "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == "nbdag-simulation"
    assert set(document["policies"]) == {"here", "there", "block", "oracle"}
    course = document["policies"]["block"]["courses"][0]
    assert course["waited_seconds"] == pytest.approx(sum(one["waited_seconds"] for one in course["cells"]))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere.json"], "no such file or directory"),
        (["{here}"], "no sessions in this directory"),
        (["{fixture}", "--latency", "soon"], "--latency soon: not a time"),
        (["{fixture}", "--bandwidth", "auto"], "there is no line to measure"),
        (["{fixture}", "--speedup", "0"], "--speedup 0: not a factor"),
        (["{fixture}", "--spread", "-1"], "--spread -1"),
        (["{other}"], "neither a session's history nor a trace"),
        (["{broken}"], "cannot be read as a session"),
        (["{notebook}"], "no recorded session of it is kept here"),
    ],
)
def test_a_mistake_is_named(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "empty").mkdir()
    named = {
        "here": str(tmp_path / "empty"),
        "fixture": str(FIXTURES / "images-back.json"),
        "other": "other.json",
        "broken": "broken.json",
        "notebook": "my.ipynb",
    }
    assert run(*(argument.format(**named) for argument in arguments)) != 0
    assert complaint in capsys.readouterr().err
