"""``%nbdag autosave DIR``: the session saves itself from now on; ``%nbdag autosave off|status``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbdag.errors import UsageError
from nbdag.magics.command import Command, Parser
from nbdag.magics.display import show
from nbdag.magics.recording import recording_agent
from nbdag.magics.words import directories
from nbdag.report.tables import Page


def _arguments(parser: Parser) -> None:
    parser.add_argument(
        "directory",
        metavar="DIR|off|status",
        nargs="?",
        default="status",
        help="where to save, in a directory of its own",
    )
    parser.add_argument("--every", metavar="60s", default="", help="how long to wait at least from save to save")
    parser.add_argument(
        "--replace", action="store_true", help="give up what another session has saved in this directory"
    )


def _run(shell: Any, options: Namespace) -> None:
    from nbdag.report.rates import parse_seconds
    from nbdag.report.saving import autosave_lines
    from nbdag.saving import autosave

    word = options.directory
    if word in {"off", "status"} and (options.every or options.replace):
        raise UsageError(f"%nbdag autosave {word} takes no options", "%nbdag autosave DIR --every 60s")
    if word == "off":
        status = autosave.end(recording_agent())
        lines = ["this session did not save itself"]
        if status is not None:
            lines = [f"this session no longer saves itself; {status['directory']} holds what it has saved"]
    elif word == "status":
        status = autosave.status_of(recording_agent())
        lines = ["this session does not save itself; %nbdag autosave DIR has it do so"]
        if status is not None:
            lines = [
                "this session " + line if not number else line for number, line in enumerate(autosave_lines(status))
            ]
    else:
        every = parse_seconds(options.every) if options.every else autosave.EVERY
        status = autosave.begin(recording_agent(), Path(word).expanduser(), every=every, replace=options.replace)
        lines = ["this session " + line if not number else line for number, line in enumerate(autosave_lines(status))]

    def write(page: Page) -> None:
        for number, line in enumerate(lines):
            page.line(line, "" if number else "strong", whole=True)

    show(write, shell)


def _words(shell: Any, typed: str) -> Iterable[str]:
    return [*(word for word in ("off", "status") if word.startswith(typed)), *directories(shell, typed)]


COMMAND = Command(
    "autosave",
    "Have this session save itself in the background: after a crash, DIR/restore.py brings it back.",
    _arguments,
    _run,
    completions={"directory": _words},
    details="example:\n  %nbdag autosave saves --every 2min\n  %nbdag autosave status\n  %nbdag autosave off",
    words="DIR|off|status",
)
