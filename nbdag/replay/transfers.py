"""Files under way between a bundle here and one at a URL, and the document that says what the one there is made of."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import PurePosixPath

from nbdag.errors import IntegrityError
from nbdag.portable.bundlefile import HEX_DIGITS
from nbdag.progress import Bytes, Progress
from nbdag.replay.filesystem import Remote

MANIFEST = "nbdag-remote.json"
FORMAT, VERSION = "nbdag-remote", 1

TRANSFERS = 4
"""Files under way at once."""

ATTEMPTS, PAUSE = 3, 1.0
"""How often a file is tried, and seconds between."""

Contents = Mapping[str, tuple[str, int]]
"""(sha256, size) of the files of a bundle, by their path in it."""

Told = Callable[[int], None]


def transfer(progress: Progress, stage: str, total: int, jobs: list[Callable[[Told], None]]) -> None:
    """Do all of ``jobs``, some at once; each is told how to report its bytes. The first failure ends it."""
    if not jobs:
        return
    lock = threading.Lock()

    def told(count: int) -> None:
        with lock:
            progress.advance(count)

    def attempt(job: Callable[[Told], None]) -> None:
        for number in range(1, ATTEMPTS + 1):
            try:
                job(told if number == 1 else lambda count: None)
                return
            except (OSError, EOFError) as error:
                if number == ATTEMPTS or isinstance(error, FileNotFoundError | PermissionError):
                    raise
                time.sleep(PAUSE * number)

    progress.begin(stage, Bytes(total))
    try:
        with ThreadPoolExecutor(TRANSFERS, "nbdag-transfer") as pool:
            running = [pool.submit(attempt, job) for job in jobs]
            try:
                for done in as_completed(running):
                    done.result()
            except BaseException:
                for one in running:
                    one.cancel()
                raise
    finally:
        progress.end()


def place_at_url(name: str, digest: str) -> str:
    return name if name.startswith("blobs/") else f"versions/{digest}"


def manifest_text(files: Contents, previous: list[str]) -> bytes:
    document = {
        "format": FORMAT,
        "version": VERSION,
        "files": {name: {"sha256": digest, "size": size} for name, (digest, size) in sorted(files.items())},
        "previous": previous,
    }
    return json.dumps(document, indent=1).encode("utf-8")


def read_remote_manifest(remote: Remote) -> dict[str, tuple[str, int]]:
    """(sha256, size) by path of the bundle that is there; none where there is none. Raises IntegrityError."""
    remote.filesystem.invalidate_cache()
    try:
        text = remote.filesystem.cat_file(remote.path(MANIFEST))
    except FileNotFoundError:
        return {}
    try:
        document = json.loads(text)
        if document["format"] != FORMAT or document["version"] != VERSION:
            raise ValueError(f"format {document['format']!r}, version {document['version']!r}")
        files = {str(name): (str(one["sha256"]), int(one["size"])) for name, one in document["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{remote.shown}/{MANIFEST} cannot be read: {error}") from error
    for name, (digest, _) in files.items():
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or PurePosixPath(name).is_absolute() or "\\" in name or not _is_digest(digest):
            raise IntegrityError(f"{remote.shown}/{MANIFEST} names a file that leads out of the bundle: {name}")
    return files


def _is_digest(text: str) -> bool:
    return len(text) == 64 and HEX_DIGITS.issuperset(text)
