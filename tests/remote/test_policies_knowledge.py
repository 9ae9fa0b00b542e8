"""What is read of a cell's text, what is learned of its times, and what is expected to follow."""

from __future__ import annotations

import math
import random

import pytest

from nbdag.remote.knowledge import Parameter, assigned_numbers, read_cell
from nbdag.remote.learning import BYTES, CellTimes, Ratios, estimate
from nbdag.remote.mining import END, Miner
from nbdag.remote.policies.knowledge import turning_point

READ = (
    ("model.fit(X, epochs=20)", {}, {"epochs": 20}),
    ("epochs = 20\nfit(epochs)", {}, {"epochs": 20}),
    ("fit(X, epochs=n)", {"n": 7}, {"epochs": 7, "n": 7}),
    ("for step in range(400):\n    f()", {}, {"range": 400}),
    ("for i in range(10, 110, 10):\n    f()", {}, {"range": 10}),
    ("for i in range(rows):\n    f(i)", {"rows": 50, "other": 3}, {"range": 50, "rows": 50}),
    ('grid = {"C": [1, 10, 100], "gamma": [0.1, 1]}', {}, {"grid:C": 3, "grid:gamma": 2}),
    ("x = np.linspace(0, 1, 500)", {}, {"grid:linspace": 500}),
    ("n = 10**6; draws = 4 * 1024", {}, {"n": 1e6, "draws": 4096}),
    ("%%time\nfit(n_estimators=300)", {}, {"n_estimators": 300}),
    ("def f(n=3):\n    return g(epochs=9)", {}, {}),
    ("fit(verbose=True, alpha=-1, tol=0)", {}, {}),
    ("connect(token=123456, password=42, key=7)", {}, {}),
    ("name = 'x'; f(name)", {"name": "text", "size": "big"}, {}),
    ("this is no Python 12", {}, {}),
    ("n = 10**100000", {}, {}),
)


@pytest.mark.parametrize(("source", "values", "expected"), READ)
def test_parameters_are_the_numbers_under_names(
    source: str, values: dict[str, object], expected: dict[str, float]
) -> None:
    found = {parameter.name: parameter.value for parameter in read_cell(source, values).parameters}
    assert found == expected


def test_one_shape_is_one_cell_with_other_numbers() -> None:
    first, second = read_cell("fit(X, epochs=5)  # try"), read_cell("fit(X,  epochs=200)")
    assert first.shape == second.shape and first.cell != second.cell
    assert read_cell("fit(X, rounds=5)").shape != first.shape
    assert read_cell("no python 1 2").shape == read_cell("no python 3 4").shape


def test_a_text_says_which_numbers_its_names_have_afterwards() -> None:
    found = assigned_numbers("a, b = 1, 2\nc = f()\nd: int = 4\na += 1\ne = 2 * 3")
    assert found == {"a": None, "b": 2, "c": None, "d": 4, "e": 6}


# ------------------------------------------------------------------------------------------------ times


def test_one_run_says_what_the_next_takes_and_how_sure_that_is() -> None:
    times = CellTimes()
    assert times.predict(1000, ()) is None
    times.observe(1000, (), math.log(8.0))
    expected = estimate(*times.predict(1000, ()) or (0.0, 0.0), times.runs)
    assert expected.seconds == pytest.approx(8.0)
    assert 4 < expected.low < 8 < expected.high < 16


def test_known_parameters_are_taken_to_be_proportional_and_others_to_say_nothing() -> None:
    times = CellTimes()
    times.observe(1000, (Parameter("epochs", 10), Parameter("seed_of_it", 3)), math.log(2.0))
    more = times.predict(1000, (Parameter("epochs", 100), Parameter("seed_of_it", 3)))
    other = times.predict(1000, (Parameter("epochs", 10), Parameter("seed_of_it", 3000)))
    assert more is not None and other is not None
    assert math.exp(more[0]) == pytest.approx(20.0)
    assert math.exp(other[0]) == pytest.approx(2.0)
    assert more[1] > times.noise and other[1] > times.noise  # neither is sure


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_power_that_the_time_goes_by_is_learned(power: float) -> None:
    rng = random.Random(4)
    times = CellTimes(use_bytes=False)
    for _ in range(30):
        epochs = rng.choice([5, 10, 50, 100, 400])
        times.observe(0, (Parameter("epochs", epochs),), math.log(0.1 * epochs**power) + rng.gauss(0, 0.1))
    assert times.exponents()["epochs"] == pytest.approx(power, abs=0.1)
    predicted = times.predict(0, (Parameter("epochs", 2000),))
    assert predicted is not None
    assert math.exp(predicted[0]) == pytest.approx(0.1 * 2000**power, rel=0.5)


