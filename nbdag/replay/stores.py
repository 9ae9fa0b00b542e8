"""``--store-dir``: blobs kept once for many bundles, named by their content.

    DIR/blobs/<2 digits>/<sha256>     read-only; bundles on the same file system hold hard links to them
    DIR/bundles/<number>.json         {"bundle": path}: bundles that refer to the store, having no links
    DIR/lock                          shared while a bundle is written, exclusive while unused blobs are removed

A blob is used as long as a second link to it exists, or a bundle of ``bundles/`` names it. What nothing uses stays
until ``nbdag store gc DIR``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nbdag.errors import IntegrityError, OutputError
from nbdag.portable.bundlefile import HEX_DIGITS, BundleDamaged, digest_of_file, read_data
from nbdag.portable.places import Piece, stored_path
from nbdag.replay.publishing import failures_as_output_errors, sync

YOUNG = 3600.0
"""Seconds for which a new blob is never removed: on disks without locks a bundle may be about to link it."""


@dataclass(frozen=True, slots=True)
class Store:
    """The store in ``directory``, which is made when it is first written to."""

    directory: Path

    @classmethod
    def at(cls, directory: Path) -> Store:
        """The store there; raises OutputError where something else is."""
        try:
            names = {entry.name for entry in directory.iterdir()} if directory.exists() else set()
        except OSError as error:
            raise OutputError(f"the store {directory}: {error.strerror}", "choose another directory") from error
        if names - {"blobs", "bundles", "lock"}:
            raise OutputError(f"{directory} is a directory that is no store", "a store begins as an empty directory")
        return cls(directory.absolute())

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While this lasts nobody removes blobs. Raises OutputError where the store cannot be written."""
        with failures_as_output_errors(self.directory):
            (self.directory / "blobs").mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(descriptor, exclusive=False)
            yield
        finally:
            os.close(descriptor)

    def links_into(self, directory: Path) -> bool:
        """Whether blobs can be linked from here into ``directory``."""
        try:
            with tempfile.NamedTemporaryFile(dir=self.directory / "blobs", prefix="probe-") as file:
                target = directory / f"probe-{os.getpid()}"
                os.link(file.name, target)
                target.unlink()
        except OSError:
            return False
        return True

    def has(self, digest: str) -> bool:
        """Whether the store has this blob."""
        return os.path.isfile(stored_path(str(self.directory), digest))

    def piece(self, digest: str) -> Piece | None:
        """Where the store has this blob, if it has."""
        path = stored_path(str(self.directory), digest)
        return (path, 0, os.path.getsize(path)) if self.has(digest) else None

    def add(self, digest: str, piece: Piece) -> Path:
        """Where the store has this blob, put there from ``piece`` if it has not, or has it damaged. Raises OSError."""
        place = Path(stored_path(str(self.directory), digest))
        path, offset, size = piece
        if place.is_file() and place.stat().st_size == size and digest_of_file(str(place)) == digest:
            os.utime(place)
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(prefix="tmp-", dir=place.parent)
        os.close(handle)
        try:
            _link_or_copy(path, offset, size, unfinished)
            os.chmod(unfinished, 0o444)
            sync(Path(unfinished))
            os.replace(unfinished, place)
        finally:
            # Also after success: where both are links to one file already, rename leaves both.
            Path(unfinished).unlink(missing_ok=True)
        sync(place.parent)
        return place

    def sizes(self) -> dict[str, int]:
        """The blobs of the store, with their sizes."""
        return {path.name: path.stat().st_size for path in self._blobs()}

    def refer(self, bundle: Path) -> None:
        """Note that the bundle to be at ``bundle`` refers to the store. Raises OSError."""
        place = str(bundle.absolute())
        folder = self.directory / "bundles"
        folder.mkdir(exist_ok=True)
        entry = folder / f"{hashlib.sha256(place.encode()).hexdigest()[:24]}.json"
        handle, unfinished = tempfile.mkstemp(prefix="tmp-", dir=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"bundle": place}, file)
        os.replace(unfinished, entry)

    def collect(self, *, dry_run: bool = False) -> Collected:
        """Remove the blobs that no bundle uses; with ``dry_run`` only say which.

        Raises IntegrityError where a bundle that refers to the store cannot be read: nobody knows what it needs then.
        Raises OutputError where a bundle is being written.
        """
        if not (self.directory / "blobs").is_dir():
            raise OutputError(f"{self.directory} is no store", "it is the directory that --store-dir was given")
        descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not _lock(descriptor, exclusive=True):
                raise OutputError(f"{self.directory} is in use: a bundle is being written", "try again when it is done")
            with failures_as_output_errors(self.directory):
                return self._collected(dry_run)
        finally:
            os.close(descriptor)

    def _collected(self, dry_run: bool) -> Collected:
        used, gone = self._referred()
        removed, freed, kept = [], 0, 0
        for path in self._blobs():
            found = path.stat()
            if found.st_nlink > 1 or path.name in used or time.time() - found.st_mtime < YOUNG:
                kept += 1
                continue
            removed.append(path.name)
            freed += found.st_size
            if not dry_run:
                path.unlink()
        if not dry_run:
            for entry, _ in gone:
                entry.unlink()
            for left_over in (self.directory / "blobs").glob("*/tmp-*"):
                left_over.unlink()
        return Collected(tuple(removed), freed, kept, tuple(bundle for _, bundle in gone))

    def _referred(self) -> tuple[set[str], list[tuple[Path, str]]]:
        """(digests that bundles without links need, entries of bundles that are no more)."""
        used: set[str] = set()
        gone: list[tuple[Path, str]] = []
        for entry in sorted((self.directory / "bundles").glob("*.json")):
            try:
                bundle = str(json.loads(entry.read_text(encoding="utf-8"))["bundle"])
                if not os.path.exists(bundle):
                    gone.append((entry, bundle))
                    continue
                used.update(read_data(bundle, "")["blobs"])
            except (ValueError, KeyError, TypeError, BundleDamaged) as error:
                raise IntegrityError(
                    f"{entry}: it is not known what this bundle needs: {error}",
                    "compile the bundle again, or remove this file if the bundle is not wanted any more",
                ) from error
        return used, gone

    def _blobs(self) -> list[Path]:
        found = (self.directory / "blobs").glob("[0-9a-f][0-9a-f]/*")
        return sorted(path for path in found if len(path.name) == 64 and HEX_DIGITS.issuperset(path.name))


