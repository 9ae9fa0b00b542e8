"""Where a long piece of work reports how far it is: the command line draws a bar, a test collects."""

from __future__ import annotations

from typing import Protocol


class Bytes(float):
    """A total in bytes: shown as such, with the speed and the time that is left."""


class Progress(Protocol):
    """What a stage is given to report to. A stage that counts bytes begins with a total of :class:`Bytes`."""

    def begin(self, stage: str, total: float | None) -> None: ...

    def advance(self, amount: float = 1, note: str = "") -> None: ...

    def say(self, message: str) -> None: ...

    def end(self) -> None: ...


class Silent:
    """A Progress that nobody sees."""

    def begin(self, stage: str, total: float | None) -> None:
        """Nothing."""

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Nothing."""

    def say(self, message: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""
