"""What storing and replaying cost, and how fast a disk is taken to be."""

from __future__ import annotations

from pathlib import Path

from nbdag.replay.cost import BANDWIDTH_CEILING, BANDWIDTH_FLOOR, CostModel, measure_bandwidth
from tests.replay.test_planner import session


def test_a_measurement_is_clamped_to_what_devices_do(tmp_path: Path) -> None:
    assert BANDWIDTH_FLOOR <= measure_bandwidth(tmp_path / "not" / "there" / "yet", size=1 << 20) <= BANDWIDTH_CEILING


def test_objectives_weigh_leaving_and_coming_back() -> None:
    (covariable,) = session("-> a", sizes={"a": 10**9}).covariables
    migrate, restore, size = (CostModel(1e9, o).store(covariable) for o in ("migrate", "restore", "size"))
    assert restore < migrate < size
