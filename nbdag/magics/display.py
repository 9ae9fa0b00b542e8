"""How a command shows its result: HTML where the front end draws it, and the same in plain text everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from nbdag.report.tables import Page
from nbdag.report.twin import TwinPage

WIDTH = 120


class Shown:
    """One thing in two forms, for ``IPython.display.display``."""

    def __init__(self, text: str, html: str) -> None:
        self.text = text
        self.html = html

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}

    def __repr__(self) -> str:
        return self.text


class Picture(Shown):
    """A drawing with a description of it in words."""

    def __init__(self, text: str, svg: str) -> None:
        super().__init__(text, "")
        self.svg = svg

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text, "image/svg+xml": self.svg}


def show(write: Callable[[Page], None], shell: Any) -> None:
    """Let ``write`` fill a page, and show it under the cell: as HTML in a notebook, as text at a prompt."""
    if not draws(shell):
        write(Page(sys.stdout, color="auto"))
        return
    page = TwinPage(WIDTH)
    write(page)
    display(Shown(page.text.rstrip("\n"), page.html), shell)


def display(thing: Shown, shell: Any) -> None:
    """Show ``thing`` as the front end likes it best. Nothing is put into ``Out``: the session stays as it is."""
    if not draws(shell):
        print(thing.text)
        return
    from IPython.display import display as display_in_cell

    shown: Any = display_in_cell
    shown(thing)


def draws(shell: Any) -> bool:
    """Whether a front end may draw HTML: a kernel's may, a terminal does not."""
    return getattr(shell, "kernel", None) is not None
