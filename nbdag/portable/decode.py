"""Turns a group of a bundle back into variables: the unpickler, and the memory it reads from.

Memory is mapped copy-on-write: writable, private to this process, ready at once whatever its size.
"""

from __future__ import annotations

import gc
import io
import types
from typing import Any, Callable, Dict, List, Optional

from nbdag.portable.places import place_of
from nbdag.portable.restorers.definitions import pick_code
from nbdag.portable.restorers.registry import NAMESPACE_RESTORERS, RESTORERS
from nbdag.portable.unpacking import UnpackingReader

try:
    from _pickle import Unpickler
except ImportError:  # PyPy
    from pickle import Unpickler

# Where the libraries have moved things: asked in order when the name as written is not there.
RENAMED_MODULES = (
    ("numpy._core", "numpy.core"),
    ("numpy.core", "numpy._core"),
    ("numpy.rec", "numpy"),
    ("pathlib._local", "pathlib"),
    ("sqlalchemy.util._immutabledict_cy", "sqlalchemy.util"),
    ("sqlalchemy.cyextension.immutabledict", "sqlalchemy.util"),
    ("pandas._libs.internals", "pandas.core.internals.blocks"),
)


FRAMES = 6  # statsmodels looks up to five frames above for the functions that a formula names


def in_frames_of(namespace: Dict[str, Any], work: Callable[[], Any], depth: int) -> Any:
    """What ``work`` returns, called from ``depth`` nested frames whose globals are ``namespace``.

    A library that restores a formula looks for its functions where its caller lives, as it did in the notebook:

        def double(x): return 2 * x
        model = ols("y ~ double(x)", frame).fit()         # evaluates the formula again when it is unpickled
    """
    frame: Callable[..., Any] = types.FunctionType(_nested.__code__, namespace)
    return frame(work, frame, depth)


def _nested(_work: Callable[[], Any], _again: Callable[..., Any], _depth: int) -> Any:
    return _again(_work, _again, _depth - 1) if _depth > 1 else _work()


