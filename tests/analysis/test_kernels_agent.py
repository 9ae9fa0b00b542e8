"""Commands to a recorder inside a live kernel: they answer, and leave no trace of themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from nbdag.analysis import kernels, processes
from nbdag.analysis.agent_client import KernelAgent, RemoteTraceback
from nbdag.analysis.kernels import Session
from nbdag.errors import KernelDied, KernelProtocolError, UsageError
from nbdag.model.notebook import Cell, Notebook

FAKE = """
calls = []
def command(name, arguments):
    calls.append(name)
    if name == "raise":
        raise ValueError("it went wrong")
    if name == "fail":
        return {"error": "it went wrong", "traceback": "Traceback ..."}
    if name == "status":
        return {"version": AGENT_VERSION, "recording": len(calls) > 1}
    return {"name": name, "arguments": arguments, "calls": len(calls)}
AGENT_VERSION = 1
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("agent")
    opened = kernels.open_session(Notebook(str(folder / "n.ipynb"), (Cell(0, 0, "a", "1"),)), folder / ".nbdag")
    yield opened
    kernels.stop_session(opened)


@pytest.fixture
def client(session: Session) -> Iterator[BlockingKernelClient]:
    """Another client on the same kernel: the user's notebook."""
    other = BlockingKernelClient()
    other.load_connection_file(str(session.connection_file))
    other.start_channels()
    yield other
    other.stop_channels()


def shown(client: BlockingKernelClient, expression: str) -> str:
    reply: Any = client.execute("", silent=True, user_expressions={"x": expression}, reply=True, timeout=10)
    return str(reply["content"]["user_expressions"]["x"]["data"]["text/plain"])


def test_a_command_answers_with_what_it_was_given(session: Session) -> None:
    arguments = {"path": "a 'b' \"c\" \\ \n é 🙂", "names": ["x", None, 1.5, True]}
    with KernelAgent(session.connection_file, source=FAKE) as agent:
        assert agent.command("echo", arguments)["arguments"] == arguments


def test_the_kernel_does_not_notice(session: Session, client: BlockingKernelClient) -> None:
    client.execute("x = 6\nx * 7", reply=True, timeout=10)
    hooks = (
        "events = []\n"
        "for name in ('pre_execute', 'post_execute', 'pre_run_cell', 'post_run_cell'):\n"
        "    get_ipython().events.register(name, lambda *a, n=name: events.append(n))"
    )
    client.execute(hooks, reply=True, timeout=10)
    state = "(dict(globals()).keys() - {'events'}, list(In), dict(Out), _, get_ipython().execution_count)"
    before = shown(client, f"sorted(map(repr, {state}))")
    client.execute("events.clear()", silent=True, reply=True, timeout=10)
    with KernelAgent(session.connection_file, source=FAKE + "# another version") as agent:
        agent.command("echo", {})
    assert before == shown(client, f"sorted(map(repr, {state}))")
    # ipykernel fires post_execute after every request, even an empty one; nothing that sees a cell is fired.
    assert shown(client, "set(events[1:])") in {"set()", "{'post_execute'}"}


def test_attaching_draws_no_random_number(session: Session, client: BlockingKernelClient) -> None:
    ask = {"it": "hash(__import__('random').getstate())"}
    states = []
    for _ in range(2):
        content = client.execute("", silent=True, store_history=False, user_expressions=ask, reply=True, timeout=30)[
            "content"
        ]
        states.append(content["user_expressions"]["it"]["data"]["text/plain"])
        KernelAgent(session.connection_file).close()
    assert states[0] == states[1]


def test_the_recorder_is_put_there_once(session: Session) -> None:
    with KernelAgent(session.connection_file, source=FAKE.replace("AGENT_VERSION = 1", "AGENT_VERSION = 0")):
        pass
    with KernelAgent(session.connection_file, source=FAKE) as first:
        assert first.installed == "replaced"
        calls = first.command("echo", {})["calls"]
    with KernelAgent(session.connection_file, source=FAKE) as second:
        assert (second.installed, second.command("echo", {})["calls"]) == ("same", calls + 1)
    with KernelAgent(session.connection_file, source=FAKE + "# other code, same commands") as third:
        assert third.installed == "kept"  # it records, and what it saw is worth more


