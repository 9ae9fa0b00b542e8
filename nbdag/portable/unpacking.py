"""Reads packed blobs: zlib everywhere, zstd where Python or a library has it.

A packed blob is one stream after another, each for a few megabytes of the content. Nothing is trusted: no more than the
size that data.msgpack gives is ever unpacked, and less or more than that is an error.
"""

from __future__ import annotations

import io
import sys
from typing import Any, Dict, List, Optional

UNPACKED_AT_ONCE = 1 << 20  # bytes read and unpacked in one go

ZSTD_MODULES = ("compression.zstd", "backports.zstd", "zstandard")  # the standard library's first: Python 3.14


class PackedBlobDamaged(Exception):
    """What was packed is not what data.msgpack says."""


class UnpackingReader(io.RawIOBase):
    """The ``size`` bytes that ``stored`` bytes of an open file unpack to, from where it stands."""

    def __init__(self, file: Any, stored: int, size: int, codec: str) -> None:
        super().__init__()
        library = unpacker_of(codec)
        if library is None:
            raise PackedBlobDamaged("nothing here unpacks %s" % codec)
        self._file = file
        self._left = size
        bounded = _Bounded(file, stored)
        if codec == "zstd" and not hasattr(library, "ZstdFile"):
            self._streams = library.ZstdDecompressor().stream_reader(bounded, read_across_frames=True)
        else:
            self._streams = _Streams(library.decompressobj if codec == "zlib" else library.ZstdDecompressor, bounded)

    def readable(self) -> bool:
        """Yes."""
        return True

    def close(self) -> None:
        """Close the file as well."""
        self._file.close()
        super().close()

    def readinto(self, target: Any) -> int:
        """Unpack into ``target``; 0 at the end, which is where it has to be."""
        view = memoryview(target).cast("B")
        if not len(view):
            return 0
        try:
            piece = self._streams.read(min(len(view), UNPACKED_AT_ONCE))
        except (ValueError, OSError, PackedBlobDamaged):
            raise
        except Exception as error:  # zlib.error, ZstdError: each library has its own
            raise PackedBlobDamaged("a packed blob is damaged: %s" % error) from None
        if len(piece) > self._left:
            raise PackedBlobDamaged("a packed blob holds more than it should")
        if not piece and self._left:
            raise PackedBlobDamaged("a packed blob ends too early")
        view[: len(piece)] = piece
        self._left -= len(piece)
        return len(piece)

    def fill(self, view: Any) -> None:
        """Unpack all of it into ``view``, which has its size, and see that nothing follows."""
        done = 0
        while done < len(view):
            done += self.readinto(view[done:])
        if self.readinto(memoryview(bytearray(1))):
            raise PackedBlobDamaged("a packed blob holds more than it should")


class _Bounded:
    """The next ``left`` bytes of a file."""

    def __init__(self, file: Any, left: int) -> None:
        self._file = file
        self.left = left

    def read(self, size: int) -> bytes:
        """At most ``size`` of them."""
        piece: bytes = self._file.read(min(size, self.left))
        if not piece and self.left:
            raise PackedBlobDamaged("a packed blob is truncated")
        self.left -= len(piece)
        return piece


class _Streams:
    """What streams that stand one after another unpack to.

    zlib gives back what a call had no room for (``unconsumed_tail``), zstd keeps it; both may hold output back.
    """

    def __init__(self, new: Any, file: _Bounded) -> None:
        self._new = new
        self._stream = new()
        self._file = file
        self._pending = b""

    def read(self, most: int) -> bytes:
        """At most ``most`` bytes; none at the end."""
        while True:
            if self._stream.eof:
                self._pending = self._stream.unused_data
                if not self._pending and not self._file.left:
                    return b""
                self._stream = self._new()
            if not self._pending and getattr(self._stream, "needs_input", True):
                self._pending = self._file.read(UNPACKED_AT_ONCE) if self._file.left else b""
            ended = not self._pending and not self._file.left
            piece: bytes = self._stream.decompress(self._pending, most)
            self._pending = getattr(self._stream, "unconsumed_tail", b"")
            if piece:
                return piece
            if ended and not self._stream.eof:
                raise PackedBlobDamaged("a packed blob ends in the middle of a stream")


def unpacker_of(codec: str) -> Optional[Any]:
    """The module that unpacks ``codec``; None where nothing here does."""
    from importlib import import_module

    for name in {"zlib": ("zlib",), "zstd": ZSTD_MODULES}.get(codec, ()):
        try:
            return import_module(name)
        except ImportError:
            pass
    return None


def packing_problems(data: Dict[str, Any]) -> List[str]:
    """What must be installed to unpack the blobs of a bundle, in words; each codec once."""
    codecs = set()
    for group in data["groups"]:
        for part in [group["head"], *group["regions"]]:
            if isinstance(part, dict) and "codec" in part:
                codecs.add(part["codec"])
    problems = []
    for codec in sorted(codecs):
        if unpacker_of(codec) is None:
            if codec == "zstd":
                library = "zstandard" if sys.version_info < (3, 9) else "backports.zstd"
                problems.append("the blobs are packed by zstd: Python 3.14 unpacks them, or: pip install " + library)
            else:
                problems.append("this Python cannot unpack %s" % codec)
    return problems
