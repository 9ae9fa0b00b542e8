"""Calls draw on the figure that pyplot has open, and do not have to name it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdag.portable import agent
from tests.portable.test_recorder import Session, plain_shell

pytest.importorskip("matplotlib")

START = (
    "import matplotlib; matplotlib.use('agg')\nimport matplotlib.pyplot as plt\nxs = [1, 2]\ndef draw(): plt.plot(xs)"
)


@pytest.fixture(params=["looks at everything", "has no time"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    with plain_shell(tmp_path) as shell:
        session = Session(shell, tmp_path)
        if request.param == "has no time":
            session.command("start", late=False, share=0.0)
            recorder = agent.recorder_of(shell)
            assert recorder is not None
            recorder.budget.left = -1.0
        else:
            session.command("start", late=False)
        session.run(START)
        yield session
        session.run("plt.close('all')")
        agent.command("stop", {})


@pytest.mark.parametrize(
    ("made", "name"),
    [
        ("fig = plt.figure()", "fig"),
        ("fig, ax = plt.subplots()", "fig"),
        ("fig, ax = plt.subplots()", "ax"),
        ("fig, axes = plt.subplots(2, 2)", "axes"),
        ("kept = {'figure': plt.figure()}", "kept"),
    ],
)
@pytest.mark.parametrize("call", ["plt.plot(xs)", "draw()", "plt.title('x')"])
def test_who_holds_the_open_figure_is_changed_by_a_call_that_does_not_name_it(
    session: Session, made: str, name: str, call: str
) -> None:
    session.run(f"{made}\nys = 1\n{call}")
    _, second, third = session.last().statements
    assert name in third.reached and name in {*third.changed, *third.put_off}
    assert third.completed and second.bound == ("ys",)


def test_nobody_draws_on_a_figure_that_is_closed(session: Session) -> None:
    session.run("fig = plt.figure()", "plt.close(fig)", "len(xs)")
    assert "fig" not in session.statement().reached


@pytest.mark.parametrize("session", ["looks at everything"], indirect=True)
def test_nothing_else_is_reached_for_that(session: Session) -> None:
    session.run("fig = plt.figure(); table = {'a': [1], 'b': object()}", "len(xs)\nys = 1")
    call, binding = session.last().statements
    assert set(call.reached) == {"fig", "xs"}
    assert not binding.reached, "no call, no drawing"
