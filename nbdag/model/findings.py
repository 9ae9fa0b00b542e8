"""Findings about a notebook or a session, and the places in the user's text that they are about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(str, Enum):
    """How much a finding matters: ``ERROR`` means that something of the notebook was left out."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Place:
    """A span of the user's own text in one cell; ``end_column`` is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


EXCERPT_BEFORE = 80  # characters in front of a place that an excerpt shows of a very long line


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A finding about the notebook or the session; the run goes on. ``code`` is stable (``docs/errors.md``).

    ``excerpt`` is the line of the user's text that ``place`` begins in, shown with a caret. Of a place far to the right
    it holds what is around it, behind an ellipsis: the place is then at character ``EXCERPT_BEFORE`` + 1.
    """

    code: str
    severity: Severity
    message: str
    cell: int | None = None
    place: Place | None = None
    hint: str = ""
    excerpt: str = ""
