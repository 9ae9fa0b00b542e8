"""The kinds of machines that cells can run on, behind one small protocol. A new kind is a module and a line below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from nbdag.errors import UsageError
from nbdag.remote.channels import Reply
from nbdag.remote.model import Target
from nbdag.remote.wire import Message

Told = Callable[[str], None]


class Connection(Protocol):
    """A process on a target that runs cells under IPython, and a way to bring files there and back.

    ``incarnation`` is another string whenever the process is another one. Files are known by names without a directory;
    writing one twice does no harm. Raises ConnectionLost, AccessRefused, KernelDied, RemoteError.
    """

    @property
    def incarnation(self) -> str:
        """Tells one process there from the next."""
        ...

    @property
    def files_come_by_themselves(self) -> bool:
        """Whether files get there beside what the process does, so that it can wait for them."""
        ...

    def evaluate(
        self, expression: str, within: float | None = None, troubled: Callable[[], bool] = lambda: False
    ) -> str:
        """The string that ``expression`` is there, between two cells. Raises KernelDied where it took longer than
        ``within`` seconds; interrupts there as soon as something is ``troubled``.
        """
        ...

    def post(self, expression: str) -> None:
        """Let ``expression`` be evaluated there before what is asked next; its value is not waited for."""
        ...

    def execute(self, code: str, hear: Callable[[Message], None], then: str = "") -> Reply:
        """Run a cell, and evaluate ``then`` after it. KeyboardInterrupt here interrupts there."""
        ...

    def interrupt(self) -> None:
        """As Ctrl-C there."""
        ...

    def mark(self, token: str) -> str:
        """Put a file with this content where files arrive, and return the end of its path; "" where the process there
        sees no such files and takes them by :meth:`put` all the same.
        """
        ...

    def put(self, name: str, content: bytes) -> None:
        """Bring a file there."""
        ...

    def arrived(self, names: tuple[str, ...]) -> None:
        """To be called when all of these were put: they can be opened there afterwards."""
        ...

    def ready(self, names: tuple[str, ...]) -> None:
        """To be called before these are fetched: the process there has written them."""
        ...

    def get(self, name: str) -> bytes:
        """Fetch a file from there."""
        ...

    def forget(self, names: tuple[str, ...]) -> None:
        """Remove files there that the process did not remove itself; never raises."""
        ...

    def close(self) -> None:
        """End the process there and disconnect; never raises."""
        ...


def _jupyter(target: Target, token: str, told: Told) -> Connection:
    from nbdag.remote.jupyter import JupyterConnection

    return JupyterConnection.open(target, token, told)


def _dask(target: Target, token: str, told: Told) -> Connection:
    from nbdag.remote.dask import DaskConnection

    return DaskConnection.open(target, told)


TARGETS: dict[str, Callable[[Target, str, Told], Connection]] = {
    "http": _jupyter,
    "https": _jupyter,
    "tcp": _dask,
    "tls": _dask,
}
"""How to connect, by the scheme of a target's URL."""


def connect(target: Target, token: str, told: Told = lambda message: None) -> Connection:
    """A process on ``target`` that runs cells."""
    opened = TARGETS.get(target.kind)
    if opened is None:
        known = ", ".join(f"{scheme}://" for scheme in TARGETS)
        raise UsageError(f"{target.name}: nbdag knows no {target.kind}:// targets", f"it knows {known}")
    return opened(target, token, told)
