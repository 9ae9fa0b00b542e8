"""Finding kernels: what servers say, what connection files lead to, and which kernel a word means."""

from __future__ import annotations

import http.server
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbdag.analysis import running
from nbdag.analysis.processes import this_process
from nbdag.analysis.running import BUSY, IDLE, STUCK, RunningKernel, kernel_id_of, probe, running_kernels
from nbdag.analysis.servers import Server, kernels_of, read_address, running_servers, without_secrets
from nbdag.analysis.targets import by_notebook, find_target, live_kernel_of
from nbdag.errors import EnvironmentRefused, KernelDied, UsageError
from tests.portable.agent_kernel import Kernel

ID = "0e6c4d0a-1111-2222-3333-444455556666"
OTHER = "0e6c4d0b-1111-2222-3333-444455556666"


class FakeServer:
    """Answers as a Jupyter server does; ``token`` "" lets everybody in, ``password`` shows a login page instead."""

    def __init__(self, sessions: Any, kernels: Any = (), token: str = "", password: bool = False) -> None:
        answers = {"/base/api/sessions": sessions, "/base/api/kernels": list(kernels)}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if password:
                    self.send_response(302)
                    self.send_header("Location", "/login?next=" + self.path)
                elif token and self.headers.get("Authorization") != f"token {token}":
                    self.send_response(403)
                else:
                    body = json.dumps(answers[self.path]) if self.path in answers else "<html>"
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(body.encode())
                    return
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/base/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def write_down(self, directory: Path, root: Path, **more: Any) -> None:
        said = {"url": self.url, "token": "secret", "root_dir": str(root), "pid": os.getpid(), **more}
        (directory / f"jpserver-{os.getpid()}.json").write_text(json.dumps(said))


def session(path: str, kernel: str = ID, state: str = "idle", kind: str = "notebook") -> dict[str, Any]:
    return {"path": path, "type": kind, "kernel": {"id": kernel, "name": "python3", "execution_state": state}}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer(
        [session("work.ipynb"), session("sub/b.ipynb", OTHER, "busy"), session("con", "c", kind="console")],
        [{"id": ID}, {"id": "lone", "name": "ir", "execution_state": "dead"}],
        token="secret",
    )
    yield fake
    fake.close()


# ------------------------------------------------------------------------------------------------ servers


def test_servers_are_found_by_their_files(tmp_path: Path, server: FakeServer) -> None:
    server.write_down(tmp_path, tmp_path)
    (tmp_path / "jpserver-1.json").write_text('{"url": "http://x/", "pid": 4194303}')  # crashed
    (tmp_path / "jpserver-2.json").write_text("[torn")
    (tmp_path / "nbserver-3.json").write_text(
        json.dumps({"url": "http://old", "notebook_dir": "/n", "pid": this_process().pid})
    )
    assert [(one.url, one.root, one.token) for one in running_servers(tmp_path)] == [
        (server.url, str(tmp_path), "secret"),
        ("http://old/", "/n", ""),
    ]


def test_a_server_says_which_notebook_runs_where(server: FakeServer) -> None:
    found = kernels_of(Server(server.url, "secret", "/root"))
    assert [(one.kernel_id, one.notebook, one.state) for one in found] == [
        (ID, "/root/work.ipynb", "idle"),
        (OTHER, "/root/sub/b.ipynb", "busy"),
        ("c", "", "idle"),
        ("lone", "", "dead"),
    ]


@pytest.mark.parametrize(("token", "message"), [("wrong", "refuses this token"), ("", "wants a token")])
def test_a_wrong_token_is_not_in_the_message(server: FakeServer, token: str, message: str) -> None:
    with pytest.raises(EnvironmentRefused, match=message) as refusal:
        kernels_of(Server(server.url, token))
    assert "wrong" not in refusal.value.message and "--token-env" in refusal.value.hint


def test_a_login_page_a_web_page_and_nobody() -> None:
    login = FakeServer([], password=True)
    with pytest.raises(EnvironmentRefused, match="wants a token"):
        kernels_of(Server(login.url))
    login.close()
    with pytest.raises(EnvironmentRefused, match="no Jupyter server answers there"):
        kernels_of(Server(login.url))
    page = FakeServer({"not": "a list"})
    with pytest.raises(EnvironmentRefused, match="not a Jupyter server"):
        kernels_of(Server(page.url))
    with pytest.raises(EnvironmentRefused, match="not a Jupyter server"):
        kernels_of(Server(page.url + "elsewhere/"))
    page.close()


@pytest.mark.parametrize(
    ("url", "base", "kernel", "notebook"),
    [
        ("http://h:8888/?token=abc", "http://h:8888/", "", ""),
        ("http://h:8888/lab?token=abc", "http://h:8888/", "", ""),
        ("http://h:8888/tree?token=abc", "http://h:8888/", "", ""),
        ("https://hub/user/me/lab/tree/a%20b/n.ipynb?token=abc", "https://hub/user/me/", "", "a b/n.ipynb"),
        ("http://h/lab/workspaces/auto-X/tree/n.ipynb?token=abc", "http://h/", "", "n.ipynb"),
        ("http://h/notebooks/n.ipynb?token=abc", "http://h/", "", "n.ipynb"),
        (f"http://h/base/api/kernels/{ID}/channels?token=abc", "http://h/base/", ID, ""),
    ],
)
def test_what_an_address_means(url: str, base: str, kernel: str, notebook: str) -> None:
    address = read_address(url)
    assert (address.server.url, address.kernel_id, address.notebook) == (base, kernel, notebook)
    assert address.server.token == "abc" and "abc" not in without_secrets(url)


