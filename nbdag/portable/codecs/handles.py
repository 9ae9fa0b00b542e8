"""Open files and databases in files: reopened on the target where they stand; closed ones come back closed."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from nbdag.portable.encoder import GroupEncoder, Refused


def choose_handle_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Files that ``open`` returns, the standard streams, and connections to SQLite files."""
    if kind in (io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO):
        return _reduce_handle
    if kind in (type(sys.stdout), type(sys.stderr)):
        return _reduce_stream
    sqlite = sys.modules.get("sqlite3")
    if sqlite is not None and kind is sqlite.Connection:
        return _reduce_database
    if sqlite is not None and kind is sqlite.Cursor:
        return _reduce_cursor
    return None


def _reduce_database(value: Any, encoder: GroupEncoder) -> Any:
    """A connection to a file or to memory, if nothing is in it that only this process has."""
    cursor_of = sys.modules["sqlite3"].Cursor

    def ask(question: str, connection: Any = value) -> Any:
        cursor = cursor_of(connection)
        cursor.row_factory = None
        return [tuple(row) for row in cursor.execute(question)]

    factory = value.text_factory
    try:
        value.text_factory = str
        databases = [row for row in ask("PRAGMA database_list") if row[1] != "temp"]
        temporary = ask("SELECT name FROM sqlite_temp_master")
        fresh = sys.modules["sqlite3"].connect(":memory:")
        try:
            own_functions = set(ask("PRAGMA function_list")) ^ set(ask("PRAGMA function_list", fresh))
            collations = [{row[1] for row in ask("PRAGMA collation_list", one)} for one in (value, fresh)]
        finally:
            fresh.close()
    except Exception as error:
        if "closed" in str(error):
            return encoder.restorer("database"), ("", None, None, None)
        raise Refused(value, "an open database connection belongs to its process (%s)" % error) from None
    finally:
        try:
            value.text_factory = factory
        except Exception:  # closed
            pass
    path = databases[0][2] if databases else ""
    if len(databases) != 1 or temporary or own_functions or collations[0] != collations[1]:
        raise Refused(value, "an open database connection belongs to its process")
    if value.in_transaction:
        raise Refused(value, "the database has changes that are not committed")
    if not path:
        arguments = (_content_of_database(value), value.isolation_level, value.row_factory, factory)
        return encoder.restorer("database_in_memory"), arguments
    encoder.opened.add(path)
    return encoder.restorer("database"), (path, value.isolation_level, value.row_factory, factory)


def _content_of_database(value: Any) -> bytes:
    """A database in memory as the bytes of a file."""
    if hasattr(value, "serialize"):  # since Python 3.11
        content: bytes = value.serialize()
        return content
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "copy.db")
        copy = sys.modules["sqlite3"].connect(path)
        try:
            value.backup(copy)
        finally:
            copy.close()
        with open(path, "rb") as file:
            return file.read()


def _reduce_cursor(value: Any, encoder: GroupEncoder) -> Any:
    """A cursor that has not been used."""
    if value.description is not None or value.rowcount != -1 or value.lastrowid:
        raise Refused(value, "a cursor that was used belongs to its process")
    state = (value.arraysize, value.row_factory)
    return encoder.restorer("database_cursor"), (value.connection, *state)


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
    if id(value) in encoder.embedded:
        return encoder.restorer("content"), (name, os.path.abspath(name), content_of_open(value), position)
    if not os.path.exists(name):
        raise Refused(value, "the file it has open is gone")
    encoder.opened.add(os.path.abspath(name))
    return encoder.restorer("handle"), (how, name, os.path.abspath(name), mode, shown, form, position)


def content_of_open(value: Any) -> bytes:
    """All bytes of an open file; it stays where it stands."""
    position = value.tell()
    try:
        value.seek(0)
        content: bytes = value.read()
    finally:
        value.seek(position)
    return content


def _mode_of(raw: io.FileIO) -> str:
    """ "rb", "rb+", "wb", "ab" ...; FileIO calls "w+" "rb+"."""
    return raw.mode
