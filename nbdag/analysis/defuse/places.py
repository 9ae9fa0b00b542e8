"""Where names stand in a text, found by walking its tokens in step with the walk over the tree.

libcst keeps no positions, and its own provider renders the whole tree to find them (twice the time of the parse). The
names of a tree in textual order are a subsequence of the name tokens of the text, so one cursor over the tokens finds
each name for the price of a regular expression.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from nbdag.model.findings import Place

_TOKEN = re.compile(
    r"""
    (?P<open>\b(?:[fFtT][rR]?|[rR][fFtT])(?:\"\"\"|'''|"|'))   # the start of an f-string: its holes hold names
  | (?:\b(?:[bB][rR]?|[rR][bB]?|[uU]))?
    (?:\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
  | \#[^\n]*
  | \d[\w.]*
  | \.\s*[^\W\d]\w*                                            # an attribute is not a name
  | (?P<name>[^\W\d]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)


class Cursor:
    """Finds names in ``text`` one after the other, from the offset ``position`` on."""

    __slots__ = ("_search", "position", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self._search = _TOKEN.search

    def name(self, value: str) -> int:
        """The offset of the next name token ``value``; the cursor stands behind it, or stays if there is none."""
        search, text, position = self._search, self.text, self.position
        while (match := search(text, position)) is not None:
            position = match.end()
            if match.group() == value and match.lastgroup == "name":
                self.position = position
                return match.start()
        return self.position

    def opening(self) -> int:
        """The offset of the next f-string; the cursor stands behind its opening quote."""
        position = self.position
        while (match := self._search(self.text, position)) is not None:
            position = match.end()
            if match.lastgroup == "open":
                self.position = position
                return match.start()
        return self.position


class Lines:
    """Offsets of a text -> lines (from 1) and columns (from 0) of the text the user wrote.

    ``shifts`` says where parsed text and user's text differ: line -> (column in the parsed text, how far right of it
    the user's text is), ascending.
    """

    __slots__ = ("_places", "_shifts", "_starts")

    def __init__(self, text: str, shifts: dict[int, list[tuple[int, int]]] | None = None) -> None:
        starts = [0]
        find = text.find
        position = find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = find("\n", position + 1)
        self._starts = starts
        self._shifts = shifts or {}
        self._places: dict[tuple[int, int], Place] = {}  # what a statement does it mostly does at a few places

    def point(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        column = offset - self._starts[line - 1]
        if line in self._shifts:
            column += next((by for start, by in reversed(self._shifts[line]) if start <= column), 0)
        return line, column

    def line(self, offset: int) -> int:
        """The line of ``offset``."""
        return bisect_right(self._starts, offset)

    def offset(self, line: int, column: int) -> int:
        """The offset of a point of the parsed text."""
        return self._starts[line - 1] + column

    def place(self, start: int, end: int) -> Place:
        span = (start, end)
        found = self._places.get(span)
        if found is None:
            found = self._places[span] = self._place(start, end)
        return found

    def _place(self, start: int, end: int) -> Place:
        starts = self._starts
        line = bisect_right(starts, start)
        if not self._shifts and (line == len(starts) or end < starts[line]):
            begin = starts[line - 1]
            return Place(line, start - begin, line, end - begin)
        line, column = self.point(start)
        end_line, end_column = self.point(end)
        return Place(line, column, end_line, end_column)
