"""Messages on a websocket: both framings, and what is no message."""

from __future__ import annotations

import json
import struct

import pytest

from nbdag.remote.wire import pack_json, pack_v1, request, unpack

CONTENT = {"code": "x = 'ä\N{SNOWMAN}'", "silent": False}


def test_what_is_packed_is_unpacked() -> None:
    identity, parts = request("execute_request", CONTENT, "session")
    for frame, v1 in ((pack_v1(parts), True), (pack_json(parts), False)):
        message = unpack(frame, v1)
        assert (message.id, message.kind, message.channel) == (identity, "execute_request", "shell")
        assert message.content == CONTENT and message.parent == ""


def test_the_server_writes_what_we_read() -> None:
    connection = pytest.importorskip("jupyter_server.services.kernels.connection.base")
    _, parts = request("status", {"execution_state": "idle"}, "session", "iopub")
    parts["parent_header"] = {"msg_id": "asked"}
    pieces = [json.dumps(parts[name]).encode() for name in ("header", "parent_header", "metadata", "content")]
    message = unpack(connection.serialize_msg_to_ws_v1([*pieces, b"buffer"], "iopub"), True)
    assert (message.channel, message.parent, message.buffers) == ("iopub", "asked", (b"buffer",))
    older = connection.serialize_binary_message({**parts, "buffers": [b"one", b"two"]})
    assert unpack(older, False).buffers == (b"one", b"two")
    channel, read = connection.deserialize_msg_from_ws_v1(pack_v1(parts))
    assert channel == "iopub" and json.loads(read[3]) == parts["content"]


@pytest.mark.parametrize("frame", [b"", b"\x01", struct.pack("<Q", 3) + bytes(40), struct.pack("<Q", 2**60), "[]", "{"])
def test_what_is_no_message_is_refused(frame: bytes | str) -> None:
    with pytest.raises(ValueError):
        unpack(frame, True)
