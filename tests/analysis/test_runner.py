"""How a cell ended, in words that its author understands."""

from __future__ import annotations

from typing import Any

import pytest

from nbdag.analysis.runner import _read_reply
from nbdag.model.notebook import Cell
from nbdag.model.trace import Outcome

BOOM = {"ename": "ValueError", "evalue": "boom", "traceback": ["\x1b[31mValueError\x1b[39m: boom"]}

REPLIES: list[tuple[dict[str, Any], Outcome, str]] = [
    ({"status": "ok"}, Outcome.OK, ""),
    ({"status": "error", **BOOM}, Outcome.ERROR, "ValueError: boom"),
    # A _repr_html_ that raises: IPython has caught it, and ipykernel 7 finds nothing to tell.
    (
        {"status": "error", **BOOM, "ename": "NoneType", "evalue": "None"},
        Outcome.ERROR,
        "its result cannot be displayed: ValueError: boom",
    ),
    ({"status": "error", "ename": "NoneType", "evalue": "None"}, Outcome.ERROR, "its result cannot be displayed"),
]


@pytest.mark.parametrize(("content", "outcome", "error"), REPLIES)
def test_the_reply_of_the_kernel(content: dict[str, Any], outcome: Outcome, error: str) -> None:
    run = _read_reply(Cell(0, 0, "a", "X()"), content, 0.1, None)
    assert (run.outcome, run.error) == (outcome, error)
