"""``nbdag analyze``: what each cell defines, uses and changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbdag import __version__
from nbdag.commands.options import (
    STATE_DIRECTORY,
    AllowErrors,
    BarOption,
    Color,
    ColorOption,
    Format,
    FormatOption,
    QuietOption,
    VerboseOption,
    check_output,
    level,
    show,
)

if TYPE_CHECKING:
    from nbdag.model import Analysis
    from nbdag.report.tables import Page

EXAMPLES = (
    "\b\nExamples:\n  nbdag analyze notebook.ipynb\n  nbdag analyze --static notebook.ipynb --format json -o facts.json"
)


def analyze(
    notebook: Annotated[Path, typer.Argument(help="An .ipynb file, or a py:percent script.")],
    static: Annotated[bool, typer.Option("--static", help="Only read the code; run nothing.")] = False,
    format: FormatOption = Format.text,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the result there instead of stdout.")
    ] = None,
    kernel_name: Annotated[
        str, typer.Option("--kernel-name", "-k", metavar="NAME", help="The kernelspec to run it with.")
    ] = "",
    allow_errors: AllowErrors = False,
    cell_timeout: Annotated[
        float | None,
        typer.Option("--cell-timeout", metavar="SECONDS", min=0.001, help="Interrupt a cell that takes longer."),
    ] = None,
    idle_timeout: Annotated[
        float,
        typer.Option("--idle-timeout", metavar="SECONDS", min=0.0, help="End the kept kernel when idle for so long."),
    ] = 3600.0,
    progress_bar: BarOption = True,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    color: ColorOption = Color.auto,
) -> None:
    """Run a notebook in a kernel of its own and show what each cell defines, uses and changes.

    The kernel stays alive for nbdag compile; nbdag sessions lists such kernels and
    nbdag stop ends them.
    """
    check_output(output)
    from nbdag import pipeline
    from nbdag.report.progress import TerminalProgress

    progress = TerminalProgress(level=level(quiet, verbose), bar=progress_bar, color=color.value)
    try:
        analysis = pipeline.analyze(
            notebook,
            static=static,
            kernel_name=kernel_name,
            allow_errors=allow_errors,
            state_directory=STATE_DIRECTORY,
            cell_timeout=cell_timeout,
            idle_seconds=idle_timeout,
            progress=progress,
        )
    finally:
        progress.end()
    show(output, color, lambda page: _print_analysis(analysis, format, page))
    if analysis.session and idle_timeout > 0:
        progress.say(f"kernel {analysis.session} is kept; next: nbdag compile --out restore_bundle/ (or: nbdag stop)")
    raise typer.Exit(1 if _left_out(analysis) else 0)


def _print_analysis(analysis: Analysis, format: Format, page: Page) -> None:
    if format is Format.json:
        from nbdag.report.json import analysis_as_json

        page.raw(analysis_as_json(analysis, __version__))
    else:
        from nbdag.report.analysis import print_analysis

        print_analysis(analysis, page)


def _left_out(analysis: Analysis) -> bool:
    from nbdag.model import Severity

    return any(finding.severity is Severity.ERROR for finding in analysis.diagnostics)
