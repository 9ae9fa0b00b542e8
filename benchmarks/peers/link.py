"""A link of a chosen bandwidth between this machine and a second one that is only a network namespace.

Two virtual Ethernet devices and a token bucket filter (tc-tbf(8)) on the sender's. What is measured is a TCP connection
that is opened, takes so many bytes and hears that the last one arrived. Needs Linux, iproute2 and root.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress

RATES = {"50 Mbit/s": 50e6, "1 Gbit/s": 1e9, "10 Gbit/s": 10e9}
"""Bits per second by what the report calls them."""

LONGEST = 4.0  # seconds: what would take longer is worked out, not sent
_CHUNK = bytes(1 << 20)
_RECEIVER = """
import socket, sys
server = socket.create_server((sys.argv[1], 0))
print(server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    with connection:
        left = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big")
        room = bytearray(1 << 20)
        while left:
            left -= connection.recv_into(room, min(left, len(room)))
        connection.sendall(b"!")
"""


class Link:
    """``with Link() as link: link.send(bytes, rate)``. Raises OSError where no such link can be made."""

    def __init__(self) -> None:
        self.name = f"nbdag{os.getpid() % 100000}"
        net = f"10.213.{os.getpid() % 256}"  # several of these may be up at once
        self.near, self.far = f"{net}.1", f"{net}.2"
        self.port = 0
        self._receiver: subprocess.Popen[str] | None = None

    def __enter__(self) -> Link:
        if not shutil.which("ip") or not shutil.which("tc"):
            raise OSError("no iproute2 on this machine")
        try:
            self._lay()
        except OSError:
            self.close()
            raise
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def _lay(self) -> None:
        name = self.name
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name)
        _run("ip", "addr", "add", f"{self.near}/30", "dev", f"{name}a")
        _run("ip", "link", "set", f"{name}a", "up")
        _run("ip", "-n", name, "addr", "add", f"{self.far}/30", "dev", f"{name}b")
        _run("ip", "-n", name, "link", "set", f"{name}b", "up")
        self._receiver = subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, "-c", _RECEIVER, self.far], stdout=subprocess.PIPE, text=True
        )
        assert self._receiver.stdout is not None
        self.port = int(self._receiver.stdout.readline() or 0)
        if not self.port:
            raise OSError("nobody listens at the far end")

    def send(self, count: int, rate: float) -> float:
        """Seconds until ``count`` bytes have arrived at ``rate`` bits per second."""
        # A bucket of 10 ms: smaller ones cannot reach the rate with this kernel's clock, larger ones are a gift.
        bucket = max(32_000, int(rate / 8 / 100))
        _run(
            *("tc", "qdisc", "replace", "dev", f"{self.name}a", "root", "tbf"),
            *("rate", f"{rate:.0f}bit", "burst", str(bucket), "latency", "50ms"),
        )
        begun = time.perf_counter()
        with socket.create_connection((self.far, self.port)) as connection:
            connection.sendall(count.to_bytes(8, "big"))
            for start in range(0, count, len(_CHUNK)):
                connection.sendall(memoryview(_CHUNK)[: count - start])
            connection.recv(1)
        return time.perf_counter() - begun

    def seconds(self, count: int) -> dict[str, float]:
        """Seconds at every rate at which it takes no longer than LONGEST."""
        return {label: self.send(count, rate) for label, rate in RATES.items() if count * 8 / rate <= LONGEST}

    def close(self) -> None:
        """Take the link away."""
        if self._receiver is not None:
            self._receiver.kill()
            self._receiver.wait()
        with suppress(OSError):
            _run("ip", "netns", "del", self.name)  # and both devices with it


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")
