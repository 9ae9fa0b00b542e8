"""Speeds as people write them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbdag.errors import UsageError
from nbdag.replay.cost import BANDWIDTH_CEILING, BANDWIDTH_FLOOR, CostModel, measure_bandwidth, parse_bandwidth
from tests.replay.test_planner import session

SPEEDS = [
    ("50MB/s", 50e6), ("1.5 GB/s", 1.5e9), ("100Mbit/s", 12.5e6), ("100Mbps", 12.5e6), ("8kbit/s", 1000.0),
    ("1MiB/s", 2.0**20), ("auto", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SPEEDS)
def test_speeds(text: str, expected: float | None) -> None:
    assert parse_bandwidth(text) == expected


@pytest.mark.parametrize("text", ["", "fast", "50", "-1MB/s", "0MB/s", "nanMB/s", "infMB/s", "5 parsecs"])
def test_what_is_no_speed_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="is not a speed"):
        parse_bandwidth(text)


def test_a_measurement_is_clamped_to_what_devices_do(tmp_path: Path) -> None:
    assert BANDWIDTH_FLOOR <= measure_bandwidth(tmp_path / "not" / "there" / "yet", size=1 << 20) <= BANDWIDTH_CEILING


def test_objectives_weigh_leaving_and_coming_back() -> None:
    (covariable,) = session("-> a", sizes={"a": 10**9}).covariables
    migrate, restore, size = (CostModel(1e9, o).store(covariable) for o in ("migrate", "restore", "size"))
    assert restore < migrate < size
