"""Whether anybody drew is seen in the generators' memory, without asking for their states."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from nbdag.portable import drawing
from nbdag.portable.drawing import DrawingWatch
from nbdag.portable.randomness import drawn, get_states, raw_states, set_state
from tests.portable.test_randomness import DRAWS, NO_DRAWS


@pytest.fixture(autouse=True)
def generators_as_they_were() -> Iterator[None]:
    before = get_states()
    yield
    set_state(before)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time the generators are asked for their states."""
    calls: list[int] = []

    def ask() -> dict[str, Any]:
        calls.append(1)
        return raw_states()

    monkeypatch.setattr(drawing, "raw_states", ask)
    return calls


@pytest.mark.parametrize(("generator", "draw"), DRAWS)
def test_every_draw_shows(generator: str, draw: Any) -> None:
    watch = DrawingWatch()
    before = watch.states()
    draw()
    assert drawn(before, watch.states()) == [generator]
    assert watch.states() == raw_states()


@pytest.mark.parametrize("draw", [lambda: random.gauss(0, 1), lambda: np.random.randn()])
def test_taking_the_second_half_of_a_pair_is_a_draw(draw: Any) -> None:
    set_state(get_states())
    random.seed(1)
    np.random.seed(1)
    draw()
    watch = DrawingWatch()
    before = watch.states()
    draw()
    assert drawn(before, watch.states()) != []


@pytest.mark.parametrize("act", NO_DRAWS)
def test_as_long_as_nobody_draws_nobody_is_asked(act: Any, asked: list[int]) -> None:
    watch = DrawingWatch()
    before = watch.states()
    act()
    assert watch.states() is before
    assert asked == [1]


def test_a_state_that_was_put_back_with_its_half_of_a_pair_shows() -> None:
    # state = np.random.get_state(); np.random.randn(); np.random.set_state(state)        the words are the same
    np.random.seed(1)
    np.random.randn()
    state = np.random.get_state()
    np.random.randn()
    watch = DrawingWatch()
    before = watch.states()
    np.random.set_state(state)
    assert drawn(before, watch.states()) == ["numpy"]


def test_a_generator_that_does_not_let_us_look_is_asked_every_time(
    asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mine(random.Random):
        def random(self) -> float:
            return 0.5

    monkeypatch.setattr(random, "getstate", Mine(1).getstate)
    watch = DrawingWatch()
    assert watch.states() == watch.states()
    assert asked == [1, 1]


def test_a_glance_that_misses_a_draw_is_not_trusted() -> None:
    assert not drawing.shows_draws(lambda generator: 1, random.Random(0), ("random",))
    assert not drawing.shows_draws(lambda generator: object(), random.Random(0), ("random",))
    assert drawing.shows_draws(drawing.glance_at_random, random.Random(0), ("random", "gauss", "gauss"))
