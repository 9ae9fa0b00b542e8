"""``nbdag restore``, ``install-kernel`` and ``open``: a bundle comes back, wherever and in whichever Python."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from nbdag.batch.bundles import find_saved
from nbdag.batch.notebooks import notebook_of
from nbdag.cli import run
from nbdag.commands.install_kernel import kernel_name
from nbdag.commands.restore import last_part
from nbdag.model.notebook import Cell
from nbdag.model.trace import Execution, Outcome, StatementRun, Trace
from nbdag.replay.history import History
from nbdag.replay.saved import read_saved
from tests.portable.session import Session
from tests.restoring import bundle_of

SOURCES = ("xs = [1, 2]", "ys = xs")


def past(started: float) -> bytes:
    executions = tuple(
        Execution(
            ordinal=number,
            source=source,
            outcome=Outcome.OK,
            count=number + 1,
            cell_id=f"c{number}",
            started=started,
            seconds=1.0,
            statements=(StatementRun(0, 1, 1, 1.0, bound=(source[:2],)),),
        )
        for number, source in enumerate(SOURCES)
    )
    cells = tuple(Cell(number, number, f"c{number}", source) for number, source in enumerate(SOURCES))
    return History(Trace("3.11.7", "cpython", "", "/there", executions), cells=cells).packed()


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    session = Session().run("xs = [1, 2]; ys = xs")
    bundle_of(tmp_path, session, "xs ys", history=past(time.time() - 7300))
    return tmp_path / "bundle"


def test_it_says_how_old_the_session_is_and_what_came_back(bundle: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["restore", "bundle"]) == 0
    said = capfd.readouterr().err
    assert "bundle holds test.ipynb as it was after its last cell, " in said and "(2 h" in said, said
    assert "restored 2 of 2 variables of test.ipynb" in said


def test_options_are_those_of_the_script(bundle: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["restore", "bundle", "--list", "-q"]) == 0
    assert "xs" in capfd.readouterr().out
    assert run(["restore", "bundle/restore.py", "--json", "--verify", "-q"]) == 0
    assert json.loads(capfd.readouterr().out)["loaded"] == ["xs", "ys"]
    assert run(["restore", "bundle", "--only", "nobody", "-q"]) == 2


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["nowhere"], 2, "nowhere: no such bundle"),
        (["."], 2, ". is not a bundle"),
        (["bundle", "--into", "there"], 2, "bundle is here already"),
        (["bundle", "--python", "python9"], 4, "python9: there is no such interpreter"),
    ],
)
def test_what_cannot_be_restored(
    bundle: Path, words: list[str], status: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["restore", *words]) == status
    assert message in capfd.readouterr().err


def test_a_damaged_history_is_no_bundle_to_trust(bundle: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = bundle / "data.msgpack"
    data.write_bytes(data.read_bytes()[:-1])
    assert run(["restore", "bundle"]) == 5


def test_installing_a_kernel(bundle: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(bundle.parent / "jupyter"))
    assert run(["install-kernel", "bundle"]) == 0
    spec = json.loads((bundle.parent / "jupyter/kernels/test-restored/kernel.json").read_text())
    assert spec["argv"][0] == sys.executable and "test.ipynb" in spec["display_name"]
    assert run(["install-kernel", "bundle", "--name", "a b"]) == 2


@pytest.mark.parametrize(
    ("notebook", "name"),
    [("Wine tasting.ipynb", "wine-tasting-restored"), ("", "session-restored"), ("Übung 3.ipynb", "bung-3-restored")],
)
def test_a_kernel_is_named_after_its_notebook(notebook: str, name: str) -> None:
    assert kernel_name(notebook) == name


def test_the_notebook_is_written_where_it_is_not_there(bundle: Path) -> None:
    path, written = notebook_of(read_saved(bundle), None, "wine")
    assert (path, written) == (Path("test.ipynb"), True)
    document = json.loads(path.read_text())
    assert [(cell["id"], "".join(cell["source"])) for cell in document["cells"]] == [
        ("c0", "xs = [1, 2]"),
        ("c1", "ys = xs"),
    ]
    assert document["metadata"]["kernelspec"]["name"] == "wine"
    assert notebook_of(read_saved(bundle), None, "wine") == (path, False)


def test_a_session_from_the_future_is_said_so(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("xs = 1"), "xs", history=past(time.time() + 7300))
    assert "in the future" in find_saved(tmp_path / "bundle")[1][0]


def test_a_bundle_from_a_url_goes_where_its_last_part_says() -> None:
    assert last_part("s3://bucket/deep/wine/") == "wine"
    assert last_part("memory://") == "restore_bundle"


@pytest.mark.slow
def test_opening_in_jupyterlab(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jupyterlab")
    from urllib.parse import parse_qs, urlsplit

    from nbdag.batch.lab import ask, serve

    for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        (bundle.parent / name).mkdir()
        monkeypatch.setenv(name, str(bundle.parent / name))
    assert run(["install-kernel", "bundle", "--name", "wine"]) == 0
    path, _ = notebook_of(read_saved(bundle), None, "wine")
    found = []

    def look(url: str) -> None:
        parts = urlsplit(url)
        found.append((parts.path, ask(f"http://{parts.netloc}", parse_qs(parts.query)["token"][0], "/api/sessions")))
        raise KeyboardInterrupt

    said: list[str] = []
    assert serve(sys.executable, path, "wine", 0, browser=False, say=said.append, ready=look) == 0
    ((address, (session,)),) = found
    assert address == "/lab/tree/test.ipynb"
    assert (session["path"], session["kernel"]["name"]) == ("test.ipynb", "wine")
    assert said[0].startswith("JupyterLab runs at http://127.0.0.1:")


def test_a_session_that_saved_itself_says_how_old_the_save_is_and_what_came_after(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from nbdag.batch import bundles
    from nbdag.saving.directory import CellAfter, LastSave

    after = CellAfter(7, None, "\nxs.append(3)\n", 0.0, None, "running")
    save = LastSave(bundle, "test.ipynb", time.time() - 60, 2, (after,), lives=False)
    monkeypatch.setattr(bundles, "is_autosave", lambda directory: True)
    monkeypatch.setattr(bundles, "last_save", lambda directory: save)
    assert run(["restore", "saves"]) == 0
    said = capfd.readouterr().err
    assert "saves holds test.ipynb as it saved itself " in said and " ago" in said
    assert "1 cell ran after it" in said and "In [7] xs.append(3) (it had not ended)" in said
    assert "restored 2 of 2" in said
