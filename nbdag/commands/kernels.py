"""``nbdag kernels``: all kernels that run; ``nbdag sessions`` and ``nbdag stop``: those that nbdag keeps alive."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nbdag import __version__
from nbdag.commands.completing import complete_session
from nbdag.commands.options import (
    STATE_DIRECTORY,
    Color,
    ColorOption,
    Format,
    FormatOption,
    ServerOption,
    TokenOption,
    token_of,
)
from nbdag.commands.output import show
from nbdag.errors import UsageError


def kernels(
    server: ServerOption = "",
    token_env: TokenOption = "",
    format: FormatOption = Format.text,
    color: ColorOption = Color.auto,
) -> None:
    """List the kernels that run: those of Jupyter servers and editors on this machine, and those that nbdag keeps.

    With --server those of that server, too.
    """
    from nbdag.analysis.kernels import sessions as kept_sessions
    from nbdag.analysis.running import running_kernels
    from nbdag.analysis.servers import kernels_of, read_address, running_servers
    from nbdag.report.kernels import kernel_as_row, print_kernels

    kept = {str(one.connection_file): one.id for one in kept_sessions(STATE_DIRECTORY)}
    servers = list(running_servers())
    if server:
        named = read_address(server, token_of(token_env)).server
        kernels_of(named)  # says what is wrong with a server that was asked for
        servers = [named, *(one for one in servers if one.url != named.url)]
    found = running_kernels([Path(path) for path in kept], servers=servers)
    for problem in found.problems:
        print(f"nbdag: {problem}", file=sys.stderr)
    if format is Format.json:
        from nbdag.report.json import kernels_as_json

        rows = [kernel_as_row(one, kept) for one in found.kernels]
        show(None, color, lambda page: page.raw(kernels_as_json(rows, __version__)))
    elif not found.kernels:
        print("no kernel runs here", file=sys.stderr)
    else:
        show(None, color, lambda page: print_kernels(found.kernels, kept, page))


def sessions(format: FormatOption = Format.text, color: ColorOption = Color.auto) -> None:
    """List the kernels that are kept alive in this directory."""
    from nbdag.analysis import kernels

    found = kernels.sessions(STATE_DIRECTORY)
    if format is Format.json:
        from nbdag.report.json import sessions_as_json
        from nbdag.report.sessions import session_as_row

        show(None, color, lambda page: page.raw(sessions_as_json([session_as_row(one) for one in found], __version__)))
    elif not found:
        print("no kernel is kept alive here", file=sys.stderr)
    else:
        from nbdag.report.sessions import print_sessions

        show(None, color, lambda page: print_sessions(found, page))


def stop(
    session: Annotated[
        str,
        typer.Argument(help="A session of `nbdag sessions`, or how it begins.", autocompletion=complete_session),
    ] = "",
    all: Annotated[bool, typer.Option("--all", help="End all kernels that are kept alive here.")] = False,
) -> None:
    """End a kernel that is kept alive. Without ID: the only one there is."""
    from nbdag.analysis import kernels

    found = kernels.sessions(STATE_DIRECTORY)
    names = ", ".join(one.id for one in found) or "none"
    if all:
        chosen = found
    elif session:
        chosen = [one for one in found if one.id == session] or [one for one in found if one.id.startswith(session)]
        if len(chosen) != 1:
            what = f"{session!r} fits several kernels" if chosen else f"no kernel {session!r} is kept alive here"
            raise UsageError(f"{what}; there are: {names}", "nbdag stop --all ends all of them")
    elif len(found) > 1:
        raise UsageError(f"which one? {names}", "nbdag stop ID, or nbdag stop --all")
    else:
        chosen = found
    if not chosen:
        print("no kernel is kept alive here", file=sys.stderr)
    for one in chosen:
        kernels.stop_session(one)
        print(f"nbdag: ended {one.id}", file=sys.stderr)
