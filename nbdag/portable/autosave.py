"""Saves a session by itself, from inside its kernel: when, and what is known of it. How is ``forking.py``.

    a cell ends   ->  its line in the journal; if a save is due, and copying the process takes no time, a snapshot now
    a pause       ->  a save that is due, or that came due while nobody ran anything
    the kernel is shut down, or told to end (SIGTERM)  ->  a last snapshot, which outlives the kernel

A save is due when something ran since the last one and ``every`` seconds have passed since that one began. There is
never more than one snapshot. Nothing is printed but that saving fails, once for each reason, below the next cell.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import select
import signal
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Optional

from nbdag.portable.forking import page_table_bytes, take_snapshot, why_not_fork
from nbdag.portable.frames import Record
from nbdag.portable.idle import PAUSE
from nbdag.portable.journaling import JournalWriter
from nbdag.portable.serving_idle import IdleServing

MOST_PAUSE = 0.05  # seconds that the session may stand still between two cells that follow each other
PATIENT_SHARE = 0.005  # of the time since the last save, that it may if there is never a pause
FORK_SECONDS_PER_BYTE = 2e-8  # of page tables, until the first fork has shown it
CHECK = 2.0  # seconds between looks at a snapshot where the loop cannot wait for it
SHUTDOWN_SECONDS = 3.0  # that a kernel which is shut down waits for its last save, which goes on without it
FAILURES_SAID = 5


_TO_END: List[Any] = []  # the autosavers whose handler SIGTERM has


def _forked() -> None:
    """In a process that the session forks, SIGTERM means what it does without us: pools end their workers by it."""
    for autosaver in _TO_END:
        autosaver.restore_handler()


class Autosaver:
    """Everything about the saving of one session. ``settings`` as the command ``autosave`` gets them."""

    def __init__(self, shell: Any, recorder: Any, answer: Callable[..., Dict[str, Any]], settings: Dict[str, Any]):
        self.shell = shell
        self.recorder = recorder
        self.answer = answer
        self.directory: str = settings["directory"]
        self.every: float = settings["every"]
        self.deadline: float = settings["deadline"]  # seconds that a kernel which is told to end has for its last save
        self.session: str = settings["session"]
        self.notebook: str = settings["notebook"]
        self.saver: List[str] = settings["saver"]
        self.process = os.getpid()
        self.journal = JournalWriter(settings["journal"], self.session, self.notebook)
        self.loop: Any = None
        self.handle: Any = None
        self.pid = 0  # of the snapshot that is there now
        self.descriptor = -1
        self.pending = b""
        self.begun = -1e9  # when the last save began
        self.asked = 0  # executions of the snapshot that is there now
        self.held = 0  # executions that the last good save holds
        self.tried = -1  # executions of the last attempt, good or not
        self.saves = 0
        self.last: Dict[str, Any] = {}  # what the saver said last
        self.failed = ""  # why the last attempt was no good, "" if it was
        self.said: List[str] = []
        self.pauses: List[float] = []  # seconds of each fork
        self.seconds_per_byte = FORK_SECONDS_PER_BYTE
        self.refusal = why_not_fork()
        self.serving: Optional[IdleServing] = None
        self.terminate: Any = None  # the handler of SIGTERM before ours
        self.ordinal = -1  # of the cell that runs
        self.callbacks = {"pre_run_cell": self.cell_begins, "post_run_cell": self.cell_ended}

    # ------------------------------------------------------------------------------------- hooks

    def install(self) -> None:
        """Begin."""
        for event, callback in self.callbacks.items():
            self.shell.events.register(event, callback)
        atexit.register(self.at_exit)
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            self.terminate = signal.signal(signal.SIGTERM, self.told_to_end)
            if _TO_END == [] and hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=_forked)
            _TO_END[:] = [self]
        self.arm(PAUSE)

    def remove(self) -> None:
        """Take everything away; a snapshot that is there is ended."""
        for event, callback in self.callbacks.items():
            try:
                self.shell.events.unregister(event, callback)
            except ValueError:
                continue
        atexit.unregister(self.at_exit)
        self.restore_handler()
        self.disarm()
        self.stop_serving()
        if self.pid:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except OSError:
                pass
            self.collect()
        self.journal.close()

    def restore_handler(self) -> None:
        """Give SIGTERM back to whom it belonged."""
        if self.terminate is None or threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) == self.told_to_end:
            signal.signal(signal.SIGTERM, self.terminate)
        self.terminate = None

    def cell_begins(self, info: Any) -> None:
        """A cell is about to run: whatever happens, it is known that it began."""
        self.disarm()
        self.stop_serving()
        frames = self.recorder.frames
        if len(frames) == 1 and os.getpid() == self.process:
            self.ordinal = frames[0].ordinal
            counts = getattr(info, "store_history", False)
            self.journal.begin(self.ordinal, info, self.shell.execution_count if counts else None)

    def cell_ended(self, result: Any) -> None:
        """It has ended."""
        if self.recorder.frames or os.getpid() != self.process:
            return
        if 0 <= self.ordinal < len(self.recorder.executions):
            record: Record = self.recorder.executions[self.ordinal]
            self.journal.end(self.ordinal, record.get("seconds") or 0.0, str(record.get("outcome") or "ok"))
        self.ordinal = -1
        self.collect(wait=False)
        self.say_failure()
        self.consider(pause=False)

    # ------------------------------------------------------------------------------------- when

    def executions(self) -> int:
        """How many there were."""
        return len(self.recorder.executions)

    def consider(self, pause: bool) -> None:
        """Save now, or wait until that is due, or do nothing because nothing has changed. ``pause``: nobody waits."""
        if self.pid or self.serving is not None or self.recorder.frames or self.tried == self.executions():
            return
        since = time.monotonic() - self.begun
        if since < self.every:
            self.arm(max(PAUSE, self.every - since))
            return
        self.refusal = why_not_fork()  # a library may have opened a GPU since
        if self.refusal:
            if pause:
                self.serve_in_pauses()
            else:
                self.arm(PAUSE)
                if self.loop is None:
                    self.failed = "%s, and here is no pause to save in" % self.refusal
        elif pause or self.cheap(since):
            self.save()
        else:
            self.arm(PAUSE)

    def cheap(self, since: float) -> bool:
        """Whether the session may stand still for as long as copying it takes, although its user waits."""
        expected = page_table_bytes() * self.seconds_per_byte
        return expected <= MOST_PAUSE or expected <= PATIENT_SHARE * min(since, 10 * self.every)

    def arm(self, delay: float) -> None:
        """Look again after that time, if there is a loop that can call us."""
        self.disarm()
        try:
            self.loop = asyncio.get_running_loop()
            self.handle = self.loop.call_later(delay, self.look)
        except RuntimeError:
            self.loop = None

    def disarm(self) -> None:
        """Do not look by ourselves."""
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None

    def look(self) -> None:
        """The loop has nothing else to do, or has it again."""
        self.handle = None
        if os.getpid() != self.process:
            return
        self.collect(wait=False)
        if self.pid:
            self.arm(CHECK)
        else:
            self.consider(pause=True)

    # ------------------------------------------------------------------------------------- saving

    def hello(self, **more: Any) -> Dict[str, Any]:
        """What the saver is told first."""
        return dict(
            {
                "session": self.session,
                "notebook": self.notebook,
                "directory": self.directory,
                "executions": self.executions(),
                "time": time.time(),
                "pid": self.process,
                "final": False,
                "running": bool(self.recorder.frames),
            },
            **more,
        )

    def save(self, **more: Any) -> None:
        """Take a snapshot and have it saved in the background."""
        self.begun = time.monotonic()
        self.tried = self.asked = self.executions()
        tables = page_table_bytes()
        try:
            self.pid, self.descriptor, seconds = take_snapshot(self.saver, self.hello(**more), self.answer)
        except OSError as error:
            self.note_failure("the process cannot be copied: %s" % (error.strerror or error))
            return
        self.pauses = [*self.pauses[-99:], seconds]
        if tables:
            self.seconds_per_byte = max(seconds / tables, self.seconds_per_byte / 2)
        os.set_blocking(self.descriptor, False)
        if self.loop is not None:
            self.arm(CHECK)

    def serve_in_pauses(self) -> None:
        """Where the process must not be copied, the kernel itself answers the saver as long as nobody runs anything."""
        self.begun = time.monotonic()
        self.tried = self.asked = self.executions()
        try:
            self.serving = IdleServing(self.loop, self.saver, self.hello(), self.answer, self.served)
        except Exception as error:
            self.note_failure("the saver does not start: %s" % error)

    def served(self, result: Optional[Dict[str, Any]]) -> None:
        """The saver has ended, by itself or because a cell began (None): then the next pause brings another one."""
        self.serving = None
        if result is None:
            self.tried = -1
            self.begun = time.monotonic() - self.every  # due as it was
        else:
            self.take(result)

    def stop_serving(self) -> None:
        """A cell begins: what was told so far would not fit what comes."""
        if self.serving is not None:
            self.serving.stop()

    def collect(self, wait: bool = True) -> None:
        """Hear what has become of the snapshot, if it has ended."""
        if not self.pid:
            return
        ended = False
        while wait or select.select([self.descriptor], [], [], 0)[0]:
            try:
                piece = os.read(self.descriptor, 65536)
            except BlockingIOError:
                select.select([self.descriptor], [], [], 1.0)
                continue
            except OSError:
                piece = b""
            self.pending += piece
            if not piece:
                ended = True
                break
        if not ended:
            return
        os.close(self.descriptor)
        try:
            _, status = os.waitpid(self.pid, 0)
        except OSError:  # somebody else waits for all children
            status = 0
        self.pid, self.descriptor = 0, -1
        try:
            result = json.loads(self.pending.decode("utf-8", "replace"))
        except ValueError:
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            reason = " (signal %d%s)" % (number, ", out of memory?" if number == 9 else "") if number else ""
            result = {"error": "the copy of the process ended before its save was done" + reason}
        self.pending = b""
        self.take(result)

    def take(self, result: Dict[str, Any]) -> None:
        """The result of a save."""
        self.last = result
        if result.get("error"):
            self.note_failure(str(result["error"]))
            return
        self.failed = ""
        self.saves += 1
        self.held = self.asked
        self.journal.forget(self.held)
        if self.loop is not None and not self.recorder.frames:
            self.consider(pause=False)

    def note_failure(self, reason: str) -> None:
        """Keep why; it is tried again after as long again."""
        self.failed = reason
        self.tried = -1
        if self.loop is not None and not self.recorder.frames:
            self.arm(self.every)

    def say_failure(self) -> None:
        """Say once below a cell why saving fails: who relies on it should know."""
        reason = self.failed or (self.journal.fault and "the journal cannot be written: " + self.journal.fault)
        if reason and reason not in self.said and len(self.said) < FAILURES_SAID:
            self.said.append(reason)
            print("nbdag: this session is not saved: %s" % reason, file=sys.stderr)

    # ------------------------------------------------------------------------------------- the end

    def told_to_end(self, number: int, frame: Any) -> None:
        """SIGTERM: a spot machine that is taken back, a hub that culls. One more save, then end as if we were not."""
        self.restore_handler()
        if os.getpid() == self.process:
            self.last_save(self.deadline)
            atexit.unregister(self.at_exit)
        os.kill(os.getpid(), signal.SIGTERM)

    def at_exit(self) -> None:
        """The kernel was shut down."""
        if os.getpid() == self.process:
            self.last_save(SHUTDOWN_SECONDS)

    def last_save(self, seconds: float) -> None:
        """Save what is not saved, and wait for it that long; it goes on after that. Raises nothing."""
        end = time.monotonic() + seconds
        try:
            self.stop_serving()
            self.wait(end)  # for the one that is on its way: it may hold everything
            behind = self.failed or self.held != self.executions()
            if behind and not self.pid and not why_not_fork():
                self.save(final=True)
                self.wait(end)
        except Exception:
            return

    def wait(self, end: float) -> None:
        """Until the snapshot has ended, or the time is over."""
        while self.pid and time.monotonic() < end:
            select.select([self.descriptor], [], [], max(0.0, min(0.2, end - time.monotonic())))
            self.collect(wait=False)

    # ------------------------------------------------------------------------------------- status

    def status(self) -> Dict[str, Any]:
        """What is known, JSON-able."""
        self.collect(wait=False)
        return {
            "directory": self.directory,
            "every": self.every,
            "session": self.session,
            "executions": self.executions(),
            "saved_executions": self.held,
            "saves": self.saves,
            "saving": bool(self.pid) or self.serving is not None,
            "last": self.last,
            "failed": self.failed,
            "journal_fault": self.journal.fault,
            "without_snapshot": self.refusal,
            "pauses": self.pauses[-20:],
        }
