"""Damaged bundles: whatever happened to a file, restore.py says so, or restores what it should; it never guesses.

Whoever can change restore.py is trusted: it is the root of trust. Everything else is damaged here, byte by byte.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbdag.portable.bundlefile import BundleDamaged, check_blob, check_blobs, check_structure, read_data
from nbdag.portable.checking import examine
from nbdag.portable.msgpack import MsgpackError, pack, unpack
from nbdag.portable.outcomes import Options
from nbdag.portable.places import BundlePlace
from tests.portable.session import Session
from tests.portable.test_restore import in_this_process
from tests.restoring import bundle_of, replay, restore

CELL = """\
import array
xs = [1, {"a": (2.5, None, True)}]
ys = [xs, b"bytes"]
text = "a" * 70_000
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage")
    session = Session().run(CELL + "import numpy\nnumbers = numpy.arange(9000)\nothers = numpy.arange(9000) + 1\n")
    bundle_of(folder, session, "xs ys", "text", "numbers", "others", replay("n = 5", "n"))
    return folder / "bundle"


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "bundle"))


class Holding(BundlePlace):
    """A bundle whose data.msgpack has other bytes than on disk: thousands of damages take no writing."""

    def __init__(self, bundle: Path, data: bytes) -> None:
        super().__init__(str(bundle))
        self.data = data

    def content(self, name: str) -> bytes:
        return self.data


def blobs_of(bundle: Path) -> dict[str, list[Path]]:
    """The files of pickles and those of memory."""
    data = read_data(str(bundle), "")
    heads = {group["head"]["blob"] for group in data["groups"] if isinstance(group["head"], dict)}
    files = sorted((bundle / "blobs").iterdir())
    return {"pickles": [f for f in files if f.name in heads], "memory": [f for f in files if f.name not in heads]}


def is_refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except BundleDamaged as error:
        assert str(error) and "\x00" not in str(error)
        return True
    return False


# ------------------------------------------------------------------------------------------------ data.msgpack


def test_every_flipped_byte_and_every_truncation_of_the_data_is_refused(whole: Path) -> None:
    content = (whole / "data.msgpack").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert read_data(Holding(whole, content), digest)
    for place in range(len(content)):
        for changed in (
            content[:place],
            content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :],
        ):
            assert is_refused(lambda changed=changed: read_data(Holding(whole, changed), digest))  # type: ignore[misc]


def test_without_the_digest_damaged_data_is_still_read_strictly(whole: Path) -> None:
    # What an attacker could do who had found a second content for a sha256: nothing but BundleDamaged comes of it.
    content = (whole / "data.msgpack").read_bytes()
    refused = 0
    for place in range(len(content)):
        for changed in (content[:place], content[:place] + bytes([content[place] ^ 0x81]) + content[place + 1 :]):
            try:
                data = unpack(changed)
            except MsgpackError:
                refused += 1
                continue
            refused += is_refused(lambda data=data: check_structure(data))  # type: ignore[misc]
    assert refused >= len(content)  # all truncations, and what breaks the structure


# ------------------------------------------------------------------------------------------------ blobs


def flips_found(bundle: Path, files: list[Path], step: int, every_byte: bool) -> tuple[int, int]:
    """How many flips of one byte in ``step`` there were, and how many were refused."""
    data = read_data(str(bundle), "")
    groups = range(len(data["groups"]))
    done = refused = 0
    for path in files:
        with path.open("r+b", buffering=0) as file:
            for place in range(0, path.stat().st_size, step):
                was = os.pread(file.fileno(), 1, place)
                os.pwrite(file.fileno(), bytes([was[0] ^ 1 << place % 8]), place)
                refused += is_refused(lambda: check_blobs(str(bundle), data, groups, every_byte))
                os.pwrite(file.fileno(), was, place)
                done += 1
    assert not is_refused(lambda: check_blobs(str(bundle), data, groups, True))
    return done, refused


@pytest.mark.parametrize(("kind", "verify"), [("pickles", False), ("memory", True)])
def test_flipped_bytes_of_blobs_are_found(kind: str, verify: bool, bundle: Path) -> None:
    files = blobs_of(bundle)[kind]
    done, refused = flips_found(bundle, files, 487, verify)
    assert done == refused > 100


@pytest.mark.slow
def test_every_flipped_byte_of_a_blob_is_found(bundle: Path) -> None:
    path, place = blobs_of(bundle)["pickles"][0], BundlePlace(str(bundle))
    with path.open("r+b", buffering=0) as file:
        for number, was in enumerate(path.read_bytes()):
            os.pwrite(file.fileno(), bytes([was ^ 1 << number % 8]), number)
            assert is_refused(lambda: check_blob(place, path.name))
            os.pwrite(file.fileno(), bytes([was]), number)
    check_blob(place, path.name)


def test_truncations_of_every_blob_are_found_without_reading_it(bundle: Path) -> None:
    data = read_data(str(bundle), "")
    for path in sorted((bundle / "blobs").iterdir()):
        content = path.read_bytes()
        for length in range(len(content) - 1, -1, -9):
            os.truncate(path, length)
            assert is_refused(lambda: check_blobs(str(bundle), data, (), False))
        path.write_bytes(content)


def test_blobs_in_each_others_place_are_found(bundle: Path) -> None:
    one, other = blobs_of(bundle)["memory"]
    assert one.stat().st_size == other.stat().st_size
    content = one.read_bytes()
    shutil.copy(other, one)
    other.write_bytes(content)
    done = restore(bundle, "--verify")
    assert done.returncode == 5
    assert one.name in done.stderr and other.name in done.stderr, "all that is wrong is said at once"


