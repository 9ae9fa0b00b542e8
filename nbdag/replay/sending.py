"""Sends a bundle to a URL: blobs side by side, what is there already not again, and what makes it valid last.

``destinations.py`` says how a bundle lies there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from nbdag.errors import IntegrityError, NbdagError, OutputError, UsageError
from nbdag.portable.bundlefile import digest_of_file
from nbdag.progress import Progress, Silent
from nbdag.replay.cost import clamp_bandwidth, round_bandwidth
from nbdag.replay.filesystem import WHOLE_OR_NOTHING, Remote, quietly, without_password
from nbdag.replay.manifests import read_manifest
from nbdag.replay.publishing import ARCHIVE
from nbdag.replay.transfers import MANIFEST, Told, manifest_text, place_at_url, read_remote_manifest, transfer

SAME_SPEED = 8.0
"""Measurements of one network differ by so much from hour to hour."""

PROBE = 2 << 20
"""Bytes written to see whether one may, and how fast it goes."""


def outgoing(url: str, state_directory: Path) -> Path:
    """Where the bundle for ``url`` is made, and kept when sending it fails."""
    name = PurePosixPath(urlsplit(url).path).name or "bundle"
    number = hashlib.sha256(url.encode("utf-8")).hexdigest()[:10]
    stem, dot, suffix = name.partition(".")
    return (state_directory / "outgoing" / f"{stem}-{number}{dot}{suffix}").absolute()


def deliver(bundle: Path, url: str, progress: Progress = Silent()) -> int:
    """``send_bundle``, and the local one goes; it stays where sending fails, and the error says so."""
    try:
        sent = send_bundle(bundle, url, progress)
    except NbdagError as error:
        error.hint = f"{error.hint}; the bundle is kept in {bundle}, and what arrived is not sent again".lstrip("; ")
        raise
    shutil.rmtree(bundle, ignore_errors=True)
    if bundle.is_file():
        bundle.unlink()
    return sent


def check_remote(url: str, made_in: Path, *, store: bool = False) -> float:
    """Bytes per second to ``url``, measured by writing there, which shows that one may.

    A measurement near the one before, which is noted beside ``made_in``, where the bundle is made, gives the same
    number: a plan must not turn, nor everything be sent again, because a network has moods. Raises what ``Remote.at``
    raises, OutputError where it may not be written, UsageError with ``store``: what is kept elsewhere on this machine
    cannot be read from there.
    """
    if store:
        raise UsageError(f"--store-dir and {without_password(url)} contradict each other", "blobs at a URL are there")
    remote = Remote.at(url)
    content = os.urandom(PROBE)
    probe = f"{remote.root}.nbdag-probe-{os.getpid()}"
    with remote.failing("cannot be written"):
        filesystem = remote.filesystem
        if remote.scheme not in WHOLE_OR_NOTHING:
            filesystem.makedirs(probe.rpartition("/")[0], exist_ok=True)
        begun = time.perf_counter()
        filesystem.pipe_file(probe, content)
        taken = time.perf_counter() - begun
        quietly(lambda: filesystem.rm_file(probe))
    return _steady(clamp_bandwidth(round_bandwidth(PROBE / max(taken, 1e-6))), made_in)


def _steady(speed: float, made_in: Path) -> float:
    """``speed``, or the one noted before if the two are within a factor of ``SAME_SPEED``; notes what it returns."""
    note = made_in.parent / f"{made_in.name}.speed"
    try:
        before = float(note.read_text(encoding="ascii"))
        if speed / SAME_SPEED <= before <= speed * SAME_SPEED:
            return before
    except (OSError, ValueError):
        pass
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(repr(speed), encoding="ascii")
    return speed


def send_bundle(bundle: Path, url: str, progress: Progress = Silent()) -> int:
    """Send the bundle at ``bundle`` to ``url``; returns how many bytes had to be sent.

    What an attempt before has sent is not sent again. Raises OutputError, EnvironmentRefused, IntegrityError.
    """
    remote = Remote.at(url)
    manifest = read_manifest(bundle)
    if manifest.get("store"):
        raise UsageError(
            f"{bundle} keeps its large data in the store {manifest['store']}", "compile without --store-dir"
        )
    if bundle.is_file() or remote.is_archive:
        return _send_archive(bundle, remote, progress)
    files = _files_of(bundle)
    with remote.failing("cannot be written"):
        before = read_remote_manifest(remote)
        there = remote.sizes("blobs")
        small = remote.sizes("versions")
        jobs: dict[str, tuple[Path, str, int]] = {}
        for name, (digest, size) in files.items():
            place = place_at_url(name, digest)
            known = there if place.startswith("blobs/") else small
            if known.get(digest) != size:
                jobs[place] = (bundle / name, place, size)
        sent = sum(size for _, _, size in jobs.values())
        transfer(
            progress,
            "sending",
            sent,
            [partial(_put, remote, source, place) for source, place, _ in jobs.values()],
        )
        for name in sorted(files):
            if not name.startswith("blobs/"):
                remote.put(bundle / name, name)
        arrived = {**remote.sizes("blobs"), **remote.sizes("versions")}
        lacking = [digest for digest, size in files.values() if arrived.get(digest) != size]
        if lacking:
            raise OutputError(f"{remote.shown}: {lacking[0]} did not arrive whole", "run the same command again")
        previous = sorted({digest for digest, _ in before.values()} - {digest for digest, _ in files.values()})
        remote.put_bytes(manifest_text(files, previous), MANIFEST)
        _remove_superseded(remote, {digest for digest, _ in files.values()} | set(previous), arrived)
    return sent


def _put(remote: Remote, source: Path, place: str, told: Told) -> None:
    remote.put(source, place, told)


def _send_archive(bundle: Path, remote: Remote, progress: Progress) -> int:
    if not remote.is_archive or not bundle.is_file():
        raise UsageError(
            f"{bundle} and {remote.shown}: one is one file, the other a directory", f"end both in {ARCHIVE}"
        )
    size = bundle.stat().st_size
    with remote.failing("cannot be written"):
        transfer(progress, "sending", size, [lambda told: remote.put(bundle, "", told)])
    return size


def _files_of(bundle: Path) -> dict[str, tuple[str, int]]:
    """(sha256, size) of every file of a bundle, by its path in it."""
    files = {}
    for path in sorted(bundle.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and ".ipynb_checkpoints" not in path.parts:
            name = path.relative_to(bundle).as_posix()
            digest = digest_of_file(str(path))
            if name.startswith("blobs/") and path.name != digest:
                raise IntegrityError(f"{path} is damaged: its content has another sha256", "compile the bundle again")
            files[name] = (digest, path.stat().st_size)
    return files


def _remove_superseded(remote: Remote, wanted: set[str], there: Mapping[str, int]) -> None:
    """Remove what neither this bundle nor the one before needs: who reads that one now can still end."""
    for digest in sorted(there.keys() - wanted):
        if len(digest) == 64:
            for folder in ("blobs", "versions"):
                quietly(partial(remote.filesystem.rm_file, remote.path(f"{folder}/{digest}")))
