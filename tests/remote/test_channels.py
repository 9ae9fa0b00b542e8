"""What is waited for, and how long, where a reply does not come."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from nbdag.remote import channels
from nbdag.remote.channels import KernelChannel
from nbdag.remote.wire import Message

MOST_LOOKS = 40
ANSWER = {"status": "ok", "user_expressions": {channels.ANSWER_KEY: {"status": "ok", "data": {"text/plain": "'42'"}}}}


class Far:
    """The server and the socket in one: calls a kernel idle whatever it does, as some do; counts who asks."""

    url = "http://far"

    def __init__(self, hears: Callable[[Far, str, int], None]) -> None:
        self.hears = hears
        self.requests: list[str] = []
        self.looks = 0
        self.channel: Any = None
        self.when_looked_at: Callable[[int], None] = lambda looks: None

    def kernel(self, identity: str) -> dict[str, Any]:
        self.looks += 1
        assert self.looks < MOST_LOOKS, "it is waited for without end"
        self.when_looked_at(self.looks)
        return {"execution_state": "idle"}

    def send(self, frame: str) -> None:
        identity = json.loads(frame)["header"]["msg_id"]
        self.requests.append(identity)
        self.hears(self, identity, len(self.requests))

    def says(self, kind: str, parent: str, content: dict[str, Any]) -> None:
        self.channel._inbox.put(Message("shell" if kind == "execute_reply" else "iopub", kind, content, parent=parent))

    def answers(self, parent: str) -> None:
        self.says("status", parent, {"execution_state": "busy"})
        self.says("execute_reply", parent, ANSWER)
        self.says("status", parent, {"execution_state": "idle"})


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("_POLL", 0.002), ("_LOOK", 0.01), ("_LOOK_SOON", 0.01), ("_QUIET", 0.01)):
        monkeypatch.setattr(channels, name, seconds)


def channel_to(far: Far) -> KernelChannel:
    server: Any = far
    channel = KernelChannel(server, "k", _socket=far, _v1=False)
    far.channel = channel
    return channel


def test_a_question_that_was_swallowed_is_asked_again() -> None:
    far = Far(lambda far, identity, number: far.answers(identity) if number > 1 else None)
    assert channel_to(far).evaluate("answer") == "42"
    assert len(far.requests) == 2 and len(set(far.requests)) == 1


def test_where_the_server_may_call_a_busy_kernel_idle_it_never_counts_as_gone() -> None:
    far = Far(lambda far, identity, number: far.answers(identity) if number > channels._RESENDINGS + 2 else None)
    assert channel_to(far).evaluate("answer") == "42"


def test_what_was_to_come_after_a_cell_is_not_waited_for_without_end() -> None:
    far = Far(lambda far, identity, number: far.answers(identity) if number == 1 else None)
    reply = channel_to(far).execute("x = 1", lambda message: None, "answer")
    assert (reply.status, reply.then) == ("ok", None) and len(far.requests) == 2


def test_a_quiet_cell_is_not_over_because_the_kernel_is_done_with_something_else() -> None:
    def hears(far: Far, identity: str, number: int) -> None:
        far.says("status", identity, {"execution_state": "busy"})
        far.says("status", "what another client asked on the control channel", {"execution_state": "idle"})
        far.when_looked_at = lambda looks: far.answers(identity) if looks == 10 else None

    far = Far(hears)
    assert channel_to(far).execute("x = long()", lambda message: None).status == "ok"
    assert far.looks == 10
