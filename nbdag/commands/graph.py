"""``nbdag graph``: the session as a picture."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbdag import __version__
from nbdag.commands.options import (
    STATE_DIRECTORY,
    BarOption,
    Color,
    QuietOption,
    VerboseOption,
    check_output,
    level,
    show,
)
from nbdag.errors import UsageError

if TYPE_CHECKING:
    from nbdag.report.graph.scene import Scene

EXAMPLES = (
    "\b\nExamples:\n  nbdag graph notebook.ipynb\n  nbdag graph notebook.ipynb -o dag.svg"
    "\n  nbdag graph notebook.ipynb --format mermaid -o -"
)

STDOUT = Path("-")


class Picture(str, Enum):
    """How a graph is drawn."""

    html = "html"
    svg = "svg"
    dot = "dot"
    mermaid = "mermaid"
    json = "json"


SUFFIXES = {
    ".html": Picture.html,
    ".htm": Picture.html,
    ".svg": Picture.svg,
    ".dot": Picture.dot,
    ".gv": Picture.dot,
    ".mmd": Picture.mermaid,
    ".mermaid": Picture.mermaid,
    ".json": Picture.json,
}


def graph(
    notebook: Annotated[
        Path | None,
        typer.Argument(help="An .ipynb file or a py:percent script; without it, the one last analyzed here."),
    ] = None,
    format: Annotated[
        Picture | None, typer.Option("--format", help="What to draw; else by the name of the file, else html.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; - is stdout. [default: NOTEBOOK.dag.html]"),
    ] = None,
    static: Annotated[bool, typer.Option("--static", help="Only read the code, even if a kernel is there.")] = False,
    progress_bar: BarOption = True,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Draw what each cell makes and what needs it, as one page that needs no network.

    With the kernel that nbdag analyze keeps, the picture has times, sizes and what a plan would store and replay;
    without one, it shows what the code says. Nothing is run.
    """
    kind = format or _by_suffix(output) or Picture.html
    if output != STDOUT:
        check_output(output)
    from nbdag import pipeline
    from nbdag.report.graph.scene import make_scene
    from nbdag.report.progress import TerminalProgress

    progress = TerminalProgress(level=level(quiet, verbose), bar=progress_bar, color="auto")
    try:
        seen = pipeline.look(notebook, static=static, state_directory=STATE_DIRECTORY, progress=progress)
    finally:
        progress.end()
    path = Path(seen.analysis.notebook)
    scene = make_scene(seen.analysis, seen.sources, seen.decisions, title=path.name)
    text = _drawer(kind)(scene)
    target = None if output == STDOUT else output or Path(f"{path.stem}.dag.{kind.value}")
    show(target, Color.never, lambda page: page.raw(text.rstrip("\n")))
    if target is not None:
        progress.say(f"wrote {target}")


def _by_suffix(output: Path | None) -> Picture | None:
    if output is None or output == STDOUT:
        return None
    if output.suffix.lower() not in SUFFIXES:
        known = ", ".join(sorted(SUFFIXES))
        raise UsageError(f"{output}: no format goes by {output.suffix or 'no suffix'}", f"known: {known}; or --format")
    return SUFFIXES[output.suffix.lower()]


def _drawer(kind: Picture) -> Callable[[Scene], str]:
    from nbdag.report.graph import notations
    from nbdag.report.graph.drawing import draw
    from nbdag.report.graph.page import as_html

    drawers: dict[Picture, Callable[[Scene], str]] = {
        Picture.html: lambda scene: as_html(scene, __version__),
        Picture.svg: draw,
        Picture.dot: notations.as_dot,
        Picture.mermaid: notations.as_mermaid,
        Picture.json: lambda scene: notations.as_json(scene, __version__),
    }
    return drawers[kind]
