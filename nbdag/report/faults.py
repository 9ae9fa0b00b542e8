"""Faults of nbdag itself: the traceback goes to a file, for whoever mends it, and not to the user's screen."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from pathlib import Path
from typing import TextIO


def write_crash_log(error: BaseException, directory: Path, nbdag: str) -> str:
    """Write what is known about a fault into ``directory``; the file's path, "" where it cannot be written."""
    path = directory / f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        directory.mkdir(exist_ok=True)
        with path.open("w", encoding="utf-8", errors="backslashreplace") as log:
            print(f"nbdag {nbdag}, Python {platform.python_version()}, {platform.platform()}", file=log)
            print(f"{sys.argv[1:]}\n", file=log)
            print_traceback(error, log)
    except OSError:
        return ""
    return str(path)


def print_traceback(error: BaseException, stream: TextIO) -> None:
    """The traceback with its causes (also those from the kernel)."""
    traceback.print_exception(type(error), error, error.__traceback__, file=stream)
