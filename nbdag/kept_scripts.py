"""Linked scripts, kept between runs: linking takes half a second, and gives the same until nbdag itself changes.

They lie in the user's cache directory, by the digest of all that went into them. A file says the digest of its own
text in its first line: one that was cut off, or changed, is linked anew. What somebody else could have written is not
read: it would run as this user. Nothing depends on the directory being there or writable.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

LINKERS = ("link.py", "runtime.py", "kept_scripts.py", "replay/verify.py")
KEPT_SECONDS = 60 * 24 * 3600.0
"""Scripts that nobody made or asked for in two months are removed when a new one is kept."""


def kept_script(purpose: str, make: Callable[[], str]) -> str:
    """What ``make`` returns, from the cache directory if it was made there before of the same sources."""
    key = hashlib.sha256("\0".join([purpose, sys.version, *_sources()]).encode()).hexdigest()
    path = cache_directory() / f"{key}.py"
    with suppress(OSError, ValueError):
        if _is_own(path.parent) and _is_own(path):
            head, _, text = path.read_text(encoding="utf-8").partition("\n")
            if head == _head(text):
                return text
    text = make()
    with suppress(OSError):
        _keep(path, text)
    return text


def cache_directory() -> Path:
    """Where the scripts lie; NBDAG_CACHE_DIR says another place."""
    import platformdirs

    own = os.environ.get("NBDAG_CACHE_DIR")
    return (Path(own) if own else platformdirs.user_cache_path("nbdag", appauthor=False)) / "linked"


def _head(text: str) -> str:
    return "# sha256 " + hashlib.sha256(text.encode()).hexdigest()


def _is_own(path: Path) -> bool:
    """Whether a file or directory is this user's, and nobody else may write to it."""
    if not hasattr(os, "geteuid"):  # Windows: the directory is below the user's profile
        return True
    status = path.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not _is_own(path.parent):  # of the user who became root by sudo, say
        return
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_head(text) + "\n" + text)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    oldest = time.time() - KEPT_SECONDS
    for other in path.parent.iterdir():
        if other.stat().st_mtime < oldest:
            other.unlink()


@cache
def _sources() -> list[str]:
    """All that linking reads, and the linker."""
    package = files("nbdag")
    texts = [package.joinpath(name).read_text(encoding="utf-8") for name in LINKERS]
    pending: list[Any] = [package.joinpath("portable")]
    while pending:
        for entry in sorted(pending.pop().iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                texts += [entry.name, entry.read_text(encoding="utf-8")]
            elif entry.is_dir() and entry.name != "__pycache__":
                pending.append(entry)
    return texts
