"""What a written bundle says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbdag.errors import IntegrityError
from nbdag.portable.bundlefile import BundleDamaged, check_blobs, read_data
from nbdag.portable.places import BundlePlace
from nbdag.replay.compression import Packed, Packing


def script_text(bundle: Path) -> str:
    """The program of a bundle: its restore.py, or the ``__main__.py`` of an archive. Raises IntegrityError."""
    try:
        place = BundlePlace(str(bundle))
        try:
            text = place.content("__main__.py" if place.is_archive else "restore.py")
        except FileNotFoundError:
            text = place.content("__main__.py")  # an archive that was unpacked
        return text.decode("utf-8")
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{bundle}: its script cannot be read: {error}") from error


def read_manifest(bundle: Path) -> dict[str, Any]:
    """The content of a bundle's data.msgpack; raises IntegrityError where the bundle is damaged or incomplete."""
    found = re.search(r'^    DATA_SHA256 = "([0-9a-f]{64})"$', script_text(bundle), re.MULTILINE)
    if found is None:
        raise IntegrityError(f"{bundle}: its script is not a bundle's script")
    try:
        data = read_data(str(bundle), found[1])
        check_blobs(str(bundle), data, range(len(data["groups"])), every_byte=False)
    except BundleDamaged as error:
        raise IntegrityError(f"{bundle}: {error}", "compile it again") from error
    return data


def is_bundle(path: Path) -> bool:
    """Whether ``path`` looks like a bundle, whole or damaged."""
    return path.is_file() or any((path / name).is_file() for name in ("restore.py", "__main__.py"))


def earlier_choices(out: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The names that the bundle at ``out`` stores, and those it replays; none where there is no bundle, or a damaged
    one."""
    if not is_bundle(out):
        return frozenset(), frozenset()
    try:
        data = read_manifest(out)
        stored = frozenset(name for group in data["groups"] for name in group["names"])
        return stored, frozenset(name for name in data.get("replayed", ()) if isinstance(name, str))
    except (IntegrityError, TypeError):
        return frozenset(), frozenset()


def packed_blobs(manifest: Mapping[str, Any], packing: Packing) -> dict[str, Packed]:
    """The packed blobs of a bundle by the digest of their content: those that ``packing`` would pack again."""
    found = {}
    for part in blob_parts(manifest):
        if part.get("codec") == packing.format and isinstance(part.get("raw"), str):
            packed = Packed(part["codec"], part["blob"], manifest["blobs"][part["blob"]])
            if packing.keeps(packed.stored / max(part["size"], 1), part["size"]):
                found[part["raw"]] = packed
    return found


def known_contents(manifest: Mapping[str, Any], packing: Packing) -> dict[str, int]:
    """What need not be written again: sizes by the sha256 of the content."""
    known = {part["blob"]: part["size"] for part in blob_parts(manifest) if "codec" not in part}
    packed = packed_blobs(manifest, packing)
    sizes = {part["raw"]: part["size"] for part in blob_parts(manifest) if "raw" in part}
    return known | {raw: sizes[raw] for raw in packed}


def blob_parts(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The parts of a bundle's groups that are blobs."""
    for group in manifest["groups"]:
        for part in [group["head"], *group["regions"]]:
            if isinstance(part, dict):
                yield part
