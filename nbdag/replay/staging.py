"""What the kernel has encoded so far: heads and blobs in a directory, and what it need not write again.

The kernel writes, this process looks on: a small file says how many bytes are done (``portable/blobs.py``).
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbdag.errors import IntegrityError, OutputError
from nbdag.model.plan import Load, Plan
from nbdag.portable.bundlefile import digest_of_file
from nbdag.portable.places import BundlePlace, Piece
from nbdag.progress import Bytes, Progress, Silent
from nbdag.replay.bundle import Form
from nbdag.replay.manifests import is_bundle, known_contents, packed_blobs, read_manifest
from nbdag.replay.publishing import FULL_DISK
from nbdag.replay.verify import Commands

POLL = 0.1
"""Seconds between looks at how far the kernel is."""

WORTH_A_BAR = 32 << 20
"""Bytes below which writing is over before a bar could be read."""


@dataclass(slots=True)
class Staging:
    """The directory the kernel writes heads and blobs into, and what is there already, or in the bundle before."""

    directory: Path
    earlier: Earlier | None = None
    form: Form = field(default_factory=Form)
    progress: Progress = field(default_factory=Silent)
    encoded: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)
    _vouched: set[str] = field(default_factory=set)

    def encode(self, agent: Commands, plan: Plan, by_name: Sequence[str]) -> dict[str, Any]:
        """Have the kernel encode the groups of ``plan`` that are not encoded yet; the index of all of them."""
        loads = [step for step in plan.steps if isinstance(step, Load)]
        missing = [load for load in loads if load.names not in self.encoded]
        known = self.earlier.known(self.form) if self.earlier is not None else {}
        self._ask(agent, missing, by_name, known)
        damaged = [load for load in missing if not self._is_whole(self.encoded[load.names])]
        self._ask(agent, damaged, by_name, {})
        ordered = sorted(loads, key=lambda load: load.group)
        return {"groups": [self.encoded[load.names] for load in ordered]}

    def _ask(self, agent: Commands, loads: Sequence[Load], by_name: Sequence[str], known: Mapping[str, int]) -> None:
        if not loads:
            return
        index_path, known_path = self.directory / "index.json", self.directory / "known.json"
        done = self.directory / "done"
        _write_json(known_path, known)
        with _watched(done, sum(load.size for load in loads), self.progress):
            answer = agent.command(
                "encode",
                {
                    "path": str(index_path),
                    "directory": str(self.directory),
                    "groups": [list(load.names) for load in loads],
                    "by_name": list(by_name),
                    "known": str(known_path),
                    "progress": str(done),
                },
            )
        if "refused" in answer:
            place = self.directory.parent.parent
            raise OutputError(f"cannot write in {place}: {answer['refused']}", FULL_DISK)
        index = json.loads(index_path.read_text(encoding="utf-8"))
        for load, group in zip(loads, index["groups"], strict=True):
            self.encoded[load.names] = group

    def _is_whole(self, group: Mapping[str, Any]) -> bool:
        """Whether what the kernel did not write is really there: a disk may have lost it since."""
        if "error" in group:
            return True
        for part in [group["head"], *group["regions"]]:
            digest = part.get("blob", "")
            if not digest or digest in self._vouched or (self.directory / "blobs" / digest).is_file():
                continue
            held = self.earlier.stored(digest, self.form) if self.earlier is not None else None
            if held is None:
                return False
            stored, piece = held
            if digest_of_file(*piece) != stored:
                return False
            self._vouched.add(digest)
        return True


class Earlier:
    """The bundle that will be replaced, held by links: another compilation may replace it meanwhile."""

    def __init__(self, out: Path, work: Path) -> None:
        self.place: BundlePlace | None = None
        self.path: Path | None = None
        self._manifest: dict[str, Any] = {"groups": [], "blobs": {}}
        if not is_bundle(out):
            return
        try:
            held = _linked(out, work / ("earlier" + out.suffix))
            self._manifest = read_manifest(held)
        except (OSError, IntegrityError, TypeError, KeyError):
            return  # damaged, or on a disk without links: everything is written anew
        self.path = held
        self.place = BundlePlace(str(held))
        self.place.store = self._manifest.get("store", "")

    def known(self, form: Form) -> dict[str, int]:
        """Contents that need not be written: sizes by digest."""
        known = known_contents(self._manifest, form.packing) if self.place is not None else {}
        return known if form.store is None else {**form.store.sizes(), **known}

    def stored(self, content: str, form: Form) -> tuple[str, Piece] | None:
        """Where a known content is stored, and the digest of what lies there."""
        packed = packed_blobs(self._manifest, form.packing).get(content)
        digest = packed.digest if packed is not None else content
        if self.place is not None and digest in self._manifest["blobs"]:
            try:
                return digest, self.place.blob(digest)
            except OSError:
                pass
        piece = form.store.piece(content) if form.store is not None else None
        return (content, piece) if piece is not None else None


def _linked(out: Path, held: Path) -> Path:
    """The bundle at ``out`` once more at ``held``, without a copy of its blobs. Raises OSError."""
    if out.is_file():
        os.link(out, held)
        return held
    held.mkdir()
    (held / "blobs").mkdir()
    for name in ("restore.py", "__main__.py", "data.msgpack"):
        if (out / name).is_file():
            os.link(out / name, held / name)
    if (out / "blobs").is_dir():
        for blob in (out / "blobs").iterdir():
            os.link(blob, held / "blobs" / blob.name)
    return held


@contextmanager
def counting(progress: Progress, stage: str, total: int) -> Iterator[Callable[[int], None]]:
    """A stage of so many bytes; gives what is to be told of each few of them. Nothing where there is little to do."""
    if total < WORTH_A_BAR:
        yield lambda count: None
        return
    progress.begin(stage, Bytes(total))
    try:
        yield lambda count: progress.advance(count)
    finally:
        progress.end()
        progress.begin("compiling", None)


@contextmanager
def _watched(done: Path, total: int, progress: Progress) -> Iterator[None]:
    """Report to ``progress`` how far the kernel is, as ``done`` says."""
    ended = threading.Event()
    with counting(progress, "writing", total) as advance:

        def look() -> None:
            seen = 0
            while not ended.wait(POLL):
                seen = _advance_to(min(_bytes_done(done), total), seen, advance)

        looking = threading.Thread(target=look, name="nbdag-progress", daemon=True)
        looking.start()
        try:
            yield
        finally:
            ended.set()
            looking.join()


def _advance_to(now: int, seen: int, advance: Callable[[int], None]) -> int:
    if now > seen:
        advance(now - seen)
    return max(now, seen)


def _bytes_done(path: Path) -> int:
    try:
        return int(path.read_bytes() or b"0")
    except (OSError, ValueError):
        return 0


def _write_json(path: Path, content: Mapping[str, int]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}", FULL_DISK) from error
