"""Blobs are packed where it pays, unpacked as they were, and never beyond the size that the bundle vouches for."""

from __future__ import annotations

import io
import os
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdag.errors import EnvironmentRefused
from nbdag.portable import unpacking
from nbdag.portable.bundlefile import BundleDamaged, check_structure
from nbdag.portable.unpacking import PackedBlobDamaged, UnpackingReader, packing_problems
from nbdag.replay import compression
from nbdag.replay.bundle import Form
from nbdag.replay.compression import Packing, Sample, pack_blobs
from nbdag.replay.manifests import known_contents, read_manifest
from tests.portable.session import Session
from tests.restoring import bundle_of, restore

MB = 1e6
TEXT = "text = 'the quick brown fox' * 20_000\nnoise = bytearray(__import__('random').Random(1).randbytes(300_000))"

DECISIONS = [
    # codec, bandwidth, objective, sample (ratio, packing, unpacking)              packed?
    ("auto", 5 * MB, "migrate", Sample(0.3, 100 * MB, 400 * MB), True),  # a slow link
    ("auto", 500 * MB, "migrate", Sample(0.3, 100 * MB, 400 * MB), False),  # a local disk: mapped is better
    ("auto", 5 * MB, "migrate", Sample(0.97, 100 * MB, 400 * MB), False),  # noise does not shrink
    ("auto", 500 * MB, "size", Sample(0.9, 30 * MB, 200 * MB), True),  # bytes are what counts
    ("auto", 60 * MB, "restore", Sample(0.5, 20 * MB, 400 * MB), True),  # the time of leaving counts little
    ("none", 1 * MB, "size", Sample(0.1, 100 * MB, 400 * MB), False),
    ("zlib", 10_000 * MB, "migrate", Sample(0.5, 100 * MB, 400 * MB), True),  # asked for
    ("zlib", 1 * MB, "migrate", Sample(0.96, 100 * MB, 400 * MB), False),
]


@pytest.mark.parametrize(("codec", "bandwidth", "objective", "sample", "packed"), DECISIONS)
def test_packing_has_to_pay(codec: str, bandwidth: float, objective: str, sample: Sample, packed: bool) -> None:
    packing = Packing(codec, bandwidth, objective)
    assert packing.pays(sample) is packed
    assert packing.may_pay() or not packed


@pytest.mark.parametrize("size", [500_000, 2_000_000])
@pytest.mark.parametrize("ratio", [0.5, 0.8])
def test_what_was_packed_because_it_pays_stays_packed(size: int, ratio: float) -> None:
    packing = Packing("auto", objective="size")
    assert packing.pays(Sample(ratio, 1e8, 1e8)) and packing.keeps(ratio, size)


@given(st.binary(min_size=1, max_size=40_000), st.integers(1, 9), st.integers(1000, 9000), st.integers(1, 3000))
def test_what_was_packed_in_pieces_is_unpacked_whatever_is_asked_for(
    content: bytes, level: int, piece: int, asked: int
) -> None:
    packed = b"".join(zlib.compress(content[i : i + piece], level) for i in range(0, len(content), piece))
    reader = UnpackingReader(io.BytesIO(packed), len(packed), len(content), "zlib")
    found = b""
    while part := reader.read(asked):
        found += part
    assert found == content


