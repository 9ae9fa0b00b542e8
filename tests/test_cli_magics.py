"""``%load_ext nbdag`` in a live kernel: it records, ``%nbdag`` answers, a mistake is one line, unloading ends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from nbdag.analysis import kernels
from nbdag.analysis.kernels import Session
from nbdag.model import Notebook


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    opened = kernels.open_session(Notebook(str(tmp_path / "n.ipynb"), ()), tmp_path / ".nbdag")
    yield opened
    kernels.stop_session(opened)


class User:
    """Somebody at a notebook."""

    def __init__(self, session: Session) -> None:
        self.client = BlockingKernelClient()
        self.client.load_connection_file(str(session.connection_file))
        self.client.start_channels()

    def runs(self, source: str) -> str:
        """What the notebook shows under the cell; an error as "Name: message"."""
        shown: list[str] = []

        def see(message: dict[str, dict[str, str]]) -> None:
            content = message["content"]
            kind = str(message["msg_type"])
            if kind == "stream":
                shown.append(content["text"])
            elif kind == "execute_result":
                shown.append(content["data"]["text/plain"])  # type: ignore[index]
            elif kind == "error":
                shown.append(f"{content['ename']}: {content['evalue']}")

        self.client.execute_interactive(source, output_hook=see, timeout=120)
        return "".join(shown)


@pytest.fixture
def user(session: Session) -> Iterator[User]:
    somebody = User(session)
    yield somebody
    somebody.client.stop_channels()


def test_from_loading_to_unloading(session: Session, user: User, tmp_path: Path) -> None:
    user.runs("before = 1")
    assert "nbdag records this session" in user.runs("%load_ext nbdag")
    user.runs("after = [before, 2]")
    status = user.runs("%nbdag")
    assert "nbdag records this session: " in status and f"--kernel {session.connection_file}" in status
    assert "nbdag compile DIR" in user.runs("%nbdag help")
    explained = user.runs("%nbdag explain after")
    assert "after: stored (list, " in explained and "after = [before, 2]" in explained
    planned = user.runs("%nbdag plan --bandwidth 50MB/s")
    assert "in comparison" in planned and "%nbdag explain NAME says why" in planned
    names = user.runs("sorted(name for name in globals() if 'nbdag' in name)")
    assert names == "[]"
    assert "no longer records" in user.runs("%unload_ext nbdag")
    assert "UsageError" in user.runs("%nbdag status") or "not found" in user.runs("%nbdag status")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%nbdag nonsense", "nbdag: %nbdag nonsense: no such command"),
        ("%nbdag compile", "nbdag: %nbdag compile: the following arguments are required: directory"),
        ("%nbdag compile b --objective speed", "invalid choice: 'speed'"),
        ("%nbdag compile b --bandwidth fast", "--bandwidth fast: not a speed"),
        ("%nbdag compile 'b", "No closing quotation"),
        ("%nbdag compile b --store nobody", "no variable nobody"),
    ],
)
def test_a_mistake_is_one_error_without_a_traceback(user: User, line: str, message: str) -> None:
    user.runs("%load_ext nbdag")
    shown = user.runs(line)
    assert message in shown and "UsageError" in shown and "Traceback" not in shown


@pytest.mark.slow
def test_compile_from_inside_and_from_a_shell(session: Session, user: User, tmp_path: Path) -> None:
    import subprocess
    import sys

    user.runs("%load_ext nbdag")
    user.runs("import math\nroots = [math.sqrt(n) for n in range(4)]")
    shown = user.runs("%nbdag compile inside")
    assert "restore it with: python inside/restore.py" in shown, shown
    check = "assert roots == [math.sqrt(n) for n in range(4)]; print('same')"
    for bundle in ("inside", "outside"):
        if bundle == "outside":
            words = ["compile", "--kernel", str(session.connection_file), "--out", bundle]
            told = subprocess.run([sys.executable, "-m", "nbdag", *words], cwd=tmp_path, capture_output=True, text=True)
            assert told.returncode == 0, told.stderr
        restored = subprocess.run(
            [sys.executable, "-i", f"{bundle}/restore.py"], cwd=tmp_path, input=check, capture_output=True, text=True
        )
        assert "same" in restored.stdout, restored.stderr
