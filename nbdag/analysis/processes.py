"""Processes named so that a reused pid is never mistaken for the one that was meant.

A pid alone says little: the kernel of yesterday's session may be somebody's editor today. A :class:`Process` is a pid
with the start time that the operating system gave it; both must agree before anything is believed or signalled.
A zombie counts as ended: it holds no memory and only waits for its parent.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_POLL = 0.02  # seconds between looks at a process that is expected to end


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine: ``born`` is its start time in the words of the operating system, "" for nobody."""

    pid: int = 0
    born: str = ""

    def __bool__(self) -> bool:
        return self.pid > 0 and bool(self.born)


NOBODY = Process()


def this_host() -> str:
    """The name under which this machine writes down its processes."""
    return socket.gethostname()


def this_process() -> Process:
    """The running process itself."""
    return identify(os.getpid())


def identify(pid: int) -> Process:
    """The process that has this pid now; NOBODY when there is none or it has ended."""
    born = _born(pid)
    return Process(pid, born) if born else NOBODY


def is_running(process: Process) -> bool:
    """Whether exactly this process still runs."""
    return bool(process) and _born(process.pid) == process.born


def send_signal(process: Process, number: int, *, group: bool = False) -> bool:
    """Signal exactly this process, or with ``group`` the process group it leads; False when it has ended."""
    if not is_running(process):
        return False
    with suppress(ProcessLookupError, PermissionError):
        if group and os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid, number)
        return True
    return False


def wait_until_ended(process: Process, seconds: float) -> bool:
    """Wait for the end of a process; False when it still runs after ``seconds``."""
    deadline = time.monotonic() + seconds
    while is_running(process):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True


def end_process(process: Process, *, grace: float, group: bool = False) -> bool:
    """SIGTERM, and SIGKILL after ``grace`` seconds; True when the process is gone."""
    if send_signal(process, signal.SIGTERM, group=group) and not wait_until_ended(process, grace):
        send_signal(process, signal.SIGKILL, group=group)
    return wait_until_ended(process, 2.0)


def _born(pid: int) -> str:
    if pid <= 0:
        return ""
    if Path("/proc/self/stat").exists():
        return _born_from_proc(pid)
    return _born_from_ps(pid)


def _born_from_proc(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # "123 (name with ) and spaces) S 1 ...": the fields begin after the last bracket; state is the 3rd, start the 22nd.
    fields = text[text.rfind(")") + 1 :].split()
    if len(fields) < 20 or fields[0] in {"Z", "X"}:
        return ""
    return f"{_boot()}:{fields[19]}"


def _boot() -> str:
    # Start times count from boot: without the boot's id, one of before a reboot could be met again.
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
    except OSError:
        return ""


def _born_from_ps(pid: int) -> str:
    try:
        answer = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            timeout=10,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    state, _, born = answer.stdout.strip().partition(" ")
    return "" if not state or state.startswith("Z") else born.strip()


# ------------------------------------------------------------------------------------------------ looking around


def resident_bytes(pid: int) -> int:
    """The memory that a process holds, 0 where nobody can say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    if Path("/proc/self/stat").exists() or pid <= 0:
        return 0
    said = _ps("-o", "rss=", "-p", str(pid)).strip()
    return int(said) * 1024 if said.isdigit() else 0


def command_lines() -> dict[int, tuple[str, ...]]:
    """pid -> words of the command line, of all processes that this user may look at."""
    found: dict[int, tuple[str, ...]] = {}
    if Path("/proc/self/stat").exists():
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    text = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
                    found[int(entry.name)] = tuple(text.rstrip("\0").split("\0"))
        return found
    for line in _ps("-axo", "pid=,args=").splitlines():
        pid, _, words = line.strip().partition(" ")
        if pid.isdigit():
            found[int(pid)] = tuple(words.split())
    return found


def _ps(*arguments: str) -> str:
    try:
        answer = subprocess.run(["ps", *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout
