"""A bundle as a Jupyter kernel: real kernels started from what restore.py installs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nbdag.portable.serving import install_kernel, is_ours
from tests.portable.session import Session
from tests.restoring import bundle_of, replay, restore


@pytest.fixture
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jupyter directories of this test alone."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.delenv("JUPYTER_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return tmp_path / "jupyter"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    session = Session().run("xs = [1, 2]; ys = xs; broken = 1")
    bundle_of(tmp_path, session, "xs ys", replay("broken = 1 / 0", "broken"))
    return tmp_path / "bundle"


def ask(client: object, code: str) -> list[str]:
    """What one cell writes and shows."""
    client.execute(code)  # type: ignore[attr-defined]
    shown = []
    while True:
        message = client.get_iopub_msg(timeout=60)  # type: ignore[attr-defined]
        content = message["content"]
        if message["msg_type"] == "stream":
            shown.append(content["text"])
        elif message["msg_type"] == "execute_result":
            shown.append(content["data"]["text/plain"])
        elif message["msg_type"] == "status" and content["execution_state"] == "idle":
            return shown


def test_an_installed_kernel_holds_the_session_and_says_in_the_first_cell_what_is_lost(
    jupyter: Path, bundle: Path
) -> None:
    from jupyter_client.manager import start_new_kernel

    done = restore(bundle, "--install-kernel", "Wine.1", flags=())
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert str(jupyter / "kernels" / "wine.1") in done.stderr
    manager, client = start_new_kernel(kernel_name="wine.1")
    try:
        asked = "print('answer', xs); xs is ys, xs, 'broken' in globals(), 'Restoration' in globals(), __name__"
        first = "".join(ask(client, asked))
        assert -1 < first.find("restored 2 of 3 variables") < first.find("answer [1, 2]\n"), "one after the other"
        assert "broken: cell 1, line 1: ZeroDivisionError" in first
        assert "(True, [1, 2], False, False, '__main__')" in first
        assert ask(client, "xs.append(3); ys") == ["[1, 2, 3]"]  # said once
        assert "xs" in "".join(ask(client, "%who"))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.skipif(os.name == "nt", reason="SIGINT is sent as a terminal on POSIX does")
def test_a_served_kernel_can_be_found_and_ends_with_ctrl_c(jupyter: Path, bundle: Path) -> None:
    from jupyter_client.blocking.client import BlockingKernelClient

    command = [sys.executable, str(bundle / "restore.py"), "--kernel"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        runtime = jupyter / "runtime"
        deadline = time.monotonic() + 60
        while not (files := list(runtime.glob("kernel-*.json")) if runtime.is_dir() else []):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        client = BlockingKernelClient(connection_file=str(files[0]))
        while True:  # ipykernel may still be writing it
            try:
                client.load_connection_file()
                break
            except ValueError:
                time.sleep(0.05)
        client.start_channels()
        client.wait_for_ready(timeout=60)
        assert ask(client, "xs is ys")[-1] == "True"
        client.stop_channels()
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0
        assert f"jupyter console --existing {files[0].name}" in said
        assert not files[0].exists()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "ä"])
def test_a_name_that_jupyter_would_not_take_is_refused(jupyter: Path, bundle: Path, name: str) -> None:
    with pytest.raises(ValueError, match="letters"):
        install_kernel(name, str(bundle / "restore.py"), "title")
    assert not jupyter.exists()


def test_a_kernel_that_somebody_else_installed_is_left_alone(jupyter: Path, bundle: Path) -> None:
    theirs = jupyter / "kernels" / "julia" / "kernel.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text('{"argv": ["julia"]}')
    done = restore(bundle, "--install-kernel", "julia", flags=())
    assert done.returncode == 2
    assert "belongs to another kernel" in done.stderr
    assert theirs.read_text() == '{"argv": ["julia"]}'


def test_installing_again_replaces_the_kernel_of_an_earlier_bundle(jupyter: Path, bundle: Path) -> None:
    install_kernel("wine", "old/restore.py", "old")
    install_kernel("wine", str(bundle / "restore.py"), "new")
    path = jupyter / "kernels" / "wine" / "kernel.json"
    assert is_ours(str(path))
    assert json.loads(path.read_text())["metadata"]["nbdag"]["bundle"] == str(bundle)
