"""A notebook file -> what its text says, and nothing run: the whole of ``nbdag analyze --static`` for one file.

What a worker process imports when many files are analyzed at once (``several.py``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nbdag.analysis.dataflow import static_edges, summarize_cell
from nbdag.analysis.notebook import read_notebook
from nbdag.analysis.resolve import analyze_session
from nbdag.errors import NotebookError
from nbdag.model.facts import CellFacts
from nbdag.model.findings import Diagnostic
from nbdag.model.notebook import Notebook
from nbdag.model.results import Analysis

_READINGS = 5  # of a file that changes while it is read: an editor is done with it in milliseconds
_PAUSE = 0.1  # seconds between them


def analyze_file(path: Path) -> Analysis:
    """What the cells of the notebook at ``path`` define and use, by their text. Raises NotebookError."""
    begun = time.perf_counter()
    return analyze_text(read_settled(path), begun)


def analyze_text(notebook: Notebook, begun: float) -> Analysis:
    """The same for a notebook that has been read; ``begun`` is the ``perf_counter`` when that began."""
    facts = analyze_session([cell.source for cell in notebook.cells])
    return Analysis(
        notebook=notebook.path,
        cells=tuple(summarize_cell(cell, fact) for cell, fact in zip(notebook.cells, facts, strict=True)),
        edges=static_edges(facts),
        diagnostics=diagnostics_of(notebook, facts),
        seconds=time.perf_counter() - begun,
    )


def read_settled(path: Path) -> Notebook:
    """The notebook at ``path``, read while nobody wrote it: half of a file is no damaged file. Raises NotebookError."""
    for reading in range(_READINGS):
        if reading:
            time.sleep(_PAUSE)
        before = _stamp(path)
        problem: NotebookError | None = None
        try:
            notebook = read_notebook(path)
        except NotebookError as error:
            problem = error
        if _stamp(path) == before:
            if problem is not None:
                raise problem
            return notebook
    raise NotebookError(f"{path}: the file changes while it is read", "try again when nobody writes it")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def diagnostics_of(notebook: Notebook | None, facts: Sequence[CellFacts]) -> tuple[Diagnostic, ...]:
    """Findings of the file and of each cell's text, with the index of the cell."""
    found = list(notebook.diagnostics if notebook else ())
    for index, fact in enumerate(facts):
        found += [replace(d, cell=index) if d.cell is None else d for d in fact.diagnostics]
    return tuple(found)
