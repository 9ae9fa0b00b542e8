"""``nbdag doctor``: problems of the environment, and what to do about each."""

from __future__ import annotations

from typing import Annotated

import typer

from nbdag import __version__
from nbdag.commands.options import STATE_DIRECTORY, Color, ColorOption, Format, FormatOption
from nbdag.commands.output import show

EXAMPLES = "\b\nExamples:\n  nbdag doctor\n  nbdag doctor --problems\n  nbdag doctor --format json"


def doctor(
    problems: Annotated[bool, typer.Option("--problems", help="Show only what is wrong.")] = False,
    format: FormatOption = Format.text,
    color: ColorOption = Color.auto,
) -> None:
    """Look for problems of the environment, and say what to do about each.

    Looks at nbdag, its packages and its command on PATH, at Jupyter and every kernelspec, at this directory, and at
    disks and memory. Nothing is changed. Exit status: 0 nothing is wrong, 1 warnings, 4 nbdag cannot work here.
    """
    from nbdag.analysis.checkup import State, check_up
    from nbdag.report.checkup import print_checkup, verdict

    found = check_up(STATE_DIRECTORY)
    states = {check.state for checks in found.values() for check in checks}
    shown = found
    if problems:
        wrong = {State.WARNING, State.PROBLEM}
        shown = {area: [check for check in checks if check.state in wrong] for area, checks in found.items()}
    if format is Format.json:
        from nbdag.report.json import checkup_as_json

        show(None, color, lambda page: page.raw(checkup_as_json(shown, __version__)))
    else:
        show(None, color, lambda page: print_checkup(shown, page, verdict(found)))
    raise typer.Exit(4 if State.PROBLEM in states else 1 if State.WARNING in states else 0)
