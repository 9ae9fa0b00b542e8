"""Writing what lies beside the index: blobs named by their content, and pickles that are too large to stand in it."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Sequence

BLOB_PIECE = 4 * 1024 * 1024  # bytes written at once
BLOBS_AT_ONCE = max(1, min(4, (os.cpu_count() or 2) // 2))  # each takes two threads: one hashes, one writes
SYNCED_AT_ONCE = 8 * 1024 * 1024  # bytes of a blob: small ones wait for the disk later, all together
SAID_EVERY = 0.1  # seconds between two notes of how far it is


class SinkFailed(Exception):
    """The disk refused while a pickle was written: told apart from an OSError that a value raised."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


# The BINFLOAT opcode with the bits of float("nan") and of inf - inf.
NOT_A_NUMBER = (b"G\x7f\xf8" + bytes(6), b"G\xff\xf8" + bytes(6))


def holds_nan(piece: Any) -> bool:
    """Whether a piece of a pickle has a NaN in it; true of some other pieces, too."""
    return type(piece) is bytes and any(opcode in piece for opcode in NOT_A_NUMBER)


class CountingSink:
    """Takes a pickle and keeps only its size, and whether there is a NaN in it."""

    def __init__(self) -> None:
        self.size = 0
        self.nan = False

    def write(self, piece: Any) -> int:
        """Count."""
        size = piece.nbytes if isinstance(piece, memoryview) else len(piece)
        self.size += size
        self.nan = self.nan or holds_nan(piece)
        return size

    def discard(self) -> None:
        """Nothing to forget."""


class HeadSink:
    """Takes a pickle; up to ``limit`` bytes stay in memory, more go to a file that becomes a blob."""

    def __init__(self, directory: str, limit: int, advance: Callable[[int], None] = lambda count: None) -> None:
        self._directory = directory
        self._limit = limit
        self._advance = advance
        self._pieces: List[bytes] = []
        self._file: Any = None
        self._digest = hashlib.sha256()
        self.size = 0
        self.nan = False

    def write(self, piece: Any) -> int:
        """One frame of the pickle, or one large string or bytes object of the session itself (not copied)."""
        size = piece.nbytes if isinstance(piece, memoryview) else len(piece)
        self.size += size
        self.nan = self.nan or holds_nan(piece)
        if self._file is None and self.size <= self._limit:
            self._pieces.append(bytes(piece))
            return size
        try:
            if self._file is None:
                self._file = new_blob_file(self._directory)
                self._put(b"".join(self._pieces))
                self._pieces = []
            self._put(piece)
        except OSError as error:
            raise SinkFailed(error) from error
        return size

    def _put(self, piece: Any) -> None:
        self._digest.update(piece)
        write_all(self._file, piece)
        self._advance(piece.nbytes if isinstance(piece, memoryview) else len(piece))

    def finish(self) -> Dict[str, Any]:
        """``{"inline": base64}`` or ``{"blob": sha256, "size": bytes}``."""
        if self._file is None:
            return {"inline": base64.b64encode(b"".join(self._pieces)).decode("ascii")}
        self._file.close()
        digest = self._digest.hexdigest()
        os.replace(self._file.name, blob_path(self._directory, digest))
        return {"blob": digest, "size": self.size}

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._file is not None:
            self._file.close()
            os.unlink(self._file.name)
            self._file = None


class Writing:
    """Where blobs are written, what need not be, and how far it is.

    ``known`` are sizes by sha256 of contents that are there already. ``progress`` is a file that others poll: the bytes
    done so far, in 20 digits. One object serves all groups of a bundle.
    """

    def __init__(self, directory: str, limit: int, known: Optional[Dict[str, int]] = None, progress: str = "") -> None:
        self.directory = directory
        self.limit = limit
        self.known = known or {}
        self._known_sizes = frozenset(self.known.values())
        self._done = 0
        self._said = 0.0
        self._lock = threading.Lock()
        self._progress: Any = open(progress, "wb", buffering=0) if progress else None  # noqa: SIM115

    def close(self) -> None:
        """Say how far it came."""
        if self._progress is not None:
            self._say()
            self._progress.close()

    def advance(self, count: int) -> None:
        """So many bytes are done; from any thread."""
        if self._progress is None:
            return
        with self._lock:
            self._done += count
            if time.monotonic() - self._said > SAID_EVERY:
                self._said = time.monotonic()
                self._say()

    def _say(self) -> None:
        try:
            self._progress.seek(0)
            self._progress.write(b"%020d" % self._done)
        except OSError:
            pass  # a full disk is told where it matters

    def regions(self, regions: Sequence[Any]) -> List[Dict[str, Any]]:
        """Write regions; those below ``limit`` bytes are returned inline. Large ones are hashed and written by several
        threads; files are opened and named by this one, which alone the recorder does not listen to."""
        parts: List[Dict[str, Any]] = []
        pending: Deque[_Blob] = deque()
        begun: List[_Blob] = []
        try:
            for region in regions:
                if region.size() < self.limit:
                    parts.append({"inline": base64.b64encode(region.memory()).decode("ascii")})
                    continue
                if len(pending) >= BLOBS_AT_ONCE:
                    pending.popleft().finish()
                blob = _Blob(self, region)
                begun.append(blob)
                pending.append(blob)
                parts.append(blob.part)
            while pending:
                pending.popleft().finish()
        except BaseException:
            for blob in begun:
                blob.give_up()
            raise
        return parts


