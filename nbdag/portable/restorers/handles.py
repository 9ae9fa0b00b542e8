"""Restorers of open files; counterpart of ``codecs/handles.py``."""

from __future__ import annotations

import os
import sys
from typing import Any


def restore_stream(name: str) -> Any:
    """``sys.stdin``, ``sys.stdout`` or ``sys.stderr`` of this process."""
    return getattr(sys, name)


def restore_handle(how: str, name: str, absolute: str, mode: str, shown: Any, form: Any, position: Any) -> Any:
    """A file as ``open`` gives it, at ``position``; closed where that is None. Nothing is ever truncated."""
    import io

    if position is None:
        raw = io.FileIO(os.devnull, "rb" if "r" in mode and "+" not in mode else "rb+" if "r" in mode else "wb")
        raw.name = name
    else:
        path = name if os.path.exists(name) else absolute
        raw = io.FileIO(path, mode if "r" in mode or "a" in mode else "rb+")
        if "r" not in mode and "a" not in mode and "+" not in mode:
            raw.close()
            raw = _write_only(path)
        if path != name:
            raw.name = path
    if how == "raw":
        handle: Any = raw
    else:
        if raw.readable() and raw.writable():
            handle = io.BufferedRandom(raw)
        else:
            handle = io.BufferedReader(raw) if raw.readable() else io.BufferedWriter(raw)
        if how == "text":
            handle = io.TextIOWrapper(handle, form[0], form[1])
            if shown is not None:
                handle.mode = shown
    if position is None:
        handle.close()
    else:
        handle.seek(position)
    return handle


def restore_content(name: str, absolute: str, content: bytes, position: int) -> Any:
    """The file if it is here with this content, else the content in memory, open at ``position``."""
    import io

    for path in (name, absolute):
        try:
            with open(path, "rb") as file:
                if os.fstat(file.fileno()).st_size != len(content) or file.read() != content:
                    continue
        except OSError:
            continue
        found: Any = open(path, "rb")  # noqa: SIM115
        found.seek(position)
        return found
    memory = io.BytesIO(content)
    memory.seek(position)
    return memory


def _write_only(path: str) -> Any:
    """An existing file, opened for writing and left as it is."""
    import io

    descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    raw = io.FileIO(descriptor, "wb", closefd=True)
    raw.name = path
    return raw


def restore_database(path: str, isolation: Any, row_factory: Any, text_factory: Any) -> Any:
    """A connection to the SQLite file at ``path``, which must be there; a closed one where that is ""."""
    import sqlite3
    from urllib.request import pathname2url

    if not path:
        closed = sqlite3.connect(":memory:")
        closed.close()
        return closed
    if not os.path.isfile(path):
        raise FileNotFoundError("the database %s is not here" % path)
    mode = "rw" if os.access(path, os.W_OK) else "ro"
    connection = sqlite3.connect("file:%s?mode=%s" % (pathname2url(path), mode), isolation_level=isolation, uri=True)
    connection.row_factory = row_factory
    connection.text_factory = text_factory
    return connection


def restore_database_in_memory(content: bytes, isolation: Any, row_factory: Any, text_factory: Any) -> Any:
    """A connection to a database in memory with this content."""
    import sqlite3
    import tempfile

    connection = sqlite3.connect(":memory:", isolation_level=isolation)
    if content:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "copy.db")
            with open(path, "wb") as file:
                file.write(content)
            copy = sqlite3.connect(path)
            try:
                copy.backup(connection)
            finally:
                copy.close()
    connection.row_factory = row_factory
    connection.text_factory = text_factory
    return connection


def restore_database_cursor(connection: Any, size: int, row_factory: Any) -> Any:
    """A cursor over a connection that nothing was asked through yet."""
    cursor = connection.cursor()
    cursor.arraysize = size
    cursor.row_factory = row_factory
    return cursor
