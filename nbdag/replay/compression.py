"""Packing blobs where it pays: what the link saves against what packing and unpacking take.

A packed blob cannot be mapped: it is unpacked whenever the bundle is restored, whether or not anybody looks at it. So
it has to earn that on the way, in the seconds of the cost model (``cost.py``), ``a`` being its alpha::

    as it is       (a + 1) * size / bandwidth
    packed         (a + 1) * size * ratio / bandwidth  +  a * size / packing speed  +  size / unpacking speed

Ratio and speeds are taken from a sample, the speeds to the nearest power of two: the same session must give the same
bytes. A packed blob is one zlib stream (or zstd frame) after another, each of ``PIECE`` bytes of the content, so that
several processors pack one blob.

What is little, pickles mostly, is not weighed by that: up to ``LITTLE`` bytes, and ``LITTLE_IN_ALL`` of a bundle,
unpack in less time than a restoration takes to start, and most bundles are made of nothing else. It is packed where it
shrinks to ``CLEARLY`` of its size, whatever the link: where a bundle goes later, nobody knows when it is written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import time
import zlib
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdag.errors import EnvironmentRefused
from nbdag.portable.places import Piece
from nbdag.portable.unpacking import ZSTD_MODULES, unpacker_of
from nbdag.replay.cost import ALPHA, round_bandwidth

CODECS = ("auto", "none", "zlib", "zstd")

PIECE = 4 << 20
"""Bytes of the content in one stream: long enough to lose nothing, short enough to share among threads."""

SLICE, MOST_SLICES = 64 << 10, 8
"""A sample is so many slices of so many bytes, evenly spaced."""

SPARED = 0.95
"""A blob that shrinks by less than five percent stays as it is: mapped memory is worth more."""

LITTLE, LITTLE_IN_ALL, CLEARLY = 1 << 20, 8 << 20, 0.7
"""Bytes of one blob, and of all in a bundle, that are packed without a question of time, if so much of them remains at
most."""

MARGIN = 0.8
"""Packing must cost less than this part of what it saves: a decision must not turn with the noise of a measurement."""

FASTEST_PACKING, FASTEST_UNPACKING = 500e6, 1.5e9
"""Bytes per second of one thread that nothing exceeds: where even this does not pay, nothing is sampled."""

USUAL_SPEEDS = (100e6, 400e6)
"""Bytes per second of packing and unpacking by zlib at level 1 (measured: 37 to 195, and 156 to 720, by content)."""

FIND = """
import sys
def find(name):
    try:
        __import__(name)
        sys.exit(0)
    except ImportError:
        pass
"""
"""How a program asks whether one of several modules is there."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Which blobs are packed, and by what: ``codec`` is one of ``CODECS``; ``auto`` packs by zlib where it pays."""

    codec: str = "none"
    bandwidth: float = 500e6
    objective: str = "migrate"

    @property
    def format(self) -> str:
        """The codec that is used where one is."""
        return "zlib" if self.codec == "auto" else self.codec

    @property
    def level(self) -> int:
        """How hard to try: the time is only spent where bytes are what counts."""
        thorough = self.objective == "size" or self.codec != "auto"
        return (6 if thorough else 1) if self.format == "zlib" else (9 if thorough else 3)

    def may_pay(self) -> bool:
        """Whether any blob could be worth packing."""
        return self.codec != "none" and self.pays(Sample(0.0, FASTEST_PACKING, FASTEST_UNPACKING))

    def pays(self, sample: Sample, margin: float = MARGIN) -> bool:
        """Whether to pack a blob like ``sample``."""
        if self.codec == "none" or sample.ratio > SPARED:
            return False
        if self.codec != "auto" or self.objective == "size":
            return True
        alpha = ALPHA[self.objective]
        saved = (alpha + 1) * (1 - sample.ratio) / self.bandwidth
        taken = alpha / (sample.packing * _threads()) + 1 / sample.unpacking
        return taken < margin * saved

    def little(self, data: bytes) -> bytes | None:
        """``data`` packed, where it is little and clearly shrinks."""
        if self.codec == "none" or not 0 < len(data) <= LITTLE_IN_ALL:
            return None
        packed = zlib.compress(data, 6 if len(data) <= LITTLE else 1)
        return packed if len(packed) <= CLEARLY * len(data) else None

    def keeps(self, ratio: float, size: int) -> bool:
        """Whether a blob that an earlier bundle has packed from ``size`` bytes to this part of them stays so: by usual
        speeds, and on the side of leaving things as they are."""
        if self.codec == "auto" and size <= LITTLE and ratio <= CLEARLY:
            return True
        return self.pays(Sample(ratio, *USUAL_SPEEDS), margin=1.0)

    def check(self) -> None:
        """Raise EnvironmentRefused where nothing here packs what was asked for."""
        if self.format == "zstd" and unpacker_of("zstd") is None:
            raise EnvironmentRefused(
                "--compression zstd: this Python has no zstd", "pip install 'nbdag[zstd]', or use --compression zlib"
            )

    def check_reader(self, executable: str) -> None:
        """Raise EnvironmentRefused where the interpreter that is to prove the bundle could not unpack it."""
        if self.format != "zstd":
            return
        tried = "; ".join(f"find({name!r})" for name in ZSTD_MODULES)
        done = subprocess.run([executable or sys.executable, "-c", f"{FIND}{tried}; sys.exit(1)"], check=False)
        if done.returncode:
            raise EnvironmentRefused(
                f"--compression zstd: the kernel's Python ({executable}) has no zstd, so nobody could prove the bundle",
                "pip install backports.zstd there, use --compression zlib, or --no-verify",
            )


