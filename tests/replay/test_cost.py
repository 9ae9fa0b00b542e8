"""What storing and replaying cost, and how fast a disk is taken to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbdag.replay import cost
from nbdag.replay.cost import (
    BANDWIDTH_CEILING,
    BANDWIDTH_FLOOR,
    CostModel,
    clamp_bandwidth,
    measure_bandwidth,
    round_bandwidth,
)
from tests.replay.test_planner import session


def test_a_measurement_is_clamped_to_what_devices_do(tmp_path: Path) -> None:
    assert BANDWIDTH_FLOOR <= measure_bandwidth(tmp_path / "not" / "there" / "yet", size=1 << 20) <= BANDWIDTH_CEILING


@pytest.mark.parametrize(("seconds", "rounds"), [((1.0, 1.1), 2), ((1.0, 4.0, 1.1), 3), ((1.0, 4.0, 16.0), 3)])
def test_a_third_measurement_is_made_where_two_disagree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, ...], rounds: int
) -> None:
    clock = [moment for number, took in enumerate(seconds) for moment in (100.0 * number, 100.0 * number + took)]
    monkeypatch.setattr(cost.time, "perf_counter", lambda: clock.pop(0))
    speed = measure_bandwidth(tmp_path, size=1 << 24)
    assert len(clock) == 0 and len(seconds) == rounds
    assert speed == clamp_bandwidth(round_bandwidth((1 << 24) / sorted(seconds)[rounds // 2 if rounds == 3 else 0]))


def test_objectives_weigh_leaving_and_coming_back() -> None:
    (covariable,) = session("-> a", sizes={"a": 10**9}).covariables
    migrate, restore, size = (CostModel(1e9, o).store(covariable) for o in ("migrate", "restore", "size"))
    assert restore < migrate < size
