"""How far a command is: a bar on a terminal, a line per message elsewhere, always on stderr."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from nbdag.progress import Bytes
from nbdag.report.units import say_bytes, say_seconds

SECONDS_BETWEEN_LINES = 5.0
"""How often a line says how far a transfer is, where no bar is drawn."""


class TerminalProgress:
    """A ``nbdag.progress.Progress`` for people.

    ``level``: 0 says nothing, 1 what matters, 2 every step. The bar is drawn on a terminal only, and only if wanted.
    """

    def __init__(self, *, level: int = 1, bar: bool = True, color: str = "auto", stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._level = level
        self._bar_wanted = bar and level > 0 and self._stream.isatty()
        self._color = color
        self._bar: Any = None
        self._task: Any = None
        self._stage = ""
        self._total: float | None = None
        self._done = 0.0
        self._begun = self._said = 0.0

    def begin(self, stage: str, total: float | None) -> None:
        """A stage of ``total`` steps; None if nobody knows."""
        self.end()
        self._stage, self._total, self._done = stage, total, 0.0
        self._begun = self._said = time.monotonic()
        if self._bar_wanted:
            self._bar = self._make_bar(total)
            self._task = self._bar.add_task(stage, total=total, note="")
            self._bar.start()

    def advance(self, amount: float = 1, note: str = "") -> None:
        """``amount`` steps further; ``note`` names the step."""
        self._done += amount
        if self._bar is not None:
            self._bar.update(self._task, advance=amount, note=note)
        elif self._level > 0 and isinstance(self._total, Bytes):
            self._say_bytes(note)
        elif self._level > 1:
            of = f"/{self._total:g}" if self._total is not None else ""
            self._write(f"{self._stage} {self._done:g}{of} {note}".rstrip())

    def _say_bytes(self, note: str) -> None:
        """A line every few seconds: bytes go by many times a second, and what is soon over needs no line."""
        now = time.monotonic()
        soon = now - self._said < SECONDS_BETWEEN_LINES
        if soon and (self._done < (self._total or 0) or (self._level < 2 and self._said == self._begun)):
            return
        self._said = now
        speed = self._done / max(now - self._begun, 1e-3)
        left = say_seconds(max((self._total or 0) - self._done, 0) / max(speed, 1))
        of = f"{say_bytes(int(self._done))} of {say_bytes(int(self._total or 0))}"
        self._write(f"{self._stage} {of}, {left} left {note}".rstrip())

    def say(self, message: str) -> None:
        """A sentence. Where a spinner turns it goes beside it; otherwise it is a line of its own."""
        if self._bar is not None and self._total is None and self._level < 2:
            self._bar.update(self._task, note=message)
        elif self._level > 0:
            self._write(message)

    def end(self) -> None:
        """The stage is over (also after an error): the bar goes away."""
        if self._bar is not None:
            bar, self._bar = self._bar, None
            bar.stop()

    def done(self, what: str, seconds: float) -> None:
        """The command is over."""
        if self._level > 1:
            self._write(f"{what} in {say_seconds(seconds)}")

    def _write(self, message: str) -> None:
        line = f"nbdag: {message}"
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=self._stream, flush=True)

    def _make_bar(self, total: float | None) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        plain = self._color == "never"
        console = Console(file=self._stream, no_color=plain or None, force_jupyter=False)
        text = TextColumn("{task.description}", markup=False)
        note = TextColumn("{task.fields[note]}", markup=False)
        if isinstance(total, Bytes):
            from rich.progress import DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

            left = TextColumn("left", style="dim")
            columns = (text, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(), left, note)
            return Progress(*columns, console=console, transient=True)
        if total is None:
            return Progress(SpinnerColumn(), text, TimeElapsedColumn(), note, console=console, transient=True)
        return Progress(
            text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), note, console=console, transient=True
        )