class _Blob:
    """One region on its way to the disk. Content of a size that is known is hashed first: mostly it is not new."""

    def __init__(self, writing: Writing, region: Any) -> None:
        self.part: Dict[str, Any] = {}
        self._writing = writing
        self._region = region
        self._size = region.size()
        self._digest = ""
        self._stopped = False
        self._errors: List[BaseException] = []
        self._file: Any = None
        self._threads: List[threading.Thread] = []
        self._hashes_first = self._size in writing._known_sizes
        if self._hashes_first:
            self._begin(self._hash)
        else:
            self._file = new_blob_file(writing.directory)
            self._begin(self._write_alone if region.is_gathered() else self._hash)
            if not region.is_gathered():
                self._begin(self._write)

    def finish(self) -> None:
        """Wait, and give the file its name; raises what went wrong."""
        self._wait()
        if self._hashes_first and self._digest not in self._writing.known:
            self._file = new_blob_file(self._writing.directory)
            self._begin(self._write)
            self._wait()
        elif self._hashes_first:
            self._writing.advance(self._size)
        if self._file is not None:
            self._file.close()
            os.replace(self._file.name, blob_path(self._writing.directory, self._digest))
            self._file = None
        self.part.update(blob=self._digest, size=self._size)

    def give_up(self) -> None:
        """Stop reading the session's memory, and leave nothing behind."""
        self._stopped = True
        for thread in self._threads:
            thread.join()
        if self._file is not None:
            self._file.close()
            if os.path.exists(self._file.name):
                os.unlink(self._file.name)
            self._file = None

    def _begin(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                self._errors.append(error)
                self._stopped = True

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _wait(self) -> None:
        for thread in self._threads:
            thread.join()
        self._threads = []
        if self._errors:
            raise self._errors[0]

    def _hash(self) -> None:
        found = hashlib.sha256()
        for piece in self._pieces():
            found.update(piece)
        self._digest = found.hexdigest()

    def _write(self) -> None:
        for piece in self._pieces():
            write_all(self._file, piece)
            self._writing.advance(piece.nbytes)
        if self._size >= SYNCED_AT_ONCE and not self._stopped:
            os.fsync(self._file.fileno())  # the disk works while this blob and the next are hashed

    def _write_alone(self) -> None:
        """Hash and write what is made piece by piece: making it twice would cost more."""
        found = hashlib.sha256()
        for piece in self._pieces():
            found.update(piece)
            write_all(self._file, piece)
            self._writing.advance(piece.nbytes)
        self._digest = found.hexdigest()

    def _pieces(self) -> Iterator[memoryview]:
        for memory in self._region.pieces():
            for start in range(0, memory.nbytes, BLOB_PIECE):
                if self._stopped:
                    return
                yield memory[start : start + BLOB_PIECE]


def write_all(file: Any, piece: Any) -> None:
    """Write every byte to an unbuffered file: one call may take fewer, as the last one before a disk is full does."""
    view = memoryview(piece).cast("B")
    while len(view):
        view = view[file.write(view) :]


def blob_path(directory: str, digest: str) -> str:
    """Where the blob with this sha256 lies."""
    return os.path.join(directory, "blobs", digest)


def new_blob_file(directory: str) -> Any:
    """A new unbuffered file beside the blobs, to be renamed when its digest is known."""
    folder = os.path.join(directory, "blobs")
    os.makedirs(folder, exist_ok=True)
    return tempfile.NamedTemporaryFile(dir=folder, prefix="tmp-", buffering=0, delete=False)
