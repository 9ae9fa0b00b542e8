"""Parcels: a manifest and blobs, in parts, found whole or refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from nbdag.portable.parcel import ParcelDamaged, ParcelWriter, is_worth_packing, read_parcel


def blob(folder: Path, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    (folder / "blobs" / digest).write_bytes(content)
    return digest


def parcel(folder: Path, contents: list[bytes], bandwidth: float = 1e6, part: int = 10_000) -> tuple[list[bytes], Any]:
    parts: list[bytes] = []
    digests = [blob(folder, content) for content in contents]
    written = ParcelWriter(lambda number, piece: parts.append(piece), part).write(
        {"names": ["x"]}, str(folder), digests, bandwidth
    )
    assert written["parts"] == len(parts) and written["size"] == sum(map(len, parts))
    return parts, written


@pytest.mark.parametrize("contents", [[], [b""], [b"a" * 100_000], [os.urandom(70_000), b"zero" * 50_000, b"x"]])
@pytest.mark.parametrize("part", [1000, 65_536, 10**9])
@pytest.mark.parametrize("bandwidth", [0.0, 1e5, 1e12])
def test_what_is_sent_arrives(tmp_path: Path, contents: list[bytes], part: int, bandwidth: float) -> None:
    parts, written = parcel(tmp_path / "here", contents, bandwidth, part)
    assert read_parcel(parts, written["sha256"], str(tmp_path / "there")) == {"names": ["x"]}
    found = {path.read_bytes() for path in (tmp_path / "there").rglob("*") if path.is_file()}
    assert found == set(contents)
    assert all(len(piece) <= part for piece in parts)


def test_what_packs_well_is_packed_on_a_slow_line_only() -> None:
    text, noise = b"2021-01-01,0.0\n" * 1000, os.urandom(10_000)
    assert is_worth_packing(text, 1e6) and not is_worth_packing(text, 1e10)
    assert not is_worth_packing(noise, 1e6) and not is_worth_packing(b"", 1e6)


@pytest.mark.parametrize("seed", range(12))
def test_a_byte_that_changed_is_noticed_and_nothing_is_left(tmp_path: Path, seed: int) -> None:
    parts, written = parcel(tmp_path / "here", [b"abc" * 9000, os.urandom(5000)])
    whole = bytearray(b"".join(parts))
    whole[(seed * 997 + 3) % len(whole)] ^= 0x55
    with pytest.raises(ParcelDamaged):
        read_parcel([bytes(whole)], written["sha256"], str(tmp_path / "there"))
    assert not [path for path in (tmp_path / "there").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "change", [lambda p: p[:-1], lambda p: [*p, b"more"], lambda p: [p[0][:100]], lambda p: p[::-1]]
)
def test_a_part_too_few_or_too_many_is_noticed(tmp_path: Path, change: Any) -> None:
    parts, written = parcel(tmp_path / "here", [os.urandom(30_000)])
    with pytest.raises(ParcelDamaged):
        read_parcel(change(parts), written["sha256"], str(tmp_path / "there"))
