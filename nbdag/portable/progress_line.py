"""How far a restoration is: one line that is rewritten on a terminal, a new line every few seconds elsewhere.

Nothing is shown of what takes less than two seconds. Only told from where work is done anyway, never from a thread of
its own: replayed code may fork.
"""

from __future__ import annotations

import sys
import time
from typing import Any

FIRST_WORD, ON_TERMINAL, ELSEWHERE = 2.0, 0.2, 5.0  # seconds
WIDTH = 24  # letters of the bar


class ProgressLine:
    """``total`` is in seconds of work, as far as anybody knows before; ``steps`` are how many there are."""

    def __init__(self, total: float, steps: int) -> None:
        self.total = total
        self.steps = steps
        self.done = 0.0
        self.step = 0
        self.doing = ""
        self.began = time.monotonic()
        self.next_word = self.began + FIRST_WORD
        self.shown = 0  # letters on the terminal
        self.stream: Any = sys.stderr
        self.terminal = self.stream is not None and hasattr(self.stream, "isatty") and self.stream.isatty()

    def begin(self, doing: str, seconds: float = 0.0) -> None:
        """What is done now; said at once if that will take long, as there may be no other occasion to say it."""
        self.doing = doing
        self.step += 1
        if seconds >= FIRST_WORD or time.monotonic() >= self.next_word:
            self.show()

    def end_of(self, seconds: float) -> None:
        """So much of the work has been done."""
        self.done += seconds

    def show(self) -> None:
        """Show it."""
        now = time.monotonic()
        self.next_word = now + (ON_TERMINAL if self.terminal else ELSEWHERE)
        share = min(self.done / self.total if self.total > 1 else (self.step - 1) / self.steps, 1.0)
        text = "%d of %d, %d s: %s" % (self.step, self.steps, now - self.began, self.doing)
        if not self.terminal:
            self.write("nbdag: " + text + "\n")
            return
        filled = int(WIDTH * share)
        line = ("[%s%s] %s" % ("#" * filled, "-" * (WIDTH - filled), text))[:78]
        self.write("\r" + line + " " * (self.shown - len(line)))
        self.shown = len(line)

    def end(self) -> None:
        """Leave no trace on the terminal."""
        if self.shown:
            self.write("\r" + " " * self.shown + "\r")
            self.shown = 0

    def write(self, text: str) -> None:
        """Onto what was stderr in the beginning."""
        if self.stream is None:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):  # closed: nobody looks
            pass
