"""Opens a bundle and refuses a damaged one, before a byte of it is unpickled.

What is unpickled is vouched for by digests: data.msgpack by the one in restore.py, large pickles by those in
data.msgpack.
Buffers of arrays are only memory: their sizes are always compared, their digests with ``--verify``.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Set

from nbdag.portable.msgpack import MsgpackError, unpack
from nbdag.portable.places import BundlePlace, place_of, place_of_script
from nbdag.portable.sha256 import new_sha256, sha256_of

BUNDLE_FORMAT = "nbdag-bundle"
BUNDLE_VERSION, BUNDLE_VERSION_PACKED = 1, 2
HEX_DIGITS = frozenset("0123456789abcdef")
MOST_UNPACKED = {"zlib": 1100, "zstd": 40_000}  # bytes that a packed one can stand for: the formats allow no more


class BundleDamaged(Exception):
    """The bundle is incomplete, altered, or of a version that this script cannot read."""


def open_place(script: str) -> BundlePlace:
    """Where the bundle of a running restore.py lies."""
    try:
        return place_of_script(script)
    except (OSError, ValueError) as error:
        raise BundleDamaged(str(error)) from None


def read_data(bundle: Any, digest: str) -> Dict[str, Any]:
    """The content of data.msgpack, which must have this sha256 (any, if ``digest`` is ""). ``bundle`` is a place or a
    path; a place is told where the bundle's store is."""
    try:
        place = place_of(bundle)
        raw = place.content("data.msgpack")
    except OSError as error:
        raise BundleDamaged("data.msgpack of %s cannot be read: %s" % (bundle, error.strerror)) from None
    except ValueError as error:
        raise BundleDamaged(str(error)) from None
    if digest and sha256_of(raw) != digest:
        raise BundleDamaged("data.msgpack is damaged or belongs to another restore.py (its sha256 differs)")
    try:
        data = unpack(raw)
        if isinstance(data, dict) and data.get("version") == BUNDLE_VERSION_PACKED:
            data = {**unpacked_data(data), "format": data.get("format"), "version": BUNDLE_VERSION_PACKED}
    except MsgpackError as error:
        raise BundleDamaged("data.msgpack is damaged: %s" % error) from None
    check_structure(data)
    place.store = data.get("store", "")
    return data  # type: ignore[no-any-return]


def unpacked_data(data: Dict[str, Any]) -> Dict[str, Any]:
    """What a data.msgpack of version 2 holds packed."""
    import zlib

    packed, size = data.get("packed"), data.get("size")
    if not isinstance(packed, bytes) or type(size) is not int or not 0 < size <= MOST_UNPACKED["zlib"] * len(packed):
        raise BundleDamaged("data.msgpack is damaged: what it holds packed is not there")
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(packed, size)
        more = b"" if stream.eof else stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise BundleDamaged("data.msgpack is damaged: %s" % error) from None
    if len(content) != size or more or not stream.eof:
        raise BundleDamaged("data.msgpack is damaged: it unpacks to another size")
    inner = unpack(content)
    return inner if isinstance(inner, dict) else {}


def check_structure(data: Any) -> None:
    """Raise :class:`BundleDamaged` unless ``data`` is what docs/format.md says."""
    if not isinstance(data, dict) or data.get("format") != BUNDLE_FORMAT:
        raise BundleDamaged("data.msgpack is not the data of a bundle")
    version = data.get("version")
    if type(version) is not int or not BUNDLE_VERSION <= version <= BUNDLE_VERSION_PACKED:
        newer = type(version) is int and version > BUNDLE_VERSION
        raise BundleDamaged(
            "the bundle has format version %r, this script reads %d and %d%s"
            % (
                version,
                BUNDLE_VERSION,
                BUNDLE_VERSION_PACKED,
                ": use the restore.py that was written with it, or a newer nbdag" if newer else "",
            )
        )
    groups, blobs = data.get("groups"), data.get("blobs")
    if not isinstance(groups, list) or not isinstance(blobs, dict):
        raise BundleDamaged("data.msgpack has no groups")
    if not isinstance(data.get("store", ""), str):
        raise BundleDamaged("data.msgpack names a store that is no path")
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
        elif isinstance(part, dict) and _is_blob(part, blobs):
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


