"""A report as HTML and as text at once, for a notebook's output: no script, no style sheet, legible on light and dark.

Outputs of a notebook that is not trusted lose scripts and style sheets, and those of JupyterLab, VS Code and Colab lie
on backgrounds that nobody knows here. So every style is an attribute, colours are of middling lightness, and the rest
is taken from the page around.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape

from nbdag.report.tables import Column, Page, Value

STYLES = {
    "bad": "color:#d9483f;font-weight:600",
    "good": "color:#2f9a62",
    "warn": "color:#b97a10",
    "faint": "opacity:.66",
    "strong": "font-weight:600",
}
_CELL = "padding:2px 14px 2px 0;vertical-align:top;text-align:{side};overflow-wrap:anywhere"
_WHOLE = ";white-space:nowrap"


class TwinPage(Page):
    """A page that keeps what is written on it, as ``text`` of ``width`` columns and as ``html``."""

    def __init__(self, width: int) -> None:
        self._text = io.StringIO()
        self._html: list[str] = []
        super().__init__(self._text, color="never", width=width)

    @property
    def text(self) -> str:
        """The plain text so far."""
        return self._text.getvalue()

    @property
    def html(self) -> str:
        """The HTML so far: one element."""
        return f'<div style="font-size:13px;line-height:1.45">{"".join(self._html)}</div>'

    def line(self, text: str = "", style: str = "", *, whole: bool = False) -> None:
        """One line; text that is to be copied, or that is indented, keeps its blanks."""
        super().line(text, style, whole=whole)
        if not text:
            self._html.append('<div style="height:.6em"></div>')
            return
        kept = "white-space:pre-wrap" if text.startswith(" ") or "\n" in text else ""
        self._html.append(f"<div{_style(kept, STYLES.get(style, ''))}>{_escaped(text)}</div>")

    def raw(self, text: str) -> None:
        """Text as it is."""
        super().raw(text)
        self._html.append(f"<pre>{_escaped(text)}</pre>")

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str | Value]]) -> None:
        """A table; columns in which no row says anything are left out."""
        super().table(columns, rows)
        told = [number for number in range(len(columns)) if any(_text_of(row[number]) for row in rows)]
        head = "".join(_cell("th", columns[number], columns[number].title) for number in told)
        body = "".join(
            f"<tr>{''.join(_cell('td', columns[number], row[number]) for number in told)}</tr>" for row in rows
        )
        self._html.append(
            f'<table style="border-collapse:collapse;margin:2px 0"><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table>"
        )


def _cell(tag: str, column: Column, value: str | Value) -> str:
    place = _CELL.format(side="right" if column.right else "left") + (_WHOLE if column.whole else "")
    mark = STYLES["faint"] + ";font-weight:400" if tag == "th" else ""
    style = STYLES.get(value.style, "") if isinstance(value, Value) else ""
    return f"<{tag}{_style(place, mark, style)}>{_escaped(_text_of(value))}</{tag}>"


def _style(*parts: str) -> str:
    told = ";".join(part for part in parts if part)
    return f' style="{told}"' if told else ""


def _text_of(value: str | Value) -> str:
    return value.text if isinstance(value, Value) else value


def _escaped(text: str) -> str:
    kept = "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)
    return escape(kept).replace("\n", "<br>")
