"""How a bundle takes its place: written beside it, synced, and swapped in by one rename.

Whoever looks, at any moment and after any crash, finds the old bundle or the new one. What a killed compilation left
beside the place is removed by the next one::

    out                               the bundle
    .out.nbdag-<host>-<pid>-xxxx/     the workspace of a compilation; its file `lock` is locked while it runs
    .out.old-xxxx/bundle              the old bundle for a moment, on systems that cannot exchange two directories
"""

from __future__ import annotations

import ctypes
import errno
import glob
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nbdag.errors import OutputError
from nbdag.portable.places import archive_entries

ENTRIES = frozenset(
    {
        "restore.py",
        "__main__.py",
        "data.msgpack",
        "blobs",
        "files",
        "requirements.txt",
        "__pycache__",
        ".ipynb_checkpoints",
    }
)
"""What a bundle's directory may hold: a directory with anything else is not ours to replace."""

FULL_DISK = "free some space, or choose another --out"

ARCHIVE = ".pyz"
"""The ending of a bundle in one file."""

SYNCED_AT_ONCE = 16
"""Files that wait for the disk together."""

ATTEMPTS = 20
"""Renames tried where others put bundles into the same place at the same moment."""


def is_archive(out: Path) -> bool:
    """Whether the bundle at ``out`` is to be one file."""
    return out.suffix.lower() == ARCHIVE


def check_destination(out: Path) -> None:
    """Raise OutputError unless ``out`` is a bundle, an empty directory, or nothing at all."""
    try:
        if is_archive(out):
            _check_archive(out)
            return
        if not out.is_dir():
            if out.exists() or out.is_symlink():
                raise OutputError(f"{out} is a file", f"choose another --out, or one that ends in {ARCHIVE}")
            return
        entries = sorted(entry.name for entry in out.iterdir())
    except OSError as error:
        raise OutputError(f"{out} cannot be looked at: {error.strerror}", "choose another --out") from error
    if not entries:
        return
    if "data.msgpack" not in entries or not {"restore.py", "__main__.py"} & set(entries):
        raise OutputError(f"{out} is a directory that is not a bundle", "choose another --out, or empty it")
    foreign = [name for name in entries if name not in ENTRIES]
    if foreign:
        raise OutputError(
            f"{out} holds {foreign[0]}, which is not part of a bundle",
            "replacing the bundle would remove it: move it away",
        )


def _check_archive(out: Path) -> None:
    if out.is_dir():
        raise OutputError(f"{out} is a directory", f"a name that ends in {ARCHIVE} is a bundle in one file")
    if not out.exists():
        return
    try:
        entries: Any = archive_entries(str(out))
    except ValueError:
        entries = ()
    if "data.msgpack" not in entries or "__main__.py" not in entries:
        raise OutputError(f"{out} is a file that is not a bundle", "choose another --out")


# ------------------------------------------------------------------------------------------------ the workspace


@contextmanager
def workspace(out: Path) -> Iterator[Path]:
    """A hidden directory beside ``out``, on the same file system, gone afterwards whatever happens.

    Those of earlier compilations that were killed are removed on the way, and what they had moved aside is put back.
    """
    out = _resolved(out)
    parent = out.absolute().parent
    prefix = f".{out.name}.nbdag-"
    lock: Any = None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        clean_up(out)
        for attempt in range(ATTEMPTS):
            work = Path(tempfile.mkdtemp(prefix=f"{prefix}{_host()}-{os.getpid()}-", dir=parent))
            try:
                lock = _locked(work / "lock")
                break
            except OSError as error:
                shutil.rmtree(work, ignore_errors=True)
                # Another compilation that cleans up took it for abandoned before it was locked.
                if error.errno not in (errno.ENOENT, errno.EAGAIN, errno.EACCES) or attempt == ATTEMPTS - 1:
                    raise
    except OSError as error:
        raise OutputError(f"cannot write beside {out}: {error.strerror}", _remedy(error)) from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def clean_up(out: Path) -> None:
    """Remove what killed compilations into ``out`` left beside it; the old bundle is put back if it was moved aside."""
    parent = out.absolute().parent
    for aside in sorted(parent.glob(f"{glob.escape(f'.{out.name}.old-')}*")):
        if not out.exists() and (aside / "bundle").exists():
            (aside / "bundle").rename(out)
        if out.exists():
            shutil.rmtree(aside, ignore_errors=True)
    prefix = f".{out.name}.nbdag-"
    for left_over in sorted(parent.glob(f"{glob.escape(prefix)}*")):
        with _if_abandoned(left_over, left_over.name.removeprefix(prefix)) as abandoned:
            if abandoned:
                shutil.rmtree(left_over, ignore_errors=True)


