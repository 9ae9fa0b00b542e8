"""``nbdag sessions`` and ``nbdag stop``: the kernels that are kept alive."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from nbdag import __version__
from nbdag.commands.options import (
    STATE_DIRECTORY,
    Color,
    ColorOption,
    Format,
    FormatOption,
    show,
)
from nbdag.errors import UsageError


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
    session: Annotated[str, typer.Argument(help="A session of `nbdag sessions`, or how it begins.")] = "",
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
