"""The stages together, through a real kernel: what is said when the notebook and its session went separate ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from nbdag.analysis.kernels import sessions, stop_session
from nbdag.errors import UsageError
from nbdag.model.plan import Action
from nbdag.pipeline import analyze, compile_bundle, plan_session


class Collected:
    """A Progress that keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, stage: str, total: float | None) -> None:
        pass

    def advance(self, amount: float = 1, note: str = "") -> None:
        pass

    def say(self, message: str) -> None:
        self.said.append(message)

    def end(self) -> None:
        pass


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / ".nbdag"
    yield directory
    for session in sessions(directory):
        stop_session(session)


def notebook(path: Path, *cells: str) -> Path:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)
    return path


def test_edges_say_who_saw_them(tmp_path: Path, state: Path) -> None:
    # cell 3 changes xs through an alias: only the recorder sees that cell 4 depends on it
    path = notebook(tmp_path / "n.ipynb", "xs = [1]", "alias = {'k': xs}", "alias['k'].append(2)", "n = len(xs)")
    analysis = analyze(path, state_directory=state)
    evidence = {(edge.source, edge.target): edge.evidence.value for edge in analysis.edges}
    assert evidence[0, 1] == "both"
    assert (2, 3) in evidence
    assert {row.name: row.made_by for row in analysis.variables} == {"xs": 2, "alias": 2, "n": 3}
    assert analysis.cells[2].mutates == ("alias", "xs")


def test_a_notebook_that_changed_since_is_compiled_as_it_ran_and_that_is_said(tmp_path: Path, state: Path) -> None:
    path = notebook(tmp_path / "n.ipynb", "a = 1")
    analyze(path, state_directory=state)
    notebook(path, "a = 2")
    collected = Collected()
    compile_bundle(tmp_path / "bundle", state_directory=state, verify=False, progress=collected)
    assert any("has changed since it was analyzed" in message for message in collected.said)


def test_a_kernel_that_is_gone_is_said_and_the_notebook_runs_again(tmp_path: Path, state: Path) -> None:
    path = notebook(tmp_path / "n.ipynb", "a = 1")
    analyze(path, state_directory=state)
    for session in sessions(state):
        stop_session(session)
    collected = Collected()
    compiled = compile_bundle(tmp_path / "bundle", state_directory=state, verify=False, progress=collected)
    assert any("is gone" in message and "again" in message for message in collected.said)
    assert [decision.names for decision in compiled.plan.decisions] == [("a",)]


def test_a_name_that_the_session_does_not_have_is_refused(tmp_path: Path, state: Path) -> None:
    analyze(notebook(tmp_path / "n.ipynb", "a = 1"), state_directory=state)
    with pytest.raises(UsageError, match="no variable b"):
        compile_bundle(tmp_path / "bundle", state_directory=state, store=("b",))
    assert not (tmp_path / "bundle").exists()


TAGGED = """\
# %%
import threading
# %% tags=["nbdag-never-rerun"]
big = list(range(1000))
# %% tags=["nbdag-recompute"]
table = {n: n for n in range(1000)}
# %% tags=["nbdag-always-stor"]
y = [1]
x = {"y": y}
guard = (iter([]), threading.Thread())
"""


def test_a_plan_reads_the_tags_and_writes_nothing(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "n.py"
    path.write_text(TAGGED)
    analyze(path, state_directory=state)
    before = sorted(tmp_path.iterdir())
    planned = plan_session(state_directory=state, destination=tmp_path, explained=["guard", "x"])
    action = {name: decision.action for decision in planned.plan.decisions for name in decision.names}
    assert (action["big"], action["table"], action["guard"]) == (Action.STORE, Action.REPLAY, Action.REPLAY)
    assert planned.bandwidth_source == f"measured in {tmp_path}"
    assert [way.name for way in planned.alternatives] == ["plan", "store-all", "replay-all", "per-cell"]
    assert [finding.hint for finding in planned.diagnostics if finding.code == "unknown-tag"] == [
        "did you mean nbdag-always-store?"
    ]
    explained = {explanation.name: explanation for explanation in planned.explanations}
    assert list(explained)[:2] == ["guard", "x"]
    assert (explained["x"].linked, explained["x"].link) == (("y",), 'x["y"] and y are one list')
    assert "guard[1]" in explained["guard"].against_storing[0].reason
    assert [(s.cell, s.line) for s in explained["guard"].statements] == [("cell 4", 3)]
    assert explained["big"].against_replaying[0].reason == "its cell is tagged nbdag-never-rerun"
    # Whoever knows the kernel only can name the file: its cells are found by their ids and texts.
    (session,) = sessions(state)
    again = plan_session(connection_file=session.connection_file, notebook=path, destination=tmp_path, bandwidth=1e9)
    assert {name: d.action for d in again.plan.decisions for name in d.names} == action
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_analyzed_here_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no session was analyzed"):
        compile_bundle(tmp_path / "bundle", state_directory=tmp_path / ".nbdag")
