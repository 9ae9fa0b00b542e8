"""How small a group would be if its blobs were packed: guessed from a few slices of each."""

from __future__ import annotations

import zlib
from typing import Any, Iterator, List

from nbdag.portable.blobs import CountingSink

SAMPLE_SLICE = 64 * 1024  # bytes; as the writer samples, so that both come to one decision
MOST_SAMPLE_SLICES = 8
BETWEEN_SLICES = 4 * SAMPLE_SLICE  # of a pickle, whose size nobody knows before its end


class SamplingSink(CountingSink):
    """Takes a pickle and keeps its size and some slices of it, further and further apart."""

    def __init__(self) -> None:
        super().__init__()
        self.slices: List[bytes] = []
        self._next = 0
        self._apart = BETWEEN_SLICES

    def write(self, piece: Any) -> int:
        """Count, and look."""
        begin = self.size
        size = super().write(piece)
        if begin + size > self._next:
            self.slices.append(bytes(memoryview(piece)[:SAMPLE_SLICE]))
            self._next = begin + size + self._apart
            if len(self.slices) > MOST_SAMPLE_SLICES:
                self.slices = self.slices[::2]
                self._apart *= 2
        return size


def slices_of_region(region: Any) -> Iterator[bytes]:
    """A few slices of a region, evenly spaced; of a gathered one its first bytes."""
    size = region.size()
    memory = next(iter(region.pieces()))
    size = min(size, memory.nbytes)
    count = max(1, min(MOST_SAMPLE_SLICES, size // BETWEEN_SLICES))
    for number in range(count):
        begin = (size - SAMPLE_SLICE) * number // max(count - 1, 1) if size > SAMPLE_SLICE else 0
        yield bytes(memory[begin : begin + SAMPLE_SLICE])


def packed_size(size: int, slices: List[bytes]) -> int:
    """What ``size`` bytes like ``slices`` come to, packed fast."""
    total = sum(len(piece) for piece in slices)
    if not total:
        return size
    return min(size, size * sum(len(zlib.compress(piece, 1)) for piece in slices) // total)
