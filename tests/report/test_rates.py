"""Sizes and speeds as people write them, and what is refused."""

from __future__ import annotations

import pytest

from nbdag.errors import UsageError
from nbdag.report.rates import parse_rate, parse_size

SPEEDS = [
    ("auto", None),
    ("AUTO", None),
    ("50MB/s", 50e6),
    ("1.5 GB/s", 1.5e9),
    ("100Mbit/s", 12.5e6),
    ("100Mbps", 12.5e6),
    ("8kbit/s", 1000.0),
    ("1MiB/s", 2.0**20),
    ("64KiB/s", 65536.0),
    ("2GB", 2e9),
]

NO_SPEEDS = ["", "fast", "50", "0MB/s", "-1MB/s", "MB/s", "nanMB/s", "infMB/s", "5 parsecs"]

SIZES = [
    ("", None),
    ("  ", None),
    ("2GB", 2_000_000_000),
    ("2gb", 2_000_000_000),
    ("500 MiB", 524_288_000),
    ("1.5g", 1_500_000_000),
    (".5 kB", 500),
    ("1Ti", 2**40),
    ("4096", 4096),
    ("12 bytes", 12),
    ("0", 0),
]


@pytest.mark.parametrize(("text", "rate"), SPEEDS)
def test_speeds(text: str, rate: float | None) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", NO_SPEEDS)
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a speed"):
        parse_rate(text)


@pytest.mark.parametrize(("text", "size"), SIZES)
def test_sizes(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["large", "2 parsecs", "-1GB", "GB", "2GB/s", "nan", "inf", "1e9", "2 G B"])
def test_what_is_no_size_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_size(text)
    assert refused.value.message == f"--max-size {text}: not a size"
    assert "2GB" in refused.value.hint


def test_bits_are_not_taken_for_bytes() -> None:
    with pytest.raises(UsageError, match="bits or bytes") as refused:
        parse_size("2Gb")
    assert refused.value.hint == "write 2GB for bytes"
