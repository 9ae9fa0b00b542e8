"""``nbdag plan``: what a compilation would store and replay, and why; nothing is written."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbdag import __version__
from nbdag.commands.options import (
    STATE_DIRECTORY,
    AllowErrors,
    BandwidthOption,
    BarOption,
    Color,
    ColorOption,
    CredentialsOption,
    ExcludeOption,
    KernelOption,
    MaxSizeOption,
    Names,
    Objective,
    ObjectiveOption,
    OnlyOption,
    OutputOption,
    QuietOption,
    ReplayOption,
    SessionArgument,
    StoreOption,
    VerboseOption,
    connection_file_of,
)
from nbdag.commands.output import check_output, check_page, progress_on_stderr, show

if TYPE_CHECKING:
    from nbdag.model.results import Planned
    from nbdag.report.tables import Page

EXAMPLES = (
    "\b\nExamples:\n  nbdag plan"
    "\n  nbdag plan --explain model --explain df"
    "\n  nbdag plan notebook.ipynb --bandwidth 20Mbit/s --max-size 2GB"
    "\n  nbdag plan --format html -o plan.html"
)


class PlanFormat(str, Enum):
    """How a plan is written."""

    text = "text"
    json = "json"
    html = "html"


def plan(
    notebook: SessionArgument = None,
    kernel: KernelOption = "",
    explain: Annotated[
        Names, typer.Option("--explain", metavar="NAME", help="Say in words why it is stored or replayed.")
    ] = None,
    objective: ObjectiveOption = Objective.migrate,
    bandwidth: BandwidthOption = "auto",
    destination: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Where the bundle is to go: --bandwidth auto measures there.")
    ] = Path("."),
    max_size: MaxSizeOption = "",
    store: StoreOption = None,
    replay: ReplayOption = None,
    exclude: ExcludeOption = None,
    with_credentials: CredentialsOption = False,
    only: OnlyOption = None,
    allow_errors: AllowErrors = False,
    format: Annotated[
        PlanFormat, typer.Option("--format", help="What to print; docs/schema.md describes the JSON.")
    ] = PlanFormat.text,
    output: OutputOption = None,
    progress_bar: BarOption = True,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    color: ColorOption = Color.auto,
) -> None:
    """Show what nbdag compile would store and what it would replay, and why, without writing a bundle.

    nbdag compile begins with this plan, and changes sides where the proof shows that it has to.
    Exit status 1: something would be lost, and is named.
    """
    check_output(output)
    if format is PlanFormat.html:
        check_page(output, "plan.html")
    from nbdag.report.rates import parse_rate, parse_size

    speed, most = parse_rate(bandwidth), parse_size(max_size)
    from nbdag import pipeline

    with progress_on_stderr(quiet, verbose, progress_bar, color) as progress:
        planned = pipeline.plan_session(
            notebook=notebook,
            connection_file=connection_file_of(kernel),
            agent=None,
            state_directory=STATE_DIRECTORY,
            destination=destination,
            objective=objective.value,
            bandwidth=speed,
            max_bytes=most,
            allow_errors=allow_errors,
            store=tuple(store or ()),
            replay=tuple(replay or ()),
            exclude=tuple(exclude or ()),
            with_credentials=with_credentials,
            only=tuple(only or ()),
            explained=tuple(dict.fromkeys(explain or ())),
            progress=progress,
        )
    from nbdag.report.plan import lost_names

    show(output, color, lambda page: _print_planned(planned, format, page))
    lost = lost_names(planned)
    if lost:
        progress.say(f"{len(lost)} would be lost: {', '.join(lost)}")
    raise typer.Exit(1 if lost else 0)


def _print_planned(planned: Planned, format: PlanFormat, page: Page) -> None:
    if format is PlanFormat.json:
        from nbdag.report.json import planned_as_json

        page.raw(planned_as_json(planned, __version__))
    elif format is PlanFormat.html:
        from nbdag.report.plan_page import plan_as_html

        page.raw(plan_as_html(planned, __version__).rstrip("\n"))
    else:
        from nbdag.report.plan import print_plan

        print_plan(planned, page)
