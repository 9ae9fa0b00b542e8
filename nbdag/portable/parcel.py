"""What goes from one side of a migrated cell to the other: a manifest and the blobs that the other side lacks.

    b"NBDAGPA1" | length of the header, 8 bytes little-endian | header, JSON | blobs, one after another

The header is ``{"manifest": ..., "blobs": [[sha256, size, coding, length], ...]}``; ``coding`` is "raw" or "zlib". A
parcel travels in parts of a few megabytes, each of which can be sent again without harm. Nothing of it is used before
its digest and that of every blob were found right.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import time
import zlib
from typing import Any, Callable, Dict, Iterable, Iterator, List, Sequence

from nbdag.portable.blobs import blob_path, new_blob_file

PARCEL_MAGIC = b"NBDAGPA1"
PARCEL_LENGTH = struct.Struct("<Q")
PACKING_SPEED = 60e6  # bytes per second that zlib packs at its quickest: an ordinary core
SAMPLE_SIZE = 256 * 1024  # bytes of a blob that tell how far it can be packed
PIECE_SIZE = 1 << 20
PART_PATIENCE = 900.0  # seconds without a byte after which a part that was announced does not come any more


class ParcelDamaged(Exception):
    """What arrived is not what was sent."""


def is_worth_packing(sample: bytes, bandwidth: float) -> bool:
    """Whether packing and sending less takes less time than sending it as it is."""
    if not sample or bandwidth <= 0:
        return False
    ratio = len(zlib.compress(sample, 1)) / len(sample)
    return 1 / PACKING_SPEED + ratio / bandwidth < 1 / bandwidth


def blobs_of_groups(groups: Iterable[Dict[str, Any]]) -> Dict[str, int]:
    """The digests and sizes of the blobs that indices of ``write_group`` speak of."""
    found: Dict[str, int] = {}
    for group in groups:
        for part in [group["head"], *group["regions"]]:
            if "blob" in part:
                found[part["blob"]] = part["size"]
    return found


class ParcelWriter:
    """Writes a parcel in parts: ``put(number, bytes)`` is called for each in turn."""

    def __init__(self, put: Callable[[int, bytes], None], part_size: int) -> None:
        self._put = put
        self._part_size = part_size
        self._waiting = bytearray()
        self._digest = hashlib.sha256()
        self.parts = 0
        self.size = 0
        self.raw_size = 0

    def write(self, manifest: Dict[str, Any], directory: str, blobs: Sequence[str], bandwidth: float) -> Dict[str, Any]:
        """Send ``manifest`` and these blobs of ``directory``; returns ``{"parts", "size", "raw_size", "sha256"}``.

        Blobs are packed where that makes it quicker at ``bandwidth`` bytes per second (0: never).
        """
        table: List[Any] = []
        packed: Dict[str, bytes] = {}
        for digest in blobs:
            path = blob_path(directory, digest)
            size = os.path.getsize(path)
            with open(path, "rb") as file:
                if is_worth_packing(file.read(SAMPLE_SIZE), bandwidth):
                    file.seek(0)
                    packed[digest] = pack_stream(file)
            coding = "zlib" if digest in packed else "raw"
            table.append([digest, size, coding, len(packed[digest]) if digest in packed else size])
            self.raw_size += size
        header = json.dumps({"manifest": manifest, "blobs": table}).encode("ascii")
        if bandwidth > 0 and is_worth_packing(header[:SAMPLE_SIZE], bandwidth):
            self._add(b"Z" + PARCEL_MAGIC[1:])
            header = zlib.compress(header, 6)
        else:
            self._add(PARCEL_MAGIC)
        self._add(PARCEL_LENGTH.pack(len(header)))
        self._add(header)
        self.raw_size += len(header)
        for digest in blobs:
            if digest in packed:
                self._add(packed.pop(digest))
                continue
            with open(blob_path(directory, digest), "rb") as file:
                for piece in iter(lambda: file.read(PIECE_SIZE), b""):  # noqa: B023
                    self._add(piece)
        self._flush(last=True)
        return {
            "parts": self.parts,
            "size": self.size,
            "raw_size": self.raw_size,
            "sha256": self._digest.hexdigest(),
        }

    def _add(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._waiting += piece
        self.size += len(piece)
        if len(self._waiting) >= self._part_size:
            self._flush(last=False)

    def _flush(self, last: bool) -> None:
        while len(self._waiting) >= self._part_size or (last and self._waiting):
            part = bytes(self._waiting[: self._part_size])
            del self._waiting[: self._part_size]
            self._put(self.parts, part)
            self.parts += 1


def pack_stream(file: Any) -> bytes:
    """The packed content of a file."""
    packer = zlib.compressobj(1)
    pieces = [packer.compress(piece) for piece in iter(lambda: file.read(PIECE_SIZE), b"")]
    return b"".join([*pieces, packer.flush()])


def read_parcel(parts: Iterable[bytes], sha256: str, directory: str) -> Dict[str, Any]:
    """The manifest of a parcel; its blobs are in ``directory`` afterwards. Raises ParcelDamaged, OSError."""
    digest = hashlib.sha256()
    stream = PartStream(parts, digest)
    magic = stream.take(len(PARCEL_MAGIC))
    if magic[1:] != PARCEL_MAGIC[1:]:
        raise ParcelDamaged("it does not begin as a parcel does")
    (length,) = PARCEL_LENGTH.unpack(stream.take(PARCEL_LENGTH.size))
    written: List[str] = []
    try:
        header = stream.take(length)
        document = json.loads((zlib.decompress(header) if magic[:1] == b"Z" else header).decode("ascii"))
        for name, size, coding, stored in document["blobs"]:
            written.append(receive_blob(stream, str(name), int(size), coding == "zlib", int(stored), directory))
        stream.finish()
        if digest.hexdigest() != sha256:
            raise ParcelDamaged("its sha256 is another one")
    except (ValueError, KeyError, TypeError, zlib.error) as fault:
        for path in written:
            os.unlink(path)
        raise ParcelDamaged("it cannot be read: %s" % fault) from None
    except ParcelDamaged:
        for path in written:
            os.unlink(path)
        raise
    manifest: Dict[str, Any] = document["manifest"]
    return manifest


def receive_blob(stream: PartStream, name: str, size: int, packed: bool, stored: int, directory: str) -> str:
    """Write one blob of a parcel under its digest; its path."""
    hashed = hashlib.sha256()
    unpacker = zlib.decompressobj() if packed else None
    file = new_blob_file(directory)
    done = 0
    try:
        with file:
            for piece in stream.pieces(stored):
                plain = unpacker.decompress(piece) if unpacker is not None else piece
                hashed.update(plain)
                file.write(plain)
                done += len(plain)
            if unpacker is not None:
                rest = unpacker.flush()
                hashed.update(rest)
                file.write(rest)
                done += len(rest)
        if done != size or hashed.hexdigest() != name:
            raise ParcelDamaged("the content of a blob is not what its name says")
        path = blob_path(directory, name)
        os.replace(file.name, path)
        return path
    except BaseException:
        if os.path.exists(file.name):
            os.unlink(file.name)
        raise


def awaited_parts(paths: Sequence[str], sizes: Sequence[int], patience: float = PART_PATIENCE) -> Iterator[bytes]:
    """The content of files that may still be on their way, one after another, each when all of its bytes are there.

    Raises ParcelDamaged where one does not come.
    """
    for number, path in enumerate(paths):
        seen, pause, last = -1, 0.001, time.monotonic()
        while seen < sizes[number]:
            found = os.path.getsize(path) if os.path.exists(path) else -1
            if found > seen:
                seen, last = found, time.monotonic()
            elif time.monotonic() - last > patience:
                raise ParcelDamaged("%s did not arrive" % os.path.basename(path))
            else:
                time.sleep(pause)
                pause = min(2 * pause, 0.05)
        with open(path, "rb") as file:
            yield file.read()


class PartStream:
    """Bytes out of parts, hashed on the way."""

    def __init__(self, parts: Iterable[bytes], digest: Any) -> None:
        self._parts: Iterator[bytes] = iter(parts)
        self._digest = digest
        self._rest: Any = memoryview(b"")

    def pieces(self, length: int) -> Iterator[bytes]:
        """The next ``length`` bytes in pieces of any size."""
        while length:
            if not self._rest:
                part = next(self._parts, None)
                if part is None:
                    raise ParcelDamaged("it is cut off")
                self._digest.update(part)
                self._rest = memoryview(part)
                continue
            piece = self._rest[: min(length, PIECE_SIZE)]
            self._rest = self._rest[len(piece) :]
            length -= len(piece)
            yield bytes(piece)

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        return b"".join(self.pieces(length))

    def finish(self) -> None:
        """Nothing may follow."""
        if self._rest or next(self._parts, None):
            raise ParcelDamaged("there is more than was sent")
