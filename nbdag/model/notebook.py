"""The notebook file: its code cells in the order they stand there."""

from __future__ import annotations

from dataclasses import dataclass

from nbdag.model.findings import Diagnostic


@dataclass(frozen=True, slots=True)
class Cell:
    """One code cell: ``index`` counts code cells from 0, ``position`` counts all cells of the file from 0."""

    index: int
    position: int
    id: str
    source: str
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Notebook:
    """The code cells of a file in the order they stand there; ``kernel_name`` is "" where the file names none."""

    path: str
    cells: tuple[Cell, ...]
    kernel_name: str = ""
    language: str = "python"
    diagnostics: tuple[Diagnostic, ...] = ()
