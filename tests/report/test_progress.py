"""How far work is: bars on a terminal, lines elsewhere, and bytes as people read them."""

from __future__ import annotations

import io
import re

import pytest

from nbdag.progress import Bytes
from nbdag.report import progress as module
from nbdag.report.progress import TerminalProgress


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_bytes_are_a_bar_with_speed_and_the_time_that_is_left() -> None:
    stream = Terminal()
    progress = TerminalProgress(stream=stream)
    progress.begin("writing", Bytes(3e9))
    progress.advance(1.2e9)
    progress.end()
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert "writing" in drawn and "1.2/3.0 GB" in drawn and "left" in drawn


@pytest.mark.parametrize(("level", "lines"), [(0, 0), (1, 2), (2, 2)])
def test_elsewhere_a_line_every_few_seconds(level: int, lines: int, clock: list[float]) -> None:
    stream = io.StringIO()
    progress = TerminalProgress(stream=stream, level=level)
    progress.begin("writing", Bytes(1000e6))
    for _ in range(10):
        clock[0] += 0.7
        progress.advance(100e6)
    progress.end()
    said = stream.getvalue().splitlines()
    assert len(said) == lines
    assert said[-1:] in ([], ["nbdag: writing 1.0 GB of 1.0 GB, <1 ms left"])


def test_what_is_soon_over_needs_no_line(clock: list[float]) -> None:
    stream = io.StringIO()
    progress = TerminalProgress(stream=stream, level=1)
    progress.begin("writing", Bytes(100e6))
    progress.advance(100e6)
    progress.end()
    assert stream.getvalue() == ""
