"""Where the parts of a bundle lie: beside restore.py, in one file (``bundle.pyz``), or in a store that bundles share.

Every blob is a piece of some file, ``(path, offset, size)``: so what is mapped out of a directory is mapped out of an
archive the same way. An archive is a zip whose entries are not compressed, and whose blobs begin at multiples of 64.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Tuple

Piece = Tuple[str, int, int]

STORE_VARIABLE = "NBDAG_STORE"  # where a store is that was moved


class BundlePlace:
    """The bundle at ``path``: a directory, or a file that is an archive.

    ``store`` is the directory of the shared blobs, as data.msgpack says ("": there is none).
    Raises OSError where there is no such thing, ValueError where the file is no archive of a bundle.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.store = ""
        self._entries: Dict[str, Piece] = {}
        self._folder = ""
        self.is_archive = os.path.isfile(path)
        if self.is_archive:
            self._entries = archive_entries(path)

    def __str__(self) -> str:
        return self.path

    def content(self, name: str) -> bytes:
        """The bytes of a part that is no blob; raises OSError where it is missing."""
        path, offset, size = self._piece_of(name)
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def blob(self, digest: str) -> Piece:
        """Where the blob with this sha256 lies; raises OSError where it is missing."""
        try:
            return self._piece_of("blobs/" + digest)
        except OSError:
            store = os.environ.get(STORE_VARIABLE) or self.store
            if not store:
                raise
            path = stored_path(store, digest)
            return path, 0, size_of_file(path)

    def lacks_store(self) -> str:
        """The store that the bundle refers to, if it is not here; ""."""
        store = os.environ.get(STORE_VARIABLE) or self.store
        return store if store and not os.path.isdir(store) else ""

    def bytes_to_unpack(self) -> int:
        """How large the input files are that :meth:`folder` unpacks."""
        return sum(size for name, (_, _, size) in self._entries.items() if name.startswith("files/"))

    def folder(self) -> str:
        """A directory with the ``files/`` of the bundle; for an archive that has some, one made now that goes with the
        process."""
        if not self.is_archive:
            return self.path
        carried = [name for name in self._entries if name.startswith("files/")]
        if carried and not self._folder:
            self._folder = self._unpacked(carried)
        return self._folder or self.path

    def _unpacked(self, names: List[str]) -> str:
        import atexit
        import shutil
        import tempfile

        folder = tempfile.mkdtemp(prefix="nbdag-files-")
        atexit.register(shutil.rmtree, folder, True)
        for name in names:
            parts = name.split("/")
            if "" in parts or ".." in parts or os.path.isabs(name) or "\\" in name or ":" in name:
                continue  # leads out of the directory: no writer of ours makes such an entry
            path = os.path.join(folder, *parts)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(self.content(name))
        return folder

    def _piece_of(self, name: str) -> Piece:
        if self.is_archive:
            if name not in self._entries:
                raise FileNotFoundError(2, os.strerror(2), "%s/%s" % (self.path, name))
            return self._entries[name]
        path = os.path.join(self.path, *name.split("/"))
        return path, 0, size_of_file(path)


def place_of(bundle: Any) -> BundlePlace:
    """``bundle``, or the place of the bundle at that path."""
    return bundle if isinstance(bundle, BundlePlace) else BundlePlace(os.fspath(bundle))


def place_of_script(script: str) -> BundlePlace:
    """Where the bundle of a running ``restore.py`` is: of ``bundle.pyz/__main__.py``, it is bundle.pyz."""
    script = os.path.abspath(script)
    if os.path.isfile(script) and script.endswith(".py"):
        return BundlePlace(os.path.dirname(script))
    folder = os.path.dirname(script)
    return BundlePlace(folder if os.path.isfile(folder) or not os.path.isfile(script) else script)


def stored_path(store: str, digest: str) -> str:
    """Where a store keeps the blob with this sha256."""
    return os.path.join(store, "blobs", digest[:2], digest)


def size_of_file(path: str) -> int:
    """Bytes of a regular file; raises OSError for anything else: opening a pipe would wait for ever."""
    import stat

    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(22, "not a regular file", path)
    return found.st_size


def archive_entries(path: str) -> Dict[str, Piece]:
    """Where each entry of the zip at ``path`` lies; raises ValueError where it is damaged, or an entry is packed."""
    import zipfile

    entries: Dict[str, Piece] = {}
    try:
        # One file, opened once: there may be another one at this path the next moment.
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            length = os.fstat(file.fileno()).st_size
            for info in archive.infolist():
                if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                    raise ValueError("%s: the entry %s is packed" % (path, info.filename))
                if info.filename in entries:
                    raise ValueError("%s: has two entries %s" % (path, info.filename))
                file.seek(info.header_offset + 26)
                lengths = file.read(4)
                names, extra = int.from_bytes(lengths[:2], "little"), int.from_bytes(lengths[2:], "little")
                begin = info.header_offset + 30 + names + extra
                if len(lengths) < 4 or begin + info.file_size > length:
                    raise ValueError("%s: is truncated" % path)
                entries[info.filename] = (path, begin, info.file_size)
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise ValueError("%s is not an archive of a bundle: %s" % (path, error)) from None
    return entries