def test_what_is_no_address() -> None:
    with pytest.raises(UsageError, match="not the address of a Jupyter server"):
        read_address("ftp://me:pass@h/x?token=abc")
    with pytest.raises(UsageError) as refusal:
        read_address("http:///x?token=abc")
    assert "abc" not in refusal.value.message


# ------------------------------------------------------------------------------------------------ kernels


def test_a_kernel_is_told_idle_busy_and_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbdag.analysis.running._ANSWER_SECONDS", 1.0)  # however busy this machine is
    monkeypatch.setattr("nbdag.analysis.running._FIRST_ECHO_SECONDS", 2.0)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    started = Kernel(sys.executable, tmp_path)
    try:
        file = runtime / f"kernel-{ID}.json"
        file.write_bytes(Path(started.manager.connection_file).read_bytes())
        said = {**json.loads(file.read_text()), "shell_port": 1, "hb_port": 1, "control_port": 1, "iopub_port": 1}
        (runtime / "kernel-dead.json").write_text(json.dumps(said))
        (runtime / "kernel-torn.json").write_text("{")
        before = started.expression("__import__('random').getstate()[1][:5]")

        [idle] = running_kernels(servers=[], directory=runtime).kernels
        assert (idle.kernel_id, idle.state, idle.recorded, idle.language) == (ID, IDLE, False, "python")
        assert idle.pid == started.manager.provisioner.process.pid and idle.memory > 10_000_000 and idle.python
        assert started.expression("__import__('random').getstate()[1][:5]") == before  # nothing was disturbed
        assert started.cell("len(In)") == "2"

        started.inject()
        started.command("start", late=True)
        [recorded] = probe([file])
        assert recorded.recorded is True and recorded.executions == 1

        started.client.execute("import time; time.sleep(8)")
        time.sleep(0.5)
        begun = time.monotonic()
        [busy] = probe([file])
        assert busy.state == BUSY and busy.recorded is None
        assert time.monotonic() - begun < 6.0  # did not wait for the cell
        (runtime / "kernel-dead.json").unlink()
        (runtime / "kernel-torn.json").unlink()
        assert [kernel.state for kernel in running_kernels(servers=[], directory=runtime).kernels] == [BUSY]
    finally:
        started.close()
    assert running_kernels(servers=[], directory=runtime).kernels == ()
    with pytest.raises(KernelDied, match="no kernel answers there"):
        find_target(str(file), state_directory=tmp_path / ".nbdag", directory=runtime)


def test_a_probe_of_nothing_takes_no_time() -> None:
    assert probe([]) == [] and STUCK != BUSY


KERNEL = RunningKernel(
    ID, IDLE, "/root/work.ipynb", connection_file=f"/run/kernel-{ID}.json", pid=41, language="python"
)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two kernels run one notebook, a third speaks R."""
    notebook = tmp_path / "work.ipynb"
    notebook.write_text("{}")
    found = (
        replace(KERNEL, notebook=str(notebook)),
        replace(KERNEL, kernel_id=OTHER, notebook=str(notebook), state=BUSY, pid=42),
        replace(KERNEL, kernel_id="r-kernel", notebook="", language="R", pid=43),
    )
    monkeypatch.setattr(
        "nbdag.analysis.targets.running_kernels", lambda *_, **__: running.Found(found, ("http://h/: no answer",))
    )
    return notebook


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("work.ipynb", f"2 kernels run .*{ID} .idle, work.ipynb., {OTHER} .busy"),
        ("0e6c4d0", "fits 2 kernels"),
        ("r-kernel", "speaks R"),
        ("deadbeef", "no kernel 'deadbeef' runs here .*no answer"),
        ("nowhere.ipynb", "no such notebook"),
        ("nowhere/kernel-1.json", "no such connection file"),
    ],
)
def test_what_no_kernel_or_several_fit(two: Path, word: str, message: str, tmp_path: Path) -> None:
    word = str(two) if word == "work.ipynb" else word
    with pytest.raises(UsageError, match=message):
        find_target(word, state_directory=tmp_path / ".nbdag")


def test_a_kernel_is_meant_by_its_id_how_that_begins_or_its_process(two: Path, tmp_path: Path) -> None:
    for word in (ID, ID[:8], "41"):
        assert find_target(word, state_directory=tmp_path / ".nbdag").kernel.kernel_id == ID


def test_a_notebook_of_a_server_far_away_is_known_by_the_end_of_its_path(tmp_path: Path) -> None:
    far = replace(KERNEL, notebook="sub/b.ipynb", connection_file="")
    assert by_notebook([far], tmp_path / "sub" / "b.ipynb") == [far]
    assert by_notebook([far], tmp_path / "notsub" / "b.ipynb") == []


def test_a_machine_without_jupyter_has_no_live_kernels(tmp_path: Path) -> None:
    assert live_kernel_of(tmp_path / "n.ipynb", tmp_path / "none") == ()


def test_ids_of_connection_files() -> None:
    assert kernel_id_of(Path(f"/run/kernel-{ID}.json")) == ID
    assert kernel_id_of(Path("/x/.nbdag/sessions/work-1a2b/connection.json")) == "work-1a2b"
    assert kernel_id_of(Path("/x/mine.json")) == "mine"
