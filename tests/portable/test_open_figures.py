"""pyplot's figures after a restoration: those of the session, under their numbers, and none of a replay's besides."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdag.portable.open_figures import numbers_by_name, pyplot_managers, pyplot_state, settle_figures
from tests.portable.session import Session
from tests.restoring import bundle_of, replay, restore

START = "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt"


@pytest.fixture
def session() -> Iterator[Session]:
    yield Session().run(START)
    sys.modules["matplotlib.pyplot"].close("all")


def test_a_figure_that_is_replayed_and_then_loaded_is_open_once(session: Session, tmp_path: Path) -> None:
    session.run("fig = plt.figure()", "fig.text(0, 0, 'x')")
    state = {"pyplot": pyplot_state(), "figures": numbers_by_name(session.namespace)}
    steps = [replay(START, "plt"), replay("fig = plt.figure()", "fig", cell="cell 2"), "fig"]
    bundle_of(tmp_path, session, *steps, process_state=state)
    done = restore(tmp_path / "bundle", then="print(plt.get_fignums(), len(fig.texts), plt.gcf() is fig, fig.number)")
    assert done.stdout == "[1] 1 True 1\n", done.stderr
    assert "pyplot" not in done.stderr


MADE: list[tuple[str, str, str, str]] = [
    ("closed since", "fig = plt.figure(); plt.close(fig)", "fig = plt.figure()", "[]"),
    ("of another number", "plt.figure(); ax = plt.figure().gca(); plt.close(1)", "ax = plt.figure().gca()", "[2]"),
    ("in a dictionary", "d = {'a': plt.figure(4)}", "d = {'a': plt.figure()}", "[4]"),
    ("an array of axes", "fig, axs = plt.subplots(2, 2); del fig", "axs = plt.subplots(2, 2)[1]; plt.figure()", "[1]"),
    ("too deep to be seen", "d = [[[[plt.figure(3)]]]]", "d = [[[[plt.figure()]]]]", "[3]"),
    (
        "the same number twice",
        "a = plt.figure(); plt.close(a); b = plt.figure()",
        "a = plt.figure(); b = plt.figure()",
        "[1]",
    ),
    ("current", "a = plt.figure(); b = plt.figure(); plt.figure(1)", "a = plt.figure(); b = plt.figure()", "[1, 2]"),
    ("made the other way round", "a = plt.figure(); b = plt.figure()", "b = plt.figure(); a = plt.figure()", "[1, 2]"),
]


@pytest.mark.parametrize(("live", "again", "numbers"), [row[1:] for row in MADE], ids=[row[0] for row in MADE])
def test_what_a_replay_made_is_as_in_the_session(live: str, again: str, numbers: str, session: Session) -> None:
    session.run(live)
    plt = session["plt"]
    said = (pyplot_state(), numbers_by_name(session.namespace))
    assert str(plt.get_fignums()) == numbers
    plt.close("all")
    restored = Session().run(START, again)
    assert settle_figures(restored.namespace, {}, said[0] or [], said[1]) is None
    assert (pyplot_state(), numbers_by_name(restored.namespace)) == said


def test_the_figures_of_a_session_that_was_there_stay(session: Session) -> None:
    session.run("mine = plt.figure()", "other = plt.figure()")
    before = pyplot_managers()
    session.run("came = plt.figure()", "rest = plt.figure()")
    assert settle_figures(session.namespace, before, [1], {"came": 1, "rest": 0}) is None
    assert numbers_by_name(session.namespace) == {"mine": 1, "other": 2, "came": 3, "rest": 0}


def test_figures_that_nobody_made_again_are_named(session: Session) -> None:
    said = settle_figures(session.namespace, {}, [1, 7], {})
    assert said == "figures of pyplot that no variable held are not here: 1, 7"


class Sly:
    """Objects whose attributes must not be touched by looking for figures."""

    @property
    def figure(self) -> Any:
        raise AssertionError("looked")


def test_looking_for_figures_runs_no_code_of_the_session(session: Session) -> None:
    assert numbers_by_name({"sly": Sly(), "cls": Sly, "n": 1, "module": sys}) == {}
