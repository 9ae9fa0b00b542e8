"""``nbdag kernels``, ``nbdag attach`` and ``nbdag compile NOTEBOOK`` beside a notebook that runs in Jupyter."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbdag.cli import run
from nbdag.saving.directory import last_save
from tests.analysis.test_servers import ID, FakeServer, session
from tests.portable.agent_kernel import Kernel
from tests.saving.kernels import restored, wait_for_savers

ROOT = str(Path(__file__).resolve().parents[2])


class Beside:
    """A notebook that runs in a kernel of a server, in the directory where the shell is."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.notebook = directory / "work.ipynb"
        cells = [nbformat.v4.new_code_cell(source) for source in ("x = [1]", "y = {'x': x}")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), str(self.notebook))
        self.runtime = directory / "runtime"
        self.runtime.mkdir()
        self.kernel = Kernel(sys.executable, directory)
        self.file = self.runtime / f"kernel-{ID}.json"
        self.file.write_bytes(Path(self.kernel.manager.connection_file).read_bytes())
        self.server = FakeServer([session("work.ipynb")], token="secret")
        self.server.write_down(self.runtime, directory)
        for cell in cells:
            self.kernel.cell(cell.source)

    def close(self) -> None:
        self.server.close()
        self.kernel.close()


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Beside]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setattr("nbdag.analysis.running._ANSWER_SECONDS", 1.0)  # however busy this machine is
    monkeypatch.setattr("nbdag.analysis.running._FIRST_ECHO_SECONDS", 2.0)
    running = Beside(tmp_path)
    yield running
    running.close()


def document(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*words, "--format", "json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_a_notebook_that_runs_in_jupyter(beside: Beside, capsys: pytest.CaptureFixture[str]) -> None:
    [row] = document(capsys, "kernels")["kernels"]
    assert (row["id"], row["notebook"], row["state"], row["recorded"]) == (ID, str(beside.notebook), "idle", False)
    assert row["server"] == beside.server.url and row["memory"] > 10_000_000
    assert run(["kernels"]) == 0
    shown = capsys.readouterr().out
    assert ID in shown and "work.ipynb" in shown and "secret" not in shown

    # By its notebook, its id, its file and its address; the second time it is there already.
    first = document(capsys, "attach", "work.ipynb")
    assert first["recording"] and not first["already"] and first["executions"] == 2
    for word in (ID[:10], str(beside.file), beside.server.url + "lab/tree/work.ipynb"):
        assert document(capsys, "attach", word)["already"], word
    assert document(capsys, "kernels")["kernels"][0]["recorded"] is True
    assert beside.kernel.cell("len(In), sorted(Out)") == "(4, [])"

    # The live kernel is the session of the notebook, without a run of it.
    beside.kernel.cell("x.append('live')")
    capsys.readouterr()
    assert run(["compile", "work.ipynb", "--out", "bundle", "--no-verify"]) == 0
    said = capsys.readouterr().err
    assert f"work.ipynb runs in kernel {ID} (idle): this is its session" in said
    assert restored(beside.directory / "bundle", "[x, y['x'] is x]")[0] == [[1, "live"], True]

    # A kernel that is busy is waited for, as long as one wants to.
    beside.kernel.client.execute("import time; time.sleep(4)")
    time.sleep(0.3)
    capsys.readouterr()
    assert run(["compile", "work.ipynb", "--out", "bundle", "--no-verify", "--timeout", "1"]) == 1
    said = capsys.readouterr().err
    assert "(busy): this is its session" in said and "was busy for 1 s" in said and "--timeout" in said
    assert run(["compile", "--kernel", ID[:8], "--out", "bundle", "--no-verify", "--timeout", "60"]) == 0

    assert document(capsys, "attach", ID, "--detach") == {
        "format": "nbdag-attached", "version": 1, "nbdag": document(capsys, "kernels")["nbdag"],
        "id": ID, "notebook": str(beside.notebook), "recording": False, "already": False,
    }  # fmt: skip
    assert document(capsys, "kernels")["kernels"][0]["recorded"] is False


def test_no_command_draws_from_the_random_numbers_of_a_session(beside: Beside) -> None:
    # IPython chooses the tip of its banner by the session's `random`, whenever somebody sends kernel_info_request.
    beside.kernel.cell("import random; random.seed(7)")
    before = beside.kernel.cell("print(hash(random.getstate()))")
    for words in (
        ["kernels"],
        ["attach", "work.ipynb"],
        ["kernels"],
        ["compile", "work.ipynb", "--out", "bundle", "--no-verify"],
        ["attach", "work.ipynb", "--detach"],
    ):
        assert run(words) == 0
        assert beside.kernel.cell("print(hash(random.getstate()))") == before, words
    assert beside.kernel.cell("print(random.random())").strip() == str(random.Random(7).random())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a session is copied by fork on Linux only")
def test_autosave_from_a_shell(beside: Beside, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["attach", "work.ipynb", "--autosave", "saves", "--every", "0.2s"]) == 0
    shown = capsys.readouterr().out
    assert "saves itself into saves" in shown and "python saves/restore.py" in shown
    deadline = time.monotonic() + 60
    while last_save(Path("saves")).bundle is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert last_save(Path("saves")).notebook == str(beside.notebook)
    assert document(capsys, "attach", ID)["autosave"]["directory"] == str(beside.directory / "saves")
    assert run(["attach", "work.ipynb", "--autosave", "saves"]) == 0  # once more: every 60 s from now on
    assert run(["attach", "work.ipynb", "--detach"]) == 0
    wait_for_savers(beside.directory / "saves")
    assert restored(beside.directory / "saves", "x")[0] == [1]
    said = subprocess.run(
        [sys.executable, "-m", "nbdag", "restore", "saves", "--no-prompt"],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": ROOT},
    ).stderr  # fmt: skip
    assert "saved by itself at" in said and "no cell was run after that" in said


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["attach", "nothing.ipynb"], 2, "no such notebook"),
        (["attach", "work.ipynb", "--detach", "--autosave", "saves"], 2, "contradict each other"),
        (["attach", "work.ipynb", "--every", "5s"], 2, "--every says how often to save"),
        (["attach", "work.ipynb", "--token-env", "NBDAG_NO_SUCH"], 2, "no such environment variable"),
        (["attach", "http://127.0.0.1:9/"], 4, "no Jupyter server answers there"),
        (["kernels", "--server", "http://127.0.0.1:9/"], 4, "no Jupyter server answers there"),
        (["attach", "kernel-1.json"], 2, "no such connection file"),
    ],
)
def test_what_leads_to_no_kernel(
    words: list[str], status: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "none"))
    assert run(words) == status
    said = capsys.readouterr().err
    assert message in said and "hint:" in said


