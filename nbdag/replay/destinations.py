"""Bundles at a URL: ``s3://``, ``gs://``, ``sftp://`` and whatever else fsspec knows.

A bundle at a URL is the same directory, and three things more, so that whoever reads never sees half of one::

    URL/blobs/<sha256>      written once; one that is there with its size is not sent again
    URL/versions/<sha256>   restore.py, data.msgpack and what else is small, by content
    URL/restore.py ...      the same once more by name, for who copies the directory with other tools
    URL/nbdag-remote.json   last of all: which contents make up the bundle now, and which did before

A reader goes by nbdag-remote.json alone, and compares the sha256 of everything it fetches.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from nbdag.errors import IntegrityError, OutputError
from nbdag.portable.bundlefile import BundleDamaged, check_blobs, digest_of_file
from nbdag.progress import Progress, Silent
from nbdag.replay.filesystem import Remote
from nbdag.replay.manifests import read_manifest
from nbdag.replay.publishing import ARCHIVE, check_destination, put_in_place
from nbdag.replay.transfers import MANIFEST, Told, place_at_url, read_remote_manifest, transfer


def fetch_bundle(url: str, into: Path, progress: Progress = Silent()) -> Path:
    """Fetch the bundle at ``url`` into the directory ``into``, and return where it is: that directory, or the one file
    in it.

    What is there already, of this bundle or of an attempt that was broken off, is not fetched again. An older bundle in
    ``into`` is replaced at once when all has arrived. Raises EnvironmentRefused (fsspec or its driver is missing),
    OutputError (the host, or ``into``), IntegrityError (no bundle there, half of one, or a damaged one).
    """
    remote = Remote.at(url)
    if remote.is_archive:
        return _fetch_archive(remote, into, progress)
    check_destination(into)
    fetching = into.absolute().parent / f".{into.name}.fetching"
    with remote.failing("cannot be read"):
        files = read_remote_manifest(remote)
        if not files:
            raise _no_bundle(remote)
        with _disk_errors(into):
            (fetching / "parts").mkdir(parents=True, exist_ok=True)
            sizes = {digest: (size, name) for name, (digest, size) in files.items()}
            missing = {d: found for d, found in sizes.items() if not _have(d, found[0], fetching / "parts", into)}
        total = sum(size for size, _ in missing.values())
        transfer(
            progress,
            "fetching",
            total,
            [
                partial(_fetch, remote, place_at_url(name, digest), digest, size, fetching / "parts")
                for digest, (size, name) in sorted(missing.items())
            ],
        )
    with _disk_errors(into):
        whole = fetching / f"bundle-{os.getpid()}"
        shutil.rmtree(whole, ignore_errors=True)
        for name, (digest, _) in files.items():
            target = whole.joinpath(*PurePosixPath(name).parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(fetching / "parts" / digest, target)
        (whole / "blobs").mkdir(exist_ok=True)
        read_manifest(whole)
        put_in_place(whole, into)
        shutil.rmtree(fetching, ignore_errors=True)
    return into


def _fetch_archive(remote: Remote, into: Path, progress: Progress) -> Path:
    target = into if into.suffix.lower() == ARCHIVE else into / PurePosixPath(remote.root).name
    check_destination(target)
    fetching = target.absolute().parent / f".{target.name}.fetching-{os.getpid()}"
    try:
        with remote.failing("cannot be read"):
            try:
                size = int(remote.filesystem.info(remote.root)["size"])
            except FileNotFoundError:
                raise _no_bundle(remote) from None
            with _disk_errors(target):
                fetching.parent.mkdir(parents=True, exist_ok=True)
            transfer(progress, "fetching", size, [lambda told: remote.get("", fetching, size, told)])
        manifest = read_manifest(fetching)
        try:
            check_blobs(str(fetching), manifest, (), every_byte=True)
        except BundleDamaged as error:
            raise IntegrityError(f"{remote.shown}: {error}", "compile it again") from error
        with _disk_errors(target):
            put_in_place(fetching, target)
    finally:
        fetching.unlink(missing_ok=True)
    return target


def _have(digest: str, size: int, parts: Path, into: Path) -> bool:
    """Whether a content is there already: of an attempt before, or in the bundle that is replaced."""
    part = parts / digest
    if part.is_file() and part.stat().st_size == size and digest_of_file(str(part)) == digest:
        return True
    older = into / "blobs" / digest
    if not older.is_file() or older.stat().st_size != size or digest_of_file(str(older)) != digest:
        return False
    try:
        part.unlink(missing_ok=True)
        _link_or_copy(older, part)
    except OSError:
        return False
    return True


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _fetch(remote: Remote, name: str, digest: str, size: int, parts: Path, told: Told) -> None:
    unfinished = parts / f"{digest}.{os.getpid()}"
    try:
        remote.get(name, unfinished, size, told)
        if digest_of_file(str(unfinished)) != digest:
            raise IntegrityError(
                f"{remote.shown}: {name} is damaged: its content has another sha256", "compile it again"
            )
        os.replace(unfinished, parts / digest)
    except FileNotFoundError:
        raise IntegrityError(
            f"{remote.shown}: {name} is missing: half of a bundle, or a new one is being written",
            "try again, or compile it again",
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)


def _no_bundle(remote: Remote) -> IntegrityError:
    """What is wrong where there is no complete bundle."""
    if remote.sizes("blobs") or remote.sizes("versions"):
        return IntegrityError(
            f"{remote.shown}: half of a bundle: sending it was broken off",
            "compile it again; what arrived is not sent again",
        )
    return IntegrityError(f"{remote.shown}: there is no bundle", f"a bundle that nbdag sent has a file {MANIFEST}")


@contextmanager
def _disk_errors(into: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {error.filename or into}: {error.strerror or error}", "choose another directory"
        ) from error
