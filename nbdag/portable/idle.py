"""Works while the kernel waits for its user, and stops as soon as a message is there.

A kernel runs cells inside callbacks of an asyncio loop. Some time after the last cell the loop calls us; while we work
we ask the loop's own selector whether anything has come in, and give up at once if so: what was not finished is begun
anew in the next pause. Without such a loop (IPython in a terminal, Windows) there is no pause to use.
"""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Optional

PAUSE = 0.5  # seconds without a cell until we begin: "run all" leaves milliseconds between two cells


class IdleWork:
    """Calls ``work(stop)`` in pauses, again and again while it returns True."""

    def __init__(self, work: Callable[[Callable[[], bool]], bool]) -> None:
        self.work = work
        self.loop: Any = None
        self.handle: Optional[Any] = None

    def wait(self) -> None:
        """A cell has ended: the pause begins now."""
        self.cancel()
        try:
            self.loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if hasattr(getattr(self.loop, "_selector", None), "select"):
            self.handle = self.loop.call_later(PAUSE, self.run)

    def cancel(self) -> None:
        """No work in this pause."""
        if self.handle is not None:
            self.handle.cancel()
        self.handle, self.loop = None, None

    def run(self) -> None:
        """The loop has nothing else to do."""
        loop, self.handle = self.loop, None
        if loop is not None and self.work(self.somebody_waits):
            self.handle = loop.call_later(0, self.run)

    def somebody_waits(self) -> bool:
        """Whether anything has come in that the loop would act upon."""
        try:
            return bool(self.loop._selector.select(0))
        except Exception:
            return True
