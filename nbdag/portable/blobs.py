"""Writing what lies beside the index: blobs named by their content, and pickles that are too large to stand in it."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
import threading
from typing import Any, Dict, List

BLOB_PIECE = 4 * 1024 * 1024  # bytes written at once


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

    def __init__(self, directory: str, limit: int) -> None:
        self._directory = directory
        self._limit = limit
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
        self._file.write(piece)

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


def write_blob(directory: str, memory: memoryview, limit: int) -> Dict[str, Any]:
    """Write one region; below ``limit`` bytes it is returned inline. Hashes and writes at the same time."""
    if memory.nbytes < limit:
        return {"inline": base64.b64encode(memory).decode("ascii")}
    hashed: List[str] = []
    hashing = threading.Thread(target=lambda: hashed.append(hashlib.sha256(memory).hexdigest()))
    file = new_blob_file(directory)
    try:
        with file:
            hashing.start()
            for start in range(0, memory.nbytes, BLOB_PIECE):
                file.write(memory[start : start + BLOB_PIECE])
        hashing.join()
        os.replace(file.name, blob_path(directory, hashed[0]))
    except BaseException:
        if hashing.ident is not None:
            hashing.join()  # it reads the session's memory
        if os.path.exists(file.name):
            os.unlink(file.name)
        raise
    return {"blob": hashed[0], "size": memory.nbytes}


def blob_path(directory: str, digest: str) -> str:
    """Where the blob with this sha256 lies."""
    return os.path.join(directory, "blobs", digest)


def new_blob_file(directory: str) -> Any:
    """A new unbuffered file beside the blobs, to be renamed when its digest is known."""
    folder = os.path.join(directory, "blobs")
    os.makedirs(folder, exist_ok=True)
    return tempfile.NamedTemporaryFile(dir=folder, prefix="tmp-", buffering=0, delete=False)
