"""How what a command says reaches its user: progress on stderr, the result on stdout or in a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nbdag.commands.options import Color
from nbdag.errors import OutputError, UsageError

if TYPE_CHECKING:
    from nbdag.report.progress import TerminalProgress
    from nbdag.report.tables import Page


@contextmanager
def progress_on_stderr(
    quiet: bool = False, verbose: bool = False, bar: bool = True, color: Color = Color.auto
) -> Iterator[TerminalProgress]:
    """What says how far a command is. Its bar ends with the block; ``say`` goes on to work behind it."""
    from nbdag.report.progress import TerminalProgress

    progress = TerminalProgress(level=0 if quiet else 2 if verbose else 1, bar=bar, color=color.value)
    try:
        yield progress
    finally:
        progress.end()


def show(output: Path | None, color: Color, write: Callable[[Page], None]) -> None:
    """Let ``write`` fill a page that goes to the file ``output``, or to stdout. Raises OutputError."""
    from nbdag.report.tables import write_page

    write_page(output, color.value, write)


def check_output(output: Path | None) -> None:
    """Refuse an ``output`` that cannot be written, before the notebook runs for an hour. Raises OutputError."""
    if output is not None and output.is_dir():
        raise OutputError(f"{output}: is a directory", "-o names the file to write")
    if output is not None and not output.absolute().parent.is_dir():
        raise OutputError(f"{output}: there is no directory {output.parent}", "make it first")


def check_page(output: Path | None, example: str) -> None:
    """Refuse HTML on a terminal; ``example`` is a name for its file. Raises UsageError."""
    if output is None and sys.stdout.isatty():
        raise UsageError("--format html: a page is not for a terminal", f"add -o {example}, then open it in a browser")
