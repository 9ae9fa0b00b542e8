"""States of the global random generators go to bytes and back, the same bytes everywhere."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbdag.portable import randomness
from nbdag.portable.randomness import drawn, get_states, pack_states, raw_states, set_state
from tests.interpreters import interpreters


@pytest.fixture(autouse=True)
def generators_as_they_were() -> Iterator[None]:
    before = get_states()
    yield
    set_state(before)


DRAWS = [
    ("random", lambda: random.random()),
    ("random", lambda: random.shuffle([1, 2, 3])),
    ("random", lambda: random.gauss(0, 1)),  # the first of a pair is drawn, the second is kept in the state
    ("random", lambda: random.seed(5)),
    ("numpy", lambda: np.random.rand()),
    ("numpy", lambda: np.random.randn()),
    ("numpy", lambda: np.random.seed(5)),
    ("numpy", lambda: np.random.permutation(9)),
]


@pytest.mark.parametrize(("generator", "draw"), DRAWS)
def test_a_draw_is_noticed_and_can_be_repeated(generator: str, draw: Any) -> None:
    set_state(get_states())
    before = raw_states()
    draw()
    assert drawn(before, raw_states()) == [generator]
    after = get_states()
    set_state(pack_states(before))
    draw()
    assert get_states() == after


NO_DRAWS = [lambda: random.Random(1).random(), lambda: np.random.default_rng(1).random(), lambda: random.getstate()]


@pytest.mark.parametrize("act", NO_DRAWS)
def test_other_generators_are_none_of_ours(act: Any) -> None:
    before = raw_states()
    act()
    assert drawn(before, raw_states()) == []


def test_the_second_half_of_a_pair_survives() -> None:
    random.gauss(0, 1)
    np.random.randn()
    states = get_states()
    expected = (random.gauss(0, 1), random.random(), np.random.randn(), np.random.rand())
    set_state(states)
    assert (random.gauss(0, 1), random.random(), np.random.randn(), np.random.rand()) == expected


def test_a_library_loaded_in_between_counts_only_if_it_was_used() -> None:
    before = {"random": random.getstate()}
    np.random.seed(1)
    assert drawn(before, raw_states()) == []
    np.random.rand()
    assert drawn(before, raw_states()) == ["numpy"]


def test_what_cannot_be_set_is_named() -> None:
    assert set_state({"random": b"nonsense", "lottery": b""}) == ["random", "lottery"]
    assert set_state({}) == []


@pytest.mark.parametrize("version", interpreters())
def test_every_python_gives_the_same_bytes_and_draws_the_same_numbers(version: str, tmp_path: Path) -> None:
    random.seed(42)
    random.random()
    states = get_states()["random"]
    script = tmp_path / "script.py"
    source = Path(randomness.__file__).read_text(encoding="utf-8")
    script.write_text(
        f"{source}\nimport random\nrandom.seed(42); random.random()\nassert get_states()['random'] == {states!r}\n"
        f"random.seed(1); assert set_state({{'random': {states!r}}}) == []\nprint(random.random())\n",
        encoding="utf-8",
    )
    executable = interpreters()[version]
    answer = subprocess.run([executable, str(script)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert float(answer.stdout) == random.random()
