"""``nbdag attach``: record a kernel that already runs, or stop to; and have it saved by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbdag import __version__
from nbdag.commands.options import (
    STATE_DIRECTORY,
    Color,
    ColorOption,
    Format,
    FormatOption,
    QuietOption,
    ServerOption,
    TimeoutOption,
    TokenOption,
    token_of,
)
from nbdag.commands.output import progress_on_stderr, show
from nbdag.errors import UsageError

if TYPE_CHECKING:
    from nbdag.analysis.agent_client import Agent
    from nbdag.analysis.targets import Target
    from nbdag.progress import Progress
    from nbdag.report.tables import Page

EXAMPLES = (
    "\b\nExamples:\n  nbdag attach notebook.ipynb"
    "\n  nbdag attach notebook.ipynb --autosave saves/ --every 2min"
    "\n  nbdag attach http://localhost:8888/lab/tree/notebook.ipynb --token-env JUPYTER_TOKEN"
    "\n  nbdag attach notebook.ipynb --detach"
)


def attach(
    kernel: Annotated[
        str,
        typer.Argument(
            metavar="NOTEBOOK|ID|FILE|URL",
            help="The kernel: by its notebook, its id (nbdag kernels), its connection file or its address.",
        ),
    ],
    server: ServerOption = "",
    token_env: TokenOption = "",
    detach: Annotated[bool, typer.Option("--detach", help="Take the recorder away, and save no longer.")] = False,
    autosave: Annotated[
        Path | None, typer.Option("--autosave", metavar="DIR", help="Save the session here by itself, from now on.")
    ] = None,
    every: Annotated[
        str, typer.Option("--every", metavar="60s", help="How long to wait at least from one save to the next.")
    ] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Give up the save of another session that --autosave DIR holds.")
    ] = False,
    timeout: TimeoutOption = None,
    format: FormatOption = Format.text,
    quiet: QuietOption = False,
    color: ColorOption = Color.auto,
) -> None:
    """Record a kernel that already runs; nothing has to be installed there.

    The recorder goes in between two cells; In, Out and the counters stay as they are. What ran before is known by its
    text only: it can be stored, but not be replayed safely.
    """
    if detach and autosave is not None:
        raise UsageError("--detach and --autosave contradict each other", "leave out one of them")
    if every and autosave is None:
        raise UsageError("--every says how often to save", "where to: --autosave DIR")
    from nbdag.analysis.targets import find_target

    target = find_target(kernel, server=server, token=token_of(token_env), state_directory=STATE_DIRECTORY)
    if autosave is not None and target.connection_file is None:
        raise UsageError(
            f"kernel {target.kernel.kernel_id} runs on another machine ({target.kernel.server}) and saves itself there",
            "%nbdag autosave DIR in the notebook, or this command on that machine",
        )
    with progress_on_stderr(quiet, bar=False, color=color) as progress, _agent(target, progress, timeout) as agent:
        if detach:
            answer = _take_away(agent)
        else:
            answer = _record(agent)
            if autosave is not None:
                answer["autosave"] = _autosave(agent, target, autosave, every, replace)
    if format is Format.json:
        from nbdag.report.json import attached_as_json

        row = {"id": target.kernel.kernel_id, "notebook": target.notebook or None, **answer}
        show(None, color, lambda page: page.raw(attached_as_json(row, __version__)))
    else:
        show(None, color, lambda page: _print(page, target, answer))


@contextmanager
def _agent(target: Target, progress: Progress, timeout: float | None) -> Iterator[Agent]:
    """The recorder in the kernel: through its connection file, or through its server where that is far away."""
    from nbdag.analysis.agent_client import FarAgent, KernelAgent

    if target.connection_file is not None:
        with KernelAgent(target.connection_file, wait=progress.say, busy_timeout=timeout) as agent:
            yield agent
        return
    assert target.server is not None
    from nbdag.remote.channels import KernelChannel
    from nbdag.remote.rest import JupyterServer

    identity = target.kernel.kernel_id
    channel = KernelChannel(JupyterServer(target.server.url, target.server.token), identity, told=progress.say)
    channel.open()
    try:
        yield FarAgent(f"kernel {identity} of {target.server.shown}", channel.evaluate)
    finally:
        channel.close()


def _record(agent: Agent) -> dict[str, Any]:
    from nbdag.analysis.live import start_recording
    from nbdag.saving.autosave import status_of

    status, new = start_recording(agent)
    saving = None if new else status_of(agent)
    return {
        **({"autosave": saving} if saving is not None else {}),
        "recording": True,
        "already": not new,
        "executions": status.get("executions", 0),
        "names": status.get("names", 0),
        "python": status.get("python", ""),
    }


def _take_away(agent: Agent) -> dict[str, Any]:
    was = bool(agent.command("status", {}).get("recording"))
    agent.command("stop", {})
    return {"recording": False, "already": not was}


def _autosave(agent: Agent, target: Target, directory: Path, every: str, replace: bool) -> dict[str, Any]:
    from nbdag.report.rates import parse_seconds
    from nbdag.saving.autosave import EVERY, begin

    return begin(
        agent,
        directory,
        every=parse_seconds(every) if every else EVERY,
        notebook=target.notebook,
        replace=replace,
    )


def _print(page: Page, target: Target, answer: dict[str, Any]) -> None:
    name = f"kernel {target.kernel.kernel_id}"
    whose = f"{name} of {Path(target.notebook).name}" if target.notebook else name
    if not answer["recording"]:
        page.line(f"{whose} was not recorded" if answer["already"] else f"nbdag no longer records {whose}")
        return
    known, names = answer["executions"], answer["names"]
    if answer["already"]:
        page.line(f"nbdag records {whose} already: {known} executions, {names} names")
    else:
        before = f"; {known} earlier cells are known by their text only" if known else ""
        page.line(f"nbdag records {whose} (Python {answer['python']}, {names} names{before})")
    if "autosave" in answer:
        from nbdag.report.saving import autosave_lines

        for line in autosave_lines(answer["autosave"]):
            page.line(line)
