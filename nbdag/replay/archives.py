"""A bundle as one file: ``bundle.pyz``, a zip that Python runs, out of which large memory is mapped.

Nothing in it is packed by zip, and every entry begins at a multiple of 64: so it can be mapped where it lies. The order
of the entries and all their fields are fixed: the same bundle gives the same file.

Above 4 GiB a zip needs its 64-bit form, which the import system of Python knows since 3.13 only (``zipfile`` always
did). Such a file therefore ends in two directories, of which each reader finds its own::

    blobs ... data.msgpack ... __main__.py | short directory | full directory | 64-bit end | end
                                             __main__.py       everything       of the full  of the short one

The end of the short one counts its offsets from the beginning of ``__main__.py``, as if all before were not of the zip.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ALIGNMENT = 64
"""What NumPy and Arrow want memory to begin at; a cache line."""

PADDING = 0xD935
"""The kind of extra field that aligns an entry (the number that Android's zipalign uses for the same)."""

MOST_IN_32_BITS, MOST_ENTRIES = 0xFFFFFFFF, 0xFFFF

PIECE = 4 << 20

SCRIPT = "__main__.py"
NEW_YEAR_1980 = 0x21  # the first day that a zip can say: no time of ours is in it
CREATED_ON_UNIX = 3 << 8


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file in the archive: where its local header is, and what stands in it."""

    name: bytes
    offset: int
    size: int
    crc: int
    mode: int


def pack_archive(
    bundle: Path,
    file: Path,
    advance: Callable[[int], None] = lambda count: None,
    *,
    limit: int = MOST_IN_32_BITS,
) -> None:
    """Write the bundle in the directory ``bundle`` into ``file``, durably. Raises OSError.

    ``advance`` is told how many bytes were written, again and again. ``limit`` is the size from which on the 64-bit
    form is taken.
    """
    script = bundle / SCRIPT
    paths = sorted(path for path in bundle.rglob("*") if path.is_file() and path != script)
    with file.open("wb") as output:
        output.write(b"#!/usr/bin/env python3\n")
        entries = [_add(output, path, path.relative_to(bundle).as_posix(), limit, advance) for path in [*paths, script]]
        if output.tell() < limit and len(entries) < MOST_ENTRIES:
            _end(output, entries)
        else:
            _end_twice(output, entries, limit)
        output.flush()
        os.fsync(output.fileno())


def _add(output: IO[bytes], path: Path, name: str, limit: int, advance: Callable[[int], None]) -> _Entry:
    offset = output.tell()
    size = path.stat().st_size
    mode = 0o755 if name == SCRIPT else 0o644
    entry = _Entry(name.encode("utf-8"), offset, size, 0, mode)
    output.write(_local_header(entry, limit))
    crc = 0
    left = size
    with path.open("rb", buffering=0) as source:
        while left:
            piece = source.read(min(left, PIECE))
            if not piece:
                raise OSError(5, "became shorter while it was copied", str(path))
            output.write(piece)
            crc = zlib.crc32(piece, crc)
            left -= len(piece)
            advance(len(piece))
    end = output.tell()
    entry = _Entry(entry.name, offset, size, crc, mode)
    output.seek(offset)
    output.write(_local_header(entry, limit))
    output.seek(end)
    return entry


def _local_header(entry: _Entry, limit: int) -> bytes:
    """What stands before the content; it ends at a multiple of ``ALIGNMENT``."""
    large = entry.size >= limit
    extra = struct.pack("<HHQQ", 1, 16, entry.size, entry.size) if large else b""
    extra += _padding(-(entry.offset + 30 + len(entry.name) + len(extra)) % ALIGNMENT)
    size = MOST_IN_32_BITS if large else entry.size
    fixed = struct.pack(
        "<4s5H3I2H",
        b"PK\x03\x04",
        45 if large else 20,
        _flags(entry.name),
        0,
        0,
        NEW_YEAR_1980,
        entry.crc,
        size,
        size,
        len(entry.name),
        len(extra),
    )
    return fixed + entry.name + extra


def _padding(count: int) -> bytes:
    """An extra field that takes ``count`` bytes, or a whole alignment more."""
    if count == 0:
        return b""
    if count < 4:  # its kind and its length alone take four
        count += ALIGNMENT
    return struct.pack("<HH", PADDING, count - 4) + bytes(count - 4)


def _directory_entry(entry: _Entry, limit: int, origin: int = 0) -> bytes:
    """An entry of a directory. There is no padding in it: Python 3.13 takes all extra fields for one of 64 bits."""
    large, far = entry.size >= limit, entry.offset - origin >= limit
    values = [entry.size, entry.size] * large + [entry.offset - origin] * far
    extra = struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""
    size = MOST_IN_32_BITS if large else entry.size
    fixed = struct.pack(
        "<4s6H3I5H2I",
        b"PK\x01\x02",
        CREATED_ON_UNIX | 45,
        45 if values else 20,
        _flags(entry.name),
        0,
        0,
        NEW_YEAR_1980,
        entry.crc,
        size,
        size,
        len(entry.name),
        len(extra),
        0,
        0,
        0,
        entry.mode << 16,
        MOST_IN_32_BITS if far else entry.offset - origin,
    )
    return fixed + entry.name + extra


def _flags(name: bytes) -> int:
    return 0 if name.isascii() else 0x800  # the name is UTF-8


def _end(output: IO[bytes], entries: list[_Entry]) -> None:
    """The directory as every reader of zip files knows it."""
    begin = output.tell()
    for entry in entries:
        output.write(_directory_entry(entry, MOST_IN_32_BITS))
    output.write(_end_record(len(entries), output.tell() - begin, begin))


def _end_twice(output: IO[bytes], entries: list[_Entry], limit: int) -> None:
    """The two directories of a large archive; the script is the last of ``entries``."""
    script = entries[-1]
    short = output.tell()
    output.write(_directory_entry(script, MOST_IN_32_BITS, origin=script.offset))
    output.write(bytes(4))  # who reads the short one ends here
    full = output.tell()
    for entry in entries:
        output.write(_directory_entry(entry, limit))
    end = output.tell()
    counts = (len(entries), len(entries), end - full, full)
    output.write(struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, CREATED_ON_UNIX | 45, 45, 0, 0, *counts))
    output.write(struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1))
    output.write(_end_record(1, output.tell() - short, short - script.offset))


def _end_record(count: int, size: int, offset: int) -> bytes:
    return struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, size, offset, 0)
