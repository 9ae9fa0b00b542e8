"""Messages of a Jupyter kernel on a websocket: the framing ``v1.kernel.websocket.jupyter.org``, and the older JSON one.

v1     8 bytes n | n offsets of 8 bytes, little-endian | channel | header | parent | metadata | content | buffers
older  JSON text with a "channel"; with buffers: 4 bytes n | n offsets of 4 bytes, big-endian | JSON | buffers
"""

from __future__ import annotations

import itertools
import json
import struct
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

V1 = "v1.kernel.websocket.jupyter.org"
PROTOCOL_VERSION = "5.3"
_WORD = 8


@dataclass(frozen=True, slots=True)
class Message:
    """One message; ``parent`` is the id of the request that it belongs to, "" if none; ``process`` is one and the same
    in all that one kernel says until it ends.
    """

    channel: str
    kind: str
    content: dict[str, Any]
    id: str = ""
    parent: str = ""
    metadata: dict[str, Any] | None = None
    buffers: tuple[bytes, ...] = ()
    process: str = ""


def request(kind: str, content: dict[str, Any], session: str, channel: str = "shell") -> tuple[str, dict[str, Any]]:
    """A new message to a kernel: its id, and its parts."""
    identity = uuid.uuid4().hex
    header = {
        "msg_id": identity,
        "session": session,
        "username": "nbdag",
        "date": datetime.now(timezone.utc).isoformat(),
        "msg_type": kind,
        "version": PROTOCOL_VERSION,
    }
    return identity, {"channel": channel, "header": header, "parent_header": {}, "metadata": {}, "content": content}


def pack_v1(parts: dict[str, Any]) -> bytes:
    """A message in the framing v1."""
    pieces = [parts["channel"].encode("ascii")]
    pieces += [json.dumps(parts[name]).encode("utf-8") for name in ("header", "parent_header", "metadata", "content")]
    offset = _WORD * (len(pieces) + 2)
    offsets = [offset]
    for piece in pieces:
        offset += len(piece)
        offsets.append(offset)
    head = struct.pack(f"<{len(offsets) + 1}Q", len(offsets), *offsets)
    return b"".join([head, *pieces])


def pack_json(parts: dict[str, Any]) -> str:
    """A message in the older framing."""
    return json.dumps({**parts, "buffers": []})


def unpack(frame: bytes | str, v1: bool) -> Message:
    """The message in a frame. Raises ValueError where it is none."""
    try:
        if isinstance(frame, str):
            return _message(json.loads(frame), ())
        return _unpack_v1(frame) if v1 else _unpack_binary(frame)
    except (struct.error, KeyError, IndexError, TypeError, UnicodeDecodeError) as fault:
        raise ValueError(f"not a message of a kernel: {fault}") from None


def _unpack_v1(frame: bytes) -> Message:
    (count,) = struct.unpack_from("<Q", frame)
    if not 6 <= count <= len(frame) // _WORD:
        raise ValueError("not a message of a kernel: its table of offsets is wrong")
    offsets = struct.unpack_from(f"<{count}Q", frame, _WORD)
    pieces = [frame[start:end] for start, end in itertools.pairwise(offsets)]
    channel, header, parent, metadata, content, *buffers = pieces
    parts = {
        "channel": channel.decode("ascii"),
        "header": json.loads(header),
        "parent_header": json.loads(parent),
        "metadata": json.loads(metadata),
        "content": json.loads(content),
    }
    return _message(parts, tuple(buffers))


def _unpack_binary(frame: bytes) -> Message:
    (count,) = struct.unpack_from("!I", frame)
    offsets = [*struct.unpack_from(f"!{count}I", frame, 4), len(frame)]
    pieces = [frame[start:end] for start, end in itertools.pairwise(offsets)]
    return _message(json.loads(pieces[0]), tuple(pieces[1:]))


def _message(parts: dict[str, Any], buffers: tuple[bytes, ...]) -> Message:
    header = parts["header"]
    return Message(
        channel=str(parts.get("channel") or ""),
        kind=str(header["msg_type"]),
        content=dict(parts.get("content") or {}),
        id=str(header.get("msg_id", "")),
        parent=str((parts.get("parent_header") or {}).get("msg_id", "")),
        metadata=dict(parts.get("metadata") or {}),
        buffers=buffers,
        process=str(header.get("session", "")),
    )
