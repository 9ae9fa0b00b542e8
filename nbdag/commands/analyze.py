"""``nbdag analyze``: what each cell defines, uses and changes."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbdag import __version__
from nbdag.commands.completing import complete_notebook
from nbdag.commands.options import (
    STATE_DIRECTORY,
    AllowErrors,
    BarOption,
    CellTimeoutOption,
    Color,
    ColorOption,
    KernelNameOption,
    OutputOption,
    QuietOption,
    VerboseOption,
)
from nbdag.commands.output import check_output, check_page, progress_on_stderr, show
from nbdag.errors import UsageError

if TYPE_CHECKING:
    from nbdag.model.results import Analysis, Failed
    from nbdag.pipeline import Seen
    from nbdag.report.tables import Page

EXAMPLES = (
    "\b\nExamples:\n  nbdag analyze notebook.ipynb\n  nbdag analyze --static notebook.ipynb --format json -o facts.json"
    "\n  nbdag analyze notebook.ipynb --format html -o dag.html"
    "\n  nbdag analyze --static a.ipynb experiments/ script.py --jobs 4"
)


class AnalysisFormat(str, Enum):
    """How an analysis is written."""

    text = "text"
    json = "json"
    html = "html"


def analyze(
    notebooks: Annotated[
        list[Path],
        typer.Argument(
            metavar="NOTEBOOK",
            autocompletion=complete_notebook,
            help="An .ipynb file, a py:percent script, or a directory: all .ipynb files below it.",
        ),
    ],
    static: Annotated[bool, typer.Option("--static", help="Only read the code; run nothing.")] = False,
    format: Annotated[
        AnalysisFormat, typer.Option("--format", help="What to print; html: the page of nbdag graph.")
    ] = AnalysisFormat.text,
    output: OutputOption = None,
    kernel_name: KernelNameOption = "",
    allow_errors: AllowErrors = False,
    cell_timeout: CellTimeoutOption = None,
    idle_timeout: Annotated[
        float | None,
        typer.Option(
            "--idle-timeout",
            metavar="SECONDS",
            min=0.0,
            help="End the kept kernel when idle for so long; default 3600, and 0 (none is kept) for several notebooks.",
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option("--jobs", "-j", metavar="N", min=0, help="Processes for --static; 0 is one per processor."),
    ] = 0,
    progress_bar: BarOption = True,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    color: ColorOption = Color.auto,
) -> None:
    """Run a notebook in a kernel of its own and show what each cell defines, uses and changes.

    The kernel stays alive for nbdag compile; nbdag sessions lists such kernels and
    nbdag stop ends them.

    Several notebooks, or a directory, run one after the other, and their kernels end with them (--idle-timeout keeps
    them); with --static they are read in parallel. What is wrong with one of them does not stop the others. Links to
    directories and what begins with a dot are passed over.
    """
    check_output(output)
    several = len(notebooks) > 1 or notebooks[0].is_dir()
    if format is AnalysisFormat.html:
        _check_page(notebooks, several, output)
    from nbdag import pipeline
    from nbdag.analysis.kernels import DEFAULT_IDLE_SECONDS

    idle = (0.0 if several else DEFAULT_IDLE_SECONDS) if idle_timeout is None else idle_timeout
    how: Any = {
        "static": static,
        "kernel_name": kernel_name,
        "allow_errors": allow_errors,
        "state_directory": STATE_DIRECTORY,
        "cell_timeout": cell_timeout,
        "idle_seconds": idle,
    }
    with progress_on_stderr(quiet, verbose, progress_bar, color) as progress:
        if several:
            results = pipeline.analyze_several(notebooks, jobs=jobs, progress=progress, **how)
        else:
            analysis = pipeline.analyze(notebooks[0], progress=progress, **how)
    if several:
        raise typer.Exit(_show_several(results, output, color, format))
    if format is AnalysisFormat.html:
        seen = pipeline.look(notebooks[0], static=static or idle <= 0, state_directory=STATE_DIRECTORY)
        text = _page_of(seen if idle > 0 or static else replace(seen, analysis=analysis))
        show(output, color, lambda page: page.raw(text.rstrip("\n")))
    else:
        show(output, color, lambda page: _print_analysis(analysis, format, page))
    if analysis.session and idle > 0:
        progress.say(f"kernel {analysis.session} is kept; next: nbdag compile --out restore_bundle/ (or: nbdag stop)")
    raise typer.Exit(1 if _left_out(analysis) else 0)


def _check_page(notebooks: list[Path], several: bool, output: Path | None) -> None:
    """Refuse a page where none can be made, before the notebook runs for an hour. Raises UsageError."""
    if several:
        raise UsageError(
            "--format html: a page shows one notebook", f"nbdag analyze {notebooks[0]} --format html -o FILE"
        )
    check_page(output, "dag.html")


def _page_of(seen: Seen) -> str:
    from nbdag.report.graph.formats import text_in
    from nbdag.report.graph.scene import make_scene

    title = Path(seen.analysis.notebook).name
    return text_in("html", make_scene(seen.analysis, seen.sources, seen.decisions, title=title))


def _print_analysis(analysis: Analysis, format: AnalysisFormat, page: Page) -> None:
    if format is AnalysisFormat.json:
        from nbdag.report.json import analysis_as_json

        page.raw(analysis_as_json(analysis, __version__))
    else:
        from nbdag.report.analysis import print_analysis

        print_analysis(analysis, page)


def _show_several(
    results: tuple[Analysis | Failed, ...], output: Path | None, color: Color, format: AnalysisFormat
) -> int:
    """Print what came of several notebooks; the exit status.

    That is 1 if something was left out or failed, and that of the first failure if not one notebook was analyzed.
    """
    from nbdag.model.results import Analysis

    failed = [result for result in results if not isinstance(result, Analysis)]
    if len(failed) == len(results) == 1 and not failed[0].traceback:
        # nbdag analyze DIR, and nothing is there: as for one file, a line and a hint.
        from nbdag.errors import NotebookError

        if failed[0].code == NotebookError.code:
            raise NotebookError(failed[0].message, failed[0].hint)
    _keep_tracebacks(failed)
    show(output, color, lambda page: _print_several(results, format, page))
    if len(failed) == len(results):
        return failed[0].exit_status
    return 1 if failed or any(isinstance(result, Analysis) and _left_out(result) for result in results) else 0


def _print_several(results: tuple[Analysis | Failed, ...], format: AnalysisFormat, page: Page) -> None:
    if format is AnalysisFormat.json:
        from nbdag.report.json import analyses_as_json

        page.raw(analyses_as_json(results, __version__))
    else:
        from nbdag.report.several import print_analyses

        print_analyses(results, page)


def _keep_tracebacks(failed: list[Failed]) -> None:
    """Faults of nbdag itself are for whoever mends them: into one log."""
    told = [failure.traceback for failure in failed if failure.traceback]
    if not told:
        return
    import sys

    from nbdag.report.faults import write_crash_log

    log = write_crash_log(RuntimeError("\n\n".join(told)), STATE_DIRECTORY, __version__)
    hint = f"  hint: please report this with {log or told[0]}"
    print(f"nbdag: a fault of nbdag itself with {len(told)} of the files\n{hint}", file=sys.stderr)


def _left_out(analysis: Analysis) -> bool:
    from nbdag.model.findings import Severity

    return any(finding.severity is Severity.ERROR for finding in analysis.diagnostics)
