"""``%nbdag remote``, ``%%nbdag on``, ``%nbdag on`` and ``%nbdag here`` as a user types them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.remote.notebook import Notebook
from tests.remote.servers import TOKEN, Server

Typed = Callable[[str], str]


@pytest.fixture
def typed(
    plain_notebook: Notebook,
    jupyter: Server,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Typed]:
    """Runs a cell and returns all that was shown."""
    monkeypatch.setenv("GPU_TOKEN", TOKEN)

    def run(source: str) -> str:
        capsys.readouterr()
        plain_notebook.shell.run_cell(source, store_history=True)
        shown = capsys.readouterr()
        return shown.out + shown.err

    run("%load_ext nbdag")
    run(f"%nbdag remote add gpu {jupyter.url}/lab?token=unused --token-env GPU_TOKEN --kernel elsewhere")
    yield run
    run("%nbdag here")
    run("%nbdag remote remove gpu")
    run("%unload_ext nbdag")
    run("%nbdag")
    plain_notebook.clear()


def test_from_adding_a_machine_to_a_result(typed: Typed, plain_notebook: Notebook, scratch: Path) -> None:
    assert "gpu" in typed("%nbdag remote list") and "GPU_TOKEN" in typed("%nbdag remote list")
    kept = (scratch / "config" / "remotes.json").read_text(encoding="utf-8")
    assert TOKEN not in kept and "unused" not in kept
    typed("table = list(range(100_000)); other = list(range(300_000))")
    shown = typed("%%nbdag on gpu\ntotal = sum(table)\nprint('the sum:', total)\ntotal")
    assert plain_notebook["total"] == plain_notebook["_"] == sum(range(100_000))
    assert "the sum: 4999950000" in shown and "x less" in shown and "changed: total" in shown
    assert "connected" in typed("%nbdag remote list")
    failed = typed("%%nbdag on gpu\n1 // 0")
    assert "ZeroDivisionError" in failed and "remote/running.py" not in failed
    tested = typed("%nbdag remote test gpu")
    assert "a round trip takes" in tested and "same version" in tested and TOKEN not in tested


def test_all_cells_until_here(typed: Typed, plain_notebook: Notebook) -> None:
    assert "next cells run on gpu" in typed("%nbdag on gpu")
    typed("import os\nwhere = os.getpid()")
    typed("%%time\ntimed = os.getpid()")
    assert plain_notebook["where"] == plain_notebook["timed"] != os.getpid()
    assert "no longer on gpu" in typed("%nbdag here")
    typed("where = os.getpid()")
    assert plain_notebook["where"] == os.getpid()


def test_mistakes_are_one_line_with_a_remedy(typed: Typed) -> None:
    for line, said in {
        "%nbdag on nowhere": "there are: gpu",
        "%nbdag remote add": "which one",
        "%nbdag remote add x": "where is it",
        "%nbdag remote add 1x http://h": "no name",
        "%nbdag remote test nowhere": "nowhere",
        "%nbdag remote add x ftp://h": "is not the URL",
        "%nbdag remote fetch gpu": "no result",
    }.items():
        shown = typed(line)
        assert said in shown and "Traceback" not in shown and len(shown.strip().splitlines()) <= 3, line


def test_a_token_that_is_not_there_is_named(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPU_TOKEN")
    typed("%nbdag remote stop gpu")
    assert "GPU_TOKEN" in typed("%%nbdag on gpu\nx = 1")


def test_what_ran_there_is_stored_by_compile_and_not_replayed(
    typed: Typed, plain_notebook: Notebook, scratch: Path
) -> None:
    typed("xs = [1, 2, 3]")
    typed("%%nbdag on gpu\nimport random\nys = [x * random.random() for x in xs]\ndef f(x): return x + ys[0]")
    shown = typed("%nbdag compile bundle --no-verify")
    assert "ys" in shown, shown

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import runpy; found = runpy.run_path('bundle/restore.py'); print(found['ys'], found['f'](1))",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == f"{plain_notebook['ys']} {1 + plain_notebook['ys'][0]}", done.stderr
