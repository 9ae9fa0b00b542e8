"""``nbdag run`` and papermill's engine with real kernels: a run that failed goes on, and nothing runs twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nbdag.batch.notebooks import notebook_document
from nbdag.cli import run
from nbdag.replay.saved import read_saved

pytest.importorskip("nbclient")

CELLS = [
    "from pathlib import Path\nran = Path('ran.txt')",
    "import random\nxs = [1, 2, 3]\ngen = (n * n for n in range(9))\nfirst = next(gen)",
    "ran.open('a').write('x')\nys = [2 * x for x in xs]\nprint(ys)",
    "drawn = random.random()\nassert ready, 'not yet'",
    "print(next(gen), ys, drawn)",
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*cells: str) -> None:
    document = notebook_document(tuple((f"c{number}", cell) for number, cell in enumerate(cells)), "python3")
    Path("wine.ipynb").write_text(json.dumps(document), encoding="utf-8")


def outputs(path: str = "wine.run.ipynb") -> list[str]:
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    return ["".join("".join(out.get("text", ())) for out in cell.get("outputs", ())) for cell in cells]


def test_a_failed_run_goes_on_where_it_stopped(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(*CELLS)
    assert run(["run", "wine.ipynb", "--no-verify"]) == 1
    said = capsys.readouterr().err
    assert "cell 4 failed: NameError: name 'ready' is not defined" in said and "--resume goes on from there" in said
    write(*CELLS[:3], CELLS[3].replace("ready", "True"), CELLS[4])
    assert run(["run", "wine.ipynb", "--resume", "--no-verify"]) == 0
    said = capsys.readouterr().err
    assert "3 of 5 cells ran, and the next one failed: going on with the 2 left" in said
    assert Path("ran.txt").read_text() == "x", "the third cell ran once"
    shown = outputs()
    assert shown[2] == "[2, 4, 6]\n" and shown[4].startswith("1 [2, 4, 6] 0."), shown


@pytest.mark.slow
def test_a_run_is_saved_on_the_way_and_starts_over_where_going_on_would_be_wrong(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("xs = [1]", "ys = [2]", "xs.append(3)\nraise ValueError('half-way')")
    assert run(["run", "wine.ipynb", "--save-every", "2", "--save", "kept"]) == 1
    said = capsys.readouterr().err
    assert "saved to kept" in said and "the cell that failed had changed xs: kept keeps the session from before" in said
    write("xs = [1]", "ys = [2]", "xs.append(3)\nprint(xs, ys)")
    assert run(["run", "wine.ipynb", "--resume", "--save", "kept"]) == 0
    assert outputs()[2] == "[1, 3] [2]\n"
    write("xs = [1, 1]", "ys = [2]", "xs.append(3)\nprint(xs, ys)")
    assert run(["run", "wine.ipynb", "--resume", "--save", "kept"]) == 0
    assert "running everything again: its first cell has been edited since" in capsys.readouterr().err
    assert outputs()[2] == "[1, 1, 3] [2]\n"


@pytest.mark.slow
def test_parameters_scripts_and_a_kernel_that_dies(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("wine.py").write_text('# %% tags=["parameters"]\nn = 1\n# %%\nprint(n * 2, name)\n')
    assert run(["run", "wine.py", "-p", "n=21", "-p", "name=ada", "-o", "out.ipynb"]) == 0
    assert outputs("out.ipynb")[2] == "42 ada\n"
    assert run(["run", "wine.py", "-p", "n"]) == 2
    assert run(["run", "wine.ipynb"]) == 2
    write("import os", "os._exit(1)")
    assert run(["run", "wine.ipynb", "--save-every", "1", "--no-verify"]) == 138
    assert "wine.session keeps what was saved before" in capsys.readouterr().err


@pytest.mark.slow
def test_papermill_goes_on_where_it_stopped(here: Path) -> None:
    papermill = pytest.importorskip("papermill")
    from papermill.exceptions import PapermillExecutionError

    options: dict[str, Any] = {"engine_name": "nbdag", "kernel_name": "python3", "progress_bar": False, "verify": False}
    write(*CELLS)
    with pytest.raises(PapermillExecutionError, match="ready"):
        papermill.execute_notebook("wine.ipynb", "out.ipynb", **options)
    write(*CELLS[:3], CELLS[3].replace("ready", "True"), CELLS[4])
    papermill.execute_notebook("wine.ipynb", "out.ipynb", resume=True, **options)
    assert Path("ran.txt").read_text() == "x"
    assert "ys" in read_saved(Path("out.session")).names
    papermill.execute_notebook("wine.ipynb", "out.ipynb", save="whole", **options)
    assert "drawn" in read_saved(Path("whole")).names, "a save that was asked for is made at the end"
    papermill.execute_notebook("wine.ipynb", "out.ipynb", save="whole", resume=True, **options)
    assert Path("ran.txt").read_text() == "xx"
    assert outputs("out.ipynb")[2] == "[2, 4, 6]\n" and outputs("out.ipynb")[4].startswith("1 [2, 4, 6] 0.")


@pytest.mark.slow
def test_a_client_of_nbclient_is_recorded_by_its_hooks(here: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    from nbdag.batch.client import record
    from nbdag.batch.saving import Saving

    write("xs = [1]", "ys = xs", "zs = [ys]")
    library: Any = nbformat
    client = NotebookClient(library.read("wine.ipynb", as_version=4), kernel_name="python3")
    record(client, Saving(Path("kept"), every=2, verify=False), say=lambda sentence: None)
    client.execute()
    assert read_saved(Path("kept")).names == {"xs", "ys"}