@contextmanager
def _if_abandoned(work: Path, owner: str) -> Iterator[bool]:
    """Whether nobody works in ``work``: on this machine its process is gone, or another one has its number now. Until
    the end nobody begins to."""
    host, _, rest = owner.partition("-")
    process = rest.partition("-")[0]
    if host != _host() or not process.isdigit():
        yield False  # of another machine on a shared disk: nobody here can know
        return
    if not _is_running(int(process)):
        yield True
        return
    lock = None
    if int(process) != os.getpid():
        with suppress(OSError):
            lock = _locked(work / "lock")
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)


def _locked(path: Path) -> int | None:
    """An open file with a lock that ends with the process; None where the system has no such locks.

    Raises OSError where somebody else holds it.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            return None  # a file system without locks
        raise
    try:
        if not os.path.samestat(os.fstat(descriptor), os.stat(path)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    except OSError:  # who held it before has removed it: this is a lock on nothing
        os.close(descriptor)
        raise
    return descriptor


def _host() -> str:
    """The machine's name, in letters and digits."""
    return "".join(character for character in socket.gethostname() if character.isalnum())[:24] or "host"


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


# ------------------------------------------------------------------------------------------------ taking the place


def put_in_place(new: Path, out: Path) -> None:
    """Put the bundle ``new``, on the same file system, in the place of ``out``, and remove what was there."""
    check_destination(out)
    with failures_as_output_errors(out):
        out = _resolved(out)
        if new.is_file():
            os.replace(new, out)
        else:
            swap_in(new, out)
        sync(out.absolute().parent)


def swap_in(new: Path, out: Path) -> None:
    """Put the directory ``new`` in the place of ``out`` and remove what was there."""
    for attempt in range(ATTEMPTS):
        try:
            if not out.exists() or (out.is_dir() and not any(out.iterdir())):
                _move(new, out)
            elif _exchange(new, out):
                shutil.rmtree(new, ignore_errors=True)
            else:
                _set_aside(new, out)
            return
        except OSError as error:
            # Another compilation came in between: its bundle is there now where nothing was, or nothing where one was.
            between = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT)
            if error.errno not in between or attempt == ATTEMPTS - 1 or not new.exists():
                raise


def _move(new: Path, out: Path) -> None:
    if os.name == "nt" and out.exists():
        out.rmdir()
    new.rename(out)  # POSIX: over an empty directory, and over no other


def _set_aside(new: Path, out: Path) -> None:
    """Two renames where the system has no exchange; ``clean_up`` knows what to do after a crash between them."""
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.old-", dir=out.absolute().parent))
    try:
        out.rename(aside / "bundle")
        try:
            new.rename(out)
        except OSError:
            if not out.exists():
                (aside / "bundle").rename(out)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two directories in one step (Linux 3.15, macOS 10.12); False where the system cannot."""
    here, exchange = -100, 2  # AT_FDCWD; RENAME_EXCHANGE, and RENAME_SWAP of macOS
    first, second = os.fsencode(one.absolute()), os.fsencode(other.absolute())
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            return bool(library.renamex_np(first, second, exchange) == 0)
        return bool(library.renameat2(here, first, here, second, exchange) == 0)
    except (AttributeError, OSError, TypeError):
        return False


def _resolved(out: Path) -> Path:
    """``out``, or where it leads to: a link to a bundle stays a link."""
    return out.resolve() if out.is_symlink() else out


# ------------------------------------------------------------------------------------------------ files


def sync_tree(folder: Path) -> None:
    """Have a directory and all that is below it reach the disk. Together: what waits for the disk at the same time is
    written by it in one go, and one after another every file would wait for a turn of its own."""
    paths = [folder, *folder.rglob("*")]
    with ThreadPoolExecutor(min(SYNCED_AT_ONCE, len(paths))) as threads:
        list(threads.map(sync, paths))


def sync(path: Path) -> None:
    """Have a file or directory reach the disk; systems that cannot open a directory are let be."""
    try:
        descriptor = os.open(path, os.O_RDWR if os.name == "nt" and path.is_file() else os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.EROFS):
            raise
    finally:
        os.close(descriptor)


def umask() -> int:
    """What the user does not want to be allowed."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def failures_as_output_errors(out: Path) -> Iterator[None]:
    """Raise OutputError for what a disk refuses."""
    try:
        yield
    except OSError as error:
        where = error.filename or out
        raise OutputError(f"cannot write {where}: {error.strerror or error}", _remedy(error)) from error


def _remedy(error: OSError) -> str:
    return FULL_DISK if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "choose another --out"
