"""The keeper of one kernel: a daemon that starts it, watches over it, ends it and removes its folder.

Run by :func:`nbdag.analysis.kernels.open_session` with the session's folder as its argument. It looks four times a
second at four things, and ends with the kernel at the first that is true:

    the kernel ended; a signal asked for it; the command that analyzes ended and had not handed over (kept.json);
    handed over, and the kernel was idle for ``idle_seconds`` (by the status messages on iopub).

SIGKILL cannot be caught: then ipykernel's parent poller ends the kernel within a second or so.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbdag.analysis.kernelspecs import kernelspecs
from nbdag.analysis.processes import end_process, identify, is_running, this_process
from nbdag.analysis.session_files import (
    GONE,
    RUNNING,
    SHUTDOWN_SECONDS,
    Session,
    read_session,
    remember_end,
    write_session,
)

_TICK = 0.25  # seconds between looks
_MOURNING = 5.0  # seconds that the note about a kernel's death stays for its command to read


def main() -> None:
    """Become a daemon for the session whose folder is the only argument."""
    folder = Path(sys.argv[1])
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _ask_to_end)
    session = read_session(folder)
    if session is None:
        sys.exit(f"{folder}: not a session of nbdag")
    session = replace(session, keeper=this_process())
    write_session(session)
    try:
        _Keeper(session).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_asked_to_end = False


def _ask_to_end(number: int, frame: object) -> None:
    global _asked_to_end
    _asked_to_end = True


def humanize(seconds: float) -> str:
    """Seconds in the largest unit that fits: "90 s", "60 min"."""
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


class _Keeper:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.folder = Path(session.directory)
        self.manager: Any = None
        self.busy = False
        self.active = time.monotonic()  # when it last said anything
        self.asked = 0.0

    def run(self) -> None:
        try:
            try:
                self.start()
            except Exception as error:
                self.tell((str(error) or repr(error)).splitlines()[0])
                self.wait_for_owner()
            else:
                self.watch()
        finally:
            self.end()

    def start(self) -> None:
        environment = self.environment()
        os.environ["JUPYTER_RUNTIME_DIR"] = self.session.directory  # nothing of Jupyter's may land outside the folder
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(
            kernel_name=self.session.kernel_name,
            connection_file=str(self.session.connection_file),
            kernel_spec_manager=kernelspecs(),
        )
        self.manager.shutdown_wait_time = SHUTDOWN_SECONDS
        with (self.folder / "kernel.log").open("wb") as log:
            self.manager.start_kernel(
                cwd=self.session.cwd,
                env=environment,
                # Its In and Out are the session's; the user's own history file is not.
                extra_arguments=["--HistoryManager.hist_file=:memory:"],
                stdout=log,
                stderr=log,
            )
        kernel = identify(self.manager.provisioner.process.pid)
        self.session = replace(self.session, state=RUNNING, kernel=kernel)
        write_session(self.session)

    def environment(self) -> dict[str, str]:
        environment = {**os.environ, "JPY_SESSION_NAME": self.session.notebook}
        if "IPYTHONDIR" not in environment and not Path("~/.ipython").expanduser().exists():
            environment["IPYTHONDIR"] = str(self.folder / "ipython")  # or IPython makes one in the home directory
        return environment

    def watch(self) -> None:
        import zmq

        client = self.manager.client()
        client.start_channels(shell=True, stdin=False, hb=False, control=False)
        socket = client.iopub_channel.socket
        # Status comes under "kernel.<id>.status"; what cells print does not, and would wake us at every line.
        socket.setsockopt(zmq.UNSUBSCRIBE, b"")
        socket.setsockopt(zmq.SUBSCRIBE, b"kernel")
        try:
            while not _asked_to_end:
                if socket.poll(int(_TICK * 1000), zmq.POLLIN):
                    self.note_activity(client, socket)
                self.doubt_silence(client)
                if not is_running(self.session.kernel):
                    self.tell_of_death()
                    return
                if self.is_over():
                    return
        finally:
            client.stop_channels()

    def note_activity(self, client: Any, socket: Any) -> None:
        import zmq

        while socket.poll(0, zmq.POLLIN):
            with suppress(ValueError, KeyError):
                frames = socket.recv_multipart()
                _, parts = client.session.feed_identities(frames)
                message = client.session.deserialize(parts, content=True)
                if message["msg_type"] == "status":
                    self.busy = message["content"]["execution_state"] == "busy"
            self.active = time.monotonic()

    def doubt_silence(self, client: Any) -> None:
        # iopub may drop messages, also the one that says idle. A kernel that is idle answers, and says it again.
        # Not asked by kernel_info_request: for that IPython draws a tip from the session's own `random`.
        if self.busy and time.monotonic() - max(self.active, self.asked) > max(self.session.idle_seconds, 60.0):
            self.asked = time.monotonic()
            client.comm_info()

    def is_over(self) -> bool:
        owner_is_gone = not is_running(self.session.owner)  # before the look at the file: it may be written now
        if not (self.folder / "kept.json").exists():
            return owner_is_gone or not self.folder.exists()
        idle = 0.0 if self.busy else time.monotonic() - self.active
        if idle < self.session.idle_seconds:
            return False
        remember_end(self.session, f"it was idle for {humanize(self.session.idle_seconds)}")
        return True

    def tell_of_death(self) -> None:
        status: int | str | None = None
        with suppress(subprocess.TimeoutExpired):
            # Its main thread has ended; the others may need a moment more until there is a status.
            status = self.manager.provisioner.process.wait(timeout=2.0)
        if status is None:
            note = ""
        elif isinstance(status, int) and status < 0:
            with suppress(ValueError):
                status = signal.Signals(-status).name
            note = f"ended by {status}" + (" (out of memory?)" if status == "SIGKILL" else "")
        else:
            note = f"ended with exit status {status}"
        self.tell(note)
        if (self.folder / "kept.json").exists():
            remember_end(self.session, f"it {note}" if note else "")
        else:
            self.wait_for_owner()

    def tell(self, note: str) -> None:
        self.session = replace(self.session, state=GONE, note=note)
        with suppress(OSError):  # the folder is gone: nobody wants to know
            write_session(self.session)

    def wait_for_owner(self) -> None:
        deadline = time.monotonic() + _MOURNING
        while not _asked_to_end and is_running(self.session.owner) and time.monotonic() < deadline:
            time.sleep(0.05)

    def end(self) -> None:
        if self.manager is not None and self.manager.has_kernel:
            # A busy kernel would only hear of a polite request after its cell.
            with suppress(Exception):
                self.manager.shutdown_kernel(now=self.busy)
        end_process(self.session.kernel, grace=0.5, group=True)


if __name__ == "__main__":
    main()
