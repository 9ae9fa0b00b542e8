"""A TCP proxy on loopback that is a slow, far or faulty line: for tests, and for the benchmark of remote execution.

    with Proxy(port, link=Line(bytes_per_second=12.5e6, delay_seconds=0.025)) as proxy:
        connect("127.0.0.1", proxy.port)
        proxy.fail(Fault(CUT, UP, after_bytes=100_000))

The line is one for all connections, as a real one is: two transfers at a time share its speed. ``delay_seconds`` is one
way, so a question and its answer take twice as long. Bytes are counted as they leave the proxy.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any

UP, DOWN = "up", "down"  # towards the server, and back
CUT, TRUNCATE, STALL = "cut", "truncate", "stall"

_PIECE = 64 * 1024
_SLICE_SECONDS = 0.02  # at most this much of the line's time is handed out at once, so that connections take turns


@dataclass(frozen=True, slots=True)
class Line:
    """What the line does to every byte; no limit and no delay unless said."""

    bytes_per_second: float = float("inf")
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens once ``after_bytes`` more have gone in ``direction``.

    ``cut`` resets the connection (both ends see an error), ``truncate`` ends it politely (the receiver sees an end that
    looks regular), ``stall`` passes nothing on any more and leaves it open. The byte that would have been next is lost.
    """

    kind: str
    direction: str = UP
    after_bytes: int = 0


class Proxy:
    """Forwards 127.0.0.1:``port`` (chosen by the system) to ``host``:``server_port``; a context manager."""

    def __init__(self, server_port: int, *, host: str = "127.0.0.1", link: Line = Line()) -> None:
        self._server = (host, server_port)
        self.link = link
        self.port = 0
        self.sent = {UP: 0, DOWN: 0}
        self.connections = 0  # accepted so far
        self._fault: Fault | None = None
        self._trigger = {UP: float("inf"), DOWN: float("inf")}
        self._refusing = False
        self._free_at = {UP: 0.0, DOWN: 0.0}  # when the line has sent what was given to it
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._ready = threading.Event()
        self._listener: asyncio.Server | None = None

    # -------------------------------------------------------------------------------------------- for the test

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def fail(self, fault: Fault) -> None:
        """Let ``fault`` happen once, counted from now."""

        async def arm() -> None:
            self._fault = fault
            self._trigger[fault.direction] = self.sent[fault.direction] + fault.after_bytes

        self._call(arm())

    def cut(self) -> None:
        """Reset every open connection now."""

        async def reset() -> None:
            for writer in list(self._open):
                _reset(writer)

        self._call(reset())

    def refuse(self, refusing: bool = True) -> None:
        """Reset new connections at once, or no longer."""

        async def change() -> None:
            self._refusing = refusing

        self._call(change())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    # -------------------------------------------------------------------------------------------- in its thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for writer in list(self._open):
            _reset(writer)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._refusing:
            _reset(writer)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._server)
        except OSError:
            _reset(writer)
            return
        pair = (writer, server_writer)
        self._open.update(pair)
        # In the background: a handler that is awaited would be cancelled with an error message at the end.
        for source, target, direction in ((reader, server_writer, UP), (server_reader, writer, DOWN)):
            task = self._loop.create_task(self._pump(source, target, direction, pair))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        direction: str,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        # What is under way is a queue, so that a delay does not make the line slower.
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)
        sender = self._loop.create_task(self._deliver(under_way, target, direction, pair))
        try:
            while piece := await source.read(self._piece()):
                await under_way.put((await self._transmit(len(piece), direction), piece))
            await under_way.put((self._loop.time() + self.link.delay_seconds, b""))
            await sender
        except (OSError, asyncio.CancelledError):
            sender.cancel()
            for writer in pair:
                _reset(writer)
        finally:
            if target.is_closing():
                self._open.difference_update(pair)

    def _piece(self) -> int:
        return max(1, min(_PIECE, int(min(self.link.bytes_per_second, 1e12) * _SLICE_SECONDS)))

    async def _transmit(self, size: int, direction: str) -> float:
        """Wait until the line has sent ``size`` bytes; when they arrive at its other end."""
        now = self._loop.time()
        done = max(self._free_at[direction], now) + size / self.link.bytes_per_second
        self._free_at[direction] = done
        if done > now:
            await asyncio.sleep(done - now)
        return done + self.link.delay_seconds

    async def _deliver(
        self,
        under_way: asyncio.Queue[tuple[float, bytes]],
        target: asyncio.StreamWriter,
        direction: str,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        stalled = False
        while True:
            arrival, piece = await under_way.get()
            early = arrival - self._loop.time()
            if early > 0:
                await asyncio.sleep(early)
            if stalled:
                continue
            room = self._trigger[direction] - self.sent[direction]
            if len(piece) > room and self._fault is not None:
                fault, self._fault = self._fault, None
                self._trigger[direction] = float("inf")
                await self._write(target, piece[: int(room)], direction)
                if fault.kind == STALL:
                    stalled = True
                    continue
                for writer in pair:
                    (_reset if fault.kind == CUT else _end)(writer)
                return
            if not piece:
                if target.can_write_eof() and not target.is_closing():
                    target.write_eof()
                return
            await self._write(target, piece, direction)

    async def _write(self, target: asyncio.StreamWriter, piece: bytes, direction: str) -> None:
        if not piece:
            return
        self.sent[direction] += len(piece)  # before: who has got the bytes may ask for the count
        target.write(piece)
        await target.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other end gets an error and not an end of file."""
    found = writer.get_extra_info("socket")
    if found is not None and found.fileno() >= 0:
        linger = struct.pack("ii", 1, 0)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def _end(writer: asyncio.StreamWriter) -> None:
    writer.close()
