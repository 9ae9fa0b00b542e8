"""Writes a plan and the encoded values as a bundle: restore.py, data.msgpack, blobs/ and more.

``docs/format.md`` is the format. Written beside its destination, synced, and swapped in by a rename
(``publishing.py``). The same plan and values give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbdag.errors import OutputError
from nbdag.model.bundle import Bundle
from nbdag.model.plan import Action, Plan, Replay
from nbdag.portable.bundlefile import BUNDLE_FORMAT, BUNDLE_VERSION, BUNDLE_VERSION_PACKED
from nbdag.portable.encode import INLINE_LIMIT
from nbdag.portable.msgpack import pack
from nbdag.portable.places import BundlePlace, Piece
from nbdag.replay.archives import pack_archive
from nbdag.replay.compression import LITTLE, Packed, Packing, pack_blobs
from nbdag.replay.fallback import Fallbacks
from nbdag.replay.manifests import packed_blobs, read_manifest
from nbdag.replay.publishing import (
    check_destination,
    failures_as_output_errors,
    is_archive,
    put_in_place,
    sync_tree,
    umask,
)
from nbdag.replay.script import RandomTable, restore_script, step_text
from nbdag.replay.stores import Store, copy_piece


@dataclass(frozen=True, slots=True)
class Form:
    """In what form a bundle is written, beside what is in it: how its blobs are packed, and where they are shared."""

    packing: Packing = field(default_factory=Packing)
    store: Store | None = None


def write_bundle(
    plan: Plan,
    encoded: Mapping[str, Any],
    staging: Path,
    out: Path,
    *,
    process_state: Mapping[str, Any],
    random_states: Mapping[str, bytes],
    provenance: Mapping[str, Any],
    requirements: Sequence[tuple[str, str]],
    reuse: Path | None = None,
    carried: Sequence[tuple[str, Path]] = (),
    fallbacks: Fallbacks = Fallbacks(),
    form: Form = Form(),
    advance: Callable[[int], None] = lambda count: None,
    history: bytes = b"",
) -> Bundle:
    """Write the bundle at ``out``, atomically: a directory, or one file where the name ends in ``.pyz``.

    ``encoded["groups"]`` are the indices that ``portable.encode.write_group`` returned, numbered as the plan's loads
    are; their blobs lie in ``staging/blobs`` and stay there, or in ``reuse``, an earlier bundle, or in the store.
    ``carried`` are small input files: (path as the code spells it, where it is now). ``fallbacks`` are the statements
    that make what a target cannot load. ``advance`` is told of bytes that were packed or copied. ``history`` is the
    packed past of the session (``history.py``). Raises OutputError.
    """
    check_destination(out)
    random_table = RandomTable()
    steps = [step_text(step, random_table) for step in plan.steps]
    groups = [{**_group_of(index), **_fallback_of(number, fallbacks)} for number, index in enumerate(encoded["groups"])]
    with failures_as_output_errors(out):
        parent = out.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{out.name}.tmp-", dir=parent))
        try:
            made = building / "made"
            made.mkdir()
            spare = _fallback_steps(fallbacks)
            sources = _Sources(staging, made, reuse, form, advance)
            blobs = sources.place(groups)
            spare_part = _aside(spare, made, blobs)
            past_part = _aside(history, made, blobs)
            bundle = building / "bundle"
            (bundle / "blobs").mkdir(parents=True)
            refers = form.store is not None and (is_archive(out) or not form.store.links_into(bundle))
            content = {
                "format": BUNDLE_FORMAT,
                "version": BUNDLE_VERSION,
                "provenance": dict(provenance),
                "requirements": [list(pair) for pair in requirements],
                "groups": groups,
                "blobs": {digest: piece[2] for digest, piece in sorted(blobs.items())},
                "fallbacks": spare_part,
                "history": past_part,
                "replayed": sorted(n for d in plan.decisions if d.action is Action.REPLAY for n in d.names),
                "process_state": dict(process_state),
                "replay_states": random_table.states,
                "random_states": dict(random_states),
                **({"store": str(form.store.directory)} if form.store is not None and refers else {}),
            }
            data = _data_file(content, form.packing)
            replays = any(isinstance(step, Replay) for step in plan.steps)
            script = restore_script(
                steps,
                plan.dropped,
                hashlib.sha256(data).hexdigest(),
                provenance,
                _restorers_of(groups),
                archive=is_archive(out),
                without=parts_without_use(content, replays),
            )
            reused = sources.reused(blobs)
            for digest, piece in sorted(blobs.items()):
                _place_blob(digest, piece, bundle, form.store, refers)
            for path, source in carried:
                _carry(path, source, bundle)
            lines = [f"{name}=={version}\n" if version else f"{name}\n" for name, version in requirements]
            (bundle / "requirements.txt").write_bytes("".join(lines).encode())
            (bundle / "data.msgpack").write_bytes(data)
            name = "__main__.py" if is_archive(out) else "restore.py"
            (bundle / name).write_bytes(script.encode("utf-8"))
            (bundle / name).chmod(0o777 & ~umask())
            bundle.chmod(0o777 & ~umask())
            if is_archive(out):  # which is synced as it is written
                pack_archive(bundle, building / "archive", advance)
                bundle = building / "archive"
                bundle.chmod(0o777 & ~umask())
            else:
                sync_tree(bundle)
            put_in_place(bundle, out)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    stored = sum(piece[2] for piece in blobs.values())
    return Bundle(str(out), len(data), stored, len(blobs), reused)


def _data_file(content: Mapping[str, Any], packing: Packing) -> bytes:
    """``content`` as data.msgpack: as it is, or packed in its own frame where that makes it clearly smaller."""
    data = pack(content)
    packed = packing.little(data)
    if packed is None:
        return data
    frame = {"format": BUNDLE_FORMAT, "version": BUNDLE_VERSION_PACKED, "size": len(data), "packed": packed}
    return pack(frame)


def _aside(content: bytes, made: Path, blobs: dict[str, Piece]) -> Any:
    """``content`` as data.msgpack holds it: itself, or the blob that it becomes where it is large."""
    if len(content) < INLINE_LIMIT:
        return content
    digest = hashlib.sha256(content).hexdigest()
    (made / digest).write_bytes(content)
    blobs[digest] = (str(made / digest), 0, len(content))
    return {"blob": digest, "size": len(content)}


def publish(candidate: Path, out: Path, bundle: Bundle, store: Store | None = None) -> Bundle:
    """Move the bundle at ``candidate`` (on the same file system) to ``out`` in place of what is there."""
    if store is not None:
        with failures_as_output_errors(store.directory):
            store.refer(out)
    put_in_place(candidate, out)
    return replace(bundle, directory=str(out))


# ------------------------------------------------------------------------------------------------ data


def _group_of(index: Mapping[str, Any]) -> dict[str, Any]:
    """An index as ``write_group`` gave it, with bytes instead of base64."""
    if "error" in index:
        raise ValueError(f"group {index.get('names')} was not encoded: {index['error']}")
    return {
        **index,
        "head": _part_of(index["head"]),
        "regions": [_part_of(part) for part in index["regions"]],
    }


def _restorers_of(groups: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(name for group in groups for name in group.get("restorers", ()))


LIBRARY_STATES = frozenset({"warnings", "logging", "decimal", "locale", "numpy", "pandas", "matplotlib"})


def parts_without_use(content: Mapping[str, Any], replays: bool) -> frozenset[str]:
    """The modules of the runtime that nothing in this data.msgpack leads to; ``replays``: the plan runs some code."""
    state = content["process_state"]
    packed = any("codec" in part for group in content["groups"] for part in _blob_parts(group))
    used = {
        "history": bool(content["history"]),
        "journal": bool(content["provenance"].get("save")),
        "library_state": not LIBRARY_STATES.isdisjoint(state),
        "local_modules": "modules" in state,
        "open_figures": "pyplot" in state or "figure_number" in _restorers_of(content["groups"]),
        "process_state": bool(state),
        "replaying": replays or bool(content["fallbacks"]),
        "unpacking": packed,
    }
    return frozenset(part for part, needed in used.items() if not needed)


def _part_of(part: Mapping[str, Any]) -> Any:
    return base64.b64decode(part["inline"]) if "inline" in part else {"blob": part["blob"], "size": part["size"]}


def _blob_parts(group: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for part in [group["head"], *group["regions"]]:
        if isinstance(part, dict):
            yield part


def _fallback_steps(fallbacks: Fallbacks) -> bytes:
    """The statements of ``fallbacks``, packed on their own: a restore that does not need them leaves them so. Empty
    without any."""
    if not fallbacks.steps:
        return b""
    table = RandomTable()
    steps = [
        {
            "code": step.code,
            "cell": step.cell,
            "line": step.line,
            "names": list(step.names),
            "random_state": table.number_of(step.random_state) if step.random_state else None,
            "files": [[use.path, use.absolute, use.size, use.digest] for use in step.files if use.mode == "r"],
            "cwd": step.cwd,
            "may_fail": step.may_fail,
        }
        for step in fallbacks.steps
    ]
    return pack({"steps": steps, "states": table.states})


def _fallback_of(group: int, fallbacks: Fallbacks) -> dict[str, Any]:
    """What the entry of a group says of its fallback."""
    if group in fallbacks.closed:
        return {"no_fallback": fallbacks.closed[group]}
    if group not in fallbacks.of:
        return {}
    doubt = {"doubt": fallbacks.doubts[group]} if group in fallbacks.doubts else {}
    return {"fallback": [[index, list(names)] for index, names in fallbacks.of[group]], **doubt}


# ------------------------------------------------------------------------------------------------ blobs


class _Sources:
    """Where the blobs of a bundle come from: the kernel's, the earlier bundle's, the store's; packed where it pays."""

    def __init__(
        self, staging: Path, made: Path, reuse: Path | None, form: Form, advance: Callable[[int], None]
    ) -> None:
        self._staging = staging
        self._made = made
        self._form = form
        self._advance = advance
        self._earlier: BundlePlace | None = None
        self._packed_before: dict[str, Packed] = {}
        if reuse is not None and reuse.exists():
            manifest = read_manifest(reuse)
            self._earlier = BundlePlace(str(reuse))
            self._earlier.store = manifest.get("store", "")
            self._packed_before = packed_blobs(manifest, form.packing)
        self._before = frozenset(manifest["blobs"]) if self._earlier is not None else frozenset()

    def place(self, groups: Sequence[dict[str, Any]]) -> dict[str, Piece]:
        """Where each blob of ``groups`` is, by the digest of what is stored; their parts then say how it is packed.

        Raises OutputError for a blob that is nowhere.
        """
        contents = sorted({part["blob"] for group in groups for part in _blob_parts(group)})
        packed: dict[str, Packed] = {}
        found: dict[str, Piece] = {}
        plain: dict[str, Piece] = {}
        for digest in contents:
            before = self._packed_before.get(digest)
            piece = self._in_earlier(before.digest) if before is not None else None
            if before is not None and piece is not None:
                packed[digest] = before
                found[before.digest] = piece
            else:
                plain[digest] = self._plain(digest)
        sizes = {part["blob"]: part["size"] for group in groups for part in _blob_parts(group)}
        little = sum(sizes[digest] for digest in packed if sizes[digest] <= LITTLE)
        new = pack_blobs(plain, self._form.packing, self._made, self._advance, self._before, little)
        packed.update(new)
        found.update((one.digest, (str(self._made / one.digest), 0, one.stored)) for one in new.values())
        found.update((digest, piece) for digest, piece in plain.items() if digest not in new)
        for group in groups:
            group["head"] = _as_packed(group["head"], packed)
            group["regions"] = [_as_packed(part, packed) for part in group["regions"]]
        return found

    def reused(self, blobs: Mapping[str, Piece]) -> int:
        """How many of ``blobs`` the earlier bundle or the store has."""
        store = self._form.store
        return sum(digest in self._before or (store is not None and store.has(digest)) for digest in blobs)

    def _plain(self, digest: str) -> Piece:
        path = self._staging / "blobs" / digest
        if path.is_file():
            return str(path), 0, path.stat().st_size
        piece = self._in_earlier(digest)
        if piece is None and self._form.store is not None:
            piece = self._form.store.piece(digest)
        if piece is None:
            raise OutputError(f"the blob {digest} is gone from {path}", "compile again")
        return piece

    def _in_earlier(self, digest: str) -> Piece | None:
        if self._earlier is None or digest not in self._before:
            return None
        try:
            return self._earlier.blob(digest)
        except OSError:
            return None


