"""Blobs are written whole or not at all, not again if they are known, and without a copy of what they hold."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbdag.portable import blobs
from nbdag.portable.blobs import HeadSink, SinkFailed, Writing, write_all
from nbdag.portable.codecs import arrays
from nbdag.portable.codecs.arrays import Gathered
from nbdag.portable.extents import BufferExtent, Region, address_of

LIMIT = 64 * 1024


def region_of(memory: bytearray) -> Region:
    extent = BufferExtent(address_of(memory), len(memory), memory)
    return Region(extent.address, extent.length, [(0, extent)])


def files(directory: Path) -> list[str]:
    folder = directory / "blobs"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_regions_are_named_by_their_content_and_small_ones_come_back(tmp_path: Path) -> None:
    large = [bytearray(os.urandom(300_000)) for _ in range(7)]
    writing = Writing(str(tmp_path), LIMIT, progress=str(tmp_path / "done"))
    parts = writing.regions([region_of(bytearray(b"small")), *map(region_of, large)])
    writing.close()
    assert parts[0] == {"inline": "c21hbGw="}
    for memory, part in zip(large, parts[1:], strict=True):
        assert part == {"blob": hashlib.sha256(memory).hexdigest(), "size": 300_000}
        assert (tmp_path / "blobs" / part["blob"]).read_bytes() == memory
    assert int((tmp_path / "done").read_bytes()) == 7 * 300_000


def test_what_is_known_is_hashed_and_not_written(tmp_path: Path) -> None:
    known, same_size, other = bytearray(b"k" * 100_000), bytearray(b"s" * 100_000), bytearray(b"o" * 200_000)
    writing = Writing(str(tmp_path), LIMIT, {hashlib.sha256(known).hexdigest(): 100_000})
    parts = writing.regions([region_of(known), region_of(same_size), region_of(other)])
    assert [part["blob"] for part in parts] == [hashlib.sha256(each).hexdigest() for each in (known, same_size, other)]
    assert files(tmp_path) == sorted(part["blob"] for part in parts[1:])


class ShortFile:
    """A file on a disk that is nearly full: a call takes some bytes, and the next one none."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken = b""

    def write(self, piece: Any) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = bytes(piece[: self.room])
        self.room -= len(taken)
        self.taken += taken
        return len(taken)


def test_a_call_that_takes_fewer_bytes_is_no_end() -> None:
    file = ShortFile(10)
    write_all(file, b"0123456789")
    assert file.taken == b"0123456789"
    with pytest.raises(OSError, match="No space"):
        write_all(ShortFile(9), b"0123456789")


@pytest.mark.parametrize("fails_at", range(4))
def test_a_disk_that_refuses_leaves_no_blob_behind(
    tmp_path: Path, fails_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0

    def refuse(file: Any, piece: Any) -> None:
        nonlocal count
        count += 1
        if count > fails_at:
            raise OSError(28, "No space left on device")
        write_all(file, piece)

    monkeypatch.setattr(blobs, "write_all", refuse)
    regions = [region_of(bytearray(os.urandom(100_000))) for _ in range(6)]
    with pytest.raises(OSError, match="No space"):
        Writing(str(tmp_path), LIMIT).regions(regions)
    assert not [name for name in files(tmp_path) if name.startswith("tmp-")] and len(files(tmp_path)) <= fails_at
    sink = HeadSink(str(tmp_path), 10)
    with pytest.raises(SinkFailed):
        sink.write(b"x" * 100)
    sink.discard()
    assert not [name for name in files(tmp_path) if name.startswith("tmp-")]


@pytest.mark.parametrize("shape", [(1000,), (30, 40), (3, 5, 70), (1, 1, 400), (7, 1, 9)])
@pytest.mark.parametrize("at_once", [1, 64, 1000, 10**6])
def test_a_sparse_view_is_gathered_piece_by_piece(
    shape: tuple[int, ...], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = np.arange(int(np.prod(shape)) * 8).reshape(*shape, 8)
    monkeypatch.setattr(arrays, "GATHERED_AT_ONCE", at_once)
    for view in (base[..., 3], base[..., ::4], base[::-1, ..., 1], base.T[2]):
        gathered = Gathered(view)
        assert b"".join(bytes(piece) for piece in gathered.pieces()) == view.tobytes() == bytes(gathered())
        assert all(piece.nbytes <= max(at_once, 8) for piece in gathered.pieces())


def test_a_gathered_region_is_written_without_the_whole_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "GATHERED_AT_ONCE", 10_000)
    monkeypatch.setattr(Gathered, "__call__", lambda self: pytest.fail("all at once"))
    view = np.arange(200_000).reshape(50_000, 4)[:, 1]
    extent = BufferExtent(view.__array_interface__["data"][0], view.nbytes * 4 - 24, view, gather=Gathered(view))
    part = Writing(str(tmp_path), LIMIT).regions([Region(extent.address, extent.length, [(0, extent)])])[0]
    assert part == {"blob": hashlib.sha256(view.tobytes()).hexdigest(), "size": view.nbytes}
    assert (tmp_path / "blobs" / part["blob"]).read_bytes() == view.tobytes()
