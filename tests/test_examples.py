"""The notebooks of ``examples/``: analyzed, compiled, restored elsewhere, and both sides asked the same questions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from benchmarks.support.asking import ask_kernel, ask_restored

CHECKOUT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((CHECKOUT / "examples").glob("*/*.ipynb"))

# What a user would notice first. They go on where the session stands, so each session is asked once.
QUESTIONS = {
    "churn": (
        "customers.to_csv()",
        "str(customers['plan'].dtype)",
        "[features[name](customers).sum().item() for name in features]",
        "search.best_params_",
        "model is search.best_estimator_",
        "model.predict_proba(test).tolist()",
        "to_call",
        "rng.random(3).tolist()",
        "np.random.rand(2).tolist()",
    ),
    "tides": (
        "level.to_csv()",
        "parameters.tolist()",
        "weekly.to_csv()",
        "len(warn.warnings)",
        "warn('now', 100.0)",
        "len(warn.warnings)",
        "forecast.to_csv()",
        "np.shares_memory(recent, level.to_numpy())",
        "tide(3.0, *parameters)",
    ),
    "coins": (
        "picture.sum()",
        "count",
        "[np.shares_memory(crop, smooth) for crop in crops]",
        "crops[0].fill(7.0)",
        "smooth.max()",
        "areas.tolist()",
        "[axis.get_title() for axis in axes]",
        "axes[0].figure is figure",
        "shown.get_array().sum()",
        "random.random_sample(3).tolist()",
    ),
    "harbours": (
        "sorted(map(str, harbours.edges))",
        "harbours.nodes['new pier']",
        "sorted(important.items())[:5]",
        "sorted(coast.edges)[:5]",
        "harbours.add_edge(*sorted(regions[0])[:2], miles=0.5)",
        "coast.number_of_edges()",
        "log",
        "[next(ship) for _ in range(5)]",
        "random.random()",
    ),
    "rocket": (
        "best.x",
        "summits.tolist()",
        "generator.normal()",
        "next_burn",
        "solver.t, solver.y.tolist()",
        "solver.step(), solver.t, solver.y.tolist()",
        "landed.terminal",
        "summit(800.0)",
    ),
}


def test_there_are_five_notebooks_and_each_has_questions() -> None:
    assert len(NOTEBOOKS) == 5
    assert {path.stem for path in NOTEBOOKS} == set(QUESTIONS)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_is_valid_carries_no_output_and_has_a_page_with_commands(notebook: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in content.cells)
    page = (notebook.parent / "README.md").read_text(encoding="utf-8")
    assert f"nbdag analyze {notebook.name}" in page
    assert not re.search(r"/(home|root|Users)/", page)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_both_sides_give_the_same_answers(notebook: Path, tmp_path: Path) -> None:
    here = tmp_path / "an example"
    shutil.copytree(notebook.parent, here)
    variables = {**os.environ, "MPLBACKEND": "agg"}

    def nbdag(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, str(CHECKOUT / "cli.py"), *arguments],
            cwd=here,
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    questions = {"": QUESTIONS[notebook.stem]}
    try:
        nbdag("analyze", notebook.name)
        report = json.loads(nbdag("compile", "--out", "bundle", "--format", "json"))
        kernel = json.loads(nbdag("sessions", "--format", "json"))["sessions"][0]
        before = ask_kernel(kernel["connection_file"], questions, tmp_path / "before.json")
    finally:
        nbdag("stop", "--all")
    assert report["lost"] == []
    assert not [answer for answer in before[""] if answer.startswith("raises ")]
    after = ask_restored(sys.executable, here / "bundle", tmp_path / "after", questions, variables)
    assert dict(zip(questions[""], after[""], strict=False)) == dict(zip(questions[""], before[""], strict=False))
