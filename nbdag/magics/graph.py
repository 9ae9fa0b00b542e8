"""``%nbdag graph``: this session as a picture, under the cell or in a file."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from nbdag.magics.command import Command, Parser
from nbdag.magics.display import Picture, display
from nbdag.magics.recording import recording_agent
from nbdag.magics.words import files


def _arguments(parser: Parser) -> None:
    parser.add_argument(
        "--output",
        "-o",
        metavar="FILE",
        default="",
        help="write it there instead: .html (slices on a click), .svg, .dot, .mmd, .json",
    )
    parser.add_argument(
        "--notebook", metavar="FILE", default="", help="where the cells are, if the server does not say"
    )


def _run(shell: Any, options: Namespace) -> None:
    from nbdag import pipeline
    from nbdag.report.graph.drawing import draw
    from nbdag.report.graph.formats import format_of, text_in
    from nbdag.report.graph.notations import as_text
    from nbdag.report.graph.scene import make_scene
    from nbdag.report.tables import write_page

    output = Path(options.output).expanduser() if options.output else None
    form = format_of(output) if output is not None else None
    notebook = Path(options.notebook).expanduser() if options.notebook else None
    seen = pipeline.look(notebook, agent=recording_agent())
    title = Path(seen.analysis.notebook).name or "this session"
    scene = make_scene(seen.analysis, seen.sources, seen.decisions, title=title)
    if output is not None and form is not None:
        text = text_in(form, scene)
        write_page(output, "never", lambda page: page.raw(text.rstrip("\n")))
        print(f"wrote {output}")
    else:
        display(Picture(as_text(scene).rstrip("\n"), draw(scene, fluid=True)), shell)


COMMAND = Command(
    "graph",
    "What each cell makes and what needs it, as a picture.",
    _arguments,
    _run,
    completions={"output": files, "notebook": files},
    details="example:\n  %nbdag graph -o dag.html",
)
