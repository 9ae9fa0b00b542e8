"""``nbdag graph``: the session as a picture."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from nbdag.commands.completing import complete_notebook
from nbdag.commands.options import (
    STATE_DIRECTORY,
    BarOption,
    Color,
    QuietOption,
    VerboseOption,
)
from nbdag.commands.output import check_output, progress_on_stderr, show

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


def graph(
    notebook: Annotated[
        Path | None,
        typer.Argument(
            help="An .ipynb file or a py:percent script; without it, the one last analyzed here.",
            autocompletion=complete_notebook,
        ),
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
    from nbdag.report.graph.formats import format_of, text_in

    kind = format.value if format else format_of(output) if output is not None and output != STDOUT else "html"
    if output != STDOUT:
        check_output(output)
    from nbdag import pipeline
    from nbdag.report.graph.scene import make_scene

    with progress_on_stderr(quiet, verbose, progress_bar) as progress:
        seen = pipeline.look(notebook, static=static, state_directory=STATE_DIRECTORY, progress=progress)
    path = Path(seen.analysis.notebook)
    scene = make_scene(seen.analysis, seen.sources, seen.decisions, title=path.name)
    text = text_in(kind, scene)
    target = None if output == STDOUT else output or Path(f"{path.stem}.dag.{kind}")
    show(target, Color.never, lambda page: page.raw(text.rstrip("\n")))
    if target is not None:
        progress.say(f"wrote {target}")
