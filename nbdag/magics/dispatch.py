"""From the words of a ``%nbdag`` line to its command; errors become one line here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar

from nbdag.errors import NbdagError, UsageError
from nbdag.magics.command import Command, HelpShown
from nbdag.magics.recording import unobserved
from nbdag.magics.registry import COMMANDS

HELP = frozenset(("help", "-h", "--help"))
SAME = (
    ("nbdag plan --explain", "%nbdag explain"),
    ("nbdag plan", "%nbdag plan"),
    ("nbdag compile --out", "%nbdag compile"),
)
Answer = TypeVar("Answer")


def run_line(shell: Any, line: str, cell: str | None = None) -> None:
    """Do what ``%nbdag line`` asks for, or ``%%nbdag line`` with ``cell``. Raises NbdagError."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"%nbdag {line}: {error}") from None
    name, rest = (words[0], words[1:]) if words else ("status", [])
    if name in HELP:
        print(usage(rest[0] if rest else ""))
        return
    command = command_called(name)
    try:
        options = command.parser().parse_args(rest)
    except HelpShown:
        return
    if cell is not None and command.run_cell is None:
        raise UsageError(f"%%nbdag {name} takes no cell below it", f"write %nbdag {name} on a line of its own")
    with nullcontext() if command.changes else unobserved(shell):
        if cell is not None and command.run_cell is not None:
            command.run_cell(shell, options, cell)
        else:
            command.run(shell, options)


def command_called(name: str) -> Command:
    """The command; UsageError, with what it may have been, where there is none."""
    import difflib

    for command in COMMANDS:
        if command.name == name:
            return command
    close = difflib.get_close_matches(name, [command.name for command in COMMANDS], n=1)
    hint = f"did you mean %nbdag {close[0]}? " if close else ""
    raise UsageError(f"%nbdag {name}: no such command", f"{hint}%nbdag help lists them")


def usage(name: str = "") -> str:
    """Help for one command, or for all of them."""
    if name:
        return command_called(name).parser().format_help().rstrip()
    calls = [f"%nbdag {command.name} {command.words}".rstrip() for command in COMMANDS]
    width = max(len(call) for call in calls)
    lines = [f"  {call:{width}}  {command.summary}" for call, command in zip(calls, COMMANDS, strict=True)]
    return "\n".join(
        [
            "Move this session to another machine, and know what is in it.",
            "",
            *lines,
            "",
            "%nbdag COMMAND --help: more.",
        ]
    )


def told(work: Callable[[], Answer]) -> Answer:
    """What ``work`` returns; its NbdagError as IPython's one-line error, without a traceback."""
    from IPython.core.error import UsageError as LineError

    try:
        return work()
    except NbdagError as error:
        message = f"nbdag: {error.message}" + (f"\n  hint: {_as_typed_here(error.hint)}" if error.hint else "")
    raise LineError(message)


def _as_typed_here(hint: str) -> str:
    """A hint that names a command of the shell, with the magic that does the same."""
    for shell, magic in SAME:
        hint = re.sub(rf"(?<![%\w]){re.escape(shell)}", magic, hint)
    return hint