@dataclass(frozen=True, slots=True)
class Collected:
    """What ``nbdag store gc`` removed: digests and bytes, how many blobs stay, and bundles that no longer exist."""

    removed: tuple[str, ...]
    freed: int
    kept: int
    gone: tuple[str, ...]


def _link_or_copy(path: str, offset: int, size: int, target: str) -> None:
    """The content of a piece at ``target``, which exists and is empty: as a link, or as a copy."""
    if offset == 0 and os.path.getsize(path) == size:
        linked = target + ".link"
        try:
            os.link(path, linked)
        except OSError:
            pass
        else:
            os.replace(linked, target)
            return
    copy_piece(path, offset, size, target)


def copy_piece(path: str, offset: int, size: int, target: str) -> None:
    """Copy a piece of a file; raises OSError, also where there is less of it."""
    with open(path, "rb") as source, open(target, "wb") as output:
        source.seek(offset)
        if offset == 0 and os.fstat(source.fileno()).st_size == size:
            shutil.copyfileobj(source, output, 1 << 20)
        else:
            left = size
            while left:
                piece = source.read(min(left, 1 << 20))
                if not piece:
                    raise OSError(5, "is shorter than it was", path)
                output.write(piece)
                left -= len(piece)


def _lock(descriptor: int, exclusive: bool) -> bool:
    """Take the lock; an exclusive one only where nobody has it. True where the system has no such locks."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
