"""Restorers of arrays over mapped files; counterpart of ``codecs/mappings.py``."""

from __future__ import annotations

import os
from typing import Any

from nbdag.portable.restorers.definitions import restore_attribute, restore_module

COMPARED_AT_ONCE = 1 << 24  # bytes


class MappedFile:
    """A file of the session, looked for and mapped when its first window is asked for."""

    def __init__(self, folder: str, path: str, relative: str, mode: str, as_path: bool) -> None:
        self.path = path
        self.as_path = as_path  # how the session spelled it
        self.mode = "r+" if mode == "w+" else mode
        self.places = [place for place in (relative, path) if place]
        if relative and self.mode in ("r", "c"):  # what travelled with the bundle is not to be written to
            self.places.append(os.path.join(folder, "files", relative))
        self.whole: Any = None
        self.left = False  # whether a window had to do without the file

    def map(self) -> Any:
        """The bytes of the file as one array; None where it cannot be mapped."""
        if self.whole is None:
            numpy = restore_module("numpy")
            for place in self.places:
                if os.path.isfile(place) and os.path.getsize(place):
                    try:
                        self.whole = numpy.memmap(place, numpy.uint8, self.mode)
                        break
                    except OSError:
                        continue
        return self.whole


def restore_file_mapping(loading: Any, path: str, relative: str, mode: str, as_path: bool) -> MappedFile:
    """The file of a mapping."""
    return MappedFile(loading.place.folder(), path, relative, mode, as_path)


def restore_window(
    loading: Any, file: Any, place: int, plain: Any, strides: Any, mapped_type: bool, offset: int
) -> Any:
    """A window into the mapped file if that holds there what ``plain`` holds, else ``plain``, and a note."""
    numpy = restore_module("numpy")
    whole = file.map()
    found = None
    if whole is not None:
        try:
            kind = numpy.memmap if mapped_type else numpy.ndarray
            found = numpy.ndarray.__new__(kind, plain.shape, plain.dtype, whole, place, strides)
        except (TypeError, ValueError):  # the file is shorter than it was
            found = None
    if found is not None and not _same_bytes(numpy, found, plain):
        if file.mode == "c":
            found[...] = plain  # the session's own changes, which were not for the file
        else:
            found = None
    if found is None:
        if not file.left:
            why = "is not here" if whole is None else "holds something else here"
            loading.note("an ordinary array: the file %s, which it was mapped from, %s" % (file.path, why))
        file.left = True
        return plain
    if file.left:
        loading.note("parts of %s that shared memory do not share it: the file has changed" % file.path)
    if mapped_type:
        name = os.path.abspath(os.fspath(whole.filename))
        found.filename = restore_attribute("pathlib", "Path")(name) if file.as_path else name
        found._mmap, found.offset, found.mode = whole._mmap, offset, file.mode
    if not plain.flags.writeable:
        found.flags.writeable = False
    return found


def _same_bytes(numpy: Any, one: Any, other: Any) -> bool:
    rows = max(1, COMPARED_AT_ONCE // max(1, one.nbytes // max(1, len(one)))) if one.ndim else 1
    one, other = (array.view(numpy.ndarray).reshape(1) if not array.ndim else array for array in (one, other))
    for begin in range(0, len(one), rows):
        left, right = (array[begin : begin + rows].tobytes() for array in (one, other))
        if left != right:
            return False
    return True
