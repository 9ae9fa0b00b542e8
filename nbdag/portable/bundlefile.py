"""Opens a bundle and refuses a damaged one, before a byte of it is unpickled.

What is unpickled is vouched for by digests: data.msgpack by the one in restore.py, large pickles by those in
data.msgpack.
Buffers of arrays are only memory: their sizes are always compared, their digests with ``--verify``.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, Dict, Iterable, Set

from nbdag.portable.msgpack import MsgpackError, unpack

BUNDLE_FORMAT = "nbdag-bundle"
BUNDLE_VERSION = 1
HEX_DIGITS = frozenset("0123456789abcdef")


class BundleDamaged(Exception):
    """The bundle is incomplete, altered, or of a version that this script cannot read."""


def read_data(directory: str, digest: str) -> Dict[str, Any]:
    """The content of data.msgpack, which must have this sha256 (any, if ``digest`` is "")."""
    path = os.path.join(directory, "data.msgpack")
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as error:
        raise BundleDamaged("%s cannot be read: %s" % (path, error.strerror)) from None
    if digest and hashlib.sha256(raw).hexdigest() != digest:
        raise BundleDamaged("data.msgpack is damaged or belongs to another restore.py (its sha256 differs)")
    try:
        data = unpack(raw)
    except MsgpackError as error:
        raise BundleDamaged("data.msgpack is damaged: %s" % error) from None
    check_structure(data)
    return data  # type: ignore[no-any-return]


def check_structure(data: Any) -> None:
    """Raise :class:`BundleDamaged` unless ``data`` is what docs/format.md says."""
    if not isinstance(data, dict) or data.get("format") != BUNDLE_FORMAT:
        raise BundleDamaged("data.msgpack is not the data of a bundle")
    version = data.get("version")
    if version != BUNDLE_VERSION:
        raise BundleDamaged("the bundle has format version %r, this script reads %d" % (version, BUNDLE_VERSION))
    groups, blobs = data.get("groups"), data.get("blobs")
    if not isinstance(groups, list) or not isinstance(blobs, dict):
        raise BundleDamaged("data.msgpack has no groups")
    for digest, size in blobs.items():
        if not isinstance(digest, str) or len(digest) != 64 or not HEX_DIGITS.issuperset(digest):
            raise BundleDamaged("data.msgpack names a blob that is no sha256")
        if type(size) is not int or size < 0:
            raise BundleDamaged("data.msgpack gives a blob no size")
    for number, group in enumerate(groups):
        if not _is_group(group, blobs):
            raise BundleDamaged("group %d of data.msgpack is malformed" % number)


def _is_group(group: Any, blobs: Dict[str, int]) -> bool:
    if not isinstance(group, dict):
        return False
    regions, buffers, names = group.get("regions"), group.get("buffers"), group.get("names")
    if not isinstance(regions, list) or not isinstance(buffers, list) or not isinstance(names, list):
        return False
    if not all(isinstance(name, str) for name in names) or not isinstance(group.get("fallback", []), list):
        return False
    sizes = []
    for part in [group.get("head"), *regions]:
        if isinstance(part, bytes):
            sizes.append(len(part))
        elif isinstance(part, dict) and part.get("blob") in blobs and blobs[part["blob"]] == part.get("size"):
            sizes.append(part["size"])
        else:
            return False
    for buffer in buffers:
        if not isinstance(buffer, list) or len(buffer) != 4 or not all(type(item) is int for item in buffer[:3]):
            return False
        region, offset, length = buffer[:3]
        if region == -1 and length == 0:
            continue
        if not 0 <= region < len(regions) or offset < 0 or length < 0 or offset + length > sizes[region + 1]:
            return False
    return True


def check_blobs(directory: str, data: Dict[str, Any], groups: Iterable[int], every_byte: bool) -> None:
    """Compare sizes of all blobs, digests of the pickles of ``groups``; of everything, if ``every_byte``."""
    for digest, size in data["blobs"].items():
        path = os.path.join(directory, "blobs", digest)
        try:
            found = os.stat(path).st_size
        except OSError:
            raise BundleDamaged("blobs/%s is missing" % digest) from None
        if found != size:
            raise BundleDamaged("blobs/%s is damaged: %d bytes instead of %d" % (digest, found, size))
    wanted: Set[str] = set()
    for number in groups:
        if not 0 <= number < len(data["groups"]):
            raise BundleDamaged("restore.py asks for group %d, which data.msgpack does not have" % number)
        head = data["groups"][number]["head"]
        if isinstance(head, dict):
            wanted.add(head["blob"])
    for digest in sorted(data["blobs"] if every_byte else wanted):
        if digest_of_file(os.path.join(directory, "blobs", digest)) != digest:
            raise BundleDamaged("blobs/%s is damaged: its content has another sha256" % digest)


def read_fallbacks(directory: str, data: Dict[str, Any]) -> Dict[str, Any]:
    """The statements that make what cannot be loaded: ``{"steps": [...], "states": [...]}``. They are code, and so the
    digest of their blob is compared before they are read."""
    part = data.get("fallbacks")
    if isinstance(part, bytes):
        return unpack(part)  # type: ignore[no-any-return]
    digest = part["blob"] if isinstance(part, dict) else ""
    path = os.path.join(directory, "blobs", digest)
    if digest not in data["blobs"] or digest_of_file(path) != digest:
        raise BundleDamaged("blobs/%s is damaged: its content has another sha256" % digest)
    with open(path, "rb") as file:
        return unpack(file.read())  # type: ignore[no-any-return]


def digest_of_file(path: str) -> str:
    """The sha256 of a file's content."""
    found = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while True:
            piece = file.read(1 << 20)
            if not piece:
                return found.hexdigest()
            found.update(piece)
