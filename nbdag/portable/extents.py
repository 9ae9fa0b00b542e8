"""Which memory the buffers of a group occupy, and which of them overlap.

Every buffer that leaves a pickle is an :class:`BufferExtent`: an address and a length. Extents that overlap become one
:class:`Region`, written once; each buffer is then a place in a region, so that views stay views:

    a = numpy.arange(10); b = a[2:5]; c = a[::-1]         memory of a, c   |----------|      one region of 80 bytes
                                                          memory of b        |---|           b is its bytes 16 to 40

Parts of one array that nothing names stay parts of one array; what lies between them goes along if it is little:

    x, y = numpy.random.rand(2, 1000)                     memory of x, y   |-----||-----|    one: x.base is y.base
    low, high = table[4], table[994]                      memory           |-|~~~~~~~|-|     one, without the middle

A view alone stores what it spans and not its base. A view that spans much more than it holds (one column of a wide
array) and overlaps nothing is gathered into a compact copy. Nothing is copied before it is written.
"""

from __future__ import annotations

import ctypes
import math
from bisect import bisect_right
from typing import Any, Iterator, List, Optional, Tuple

ALIGNED = 64  # bytes; what follows a gap begins at such a place, as memory that NumPy asks for does
SPARSE = 2  # a view that spans more than this many times what it holds is gathered when it stands alone


class BufferExtent:
    """``length`` bytes at ``address``, kept alive by ``keep``.

    ``own`` tells buffers that our array restorer reads (it copies what it is given read-only) from those that a
    library's own restorer gets. ``private`` extents share memory with nothing after the restore, whatever they
    overlap now. ``family`` is the id of the array that owns the memory, for views. ``gather()`` makes the compact form
    of a sparse view, ``gather.pieces()`` the same piece by piece.
    """

    __slots__ = ("address", "family", "gather", "keep", "length", "own", "private")

    def __init__(
        self,
        address: int,
        length: int,
        keep: Any,
        own: bool = False,
        private: bool = False,
        gather: Optional[Any] = None,
        family: Optional[int] = None,
    ) -> None:
        self.address = address
        self.family = family
        self.length = length
        self.keep = keep
        self.own = own
        self.private = private
        self.gather = gather


class Region:
    """Memory that is written as one piece. ``spans`` are its address, offset and length, piece by piece."""

    __slots__ = ("extents", "spans")

    def __init__(self, address: int, length: int, extents: List[Tuple[int, BufferExtent]]) -> None:
        self.spans = [(address, 0, length)]
        self.extents = extents

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.spans[-1][0] + self.spans[-1][2]

    def reach_to(self, end: int) -> None:
        """Let the last span go on until the address ``end``, if it does not yet."""
        address, offset, length = self.spans[-1]
        self.spans[-1] = (address, offset, max(length, end - address))

    def leap_to(self, extent: BufferExtent) -> None:
        """Go on at ``extent``, which lies behind; what is between stays out."""
        _, offset, length = self.spans[-1]
        self.spans.append((extent.address, -(-(offset + length) // ALIGNED) * ALIGNED, extent.length))

    def offset_of(self, address: int) -> int:
        """Where in the region the byte at ``address`` stands."""
        start, offset, _ = self.spans[bisect_right(self.spans, (address, math.inf, 0)) - 1]
        return address - start + offset

    def _gather(self) -> Optional[Any]:
        """What makes the compact copy of a lone sparse view."""
        return self.extents[0][1].gather if len(self.extents) == 1 else None

    def memory(self) -> memoryview:
        """The bytes of the region: the session's own memory, or a copy (:meth:`is_gathered`)."""
        gather = self._gather()
        if gather is not None:
            return gather()  # type: ignore[no-any-return]
        if len(self.spans) > 1:
            return memoryview(b"".join(self.pieces()))
        return _memory_at(self.spans[0][0], self.spans[0][2])

    def is_gathered(self) -> bool:
        """Whether :meth:`memory` makes a copy."""
        return len(self.spans) > 1 or self._gather() is not None

    def pieces(self) -> Iterator[memoryview]:
        """The bytes of :meth:`memory` one after another; of a compact copy only some megabytes exist at a time."""
        gather = self._gather()
        if gather is not None:
            yield from gather.pieces()
            return
        written = 0
        for address, offset, length in self.spans:
            if offset > written:
                yield memoryview(bytes(offset - written))
            yield _memory_at(address, length)
            written = offset + length

    def size(self) -> int:
        """How many bytes :meth:`memory` will have."""
        extent = self.extents[0][1]
        if self._gather() is not None:
            return extent.keep.nbytes  # type: ignore[no-any-return]
        _, offset, length = self.spans[-1]
        return offset + length


def _memory_at(address: int, length: int) -> memoryview:
    return memoryview((ctypes.c_ubyte * length).from_address(address)).cast("B")


def regions_of(extents: List[BufferExtent]) -> Tuple[List[Region], List[Tuple[int, int, int, bool]]]:
    """The regions, and for each extent (region, offset, length, own); an empty extent lies in region -1."""
    order = sorted(
        (number for number, extent in enumerate(extents) if extent.length and not extent.private),
        key=lambda number: (extents[number].address, -extents[number].length),
    )
    regions: List[Region] = []
    for number in order:
        extent = extents[number]
        last = regions[-1] if regions else None
        if last is not None and (extent.address < last.end or are_parts(last, extent)):
            if extent.address >= last.end and is_far(last, extent):
                last.leap_to(extent)
            last.reach_to(extent.address + extent.length)
            last.extents.append((number, extent))
        else:
            regions.append(Region(extent.address, extent.length, [(number, extent)]))
    for number, extent in enumerate(extents):
        if extent.length and extent.private:
            regions.append(Region(extent.address, extent.length, [(number, extent)]))
    # In the order in which the pickle mentions them: addresses differ from session to session.
    regions.sort(key=lambda region: min(number for number, _ in region.extents))
    places: List[Tuple[int, int, int, bool]] = [(-1, 0, 0, extent.own) for extent in extents]
    for index, region in enumerate(regions):
        for number, extent in region.extents:
            length = region.size() if len(region.extents) == 1 else extent.length
            places[number] = (index, region.offset_of(extent.address), length, extent.own)
    return regions, places


def are_parts(region: Region, extent: BufferExtent) -> bool:
    """Whether ``extent``, behind ``region``, is of the same array; not if a sparse one lies far away."""
    if extent.family is None or all(other.family != extent.family for _, other in region.extents):
        return False
    # A sparse view that stands alone is gathered; of more than one extent the region has what they span.
    sparse = extent.gather is not None or region.extents[-1][1].gather is not None
    return not sparse or not is_far(region, extent)


def is_far(region: Region, extent: BufferExtent) -> bool:
    """Whether more lies between them than both hold."""
    return extent.address - region.end > region.size() + extent.length


class _PyBuffer(ctypes.Structure):
    """CPython's ``Py_buffer``, the same since 3.3."""

    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    ]


def address_of(exporter: Any) -> int:
    """Where the memory of an object with the buffer protocol begins (its first element, for reversed views)."""
    buffer = _PyBuffer()
    full_read_only = 0x011C  # PyBUF_FULL_RO
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(exporter), ctypes.byref(buffer), full_read_only)
    try:
        return buffer.buf or 0
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))
