"""One line under a cell that says where it runs and how far it is; it is rewritten as things go on."""

from __future__ import annotations

import html
import sys
import time
import uuid
from typing import Any

from nbdag.magics.display import Shown, draws
from nbdag.remote.model import Needs, RemoteRun
from nbdag.report.units import say_bytes, say_count, say_seconds

_PAUSE = 0.25  # seconds between two versions of a line that only counts


class StatusLine:
    """What ``nbdag.remote.running.Watcher`` hears, as one line: rewritten in a notebook, a few lines at a prompt."""

    def __init__(self, shell: Any, target: str) -> None:
        self._target = target
        self._drawn = draws(shell)
        self._display_id = f"nbdag-{uuid.uuid4().hex}"
        self._begun = False
        self._stage = ""
        self._total: float | None = None
        self._done = 0.0
        self._shown_at = 0.0
        self._before = ""

    def needs(self, target: str, needs: Needs) -> None:
        """Before anything goes."""
        self._before = needs_in_words(needs)
        self._write(self._before)

    def begin(self, stage: str, total: float | None) -> None:
        """A stage begins."""
        self._stage, self._total, self._done = stage, total, 0.0
        if self._drawn:
            self._write(self._progress(), fleeting=stage != "running")

    def advance(self, amount: float) -> None:
        """Bytes went over."""
        self._done += amount
        if self._drawn:
            self._write(self._progress(), fleeting=True)

    def say(self, message: str) -> None:
        """A sentence on a line of its own."""
        print(f"nbdag: {message}", file=sys.stderr, flush=True)

    def done(self, run: RemoteRun) -> None:
        """The cell has ended and the session is up to date."""
        self._write(run_in_words(run))
        for note in run.notes:
            self.say(note)

    def failed(self) -> None:
        """It has not."""
        self._write("the cell did not run there to its end" if self._stage == "running" else "the cell did not run")

    def _progress(self) -> str:
        if not self._total:
            return f"{self._before}; {self._stage}"
        share = min(self._done / self._total, 1.0)
        return f"{self._before}; {self._stage} {say_bytes(self._total)}, {share:.0%}"

    def _write(self, text: str, fleeting: bool = False) -> None:
        now = time.monotonic()
        if fleeting and self._begun and now - self._shown_at < _PAUSE:
            return
        self._shown_at = now
        line = f"{self._target}: {text}"
        if not self._drawn:
            print(f"nbdag: {line}", file=sys.stderr, flush=True)
            return
        from IPython.display import display, update_display

        shown = Shown(line, f"<div style='opacity:.7;font-size:85%'>&#8599; {html.escape(line)}</div>")
        work: Any = update_display if self._begun else display
        work(shown, display_id=self._display_id)
        self._begun = True


def needs_in_words(needs: Needs) -> str:
    """``whole session 812 MB, this cell needs 14.7 MB (55x less)``."""
    whole = f"whole session {say_bytes(needs.whole_bytes)}"
    if needs.opaque:
        return (
            f"{whole}; the cell may read anything, so all of it is needed: {say_bytes(needs.bytes)} are not there yet"
        )
    if not needs.names:
        return f"{whole}, this cell needs nothing of it"
    if not needs.missing:
        return f"{whole}, this cell needs {say_count(len(needs.names), 'variable')}, all there already"
    factor = f" ({needs.factor:,.0f}x less)" if needs.factor >= 1.5 else ""
    there = len(needs.names) - len(needs.missing)
    already = f"; {say_count(there, 'variable')} there already" if there else ""
    return f"{whole}, this cell needs {say_bytes(needs.bytes)}{factor}{already}"


def run_in_words(run: RemoteRun) -> str:
    """One line about a run that is over."""
    words = [
        {"ok": "ran", "error": "raised", "interrupted": "was interrupted"}.get(run.outcome, run.outcome)
        + f" there in {say_seconds(run.seconds)}",
        f"{say_bytes(run.sent.bytes)} sent in {say_seconds(run.sent.seconds)}",
        f"{say_bytes(run.fetched.bytes)} back in {say_seconds(run.fetched.seconds)}",
    ]
    if run.changed:
        words.append(f"changed: {_some(run.changed)}")
    if run.deleted:
        words.append(f"deleted: {_some(run.deleted)}")
    if run.staying:
        words.append(f"only there: {_some(run.staying)}")
    factor = (
        f", {run.needs.factor:,.0f}x less than the session" if run.needs.missing and run.needs.factor >= 1.5 else ""
    )
    words[1] += factor
    return "; ".join(words)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