def test_a_blob_that_is_no_file_is_refused(bundle: Path) -> None:
    blob = blobs_of(bundle)["pickles"][0]
    blob.unlink()
    blob.mkdir()
    assert restore(bundle).returncode == 5
    blob.rmdir()
    os.mkfifo(blob)  # opening it would wait for ever
    assert restore(bundle).returncode == 5


# ------------------------------------------------------------------------------------------------ the whole


def damages() -> dict[str, Callable[[Path], None]]:
    def flip(name: str) -> Callable[[Path], None]:
        def damage(bundle: Path) -> None:
            path = blobs_of(bundle)["pickles"][0] if name == "pickle" else bundle / name
            content = path.read_bytes()
            path.write_bytes(content[:9] + bytes([content[9] ^ 4]) + content[10:])

        return damage

    def other_data(bundle: Path) -> None:
        bundle_of(bundle.parent / "other", Session().run("xs = [666]"), "xs")
        shutil.copy(bundle.parent / "other" / "bundle" / "data.msgpack", bundle)

    return {
        "a flipped byte of the data": flip("data.msgpack"),
        "a flipped byte of a pickle": flip("pickle"),
        "no data": lambda bundle: (bundle / "data.msgpack").unlink(),
        "empty data": lambda bundle: (bundle / "data.msgpack").write_bytes(b"") and None,
        "data of another bundle": other_data,
        "a blob is gone": lambda bundle: blobs_of(bundle)["memory"][0].unlink(),
        "all blobs are gone": lambda bundle: shutil.rmtree(bundle / "blobs"),
    }


@pytest.mark.parametrize("case", damages())
def test_a_damaged_bundle_ends_with_status_5_and_leaves_no_name(case: str, bundle: Path) -> None:
    damages()[case](bundle)
    done = restore(bundle, "--json")
    assert done.returncode == 5 and "Traceback" not in done.stderr
    assert json.loads(done.stdout)["status"] == 5 and json.loads(done.stdout)["problems"]
    prompt = restore(bundle, "--force", then="print([n for n in ('xs', 'n', 'text', 'numbers') if n in globals()])")
    assert prompt.stdout.strip() == "[]"


@pytest.mark.parametrize("key", ["fallbacks", "history"])
def test_what_is_read_later_or_perhaps_is_checked_before_anything_runs(key: str, bundle: Path) -> None:
    blob = blobs_of(bundle)["memory"][0]
    data = read_data(str(bundle), "")
    data[key] = {"blob": blob.name, "size": blob.stat().st_size}
    for place in (BundlePlace(str(bundle)), Holding(bundle, pack(data))):
        assert examine(place, data, [], Options).damage == []
    blob.write_bytes(b"x" * blob.stat().st_size)
    (said,) = examine(BundlePlace(str(bundle)), data, [], Options).damage
    assert blob.name in said and "another sha256" in said


def test_damage_and_what_the_machine_lacks_are_said_together(tmp_path: Path) -> None:
    session = Session().run(CELL)
    bundle_of(tmp_path, session, "text", "xs", requirements=[("frobnicate", "1.0"), ("twiddle", "")])
    next((tmp_path / "bundle" / "blobs").iterdir()).unlink()
    done = restore(tmp_path / "bundle")
    assert done.returncode == 5
    assert "is missing" in done.stderr and "pip install frobnicate==1.0 twiddle" in done.stderr


def test_flips_seen_by_the_whole_script(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert in_this_process(bundle) == 0
    for path in [bundle / "data.msgpack", *blobs_of(bundle)["pickles"]]:
        content = path.read_bytes()
        for place in range(0, len(content), max(1, len(content) // 4)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
            assert in_this_process(bundle) == 5
        path.write_bytes(content)
    assert in_this_process(bundle) == 0
    assert "Traceback" not in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------ anything at all

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.sampled_from(["blob", "size", "codec", "zlib", "head", "regions", "nbdag-bundle", "f" * 64, -1, 1 << 40]),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.text(max_size=4), st.integers(-3, 3)), inner, max_size=4),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(values)
def test_what_is_packed_is_unpacked_or_refused(value: Any) -> None:
    try:
        packed = pack(value)
    except MsgpackError:
        return
    again = unpack(packed)
    assert pack(again) == packed
    with pytest.raises(MsgpackError):
        unpack(packed + b"\xc0")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_structure_breaks_the_check_of_the_structure(whole: Path, data: st.DataObject) -> None:
    document = unpack((whole / "data.msgpack").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = document
        while True:
            keys = sorted(place, key=repr) if isinstance(place, dict) else range(len(place))
            key = data.draw(st.sampled_from(list(keys)))
            inner = place[key]
            if isinstance(inner, (dict, list)) and inner and data.draw(st.integers(0, 3)):
                place = inner
                continue
            place[key] = data.draw(values)
            break
        if not isinstance(document, dict) or not document:
            break
    try:
        check_structure(document)
    except BundleDamaged:
        return
    sizes = [
        [len(part) if isinstance(part, bytes) else part["size"] for part in group["regions"]]
        for group in document["groups"]
    ]
    for group, regions in zip(document["groups"], sizes, strict=True):
        for region, offset, length, _ in group["buffers"]:
            assert region == -1 or 0 <= offset <= offset + length <= regions[region]
    assert all(len(digest) == 64 and "/" not in digest for digest in document["blobs"])
