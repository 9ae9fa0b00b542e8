"""The proxy that the tests of remote execution trust: what it delays, shares, cuts and counts."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.remote.proxy import CUT, DOWN, STALL, TRUNCATE, UP, Fault, Line, Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets, until the client ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                while piece := connection.recv(65536):
                    connection.sendall(piece)
            except OSError:
                pass

    def serve() -> None:
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    stopping.set()
    listener.close()


def client(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def receive(connection: socket.socket, size: int) -> bytes:
    """``size`` bytes, or what comes until the end."""
    got = b""
    while len(got) < size and (piece := connection.recv(65536)):
        got += piece
    return got


def test_what_goes_in_comes_out_and_is_counted(echo: int) -> None:
    content = bytes(range(256)) * 1000
    with Proxy(echo) as proxy, client(proxy) as connection:
        threading.Thread(target=connection.sendall, args=(content,), daemon=True).start()
        assert receive(connection, len(content)) == content
        assert proxy.sent == {UP: len(content), DOWN: len(content)}


def test_a_delay_is_paid_each_way_and_does_not_slow_the_line(echo: int) -> None:
    with Proxy(echo, link=Line(delay_seconds=0.05)) as proxy, client(proxy) as connection:
        begun = time.perf_counter()
        connection.sendall(b"x" * 500_000)
        assert len(receive(connection, 500_000)) == 500_000
        # Eight pieces one after the other would take 0.8 s and more; less than 0.1 s is not possible.
        assert time.perf_counter() - begun >= 0.1


def test_a_line_has_one_speed_for_all_its_connections(echo: int) -> None:
    with Proxy(echo, link=Line(bytes_per_second=400_000)) as proxy, client(proxy) as one, client(proxy) as other:
        begun = time.perf_counter()
        one.sendall(b"x" * 40_000)
        other.sendall(b"x" * 40_000)
        assert len(receive(one, 40_000)) == len(receive(other, 40_000)) == 40_000
        assert time.perf_counter() - begun >= 0.19  # 80 kB at 400 kB/s


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_a_cut_line_is_an_error_after_the_bytes_that_were_asked_for(echo: int, direction: str) -> None:
    with Proxy(echo) as proxy, client(proxy) as connection:
        proxy.fail(Fault(CUT, direction, after_bytes=1000))
        connection.sendall(b"x" * 5000)
        with pytest.raises(ConnectionError):
            receive(connection, 5000)
            receive(connection, 1)
        assert proxy.sent[direction] == 1000
        with client(proxy) as again:  # once means once
            again.sendall(b"y" * 5000)
            assert len(receive(again, 5000)) == 5000


def test_a_truncated_answer_ends_as_if_that_were_all(echo: int) -> None:
    with Proxy(echo) as proxy, client(proxy) as connection:
        proxy.fail(Fault(TRUNCATE, DOWN, after_bytes=1000))
        connection.sendall(b"x" * 5000)
        assert len(receive(connection, 5000)) == 1000


def test_a_stalled_line_stays_open_and_says_nothing(echo: int) -> None:
    with Proxy(echo) as proxy, client(proxy) as connection:
        proxy.fail(Fault(STALL, DOWN, after_bytes=1000))
        connection.sendall(b"x" * 5000)
        assert len(receive(connection, 1000)) == 1000
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_all_connections_can_be_cut_at_once_and_new_ones_refused(echo: int) -> None:
    with Proxy(echo) as proxy, client(proxy) as connection:
        connection.sendall(b"x")
        assert receive(connection, 1) == b"x"
        proxy.refuse()
        proxy.cut()
        with pytest.raises(ConnectionError):
            receive(connection, 1)
        with pytest.raises(ConnectionError), client(proxy) as refused:
            refused.sendall(b"x")
            refused.recv(1)
        proxy.refuse(False)
        with client(proxy) as again:
            again.sendall(b"y")
            assert receive(again, 1) == b"y"


def test_a_server_that_is_not_there_is_a_reset(echo: int) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    with Proxy(port) as proxy, pytest.raises(ConnectionError), client(proxy) as connection:
        connection.sendall(b"x")
        connection.recv(1)
