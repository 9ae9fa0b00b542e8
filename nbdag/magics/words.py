"""What a word of a ``%nbdag`` line may become: names of the session, directories, bundles, files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any


def variables(shell: Any, typed: str) -> Iterable[str]:
    """The session's own names."""
    from nbdag.portable.namespace import session_items

    return sorted(session_items(shell, shell.user_ns))


def remotes(shell: Any, typed: str) -> Iterable[str]:
    """The machines that cells can run on."""
    from nbdag.remote.config import read_targets

    return sorted(read_targets())


def directories(shell: Any, typed: str) -> Iterable[str]:
    """Directories, each with a slash: one goes on typing inside."""
    return (path for path in _paths(typed) if path.endswith(os.sep))


def files(shell: Any, typed: str) -> Iterable[str]:
    """Files and directories."""
    return _paths(typed)


def bundles(shell: Any, typed: str) -> Iterable[str]:
    """Directories and bundles in one file."""
    return (path for path in _paths(typed) if path.endswith((os.sep, ".pyz")))


def _paths(typed: str) -> Iterator[str]:
    above, begun = os.path.split(typed)
    try:
        entries = sorted(os.scandir(os.path.expanduser(above) or "."), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(begun) and (begun.startswith(".") or not entry.name.startswith(".")):
            yield os.path.join(above, entry.name) + (os.sep if entry.is_dir() else "")
