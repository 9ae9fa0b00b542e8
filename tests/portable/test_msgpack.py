"""Our msgpack against the msgpack library: both directions agree, and what is malformed is refused."""

from __future__ import annotations

import os

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdag.portable.msgpack import MsgpackError, pack, unpack

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
)


@given(VALUES)
def test_both_read_what_we_write(value: object) -> None:
    assert unpack(pack(value)) == value
    assert msgpack.unpackb(pack(value), strict_map_key=False) == value


@given(VALUES)
def test_we_write_what_the_library_writes(value: object) -> None:
    assert pack(value) == msgpack.packb(value)


@pytest.mark.parametrize("length", [0, 15, 16, 31, 32, 255, 256, 65535, 65536])
def test_every_form_of_a_length(length: int) -> None:
    for value in ("x" * length, b"x" * length, [0] * length, {str(n): n for n in range(length)}):
        assert pack(value) == msgpack.packb(value) and unpack(pack(value)) == value


@given(VALUES, st.data())
def test_a_truncated_value_is_refused(value: object, data: st.DataObject) -> None:
    whole = pack(value)
    with pytest.raises(MsgpackError):
        unpack(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(MsgpackError):
        unpack(whole + b"\xc0")


@given(st.binary())
def test_no_input_breaks_the_reader(raw: bytes) -> None:
    try:
        value = unpack(raw)
    except MsgpackError:
        return
    assert repr(value) == repr(msgpack.unpackb(raw, strict_map_key=False))


MALFORMED = {
    "a huge array": b"\xdd\xff\xff\xff\xff",
    "a huge string": b"\xdb\xff\xff\xff\xff",
    "a huge map": b"\xdf\xff\xff\xff\xff\x00",
    "an extension type": b"\xd4\x01\x00",
    "the code that is never used": b"\xc1",
    "too deep": b"\x91" * 5000 + b"\x00",
    "a string that is not UTF-8": b"\xa1\xff",
    "a key twice": b"\x82\x00\x00\x00\x00",
    "a list as a key": b"\x81\x90\x00",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_input_is_refused(what: str) -> None:
    with pytest.raises(MsgpackError):
        unpack(MALFORMED[what])


def test_what_is_not_utf8_in_a_path_or_the_environment_comes_back() -> None:
    for text in (os.fsdecode(b"caf\xe9"), "\ud800", "\ud800\udc00", "\U00010000"):
        assert unpack(pack({text: [text]})) == {text: [text]}


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, object(), {1, 2}])
def test_what_msgpack_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(MsgpackError):
        pack(value)
