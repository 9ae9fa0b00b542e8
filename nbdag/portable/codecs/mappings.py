"""Arrays over mapped files: on the target they are that again where the file is there with the same bytes.

    m = numpy.memmap("data.bin", mode="r+"); part = m[100:200]        both are windows into one mapping

Their bytes travel like those of any array, because the file may be elsewhere or changed by then; beside them go the
file's name, the mode, and where each window begins. The target compares before it maps.
"""

from __future__ import annotations

import mmap
import os
import sys
from typing import Any, Iterator, Optional

from nbdag.portable.encoder import GroupEncoder, StandIn
from nbdag.portable.extents import address_of

MOST_OWNERS = 64  # NumPy shortens chains of bases to a few; Cython's views answer ``.base`` for ever


class FileMapping(StandIn):
    """A mapped file: its path, also from the working directory, and the mode."""

    def __init__(self, root: Any) -> None:
        self.root = root
        path = os.path.abspath(os.fspath(root.filename))
        try:
            relative = os.path.relpath(path)
        except ValueError:  # another drive
            relative = path
        as_path = not isinstance(root.filename, str)
        self.arguments = (path, "" if relative.startswith(os.pardir) else relative, root.mode, as_path)

    def reduce(self, encoder: GroupEncoder) -> Any:
        """By name: its bytes are those of its windows."""
        return encoder.restorer("file_mapping"), self.arguments


def mapped_root(array: Any) -> Optional[Any]:
    """The ``numpy.memmap`` that ``array`` is a window of; None where it is none, or its file has no name."""
    kind = sys.modules["numpy"].memmap
    for base in owners_of(array):
        if type(base) is memoryview:
            return None
        if type(base) is kind and type(base.base) is mmap.mmap and base.filename is not None:
            return base if array.size and not array.dtype.hasobject else None
    return None


def owners_of(array: Any) -> Iterator[Any]:
    """``array``, what it borrows its memory from, what that borrows it from, and so on: the first ones."""
    owner = array
    for _ in range(MOST_OWNERS):
        yield owner
        below = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
        if below is None or below is owner:
            return
        owner = below


def reduce_window(array: Any, root: Any, encoder: GroupEncoder) -> Any:
    """The window: its mapping, the place of its first element in the file, and an array that holds what is there."""
    numpy = sys.modules["numpy"]
    mapping = encoder.mappings.get(id(root.base))
    if mapping is None:
        mapping = encoder.mappings[id(root.base)] = FileMapping(root)
    begin = root.offset - root.offset % mmap.ALLOCATIONGRANULARITY
    place = begin + array.__array_interface__["data"][0] - address_of(root.base)
    plain = array.view(numpy.ndarray)
    encoder.kept.append(plain)
    encoder.windows.add(id(plain))
    mapped_type = type(array) is numpy.memmap
    return encoder.restorer("window"), (mapping, place, plain, array.strides, mapped_type, root.offset)
