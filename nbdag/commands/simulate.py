"""``nbdag simulate``: recorded sessions under every policy of execution migration."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from nbdag import __version__
from nbdag.commands.options import STATE_DIRECTORY, Color, ColorOption, Format, FormatOption
from nbdag.commands.output import check_output, show
from nbdag.errors import UsageError

EXAMPLES = (
    "\b\nExamples:\n  nbdag simulate notebook.ipynb --speedup 4 --bandwidth 100Mbps --latency 50ms"
    "\n  nbdag simulate .nbdag/migration/history --policy block --explain"
    "\n  nbdag simulate monday.json --train earlier/ --plot waiting.svg"
)


class Which(str, Enum):
    """Which policies are simulated."""

    all = "all"
    single = "single"
    block = "block"
    performance = "performance"
    knowledge = "knowledge"


def simulate(
    sessions: Annotated[
        list[Path],
        typer.Argument(metavar="SESSION", help="Histories, traces, analyzed notebooks, or directories of these."),
    ],
    policy: Annotated[
        list[Which] | None, typer.Option("--policy", help="Which policy; repeat for more. [default: all]")
    ] = None,
    speedup: Annotated[float, typer.Option("--speedup", help="How many times as fast a cell runs there.")] = 4.0,
    bandwidth: Annotated[str, typer.Option("--bandwidth", metavar="RATE", help="Speed of the line.")] = "100Mbps",
    latency: Annotated[str, typer.Option("--latency", metavar="TIME", help="A round trip.")] = "50ms",
    overhead: Annotated[str, typer.Option("--overhead", metavar="TIME", help="Beside every run there.")] = "300ms",
    spread: Annotated[
        float, typer.Option("--spread", help="How much single cells differ from the speedup: 0.2 is some 20 %.")
    ] = 0.0,
    train: Annotated[
        list[Path] | None,
        typer.Option("--train", metavar="SESSION", help="Learn from these first; else from each before the next."),
    ] = None,
    guard: Annotated[
        bool, typer.Option("--guard/--no-guard", help="Hold policies to never more than 5 % slower than here.")
    ] = True,
    each: Annotated[bool, typer.Option("--each", help="Every session by itself, too.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Every decision and its reason, too.")] = False,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw the waiting.")] = None,
    format: FormatOption = Format.text,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report here.")
    ] = None,
    color: ColorOption = Color.auto,
) -> None:
    """How long recorded sessions would have waited if policies had sent cells to a faster machine.

    Sessions are replayed from their records, in their real order; nothing is run. Each is compared with running all
    here, all there, and with an oracle that knows what comes.
    """
    for target in (plot, output):
        check_output(target)
    from nbdag.remote.model import Link
    from nbdag.remote.policies import POLICIES
    from nbdag.remote.simulate import Conditions
    from nbdag.remote.trial import read_sessions, run_trial
    from nbdag.report.rates import parse_rate
    from nbdag.report.simulation import draw_trial, print_trial, trial_as_json

    if not 0 < speedup < float("inf"):
        raise UsageError(
            f"--speedup {speedup:g}: not a factor", "4 means that a cell takes a quarter of its time there"
        )
    if not 0 <= spread <= 2:
        raise UsageError(f"--spread {spread:g}: not between 0 and 2", "0.2 means that cells differ by some 20 %")
    rate = parse_rate(bandwidth)
    if rate is None:
        raise UsageError("--bandwidth auto: there is no line to measure", "say how fast it is, like 100Mbps")
    line = Link(parse_time("--latency", latency), rate, speedup)
    conditions = Conditions(line, parse_time("--overhead", overhead), spread)
    asked = [one.value for one in policy or [Which.all]]
    chosen = list(POLICIES) if "all" in asked else list(dict.fromkeys(asked))
    trial = run_trial(
        read_sessions(sessions, STATE_DIRECTORY),
        conditions,
        chosen,
        learn_from=read_sessions(train, STATE_DIRECTORY) if train else (),
        guarded=guard,
    )
    if format is Format.json:
        show(output, color, lambda page: page.raw(trial_as_json(trial, __version__)))
    else:
        show(output, color, lambda page: print_trial(trial, page, each=each, explain=explain))
    if plot is not None:
        show(plot, Color.never, lambda page: page.raw(draw_trial(trial)))


_TIME = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>us|µs|ms|s)?", re.I)
_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


def parse_time(option: str, text: str) -> float:
    """``"50ms"`` -> 0.05, ``"0.3s"`` -> 0.3 seconds; a number without unit is seconds. Raises UsageError."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option} {text}: not a time", "write it like 50ms or 0.3s")
    return float(match["number"]) * _UNITS[(match["unit"] or "s").lower()]
