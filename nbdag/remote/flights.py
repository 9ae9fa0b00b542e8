"""Several parts of a parcel under way at a time: on a far line each would wait for the one before it to arrive."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

AT_ONCE = 3  # parts under way: one that goes, one that is answered, one that is made ready

T = TypeVar("T")


class Flights:
    """Pieces of work on threads of their own, ``most`` at a time. ``seconds`` is how long at least one was under way.

    The threads end with the process, whatever they wait for.
    """

    def __init__(self, most: int = AT_ONCE) -> None:
        self._room = threading.Semaphore(most)
        self._lock = threading.Lock()
        self._under_way = 0
        self._since = 0.0
        self.seconds = 0.0
        self.failure: BaseException | None = None

    def start(self, work: Callable[[], T]) -> Future[T]:
        """Do ``work`` as soon as there is room; waits for that. Raises what an earlier one has raised."""
        self._room.acquire()
        if self.failure is not None:
            self._room.release()
            raise self.failure
        future: Future[T] = Future()
        threading.Thread(target=self._run, args=(work, future), name="nbdag-flight", daemon=True).start()
        return future

    def _run(self, work: Callable[[], T], future: Future[T]) -> None:
        with self._lock:
            if not self._under_way:
                self._since = time.perf_counter()
            self._under_way += 1
        try:
            found = work()
        except BaseException as fault:
            self.failure = self.failure or fault
            self._landed()
            future.set_exception(fault)
        else:
            self._landed()
            future.set_result(found)

    def _landed(self) -> None:
        with self._lock:
            self._under_way -= 1
            if not self._under_way:
                self.seconds += time.perf_counter() - self._since
        self._room.release()


def in_order(flights: Flights, works: Iterable[Callable[[], T]]) -> Iterator[T]:
    """What the works give, one after another, while the next ones are under way."""
    waiting: deque[Future[T]] = deque()
    for work in works:
        waiting.append(flights.start(work))
        if len(waiting) >= AT_ONCE:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