def test_bytes_and_parameters_are_told_apart() -> None:
    rng = random.Random(5)
    times = CellTimes()
    for _ in range(60):
        size, epochs = 10 ** rng.uniform(4, 9), rng.choice([1, 10, 100])
        times.observe(int(size), (Parameter("epochs", epochs),), math.log(1e-6 * size * epochs**0.5))
    assert times.exponents()[BYTES] == pytest.approx(1.0, abs=0.05)
    assert times.exponents()["epochs"] == pytest.approx(0.5, abs=0.05)


def test_expectations_become_surer_with_runs() -> None:
    times = CellTimes()
    spreads = []
    for _ in range(10):
        times.observe(1000, (), math.log(3.0))
        predicted = times.predict(1000, ())
        assert predicted is not None
        spreads.append(predicted[1])
    assert spreads == sorted(spreads, reverse=True)


def test_the_speed_of_a_target_is_learned_for_all_cells_and_for_each() -> None:
    ratios = Ratios.measured(4.0)
    assert math.exp(ratios.predict("any")[0]) == pytest.approx(4.0)
    for _ in range(10):
        ratios.observe("gpu friendly", math.log(20.0), 0.01)
    assert math.exp(ratios.predict("gpu friendly")[0]) == pytest.approx(20.0, rel=0.15)
    assert 4.0 < math.exp(ratios.predict("any")[0]) < 15.0
    assert ratios.predict("gpu friendly")[1] < ratios.predict("any")[1]


def test_a_turning_point_is_where_going_begins_to_pay() -> None:
    assert turning_point(lambda value: value >= 21, 200) == pytest.approx(21, rel=1e-3)
    assert turning_point(lambda value: True, 200) is None
    assert turning_point(lambda value: False, 200) is None


# ------------------------------------------------------------------------------------------------ sequences


def test_what_followed_before_is_expected_to_follow() -> None:
    miner = Miner()
    miner.learn("abcd")
    assert [one.shape for one in miner.path("a")] == ["b", "c", "d"]
    chances = [one.chance for one in miner.path("a")]
    assert chances == sorted(chances, reverse=True) and chances[0] == pytest.approx(0.8)


def test_the_longest_known_context_decides() -> None:
    miner = Miner()
    for _ in range(3):
        miner.learn("xfp")
        miner.learn("yfq")
    assert miner.path("xf", 1)[0].shape == "p"
    assert miner.path("yf", 1)[0].shape == "q"
    assert miner.followers("unknown") == ()


def test_loops_are_followed_and_ends_are_known() -> None:
    miner = Miner()
    for _ in range(4):
        miner.learn("lfpfpfp")
    assert [one.shape for one in miner.path("lf", 4)] == ["p", "f", "p", "f"]
    assert miner.followers("fpfpfp")[0].shape == END
    assert miner.path("lfpfpfp") == ()
    assert miner.ending("lfpfpfp") > 0.9


def test_learning_cell_by_cell_is_learning_the_session() -> None:
    whole, steps = Miner(), Miner()
    whole.learn("abcab")
    for index in range(5):
        steps.add("abcab"[:index], "abcab"[index])
    steps.end("abcab")
    for context in ("a", "b", "ab", "abc", "abcab"):
        assert whole.followers(context) == steps.followers(context)


def test_blocks_are_the_longest_rows_that_come_again() -> None:
    miner = Miner()
    miner.learn("xabcyabczabc")
    assert miner.blocks()[0].shapes == ("a", "b", "c")
    assert miner.blocks()[0].times == 3
    assert all(block.shapes != ("a", "b") for block in miner.blocks())
