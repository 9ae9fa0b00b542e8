"""Which statements of a restored bundle leave something in libraries that the next bundle does not have."""

from __future__ import annotations

import atexit
import decimal
import fractions
import os
import sys
from types import SimpleNamespace

import pytest

from nbdag.portable.brought import told_to_libraries

NAMES = {
    "os": os, "sys": sys, "fractions": fractions, "Fraction": fractions.Fraction, "atexit": atexit, "decimal": decimal,
    "mine": SimpleNamespace(), "Mine": type("Mine", (), {"__module__": "__main__"}),
}  # fmt: skip
STAYS = ["fractions.hop = 1", "Fraction.twice = f", "del os.hop", "setattr(decimal, 'a', 1)", "atexit.register(print)"]
GOES = [
    "os.environ['a'] = '1'", "sys.path.append('x')", "mine.a = 1", "Mine.b = 2", "x = fractions.hop",
    "decimal.getcontext()", "def f():\n    os.hop = 1", "not python at all", "setattr(mine, 'a', 1)",
    "mine.register(1)",
]  # fmt: skip


@pytest.mark.parametrize("code", STAYS)
def test_it_is_named(code: str) -> None:
    assert told_to_libraries(["x = 1", code], NAMES) == [code]


@pytest.mark.parametrize("code", GOES)
def test_it_is_not(code: str) -> None:
    assert told_to_libraries([code], NAMES) == []
