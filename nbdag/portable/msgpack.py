"""msgpack for bundles: ``pack`` and ``unpack`` for nil, bool, int, float, str, bin, array and map.

The smallest reader that a script without libraries can carry, and a strict one: what is truncated, malformed, nested
too deeply, of another type or followed by something is a :class:`MsgpackError`, and a length is checked against what
is there before anything is allocated. Packing is deterministic: shortest forms, mappings in their own order.
Any msgpack library reads the result (https://github.com/msgpack/msgpack/blob/master/spec.md).
"""

from __future__ import annotations

import struct
from typing import Any, List, Tuple

MSGPACK_DEPTH = 100  # a bundle nests five deep; more is an attack or damage


class MsgpackError(ValueError):
    """The bytes are not one complete msgpack value of the subset, or the value cannot be packed."""


def pack(value: Any) -> bytes:
    """The msgpack bytes of ``value``; raises :class:`MsgpackError` for types outside the subset."""
    out: List[bytes] = []
    _pack_into(value, out, 0)
    return b"".join(out)


def _pack_into(value: Any, out: List[bytes], depth: int) -> None:
    if depth > MSGPACK_DEPTH:
        raise MsgpackError("nested deeper than %d" % MSGPACK_DEPTH)
    if value is None:
        out.append(b"\xc0")
    elif value is False:
        out.append(b"\xc2")
    elif value is True:
        out.append(b"\xc3")
    elif isinstance(value, int):
        out.append(_packed_int(value))
    elif isinstance(value, float):
        out.append(b"\xcb" + struct.pack(">d", value))
    elif isinstance(value, str):
        text = _packed_text(value)
        out.append(_packed_length(len(text), 0xA0, 32, (0xD9, 0xDA, 0xDB)))
        out.append(text)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        size = len(value) if not isinstance(value, memoryview) else value.nbytes
        out.append(_packed_length(size, 0, 0, (0xC4, 0xC5, 0xC6)))
        out.append(bytes(value))
    elif isinstance(value, (list, tuple)):
        out.append(_packed_length(len(value), 0x90, 16, (0, 0xDC, 0xDD)))
        for item in value:
            _pack_into(item, out, depth + 1)
    elif isinstance(value, dict):
        out.append(_packed_length(len(value), 0x80, 16, (0, 0xDE, 0xDF)))
        for key, item in value.items():
            _pack_into(key, out, depth + 1)
            _pack_into(item, out, depth + 1)
    else:
        raise MsgpackError("cannot pack a %s" % type(value).__name__)


def _packed_text(value: str) -> bytes:
    # Halves of surrogate pairs stand for what is not UTF-8 in paths and in the environment.
    return value.encode("utf-8", "surrogatepass")


def _packed_int(value: int) -> bytes:
    if 0 <= value < 128:
        return bytes((value,))
    if -32 <= value < 0:
        return bytes((value & 0xFF,))
    for code, form, low, high in (
        (0xCC, ">B", 0, 1 << 8),
        (0xCD, ">H", 0, 1 << 16),
        (0xCE, ">I", 0, 1 << 32),
        (0xCF, ">Q", 0, 1 << 64),
        (0xD0, ">b", -(1 << 7), 0),
        (0xD1, ">h", -(1 << 15), 0),
        (0xD2, ">i", -(1 << 31), 0),
        (0xD3, ">q", -(1 << 63), 0),
    ):
        if low <= value < high:
            return bytes((code,)) + struct.pack(form, value)
    raise MsgpackError("an integer of more than 64 bits")


def _packed_length(length: int, fix: int, fix_limit: int, codes: Tuple[int, int, int]) -> bytes:
    if length < fix_limit:
        return bytes((fix | length,))
    for code, form, limit in zip(codes, (">B", ">H", ">I"), (1 << 8, 1 << 16, 1 << 32)):  # noqa: B905
        if code and length < limit:
            return bytes((code,)) + struct.pack(form, length)
    raise MsgpackError("longer than msgpack can say")


def unpack(data: bytes) -> Any:
    """The one value that ``data`` holds: arrays as lists, bin as bytes; raises :class:`MsgpackError`."""
    value, end = _unpack_at(data, 0, 0)
    if end != len(data):
        raise MsgpackError("%d bytes after the end" % (len(data) - end))
    return value


_UNPACKED_NUMBERS = {
    0xCA: (">f", 4),
    0xCB: (">d", 8),
    0xCC: (">B", 1),
    0xCD: (">H", 2),
    0xCE: (">I", 4),
    0xCF: (">Q", 8),
    0xD0: (">b", 1),
    0xD1: (">h", 2),
    0xD2: (">i", 4),
    0xD3: (">q", 8),
}
# What follows the code: the kind, and in how many bytes the length stands.
_UNPACKED_LENGTHS = {
    0xD9: ("str", 1),
    0xDA: ("str", 2),
    0xDB: ("str", 4),
    0xC4: ("bin", 1),
    0xC5: ("bin", 2),
    0xC6: ("bin", 4),
    0xDC: ("array", 2),
    0xDD: ("array", 4),
    0xDE: ("map", 2),
    0xDF: ("map", 4),
}


def _unpack_at(data: bytes, at: int, depth: int) -> Tuple[Any, int]:
    """The value that begins at ``at``, and where it ends."""
    if depth > MSGPACK_DEPTH:
        raise MsgpackError("nested deeper than %d" % MSGPACK_DEPTH)
    if at >= len(data):
        raise MsgpackError("truncated")
    code = data[at]
    at += 1
    if code < 0x80:
        return code, at
    if code >= 0xE0:
        return code - 256, at
    if code == 0xC0:
        return None, at
    if code == 0xC2 or code == 0xC3:
        return code == 0xC3, at
    if code in _UNPACKED_NUMBERS:
        form, size = _UNPACKED_NUMBERS[code]
        if at + size > len(data):
            raise MsgpackError("truncated")
        return struct.unpack_from(form, data, at)[0], at + size
    if code < 0x90:
        kind, length = "map", code & 0x0F
    elif code < 0xA0:
        kind, length = "array", code & 0x0F
    elif code < 0xC0:
        kind, length = "str", code & 0x1F
    elif code in _UNPACKED_LENGTHS:
        kind, size = _UNPACKED_LENGTHS[code]
        if at + size > len(data):
            raise MsgpackError("truncated")
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    else:
        raise MsgpackError("type 0x%02x is not one of a bundle's" % code)
    if length > len(data) - at:  # every item takes at least one byte
        raise MsgpackError("a length of %d where %d bytes are left" % (length, len(data) - at))
    if kind == "bin":
        return data[at : at + length], at + length
    if kind == "str":
        try:
            return data[at : at + length].decode("utf-8", "surrogatepass"), at + length
        except UnicodeDecodeError:
            raise MsgpackError("a string that is not UTF-8") from None
    if kind == "array":
        items = []
        for _ in range(length):
            item, at = _unpack_at(data, at, depth + 1)
            items.append(item)
        return items, at
    mapping = {}
    for _ in range(length):
        key, at = _unpack_at(data, at, depth + 1)
        if isinstance(key, (list, dict)):
            raise MsgpackError("a key that is no plain value")
        if key in mapping:
            raise MsgpackError("the key %r twice" % (key,))
        mapping[key], at = _unpack_at(data, at, depth + 1)
    return mapping, at
