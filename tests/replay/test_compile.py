"""What differs goes the other way; what cannot is kept and named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nbdag.errors import OutputError
from nbdag.model.bundle import Comparison, Verdict
from nbdag.model.graph import SessionGraph, Step
from nbdag.model.plan import Action, Decision, Load, Plan
from nbdag.model.trace import Trace, ValueKind, Variable
from nbdag.replay import verify
from nbdag.replay.compile import imported, repair, without_storage
from nbdag.replay.planner import Preferences
from nbdag.replay.staging import Staging
from nbdag.replay.verify import compare, incomparable
from tests.replay.test_planner import session

INF = float("inf")


def plan(*decisions: Decision) -> Plan:
    return Plan((), decisions, 0.0, 0.0, 0.0)


def decided(name: str, action: Action, store: float = 1.0, replay: float = 1.0) -> Decision:
    return Decision((name,), action, "", store, replay, 0)


REPAIRS = [
    ("a replayed value that differs is stored", decided("x", Action.REPLAY), "different", ({"x"}, set())),
    ("a replayed value that is missing is stored", decided("x", Action.REPLAY), "missing", ({"x"}, set())),
    ("a stored value that differs is replayed", decided("x", Action.STORE), "different", (set(), {"x"})),
    ("what cannot be replayed stays stored", decided("x", Action.STORE, replay=INF), "different", None),
    ("what cannot be stored stays replayed", decided("x", Action.REPLAY, store=INF), "different", None),
    ("what is identical stays", decided("x", Action.STORE), "identical", None),
    ("what cannot be compared stays", decided("x", Action.STORE), "incomparable", None),
]


@pytest.mark.parametrize(("sentence", "decision", "result", "expected"), REPAIRS, ids=[row[0] for row in REPAIRS])
def test_repair(sentence: str, decision: Decision, result: str, expected: tuple[set[str], set[str]] | None) -> None:
    graph = SessionGraph((), ())
    repaired = repair(plan(decision), graph, (Comparison("x", result),), Preferences(), set())
    assert (None if repaired is None else (set(repaired.store), set(repaired.replay))) == expected


def test_what_differs_both_ways_is_not_tried_for_ever() -> None:
    tried: set[tuple[str, Action]] = {("x", Action.REPLAY)}
    different = (Comparison("x", "different"),)
    assert repair(plan(decided("x", Action.STORE)), SessionGraph((), ()), different, Preferences(), tried) is None


def test_a_class_that_an_import_gives_is_never_stored_instead() -> None:
    step = Step(0, 0, "from tqdm.auto import tqdm, SIZES", 1, 0.1, (), (), ("SIZES", "tqdm"), definition=True)
    variables = (Variable("tqdm", "type", ValueKind.DATA, 0), Variable("SIZES", "dict", ValueKind.DATA, 1))
    trace = Trace("3.11", "cpython", "", "", (), variables)
    assert imported(SessionGraph((step,), ()), trace) == {"tqdm"}  # what SIZES holds can be stored


def test_a_group_that_turns_out_not_to_be_storable_is_marked() -> None:
    graph = without_storage(session("-> a", "-> b"), {("a",): "a.fh: an open handle"})
    assert [(c.names, c.storable, c.obstacle) for c in graph.covariables] == [
        (("a",), False, "a.fh: an open handle"),
        (("b",), True, ""),
    ]


class FullDisk:
    """An agent whose disk has no room."""

    def command(self, name: str, arguments: dict[str, object]) -> dict[str, object]:
        return {"refused": "No space left on device"}


def test_a_full_disk_is_an_output_error_that_says_what_to_do(tmp_path: Path) -> None:
    staging = Staging(tmp_path / "work" / "staging")
    loads = Plan((Load(0, ("x",), 1, 0),), (), 0.0, 0.0, 0.0)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        staging.encode(FullDisk(), loads, ())
    assert "free some space" in caught.value.hint


def witness(values: dict[str, object], *shared: str) -> verify.Testimony:
    return verify.Testimony(values, frozenset(frozenset(group.split()) for group in shared), Verdict())


COMPARISONS = [
    ("the same digest", witness({"x": "1"}), witness({"x": "1"}), "identical"),
    ("another digest", witness({"x": "1"}), witness({"x": "2"}), "different"),
    ("nothing there", witness({"x": "1"}), witness({}), "missing"),
    ("no digest", witness({"x": "?a lock"}), witness({"x": "?a lock"}), "incomparable"),
    ("sharing lost", witness({"x": "1", "y": "1"}, "x y"), witness({"x": "1", "y": "1"}), "detached"),
    ("sharing made up", witness({"x": "1", "y": "1"}), witness({"x": "1", "y": "1"}, "x y"), "detached"),
    ("sharing with a name that is left out", witness({"x": "1"}, "x z"), witness({"x": "1"}), "identical"),
]


@pytest.mark.parametrize(("sentence", "live", "restored", "expected"), COMPARISONS, ids=[r[0] for r in COMPARISONS])
def test_compare(sentence: str, live: verify.Testimony, restored: verify.Testimony, expected: str) -> None:
    found = {c.name: c.result for c in compare(live, restored, ("x", "y"))}
    assert found["x"] == expected


class LookedAt:
    """A kernel that says something else of ``x`` each time it is asked, as given."""

    def __init__(self, *said: str) -> None:
        self.said = list(said)
        self.asked: list[object] = []

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(arguments["names"])
        Path(arguments["path"]).write_text(json.dumps({"values": {"x": self.said.pop(0)}, "shared": []}))
        return {}


@pytest.mark.parametrize(
    ("restored", "said", "expected"),
    [
        pytest.param("1", (), "identical", id="the same: not asked again"),
        pytest.param("2", ("1", "1"), "different", id="the session is sure"),
        pytest.param("2", ("2", "2"), "different", id="it was something else before it was stored"),
        pytest.param("2", ("2", "3"), "incomparable", id="it is never the same"),
    ],
)
def test_what_differs_is_looked_at_again(restored: str, said: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    kernel = LookedAt(*said)
    live, found = verify.compare_with_kernel(
        witness({"x": "1", "y": "5"}), witness({"x": restored, "y": "5"}), ("x", "y"), kernel, tmp_path / "live.json"
    )
    assert [one.result for one in found] == [expected, "identical"]
    assert kernel.asked == [["x"]] * len(said), "only what differed"
    assert live.values["y"] == "5"


def test_a_wrong_value_outweighs_sharing_that_a_library_drops() -> None:
    detached = [Comparison(name, "detached") for name in "abcdef"]
    assert verify.badness(detached) < verify.badness([Comparison("a", "different")])
    assert verify.badness([Comparison("a", "identical"), Comparison("b", "incomparable")]) == 0


def test_a_reason_is_not_a_digest() -> None:
    assert incomparable("?a lock") == "a lock" and incomparable("abc") == ""
