"""The websocket to a kernel of a Jupyter server: opened, and read into a queue by a thread of its own."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket as sockets
from dataclasses import dataclass
from typing import Any

from nbdag.errors import AccessRefused, ConnectionLost, EnvironmentRefused, KernelDied
from nbdag.remote.rest import JupyterServer, scrubbed
from nbdag.remote.wire import V1, Message, unpack

_QUICK_ACK = getattr(sockets, "TCP_QUICKACK", None)  # Linux
_CONNECT_SECONDS = 60.0
AS_BEFORE = "often memory, or a server that ends idle kernels; the session here is as it was before the cell"


@dataclass(slots=True)
class Gone:
    """In the queue: the socket is closed, and why."""

    reason: str
    refused: bool = False


def connect(server: JupyterServer, kernel: str, session: str) -> tuple[Any, bool]:
    """A websocket to the kernel's channels, and whether it speaks the framing v1.

    Raises EnvironmentRefused, AccessRefused, KernelDied, ConnectionLost.
    """
    try:
        import websocket  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        raise EnvironmentRefused(
            "running cells elsewhere needs the package websocket-client", "pip install 'nbdag[remote]'"
        ) from None
    certificates = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or ""
    try:
        made = websocket.create_connection(
            server.websocket_url(kernel, session),
            timeout=_CONNECT_SECONDS,
            header=server.headers,
            subprotocols=[V1],
            enable_multithread=True,
            suppress_origin=True,
            sslopt={"ca_certs": certificates} if certificates else {},
        )
    except websocket.WebSocketBadStatusException as fault:
        if fault.status_code in (401, 403):
            raise AccessRefused(
                f"{server.url} does not accept the token ({fault.status_code})",
                "a new one into the environment variable of --token-env: it may have expired",
            ) from None
        if fault.status_code == 404:
            raise KernelDied(f"the kernel at {server.url} is gone", AS_BEFORE) from None
        raise ConnectionLost(f"{server.url}: the websocket is refused ({fault.status_code})") from None
    except (websocket.WebSocketException, OSError) as fault:
        raise ConnectionLost(f"{server.url}: {scrubbed(fault)[:200]}", "is the server up?") from None
    made.settimeout(None)
    return made, made.getsubprotocol() == V1


def read(socket: Any, v1: bool, inbox: queue.Queue[Message | Gone]) -> None:
    """Everything that comes, until the socket ends."""
    while True:
        try:
            code, frame = socket.recv_data()
            _acknowledge(socket)
            if code == 8:
                inbox.put(Gone("the server closed it"))
                return
            inbox.put(unpack(frame.decode("utf-8") if code == 1 else frame, v1))
        except (ValueError, json.JSONDecodeError):
            inbox.put(Gone("what came was no message"))
            return
        except Exception as fault:  # whatever the socket, TLS or the library under it raise
            inbox.put(Gone(str(fault) or type(fault).__name__))
            return


def _acknowledge(socket: Any) -> None:
    """Tell the other side at once that something came: until it knows, it holds short messages back (Nagle), and the
    system would wait 40 ms with telling.
    """
    if _QUICK_ACK is not None:
        with contextlib.suppress(AttributeError, OSError):
            socket.sock.setsockopt(sockets.IPPROTO_TCP, _QUICK_ACK, 1)  # lasts for a moment only
