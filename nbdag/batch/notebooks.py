"""Notebook files: the one a bundle belongs to, or one written from what its session ran."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbdag.errors import OutputError, UsageError
from nbdag.replay.saved import Saved

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def notebook_of(saved: Saved, asked: Path | None, kernel: str) -> tuple[Path, bool]:
    """The notebook to open, and whether it was written now.

    That is the one ``asked`` for, or the session's own in this directory. Where there is none, it is written from the
    session's cells, with ``kernel`` as its kernel. Raises UsageError, OutputError.
    """
    if asked is not None and asked.is_file():
        return asked, False
    path = asked or Path(Path(saved.notebook).stem + ".ipynb" if saved.notebook else f"{saved.path.stem}.ipynb")
    if path.is_file():
        return path, False
    cells = code_cells(saved)
    if not cells:
        raise UsageError(f"{path} is not here, and the bundle does not know its cells", "--notebook FILE names one")
    write_json(path, notebook_document(cells, kernel))
    return path, True


def code_cells(saved: Saved) -> tuple[tuple[str, str], ...]:
    """(id, source) of the session's code cells: as its notebook had them, or as they ran, each where it ran first."""
    if saved.cells:
        return saved.cells
    latest: dict[str, str] = {}
    for number, run in enumerate(saved.runs):
        if not run.silent and not run.nested and run.source.strip():
            latest[run.cell_id or f"run-{number}"] = run.source
    return tuple(latest.items())


def notebook_document(cells: tuple[tuple[str, str], ...], kernel: str) -> dict[str, Any]:
    """A notebook of format 4.5 with these code cells."""
    seen: set[str] = set()
    nodes: list[dict[str, Any]] = []
    for number, (given, source) in enumerate(cells):
        identity = given if _ID.match(given) and given not in seen else f"cell-{number}"
        seen.add(identity)
        nodes.append(
            {
                "cell_type": "code",
                "id": identity,
                "execution_count": None,
                "metadata": {},
                "outputs": [],
                "source": source.splitlines(keepends=True),
            }
        )
    return {
        "cells": nodes,
        "metadata": {
            "kernelspec": {"name": kernel, "display_name": kernel, "language": "python"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a notebook whole or not at all. Raises OutputError."""
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".nbdag-", dir=path.absolute().parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise OutputError(f"{path}: cannot write: {error.strerror}", "name another file") from None


def fill_outputs(notebook: Any, directory: Path | None, finished: frozenset[int]) -> None:
    """Give the cells of ``notebook`` at the positions ``finished`` the outputs that they had when they ran.

    They are kept beside the save ``directory``: a bundle holds values, not pictures.
    """
    earlier = _kept_outputs(directory) if directory is not None and finished else {}
    for position in finished:
        cell = notebook.cells[position]
        kept = earlier.get(cell.source)
        if kept is not None:
            cell.outputs, cell.execution_count = kept


def keep_outputs(notebook: Any, directory: Path) -> None:
    """Keep the outputs of ``notebook`` beside the save ``directory``, for ``fill_outputs``."""
    write_json(outputs_path(directory), plain(notebook))


def plain(notebook: Any) -> dict[str, Any]:
    """A notebook of nbformat's as JSON values, as it is written."""
    import nbformat

    library: Any = nbformat
    found: dict[str, Any] = json.loads(library.writes(notebook))
    return found


def outputs_path(directory: Path) -> Path:
    """Where the outputs are kept that belong to the save in ``directory``."""
    return directory.with_name(directory.name + ".outputs.ipynb")


def _kept_outputs(directory: Path) -> dict[str, Any]:
    import nbformat

    try:
        library: Any = nbformat
        notebook = library.read(str(outputs_path(directory)), as_version=4)
    except (OSError, ValueError, nbformat.ValidationError):
        return {}
    return {cell.source: (cell.outputs, cell.execution_count) for cell in notebook.cells if cell.cell_type == "code"}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
