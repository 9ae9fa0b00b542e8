"""The formats a graph is written in: how each is called, which file names mean it, who draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from nbdag import __version__
from nbdag.errors import UsageError
from nbdag.report.graph import notations
from nbdag.report.graph.drawing import draw
from nbdag.report.graph.page import as_html
from nbdag.report.graph.scene import Scene

DRAWERS: Mapping[str, Callable[[Scene], str]] = {
    "html": lambda scene: as_html(scene, __version__),
    "svg": draw,
    "dot": notations.as_dot,
    "mermaid": notations.as_mermaid,
    "json": lambda scene: notations.as_json(scene, __version__),
}

SUFFIXES = {
    ".html": "html",
    ".htm": "html",
    ".svg": "svg",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".json": "json",
}


def format_of(output: Path) -> str:
    """The format that the name of ``output`` means. Raises UsageError."""
    if output.suffix.lower() not in SUFFIXES:
        known = ", ".join(sorted(SUFFIXES))
        raise UsageError(f"{output}: no format goes by {output.suffix or 'no suffix'}", f"known: {known}; or --format")
    return SUFFIXES[output.suffix.lower()]


def text_in(form: str, scene: Scene) -> str:
    """``scene`` in a format of DRAWERS."""
    return DRAWERS[form](scene)