def _as_packed(part: Any, packed: Mapping[str, Packed]) -> Any:
    """A part as the bundle has it: ``raw`` is the digest of the content of a packed one."""
    if not isinstance(part, dict) or part["blob"] not in packed:
        return part
    form = packed[part["blob"]]
    return {"blob": form.digest, "size": part["size"], "codec": form.codec, "raw": part["blob"]}


def _place_blob(digest: str, piece: Piece, bundle: Path, store: Store | None, refers: bool) -> None:
    """Link or copy a blob into the bundle; into the store where there is one, and then link that."""
    target = bundle / "blobs" / digest
    if store is not None:
        piece = (str(store.add(digest, piece)), 0, piece[2])
        if refers:
            return
    path, offset, size = piece
    try:
        if offset or os.path.getsize(path) != size:
            raise OSError("a piece of a larger file")
        os.link(path, target)
    except OSError:
        copy_piece(path, offset, size, str(target))
    if store is None:
        target.chmod(0o666 & ~umask())


def _carry(path: str, source: Path, building: Path) -> None:
    """Copy a small input file to where the replayed code will find it below ``files/``."""
    parts = Path(path).parts
    if Path(path).is_absolute() or ".." in parts:
        raise OutputError(f"{path} cannot be carried: only files below the working directory can")
    target = building.joinpath("files", *parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
