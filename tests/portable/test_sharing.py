"""What two linked variables share, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nbdag.portable.sharing import sharing_in_words


class Job:
    def __init__(self) -> None:
        self.done: list[int] = []


def inner() -> dict[str, Any]:
    y = [1]
    return {"x": {"y": y, "n": 1}, "y": y}


def whole() -> dict[str, Any]:
    x = {1, 2}
    return {"x": x, "y": x}


def both_inside() -> dict[str, Any]:
    job = Job()
    return {"x": job, "y": (job.done, 2)}


def memory() -> dict[str, Any]:
    data = np.zeros(9)
    return {"x": data, "y": data[3:]}


def nothing() -> dict[str, Any]:
    return {"x": [int, len, "text", (1, 2)], "y": {"t": "text", "f": len, "k": int}}


def circle() -> dict[str, Any]:
    x: list[Any] = []
    x.append(x)
    return {"x": x, "y": {"back": x}}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (inner, 'x["y"] and y are one list'),
        (whole, "x and y are one set"),
        (both_inside, "x.done and y[0] are one list"),
        (memory, "x and y share memory"),
        (nothing, ""),
        (circle, 'x and y["back"] are one list'),
    ],
)
def test_what_is_shared(make: Callable[[], dict[str, Any]], words: str) -> None:
    assert sharing_in_words("x", ["y"], make()) == words


def test_the_first_that_holds_a_part_is_named() -> None:
    shared = [0]
    items = {"x": shared, "a": [1], "b": {"s": shared}}
    assert sharing_in_words("x", ["gone", "a", "b"], items) == 'x and b["s"] are one list'