def test_more_or_less_than_the_size_is_refused() -> None:
    content = os.urandom(1000) * 50
    packed = zlib.compress(content)
    for size in (0, 10, len(content) - 1, len(content) + 1):
        with pytest.raises(PackedBlobDamaged):
            UnpackingReader(io.BytesIO(packed), len(packed), size, "zlib").fill(memoryview(bytearray(size)))
    for stored in (0, 1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(PackedBlobDamaged):
            view = memoryview(bytearray(len(content)))
            UnpackingReader(io.BytesIO(packed), stored, len(content), "zlib").fill(view)
    for place in range(0, len(packed), 97):
        wrong = packed[:place] + bytes([packed[place] ^ 0x55]) + packed[place + 1 :]
        view = memoryview(bytearray(len(content)))
        try:
            UnpackingReader(io.BytesIO(wrong), len(wrong), len(content), "zlib").fill(view)
        except PackedBlobDamaged:
            continue
        assert view == content, place  # a flag of zlib's that says nothing of the content


def test_a_blob_cannot_claim_more_than_its_format_could_unpack_to() -> None:
    part = {"blob": "a" * 64, "size": 10**12, "codec": "zlib", "raw": "b" * 64}
    group = {"names": ["x"], "head": part, "regions": [], "buffers": []}
    data = {"format": "nbdag-bundle", "version": 1, "groups": [group], "blobs": {"a" * 64: 1000}}
    with pytest.raises(BundleDamaged, match="malformed"):
        check_structure(data)


def test_a_packed_bundle_restores_what_the_plain_one_does(tmp_path: Path) -> None:
    session = Session().run(TEXT)
    plain = bundle_of(tmp_path / "a", session, "text", "noise")
    packed = bundle_of(tmp_path / "b", session, "text", "noise", form=Form(Packing("zlib")))
    assert plain.blobs == packed.blobs == 2 and packed.blobs_size < plain.blobs_size * 0.6
    parts = [[*group["regions"], group["head"]][0] for group in read_manifest(tmp_path / "b" / "bundle")["groups"]]
    assert [part.get("codec") for part in parts] == ["zlib", None]  # noise stays as it is
    code = "import hashlib; print(len(text), hashlib.sha256(noise).hexdigest())"
    for options in ((), ("--eager",), ("--verify",)):
        ours = restore(tmp_path / "b" / "bundle", *options, then=code)
        assert ours.stdout == restore(tmp_path / "a" / "bundle", then=code).stdout != "", ours.stderr


def test_packed_memory_of_arrays_is_private_and_writable(tmp_path: Path) -> None:
    cell = "import numpy as np\na = np.arange(100_000).reshape(100, 1000)\nrow = a[5]"
    bundle_of(tmp_path, Session().run(cell), "a row", form=Form(Packing("zlib")))
    done = restore(tmp_path / "bundle", then="a[5, 0] = -1; print(row[0], a.sum(), row.base is not None)")
    assert done.stdout.split() == ["-1", "4999944999", "True"], done.stderr


def test_the_same_session_gives_the_same_bytes_and_nothing_is_packed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session().run(TEXT)
    form = Form(Packing("auto", bandwidth=1e6))
    bundle_of(tmp_path, session, "text", "noise", form=form)
    first = {path.name: path.read_bytes() for path in (tmp_path / "bundle").rglob("*") if path.is_file()}
    packed: list[str] = []
    real = pack_blobs

    def watch(pieces: dict[str, object], *rest: object) -> object:
        packed.extend(pieces)
        return real(pieces, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("nbdag.replay.bundle.pack_blobs", watch)
    again = bundle_of(tmp_path, session, "text", "noise", form=form, reuse=tmp_path / "bundle")
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "bundle").rglob("*") if path.is_file()}
    assert again.reused_blobs == 2 and len(packed) == 1  # the noise was looked at, the text not even that


def test_what_the_kernel_need_not_write_depends_on_what_will_be_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session().run(TEXT)
    bundle_of(tmp_path, session, "text", "noise", form=Form(Packing("zlib")))
    manifest = read_manifest(tmp_path / "bundle")
    assert len(known_contents(manifest, Packing("zlib"))) == 2
    assert len(known_contents(manifest, Packing("none"))) == 1  # the text has to be there as it is
    assert len(known_contents(manifest, Packing("auto", bandwidth=1e6))) == 2
    assert len(known_contents(manifest, Packing("auto", bandwidth=5e9))) == 2  # little
    monkeypatch.setattr(compression, "LITTLE", 1000)
    assert len(known_contents(manifest, Packing("auto", bandwidth=5e9))) == 1


def test_zstd_is_asked_for_by_name_and_what_reads_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "ZSTD_MODULES", ())
    with pytest.raises(EnvironmentRefused, match="zstd") as caught:
        Packing("zstd").check()
    assert "nbdag[zstd]" in caught.value.hint
    head = {"blob": "a" * 64, "size": 10, "codec": "zstd", "raw": "b" * 64}
    problems = packing_problems({"groups": [{"head": head, "regions": []}]})
    assert len(problems) == 1 and "Python 3.14" in problems[0] and "pip install backports.zstd" in problems[0]


def test_a_kernel_that_could_not_prove_it_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "ZSTD_MODULES", ("no_such_module",))
    with pytest.raises(EnvironmentRefused, match="nobody could prove"):
        Packing("zstd").check_reader(sys.executable)
    Packing("zlib").check_reader("/no/such/python")
    monkeypatch.setattr(compression, "ZSTD_MODULES", ("no_such_module", "zlib"))
    Packing("zstd").check_reader(sys.executable)


@pytest.mark.parametrize("module", ["compression.zstd", "backports.zstd", "zstandard"])
def test_zstd_by_any_library(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(module, reason=f"{module} is not there")
    monkeypatch.setattr(unpacking, "ZSTD_MODULES", (module,))
    monkeypatch.setattr(compression, "PIECE", 10_000)
    content = b"the quick brown fox" * 5000
    (tmp_path / "raw").write_bytes(content)
    packed = pack_blobs({"x": (str(tmp_path / "raw"), 0, len(content))}, Packing("zstd"), tmp_path)["x"]
    stored = (tmp_path / packed.digest).read_bytes()
    view = memoryview(bytearray(len(content)))
    UnpackingReader(io.BytesIO(stored), len(stored), len(content), "zstd").fill(view)
    assert view == content
    for size in (len(content) - 1, len(content) + 1):
        with pytest.raises(PackedBlobDamaged):
            UnpackingReader(io.BytesIO(stored), len(stored), size, "zstd").fill(memoryview(bytearray(size)))
