"""A place behind a URL, by fsspec: its files, its drivers, and what goes wrong there in our words.

Each thread has a connection of its own. A file appears under its name when it is complete.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from nbdag.errors import EnvironmentRefused, NbdagError, OutputError, UsageError
from nbdag.replay.publishing import ARCHIVE

DRIVERS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "abfs": "adlfs",
    "az": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
    "smb": "smbprotocol",
    "webdav": "webdav4",
}
"""What fsspec needs for a scheme: the name of the package on PyPI."""

WHOLE_OR_NOTHING = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "az", "memory"})
"""Stores in which an object appears when it is complete; elsewhere a file is sent under another name first."""

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "s3": {"config_kwargs": {"connect_timeout": 15, "retries": {"max_attempts": 3}}},
    "sftp": {"timeout": 20, "banner_timeout": 20},
    "ssh": {"timeout": 20, "banner_timeout": 20},
}
"""What a driver is told: to give up on a host that does not answer."""


def is_url(out: str | os.PathLike[str]) -> bool:
    """Whether ``out`` is a place for fsspec and not a path."""
    return "://" in os.fspath(out)


@dataclass(frozen=True, slots=True)
class Remote:
    """A place behind a URL. ``shown`` is the URL without a password."""

    url: str
    shown: str
    scheme: str
    root: str
    _local: threading.local = field(default_factory=threading.local, repr=False)

    @classmethod
    def at(cls, url: str) -> Remote:
        """Raises UsageError for what is no URL, EnvironmentRefused where fsspec or its driver is not installed,
        OutputError where the host does not let us in."""
        scheme = url.partition("://")[0].lower()
        shown = without_password(url)
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise EnvironmentRefused(f"{shown}: URLs need fsspec", _pip_line(scheme)) from None
        with explained(shown, scheme, "cannot be reached", url):
            options = OPTIONS.get(scheme, {})
            connect: Any = url_to_fs
            filesystem, root = connect(url, **options)
        remote = cls(url, shown, scheme, str(root).rstrip("/"))
        remote._local.filesystem = filesystem
        return remote

    @property
    def filesystem(self) -> Any:
        """This thread's own connection: not every driver allows several threads to share one."""
        found = getattr(self._local, "filesystem", None)
        if found is None:
            from fsspec.core import url_to_fs

            connect: Any = url_to_fs
            found = self._local.filesystem = connect(self.url, **OPTIONS.get(self.scheme, {}))[0]
        return found

    @property
    def is_archive(self) -> bool:
        """Whether the bundle there is one file."""
        return PurePosixPath(self.root).suffix.lower() == ARCHIVE

    def path(self, name: str) -> str:
        """Where a part of the bundle is."""
        return f"{self.root}/{name}"

    def failing(self, doing: str) -> Any:
        """Raise what a driver raises inside as an error that names the place."""
        return explained(self.shown, self.scheme, doing, self.url)

    # ---------------------------------------------------------------------------------------- files

    def sizes(self, folder: str) -> dict[str, int]:
        """The files of a folder there, by name; none where it does not exist."""
        filesystem = self.filesystem
        filesystem.invalidate_cache()
        try:
            found = filesystem.find(self.path(folder), detail=True)
        except FileNotFoundError:
            return {}
        return {PurePosixPath(path).name: int(info.get("size") or 0) for path, info in found.items()}

    def put(self, source: Path, name: str, told: Callable[[int], None] = lambda count: None) -> None:
        """Send a file; whoever looks sees all of it or nothing."""
        self._put_whole(name, lambda place: self._put_file(source, place, told))

    def put_bytes(self, content: bytes, name: str) -> None:
        """Send a small file."""
        self._put_whole(name, lambda place: self.filesystem.pipe_file(place, content))

    def _put_whole(self, name: str, send: Callable[[str], None]) -> None:
        filesystem, place = self.filesystem, self.path(name) if name else self.root
        if self.scheme in WHOLE_OR_NOTHING:
            send(place)
            return
        filesystem.makedirs(place.rpartition("/")[0], exist_ok=True)
        unfinished = f"{place}.part-{os.getpid()}-{threading.get_ident()}"
        try:
            send(unfinished)
            filesystem.mv(unfinished, place)
        except BaseException:
            quietly(lambda: filesystem.rm_file(unfinished))
            raise

    def _put_file(self, source: Path, place: str, told: Callable[[int], None]) -> None:
        counted = _Counted(told, source.stat().st_size)
        self.filesystem.put_file(str(source), place, callback=counted.callback())
        counted.finish()

    def get(self, name: str, target: Path, size: int, told: Callable[[int], None]) -> None:
        """Fetch a file."""
        counted = _Counted(told, size)
        self.filesystem.get_file(self.path(name) if name else self.root, str(target), callback=counted.callback())
        counted.finish()


class _Counted:
    """Tells of the bytes of one transfer: of those a driver reports, and at its end of the rest."""

    def __init__(self, told: Callable[[int], None], size: int) -> None:
        self._told = told
        self._left = size

    def callback(self) -> Any:
        from fsspec.callbacks import Callback

        new: Any = Callback
        callback = new()
        callback.relative_update = self._update
        callback.absolute_update = lambda value: None
        return callback

    def _update(self, count: int = 1) -> None:
        count = max(0, min(int(count), self._left))
        self._left -= count
        self._told(count)

    def finish(self) -> None:
        """The transfer is over."""
        self._update(self._left)


# ------------------------------------------------------------------------------------------------ what goes wrong


def without_password(url: str) -> str:
    """``url`` as it may be shown."""
    try:
        password = urlsplit(url).password
    except ValueError:
        password = None
    return url.replace(f":{password}@", ":***@") if password else url


def _pip_line(scheme: str) -> str:
    driver = DRIVERS.get(scheme)
    return "pip install 'nbdag[cloud]'" + (f" {driver}" if driver else "")


@contextmanager
def explained(shown: str, scheme: str, doing: str, url: str = "") -> Iterator[None]:
    """Raise what a driver of fsspec raises as an error of ours; each driver has its own."""
    try:
        yield
    except (NbdagError, NameError, AttributeError, AssertionError):
        raise
    except ImportError as error:
        raise EnvironmentRefused(
            f"{shown}: {scheme}:// needs a package that is not installed", _pip_line(scheme)
        ) from error
    except ValueError as error:
        if "rotocol" in str(error):  # "Protocol not known: ftpx"
            raise UsageError(f"{shown}: {error}", f"known are {', '.join(sorted(DRIVERS))} ...") from error
        raise OutputError(f"{shown} {doing}: {_scrubbed(error, url)}") from error
    except PermissionError as error:
        raise OutputError(
            f"{shown} {doing}: no rights ({_scrubbed(error, url)})", "log in, or choose another URL"
        ) from error
    except FileNotFoundError as error:
        raise OutputError(f"{shown} {doing}: {_scrubbed(error, url)}", "the bucket or directory must exist") from error
    except Exception as error:
        kind = type(error).__name__
        hint = "log in first" if "redential" in kind or "uthentication" in kind else "see that the host is reachable"
        raise OutputError(f"{shown} {doing}: {_scrubbed(error, url)}", hint) from error


def _scrubbed(error: BaseException, url: str) -> str:
    """The message of an error in one line, without the password of ``url``."""
    text = " ".join(str(error).split())[:300] or type(error).__name__
    try:
        password = urlsplit(url).password
    except ValueError:
        password = None
    return text.replace(password, "***") if password else text


def quietly(work: Callable[[], Any]) -> None:
    """Tidying up: that it fails is no reason to fail."""
    with suppress(Exception):
        work()