def test_source_that_does_not_run_leaves_no_half_recorder(session: Session, client: BlockingKernelClient) -> None:
    client.execute("import sys; sys.modules.pop('nbdag_agent', None)", reply=True, timeout=10)
    with pytest.raises(KernelProtocolError, match="ZeroDivisionError"):
        KernelAgent(session.connection_file, source="1 / 0")
    assert shown(client, "'nbdag_agent' in __import__('sys').modules") == "False"


@pytest.mark.parametrize("name", ["raise", "fail"])
def test_a_fault_in_the_kernel_is_an_error_with_its_traceback(session: Session, name: str) -> None:
    with (
        KernelAgent(session.connection_file, source=FAKE) as agent,
        pytest.raises(KernelProtocolError, match="it went wrong") as caught,
    ):
        agent.command(name, {})
    assert isinstance(caught.value.__cause__, RemoteTraceback)


def test_a_busy_kernel_is_waited_for_and_that_is_said(session: Session, client: BlockingKernelClient) -> None:
    told: list[str] = []
    client.execute("import time; time.sleep(2)")
    with KernelAgent(session.connection_file, source=FAKE, wait=told.append) as agent:
        assert agent.command("echo", {})["name"] == "echo"
    assert told == ["the kernel is busy with a cell; waiting for it (Ctrl-C gives up)"]


def test_waiting_for_a_busy_kernel_can_be_bounded(session: Session, client: BlockingKernelClient) -> None:
    client.execute("import time; time.sleep(3)")
    with pytest.raises(KernelProtocolError, match=r"was busy for 1\.2 s"):
        KernelAgent(session.connection_file, source=FAKE, busy_timeout=1.2)
    client.execute("", reply=True, timeout=10)


def test_a_failing_cell_before_it_does_not_lose_a_command(session: Session, client: BlockingKernelClient) -> None:
    with KernelAgent(session.connection_file, source=FAKE) as agent:
        client.execute("import time; time.sleep(0.7); 1 / 0", stop_on_error=True)
        time.sleep(0.1)
        assert agent.command("echo", {})["name"] == "echo"


def test_a_kernel_that_dies_under_a_command(tmp_path: Path) -> None:
    opened = kernels.open_session(Notebook(str(tmp_path / "n.ipynb"), ()), tmp_path / ".nbdag")
    source = "import os, time\ndef command(name, arguments):\n    time.sleep(0.3); os._exit(1)"
    with (
        KernelAgent(opened.connection_file, source=source, alive=lambda: kernels.is_alive(opened)) as agent,
        pytest.raises(KernelDied, match="no kernel answers there"),
    ):
        agent.command("echo", {})
    kernels.stop_session(opened)


def test_a_connection_file_of_a_dead_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbdag.analysis.agent_client._HEARTBEAT_GRACE", 1.5)
    opened = kernels.open_session(Notebook(str(tmp_path / "n.ipynb"), ()), tmp_path / ".nbdag")
    copy = tmp_path / "kernel-1.json"
    copy.write_bytes(opened.connection_file.read_bytes())
    kernels.stop_session(opened)
    told: list[str] = []
    with pytest.raises(KernelDied, match="no kernel answers there"):
        KernelAgent(copy, source=FAKE, wait=told.append)
    assert told == []  # nobody is busy who is not there


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "no such connection file"),
        (lambda path: path.write_text("nonsense"), "not a connection file"),
        (lambda path: path.write_text("[1]"), "not a connection file"),
        (lambda path: path.write_text('{"a": 1}'), "not a connection file"),
        (lambda path: path.mkdir(), "not a connection file"),
    ],
)
def test_what_is_no_connection_file_is_refused(tmp_path: Path, write: Callable[[Path], None], message: str) -> None:
    path = tmp_path / "kernel.json"
    write(path)
    with pytest.raises(UsageError, match=message):
        KernelAgent(path, source=FAKE)


def test_two_agents_at_once(session: Session) -> None:
    answers: list[int] = []

    def work() -> None:
        with KernelAgent(session.connection_file, source=FAKE) as agent:
            answers.extend(agent.command("echo", {"n": n})["arguments"]["n"] for n in range(20))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == sorted([*range(20), *range(20)])
    assert processes.is_running(session.kernel)
