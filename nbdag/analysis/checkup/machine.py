"""The machine: room on disks and in memory, and what of POSIX is there."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from nbdag.analysis.checkup.check import Check, State

# Compiling writes a candidate beside the bundle and proves it in a process of its own: room for the session twice.
_LITTLE_DISK, _NO_DISK = 1_000_000_000, 50_000_000
_LITTLE_MEMORY = 1_000_000_000


def look_at_machine(_state_directory: Path) -> list[Check]:
    """Disk space here and for temporary files, memory, and the features that kept kernels and proofs use."""
    places = {"disk, this directory": Path.cwd(), "disk, temporary files": Path(tempfile.gettempdir())}
    return [*(_disk(what, path) for what, path in places.items()), _memory(), _features()]


def _disk(what: str, path: Path) -> Check:
    try:
        free = shutil.disk_usage(path).free
    except OSError as error:
        return Check(what, State.WARNING, f"{path}: {error.strerror}")
    says = f"{_bytes(free)} free in {path}"
    if free < _LITTLE_DISK:
        state = State.PROBLEM if free < _NO_DISK else State.WARNING
        return Check(what, state, says, "a bundle needs room for the session, and while it is made twice that")
    return Check(what, State.OK, says)


def _memory() -> Check:
    left, limit = available_memory()
    if left is None:
        return Check("memory", State.INFO, "not known on this system")
    says = f"{_bytes(left)} available" + (f", limited to {_bytes(limit)} (cgroup)" if limit else "")
    if left < _LITTLE_MEMORY:
        return Check(
            "memory", State.WARNING, says, "the proof restores the session beside the live one; or: --no-verify"
        )
    return Check("memory", State.OK, says)


def available_memory(root: Path = Path("/")) -> tuple[int | None, int | None]:
    """Bytes that a process may still take, and the limit of its control group where that is what binds."""
    left = None
    try:
        for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                left = int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return None, None
    group = root / "sys/fs/cgroup"
    for maximum, current in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            limit = int((group / maximum).read_text(encoding="ascii"))
            used = int((group / current).read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such file, or "max"
            continue
        if left is None or limit - used < left:
            return max(0, limit - used), limit
    return left, None


def _features() -> Check:
    has = {
        "fork": hasattr(os, "fork"),
        "flock": _importable("fcntl"),
        "/proc": Path("/proc/self/stat").exists(),
        "local sockets": hasattr(socket, "AF_UNIX"),
    }
    lacking = [name for name, there in has.items() if not there]
    if not lacking:
        return Check("POSIX", State.OK, ", ".join(has))
    says = f"{sys.platform} lacks {', '.join(lacking)}"
    if not has["fork"] or not has["flock"]:
        remedy = "kept kernels need it; %load_ext nbdag in the notebook works, and so does restore.py"
        return Check("POSIX", State.WARNING, says, remedy)
    return Check("POSIX", State.INFO, says)


def _importable(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def _bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
