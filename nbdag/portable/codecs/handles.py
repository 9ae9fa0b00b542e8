"""Open files: reopened on the target where they stand; closed ones come back closed."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from nbdag.portable.encoder import GroupEncoder, Refused


def choose_handle_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Files that ``open`` returns, and the standard streams."""
    if kind in (io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO):
        return _reduce_handle
    if kind in (type(sys.stdout), type(sys.stderr)):
        return _reduce_stream
    return None


def _reduce_stream(value: Any, encoder: GroupEncoder) -> Any:
    for name in ("stdin", "stdout", "stderr"):
        if value is getattr(sys, name) or value is getattr(sys, "__%s__" % name):
            return encoder.restorer("stream"), (name,)
    return NotImplemented


def _reduce_handle(value: Any, encoder: GroupEncoder) -> Any:
    reduction = _reduce_stream(value, encoder)
    if reduction is not NotImplemented:
        return reduction
    text = isinstance(value, io.TextIOWrapper)
    try:
        raw = value.buffer.raw if text else getattr(value, "raw", value)
    except (AttributeError, ValueError):
        raise Refused(value, "an open stream that is no file") from None
    name = getattr(raw, "name", None)
    if not isinstance(raw, io.FileIO) or isinstance(name, int) or name is None:
        raise Refused(value, "an open file without a name")
    name = os.fsdecode(name)
    mode = _mode_of(raw)
    how = "text" if text else "raw" if value is raw else "buffered"
    form = (value.encoding, value.errors) if text else (None, None)
    shown = getattr(value, "mode", mode) if text else None
    if value.closed:
        return encoder.restorer("handle"), (how, name, name, mode, shown, form, None)
    try:
        if "r" not in mode or "+" in mode:
            value.flush()
        position = value.tell()
    except (OSError, ValueError) as error:
        raise Refused(value, "its position cannot be told (%s)" % error) from None
    if not os.path.exists(name):
        raise Refused(value, "the file it has open is gone")
    return encoder.restorer("handle"), (how, name, os.path.abspath(name), mode, shown, form, position)


def _mode_of(raw: io.FileIO) -> str:
    """ "rb", "rb+", "wb", "ab" ...; FileIO calls "w+" "rb+"."""
    return raw.mode
