"""``nbdag run``: a notebook as a batch job that can go on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nbdag.commands.options import (
    AllowErrors,
    BarOption,
    CellTimeoutOption,
    KernelNameOption,
    QuietOption,
    VerboseOption,
)
from nbdag.commands.output import check_output, progress_on_stderr
from nbdag.errors import UsageError

EXAMPLES = (
    "\b\nExamples:\n  nbdag run notebook.ipynb"
    "\n  nbdag run notebook.ipynb --save-every 5 -p epochs=20"
    "\n  nbdag run notebook.ipynb --resume"
)


def run_notebook(
    notebook: Annotated[Path, typer.Argument(help="An .ipynb file, a py:percent script, or a .md of Jupytext.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The notebook with outputs. [default: NOTEBOOK.run.ipynb]"),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save", metavar="DIR", help="The bundle to save to. [default: NOTEBOOK.session, when a cell fails]"
        ),
    ] = None,
    save_every: Annotated[
        int, typer.Option("--save-every", metavar="N", min=0, help="Save after every N cells, and at the end.")
    ] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the saved run stopped.")] = False,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Set a parameter, as papermill does."),
    ] = None,
    kernel_name: KernelNameOption = "",
    allow_errors: AllowErrors = False,
    cell_timeout: CellTimeoutOption = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Prove every save in a fresh process before it counts.")
    ] = True,
    progress_bar: BarOption = True,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Run a notebook from top to bottom, recorded, and save its session on the way.

    When a cell fails, its session is saved; mend the cell, and --resume runs it and those behind it, not those before.
    Cells that were edited are found: the run goes on from the first of them where that gives what a run from the top
    would, and says so where it does not and everything runs again.
    """
    check_output(output)
    from nbdag.batch.running import run
    from nbdag.batch.saving import Saving

    target = output or Path(f"{notebook.stem}.run.ipynb")
    if target.exists() and notebook.exists() and target.samefile(notebook):
        raise UsageError(f"--output {target}: is the notebook itself", "name another file")
    with progress_on_stderr(quiet, verbose, progress_bar) as progress:
        progress.begin("running", None)
        done = run(
            notebook,
            target,
            Saving(
                save or Path(f"{notebook.stem}.session"),
                save_every,
                verify,
                resume,
                at_end=save is not None or save_every > 0,
            ),
            parameters=[_pair(text) for text in parameter or ()],
            kernel_name=kernel_name,
            allow_errors=allow_errors,
            cell_timeout=cell_timeout,
            say=progress.say,
            on_cell=lambda index, total: progress.advance(1, f"cell {index + 1} of {total}"),
        )
    spared = f", {done.spared} taken from the save" if done.spared else ""
    progress.say(f"ran {done.ran} cells{spared}; wrote {done.output}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"-p {text}: no value", "write -p name=value")
    return name.strip(), value
