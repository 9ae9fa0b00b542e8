"""Paths of a command line -> notebook files, in a stated order, each once.

The order is that of the command line; below a directory, that of the paths compared part by part. Directories are
searched for ``*.ipynb``, whatever they are called themselves. What begins with a dot (``.ipynb_checkpoints``,
``.nbdag``, ``.venv``, ``.hidden.ipynb``) is passed over, and links to directories are not followed, so that a link
to a directory above leads nowhere. A file that is named is taken whatever it is called.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nbdag.errors import NotebookError


@dataclass(frozen=True, slots=True)
class Missing:
    """A path below which nothing could be found, and why: a directory that cannot be read, or has no notebook."""

    path: Path
    error: NotebookError


def find_notebooks(paths: Iterable[Path]) -> tuple[Path | Missing, ...]:
    """The files to analyze, and the paths that give none, in order. The same file under another path counts once."""
    seen: set[str] = set()
    found: list[Path | Missing] = []
    for path in paths:
        for one in _below(path) if path.is_dir() else (path,):
            identity = os.path.realpath(one.path if isinstance(one, Missing) else one)
            if identity not in seen:
                seen.add(identity)
                found.append(one)
    return tuple(found)


def _below(directory: Path) -> Iterator[Path | Missing]:
    unreadable: list[Missing] = []
    files: list[Path] = []

    def refused(error: OSError) -> None:
        path = Path(error.filename or directory)
        message = f"{path}: the directory cannot be read: {error.strerror}"
        unreadable.append(Missing(path, NotebookError(message, "check its permissions")))

    for place, folders, names in os.walk(directory, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(place, name) for name in names if name.endswith(".ipynb") and not name.startswith(".")]
    yield from sorted(unreadable, key=lambda missing: missing.path)
    yield from sorted(files)
    if not files and not unreadable:
        hint = "*.ipynb are searched for, here and below; name scripts one by one"
        yield Missing(directory, NotebookError(f"{directory}: no notebook in this directory", hint))