@pytest.mark.slow
def test_a_real_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jupyter_server", reason="jupyter_server is not installed (the extra `test` has it)")
    monkeypatch.chdir(tmp_path)
    runtime = tmp_path / "runtime"
    for variable, value in {
        "JUPYTER_RUNTIME_DIR": runtime, "JUPYTER_CONFIG_DIR": tmp_path / "c", "IPYTHONDIR": tmp_path / "i",
        "NBDAG_TEST_TOKEN": "sekret",
    }.items():  # fmt: skip
        monkeypatch.setenv(variable, str(value))
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")]), str(tmp_path / "work.ipynb"))
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += ["--ServerApp.port=0", "--IdentityProvider.token=sekret", f"--ServerApp.root_dir={tmp_path}"]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not (files := list(runtime.glob("jpserver-*.json"))) or not files[0].read_text().strip():
            assert time.monotonic() < deadline, (tmp_path / "server.log").read_text()
            time.sleep(0.1)
        url = json.loads(files[0].read_text())["url"]
        body = {"path": "work.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
        request = urllib.request.Request(url + "api/sessions", json.dumps(body).encode(), method="POST")
        request.add_header("Authorization", "token sekret")
        started = False
        while not started:
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    kernel = json.loads(answer.read())["kernel"]["id"]
                    started = True
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        while not (rows := document(capsys, "kernels")["kernels"]) or rows[0]["state"] != "idle":
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert (rows[0]["id"], rows[0]["notebook"]) == (kernel, str(tmp_path / "work.ipynb"))
        assert document(capsys, "attach", "work.ipynb")["recording"]
        assert document(capsys, "attach", f"{url}lab/tree/work.ipynb?token=sekret")["already"]
        assert run(["attach", f"{url}?token=wrong"]) == 4
        assert "refuses this token" in capsys.readouterr().err
        # From a machine that has not the kernel's connection file: through the server's websocket.
        pytest.importorskip("websocket", reason="websocket-client is not installed (the extra `remote` has it)")
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "elsewhere"))
        assert document(capsys, "attach", f"{url}lab/tree/work.ipynb?token=sekret", "--detach")["already"] is False
        assert not document(capsys, "attach", f"{url}lab/tree/work.ipynb?token=sekret")["already"]
        assert run(["attach", kernel, "--server", url, "--token-env", "NBDAG_TEST_TOKEN", "--autosave", "saves"]) == 2
        assert "runs on another machine" in capsys.readouterr().err
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
        # Renamed in the server: its sessions know.
        (tmp_path / "work.ipynb").rename(tmp_path / "new.ipynb")
        for entry in json.loads(_get(url + "api/sessions")):
            change = urllib.request.Request(
                f"{url}api/sessions/{entry['id']}", json.dumps({"path": "new.ipynb"}).encode(), method="PATCH"
            )
            change.add_header("Authorization", "token sekret")
            urllib.request.urlopen(change, timeout=30).close()
        assert document(capsys, "attach", "new.ipynb")["already"]
    finally:
        server.terminate()
        server.wait(timeout=60)


def _get(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": "token sekret"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())
