"""Tables and lines that look right in a narrow terminal, a wide one, a pipe and a notebook.

A terminal wraps what is too long for it, and nothing is cut off. A pipe gets one line per row however long it is, no
colour and no trailing blanks, so that ``grep`` and ``awk`` find everything. Nothing of the user's is ever read as
markup: a type ``list[int]`` is those nine characters.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nbdag.errors import OutputError

_WIDE = 10_000  # columns of something that is not a terminal
_NARROWEST = 40
_TABLE = 72  # columns below which a table would be all wrapping, and rows become paragraphs

STYLES = {"bad": "red", "good": "green", "warn": "yellow", "faint": "dim", "strong": "bold"}


@dataclass(frozen=True, slots=True)
class Column:
    """``right`` aligns numbers; ``least`` is the width that wrapping leaves to it; ``whole`` never wraps."""

    title: str
    right: bool = False
    least: int = 4
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """A table's cell with a style of STYLES; a plain str has none."""

    text: str
    style: str = ""


def write_page(output: Path | None, color: str, write: Callable[[Page], None]) -> None:
    """Let ``write`` fill a page on stdout, or one in the file ``output``. Raises OutputError."""
    if output is None:
        write(Page(color=color))
        return
    try:
        with output.open("w", encoding="utf-8") as stream:
            write(Page(stream, color="never"))
    except OSError as error:
        raise OutputError(f"{output}: cannot write: {error.strerror}") from None


class Page:
    """Where a report is written: a stream with what is known about it."""

    def __init__(self, stream: TextIO | None = None, color: str = "auto", width: int | None = None) -> None:
        self.stream = sys.stdout if stream is None else stream
        self.terminal = bool(getattr(self.stream, "isatty", lambda: False)())
        colored = color == "always" or (color == "auto" and self.terminal and "NO_COLOR" not in os.environ)
        self.width = width or _width(self.stream, self.terminal)
        self._buffer = io.StringIO()
        self._console = Console(
            file=self._buffer,
            width=self.width,
            force_terminal=colored,
            color_system="standard" if colored else None,
            no_color=not colored,
            force_jupyter=False,
            highlight=False,
            emoji=False,
            markup=False,
            legacy_windows=False,
        )
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        self.unicode = encoding.lower().replace("-", "").startswith("utf")

    @property
    def narrow(self) -> bool:
        """Whether a table has to do without its nice-to-have columns."""
        return self.width < 100

    def line(self, text: str = "", style: str = "", *, whole: bool = False) -> None:
        """One line; a terminal wraps it at words unless it is to be copied ``whole``."""
        text = _printable(text)
        self._console.print(Text(text, style=STYLES.get(style, "")), soft_wrap=whole or self.width == _WIDE)
        self._flush()

    def raw(self, text: str) -> None:
        """Text as it is, for machines."""
        self.stream.write(text + "\n")
        self.stream.flush()

    def title(self, text: str) -> None:
        """A heading with a blank line before it."""
        self.line()
        self.line(text, "strong")

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str | Value]]) -> None:
        """A table; columns in which no row says anything are left out."""
        told = [index for index in range(len(columns)) if any(_text(row[index]) for row in rows)]
        if self.width < _TABLE:
            self._paragraphs([columns[index].title for index in told], [[row[index] for index in told] for row in rows])
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
        for index in told:
            column = columns[index]
            table.add_column(
                column.title,
                justify="right" if column.right else "left",
                no_wrap=column.whole or self.width == _WIDE,
                min_width=column.least,
                overflow="fold",
            )
        for row in rows:
            table.add_row(*(_styled(row[index]) for index in told))
        self._console.print(table)
        self._flush()

    def _paragraphs(self, titles: Sequence[str], rows: Sequence[Sequence[str | Value]]) -> None:
        for row in rows:
            for index, (title, value) in enumerate(zip(titles, row, strict=True)):
                if _text(value):
                    line = Text("" if index == 0 else "  ").append(f"{title}: ", "dim").append_text(_styled(value))
                    self._console.print(line)
        self._flush()

    def _flush(self) -> None:
        text = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        if not self.unicode:
            text = text.replace("─", "-").replace("…", "...").replace("→", "->")
            encoding = getattr(self.stream, "encoding", None) or "ascii"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        self.stream.write("".join(line.rstrip() + "\n" for line in text.splitlines()))
        self.stream.flush()


def _width(stream: TextIO, terminal: bool) -> int:
    if terminal:
        return max(_NARROWEST, Console(file=stream).width)
    # Shells keep COLUMNS to themselves: where it is exported, somebody wants that width of a pipe too.
    columns = os.environ.get("COLUMNS", "")
    return max(_NARROWEST, int(columns)) if columns.isdecimal() else _WIDE


def _text(value: str | Value) -> str:
    return value.text if isinstance(value, Value) else value


def _styled(value: str | Value) -> Text:
    style = STYLES.get(value.style, "") if isinstance(value, Value) else ""
    return Text(_printable(_text(value)), style=style)


def _printable(text: str) -> str:
    # A name cannot, but an error message can carry terminal escapes.
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)