def _is_blob(part: Dict[str, Any], blobs: Dict[str, int]) -> bool:
    """Whether a part names a blob of the bundle, and its size; of a packed one, a size that it can unpack to."""
    digest, size = part.get("blob"), part.get("size")
    if not isinstance(digest, str) or digest not in blobs or type(size) is not int or size < 0:
        return False
    if "codec" not in part:
        return blobs[digest] == size
    codec = part["codec"]
    return isinstance(codec, str) and size <= MOST_UNPACKED.get(codec, 1 << 62) * blobs[digest]


def check_blobs(bundle: Any, data: Dict[str, Any], groups: Iterable[int], every_byte: bool) -> None:
    """Compare sizes of all blobs, digests of the pickles of ``groups``; of everything, if ``every_byte``. All that is
    wrong is in the one error that it raises."""
    place = place_of(bundle)
    place.store = data.get("store", "")
    wrong: List[str] = []
    whole: Set[str] = set()
    for digest, size in data["blobs"].items():
        try:
            found = place.blob(digest)[2]
        except OSError:
            wrong.append(missing_blob(place, digest))
            continue
        if found == size:
            whole.add(digest)
        else:
            wrong.append("blobs/%s is damaged: %d bytes instead of %d" % (digest, found, size))
    wanted: Set[str] = set()
    for number in groups:
        if not 0 <= number < len(data["groups"]):
            raise BundleDamaged("restore.py asks for group %d, which data.msgpack does not have" % number)
        head = data["groups"][number]["head"]
        if isinstance(head, dict):
            wanted.add(head["blob"])
    for digest in sorted(whole if every_byte else wanted & whole):
        try:
            check_blob(place, digest)
        except BundleDamaged as error:
            wrong.append(str(error))
    if wrong:
        raise BundleDamaged("\n  ".join(dict.fromkeys(wrong)))


def check_blob(place: BundlePlace, digest: str) -> None:
    """Compare the digest of one blob."""
    try:
        path, offset, size = place.blob(digest)
        found = digest_of_file(path, offset, size)
    except OSError as error:
        raise BundleDamaged("blobs/%s cannot be read: %s" % (digest, error.strerror)) from None
    if found != digest:
        raise BundleDamaged("blobs/%s is damaged: its content has another sha256" % digest)


def missing_blob(place: BundlePlace, digest: str) -> str:
    """What to say of a blob that is not there."""
    lacking = place.lacks_store()
    if lacking:
        return (
            "the store %s, which holds the large data, is not here: bring it, or set NBDAG_STORE to its place" % lacking
        )
    where = " (nor in the store %s)" % place.store if place.store else ""
    return "blobs/%s is missing%s" % (digest, where)


def read_fallbacks(bundle: Any, data: Dict[str, Any]) -> Dict[str, Any]:
    """The statements that make what cannot be loaded: ``{"steps": [...], "states": [...]}``. They are code, and so the
    digest of their blob is compared before they are read."""
    part = data.get("fallbacks")
    if isinstance(part, bytes):
        return unpack(part)  # type: ignore[no-any-return]
    digest = part["blob"] if isinstance(part, dict) else ""
    if digest not in data["blobs"]:
        raise BundleDamaged("data.msgpack names a blob that it does not have")
    place = place_of(bundle)
    check_blob(place, digest)
    path, offset, size = place.blob(digest)
    with open(path, "rb") as file:
        file.seek(offset)
        return unpack(file.read(size))  # type: ignore[no-any-return]


def digest_of_file(path: str, offset: int = 0, size: int = -1) -> str:
    """The sha256 of a file's content, or of ``size`` bytes of it from ``offset`` on."""
    found = new_sha256(size)
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        while size:
            piece = file.read(1 << 20 if size < 0 else min(size, 1 << 20))
            if not piece:
                break
            size -= len(piece) if size > 0 else 0
            found.update(piece)
    return str(found.hexdigest())
