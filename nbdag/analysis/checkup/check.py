"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """``OK``: as it should be. ``INFO``: good to know. ``WARNING``: something will not work or may not.
    ``PROBLEM``: nbdag itself does not work."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """``what`` was looked at, what it is like, and what to do about it ("" where there is nothing to do)."""

    what: str
    state: State
    says: str
    remedy: str = ""