@dataclass(frozen=True, slots=True)
class Sample:
    """What packing does to a blob: bytes that remain of one, and bytes per second of one thread."""

    ratio: float
    packing: float
    unpacking: float


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed blob: by what, the sha256 and size of what is stored."""

    codec: str
    digest: str
    stored: int


def sample_of(piece_of_file: Piece, packing: Packing) -> Sample:
    """Pack a few slices of a blob."""
    path, offset, size = piece_of_file
    count = max(1, min(MOST_SLICES, size // (4 * SLICE)))
    pack, unpack = _functions(packing.format, packing.level)
    slices = []
    with open(path, "rb", buffering=0) as file:
        for number in range(count):
            file.seek(offset + ((size - SLICE) * number // max(count - 1, 1) if size > SLICE else 0))
            slices.append(file.read(min(size, SLICE)))
    begun = time.thread_time()
    packed = [pack(piece) for piece in slices]
    between = time.thread_time()
    for piece in packed:
        unpack(piece)
    ended = time.thread_time()
    total = sum(len(piece) for piece in slices)
    return Sample(
        sum(len(piece) for piece in packed) / max(total, 1),
        round_bandwidth(total / max(between - begun, 1e-6)),
        round_bandwidth(total / max(ended - between, 1e-6)),
    )


def pack_blobs(
    pieces: Mapping[str, Piece],
    packing: Packing,
    directory: Path,
    advance: Callable[[int], None] = lambda count: None,
    unpacked_before: Collection[str] = (),
    packed_before: int = 0,
) -> dict[str, Packed]:
    """Pack those of the blobs ``pieces`` (by the digest of their content) that it pays for into ``directory``.

    The packed ones are files there, named by the digest of what is stored. ``unpacked_before`` are contents that the
    bundle before has as they are: they stay so unless packing pays twice. Raises OSError.
    """
    found = _pack_little(pieces, packing, directory, LITTLE_IN_ALL - packed_before) if packing.codec == "auto" else {}
    if not packing.may_pay():
        return found
    with ThreadPoolExecutor(_threads(), "nbdag-pack") as pool:
        for digest, piece in sorted(pieces.items()):
            if digest in found:
                advance(piece[2])
                continue
            margin = MARGIN / 2 if digest in unpacked_before else MARGIN
            if packing.pays(sample_of(piece, packing), margin):
                packed = _pack(piece, packing, directory, pool)
                if packed is not None:
                    found[digest] = packed
            advance(piece[2])
    return found


def _pack_little(pieces: Mapping[str, Piece], packing: Packing, directory: Path, left: int) -> dict[str, Packed]:
    """The little blobs that clearly shrink, the smallest first, as long as they have no more than ``left`` bytes."""
    found = {}
    for size, digest in sorted((piece[2], digest) for digest, piece in pieces.items() if piece[2] <= LITTLE):
        if size > left:
            break
        path, offset, _ = pieces[digest]
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            packed = packing.little(_exactly(file, size))
        if packed is not None:
            left -= size
            name = hashlib.sha256(packed).hexdigest()
            (directory / name).write_bytes(packed)
            found[digest] = Packed(packing.format, name, len(packed))
    return found


def _pack(blob: Piece, packing: Packing, directory: Path, pool: ThreadPoolExecutor) -> Packed | None:
    """One blob packed, None where it did not shrink after all. Memory: two pieces for each thread."""
    path, offset, size = blob
    pack, _ = _functions(packing.format, packing.level)
    hasher, stored, left = hashlib.sha256(), 0, size
    unfinished = directory / f"packing-{os.getpid()}"
    try:
        with open(path, "rb", buffering=0) as source, unfinished.open("wb") as target:
            source.seek(offset)
            pending: deque[Future[bytes]] = deque()
            while (left or pending) and stored <= size:
                if left and len(pending) < 2 * _threads():
                    piece = _exactly(source, min(left, PIECE))
                    left -= len(piece)
                    pending.append(pool.submit(pack, piece))
                    continue
                packed = pending.popleft().result()
                hasher.update(packed)
                target.write(packed)
                stored += len(packed)
        if stored > SPARED * size:
            return None
        digest = hasher.hexdigest()
        os.replace(unfinished, directory / digest)
        return Packed(packing.format, digest, stored)
    finally:
        unfinished.unlink(missing_ok=True)


def _exactly(source: Any, size: int) -> bytes:
    """So many bytes: a read may give less, and where a stream ends must not depend on that."""
    piece: bytes = source.read(size)
    while len(piece) < size:
        more = source.read(size - len(piece))
        if not more:
            raise OSError(errno.EIO, "a blob became shorter while it was packed", source.name)
        piece += more
    return piece


def _functions(codec: str, level: int) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
    """(pack, unpack) of one piece."""
    if codec == "zlib":
        return lambda piece: zlib.compress(piece, level), zlib.decompress
    library: Any = unpacker_of("zstd")
    if hasattr(library, "ZstdFile"):
        return lambda piece: library.compress(piece, level), library.decompress
    # One compressor for each call: they are not for several threads at once.
    return (
        lambda piece: library.ZstdCompressor(level=level).compress(piece),
        lambda piece: library.ZstdDecompressor().decompress(piece),
    )


def _threads() -> int:
    """How many pieces are packed at once."""
    return max(1, min(8, os.cpu_count() or 1))