class Loading:
    """Loads groups of one bundle into one namespace."""

    def __init__(self, directory: Any, namespace: Dict[str, Any], eager: bool = False) -> None:
        self.place = place_of(directory)
        self.namespace = namespace
        self.eager = eager
        self.eager_bytes = 0
        self._codes: Dict[Any, Any] = {}
        self._filenames: Dict[str, str] = {}
        self._nans: Dict[str, float] = {}
        self._notes: List[str] = []

    def load(self, group: Dict[str, Any]) -> Dict[str, Any]:
        """The variables of ``group``, by name. Raises whatever their restorers raise."""
        head = group["head"]
        collecting = gc.isenabled()
        gc.disable()  # four times faster for many small objects
        try:
            with io.BytesIO(head) if isinstance(head, bytes) else self._open(head) as file:
                unpickler = GroupUnpickler(file, self, self._buffers(group))
                names, values, patches, _ = in_frames_of(self.namespace, unpickler.load, FRAMES)
            for target, patch in patches:
                self.patch(target, patch)
        finally:
            if collecting:
                gc.enable()
        return dict(zip(names, values))  # noqa: B905

    def patch(self, target: Any, patch: Any) -> None:
        """Bring a definition that replay made to the state it had in the session."""
        RESTORERS["patch"](target, patch)

    def note(self, text: str) -> None:
        """Something to tell the user of the values that are being loaded; once is enough."""
        if text not in self._notes:
            self._notes.append(text)

    def take_notes(self) -> List[str]:
        """What there is to tell since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def nan(self, name: str) -> float:
        """The NaN of this name, one object in all groups."""
        if "." in name:
            found: float = RESTORERS["attribute"](*name.split("."))
            return found
        return self._nans.setdefault(name, float(name[0] + "nan"))

    def _open(self, part: Any) -> Any:
        """The content of a blob as a file to read."""
        path, offset, size = self.place.blob(part["blob"])
        # The unpickler looks ahead as far as the buffer goes, and whoever asked closes the file.
        file = open(path, "rb", buffering=1 << 20)  # noqa: SIM115
        file.seek(offset)
        if "codec" in part:
            return io.BufferedReader(UnpackingReader(file, size, part["size"], part["codec"]), 1 << 18)
        return file

    def _buffers(self, group: Dict[str, Any]) -> List[Any]:
        """What the pickle's out-of-band buffers are, in order: pieces of the group's regions."""
        users = [0] * len(group["regions"])
        for region, _, _, _ in group["buffers"]:
            if region >= 0:
                users[region] += 1
        regions: List[Optional[memoryview]] = [None] * len(users)
        buffers: List[Any] = []
        for region, offset, length, own in group["buffers"]:
            if region < 0:
                buffers.append(bytearray())
                continue
            memory = regions[region]
            if memory is None:
                memory = regions[region] = self._region(group["regions"][region], own and users[region] == 1)
            buffers.append(memory[offset : offset + length])
        return buffers

    def page_words(self) -> str:
        """Whether what was read lies on huge pages, in words."""
        try:
            with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as file:
                return (
                    ", on small pages: this system has no huge ones" if "[never]" in file.read() else ", on huge pages"
                )
        except OSError:
            return ""

    def _region(self, region: Any, alone: bool) -> memoryview:
        if isinstance(region, bytes):  # our array restorer copies what is read-only: the array owns its memory again
            return memoryview(region if alone else bytearray(region))
        if self.eager or "codec" in region:
            return memoryview(self._read(region))
        import mmap

        path, offset, size = self.place.blob(region["blob"])
        skipped = offset % mmap.ALLOCATIONGRANULARITY  # a mapping begins with a page
        with open(path, "rb") as file:
            mapped = mmap.mmap(file.fileno(), skipped + size, access=mmap.ACCESS_COPY, offset=offset - skipped)
        return memoryview(mapped)[skipped:]

    def _read(self, region: Any) -> Any:
        """The blob in private memory, with huge pages where the system has them."""
        import mmap

        size = region["size"]
        self.eager_bytes += size if self.eager else 0
        if hasattr(mmap, "MAP_PRIVATE") and hasattr(mmap, "MAP_ANONYMOUS"):
            memory: Any = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            if hasattr(mmap, "MADV_HUGEPAGE"):
                memory.madvise(mmap.MADV_HUGEPAGE)
        else:
            memory = bytearray(size)
        view = memoryview(memory)
        path, offset, stored = self.place.blob(region["blob"])
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            if "codec" in region:
                UnpackingReader(file, stored, size, region["codec"]).fill(view)
                return memory
            done = 0
            while done < size:
                read = file.readinto(view[done:])
                if not read:
                    raise EOFError("the blob %s is truncated" % region["blob"])
                done += read
        return memory

    def code_of(self, text: str, name: str, line: int, ordinal: int, features: Any) -> Any:
        """A code object of a cell's text, compiled under a name that tracebacks and inspect can look up."""
        key = (text, name, line, ordinal, tuple(features))
        if key not in self._codes:
            self._codes[key] = pick_code(text, self._filename(text), name, line, ordinal, features)
        return self._codes[key]

    def _filename(self, text: str) -> str:
        """The name under which linecache has ``text``."""
        if text not in self._filenames:
            import zlib

            filename = "<cell source %08x>" % zlib.crc32(text.encode("utf-8", "surrogatepass"))
            remember_source(filename, text)
            self._filenames[text] = filename
        return self._filenames[text]


def remember_source(filename: str, text: str) -> None:
    """Let tracebacks and ``inspect.getsource`` find ``text`` under ``filename``."""
    import linecache

    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)


class GroupUnpickler(Unpickler):
    """Finds restorers, what the session has defined, and things that libraries have moved."""

    def __init__(self, file: Any, loading: Loading, buffers: List[Any]) -> None:
        super().__init__(file, buffers=buffers)
        self.loading = loading

    def persistent_load(self, name: Any) -> Any:
        """The NaN that the pickle calls ``name``."""
        return self.loading.nan(name)

    def find_class(self, module: str, name: str) -> Any:
        """The object that the pickle calls ``module.name``."""
        if module == "nbdag_restorers":
            if name in NAMESPACE_RESTORERS:
                restorer, loading = NAMESPACE_RESTORERS[name], self.loading
                return lambda *arguments: restorer(loading, *arguments)
            return RESTORERS[name]
        if module == "__main__":
            return NAMESPACE_RESTORERS["named"](self.loading, name)
        if module == "pandas.core.indexes.numeric":  # Int64Index and its like, before pandas 2
            module, name = "pandas.core.indexes.base", "Index"
        try:
            return RESTORERS["attribute"](module, name)
        except (ImportError, AttributeError):
            for old, new in RENAMED_MODULES:
                if module == old or module.startswith(old + "."):
                    try:
                        return RESTORERS["attribute"](new + module[len(old) :], name)
                    except (ImportError, AttributeError):
                        pass
            raise
