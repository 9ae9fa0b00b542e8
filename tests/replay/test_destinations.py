"""Bundles at a URL: sent once, valid at one moment, fetched whole or not at all."""

from __future__ import annotations

import builtins
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdag.errors import EnvironmentRefused, IntegrityError, NbdagError, OutputError, UsageError
from nbdag.replay import sending, transfers
from nbdag.replay.bundle import Form
from nbdag.replay.destinations import fetch_bundle
from nbdag.replay.filesystem import Remote, is_url, without_password
from nbdag.replay.sending import check_remote, deliver, outgoing, send_bundle
from nbdag.replay.stores import Store
from tests.portable.session import Session
from tests.restoring import bundle_of, restore

pytest.importorskip("fsspec", reason="fsspec is not installed")

CELL = "big = bytearray(b'abc' * 100_000)\nother = bytearray(b'xyz' * 100_000)\nv = 1"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    bundle_of(tmp_path / "made", Session().run(CELL), "big", "other", "v")
    return tmp_path / "made" / "bundle"


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield f"memory://deep/{tmp_path.name}" if request.param == "memory" else f"file://{tmp_path}/there/deep/bundle"
    from fsspec.implementations.memory import MemoryFileSystem

    MemoryFileSystem.store.clear()


class Sent:
    """A Progress that counts bytes by stage."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._stage = ""

    def begin(self, stage: str, total: float | None) -> None:
        self._stage = stage

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.stages[self._stage] = self.stages.get(self._stage, 0) + amount

    def say(self, message: str) -> None: ...

    def end(self) -> None: ...


def contents(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_what_is_sent_comes_back(bundle: Path, url: str, tmp_path: Path) -> None:
    progress = Sent()
    sent = send_bundle(bundle, url, progress)
    assert sent == progress.stages["sending"] == sum(len(part) for part in contents(bundle).values())
    assert send_bundle(bundle, url) == 0
    assert fetch_bundle(url, tmp_path / "got", progress) == tmp_path / "got"
    assert contents(tmp_path / "got") == contents(bundle) and progress.stages["fetching"] == sent
    assert restore(tmp_path / "got", "--verify").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_only_what_changed_is_sent_and_fetched(bundle: Path, url: str, tmp_path: Path) -> None:
    send_bundle(bundle, url)
    fetch_bundle(url, tmp_path / "got")
    bundle_of(tmp_path / "made", Session().run(CELL, "v = 2"), "big", "other", "v")
    progress = Sent()
    assert 0 < send_bundle(bundle, url) < 250_000  # restore.py and data.msgpack
    fetch_bundle(url, tmp_path / "got", progress)
    assert progress.stages["fetching"] < 250_000
    assert restore(tmp_path / "got", then="print(v)").stdout.strip() == "2"


def test_what_two_generations_ago_was_needed_is_removed(bundle: Path, url: str, tmp_path: Path) -> None:
    remote = Remote.at(url)
    for number in range(4):
        bundle_of(tmp_path / "made", Session().run(f"big = bytearray(b'{number}' * 100_000)"), "big")
        send_bundle(bundle, url)
    assert len(remote.sizes("blobs")) == 2  # this one, and the one that somebody may be fetching
    fetch_bundle(url, tmp_path / "got")


class Broken(Exception):
    """The power goes."""


@pytest.mark.parametrize("after", range(8))
def test_sending_that_is_broken_off_leaves_the_old_bundle_or_the_new_one(
    bundle: Path, url: str, tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_bundle(bundle, url)
    bundle_of(tmp_path / "made", Session().run(CELL, "v = 2; big[0] = 7"), "big", "other", "v")
    left = after
    real = Remote._put_whole

    def put(self: Remote, name: str, send: Any) -> None:
        nonlocal left
        if not left:
            raise Broken
        left -= 1
        real(self, name, send)

    monkeypatch.setattr(sending, "TRANSFERS", 1, raising=False)
    monkeypatch.setattr(transfers, "TRANSFERS", 1)
    monkeypatch.setattr(Remote, "_put_whole", put)
    broken = False
    try:
        send_bundle(bundle, url)
    except OutputError:
        broken = True
    monkeypatch.undo()
    fetch_bundle(url, tmp_path / "got")
    found = restore(tmp_path / "got", "--verify", then="print(v, big[0])").stdout.split()
    assert found == (["1", "97"] if broken else ["2", "7"]) and broken == (after < 8 - 1)
    send_bundle(bundle, url)
    fetch_bundle(url, tmp_path / "got")
    assert restore(tmp_path / "got", then="print(v, big[0])").stdout.split() == ["2", "7"]


def test_half_of_a_bundle_and_none_at_all_are_told_apart(bundle: Path, url: str, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="there is no bundle"):
        fetch_bundle(url, tmp_path / "got")
    send_bundle(bundle, url)
    remote = Remote.at(url)
    remote.filesystem.rm_file(remote.path(transfers.MANIFEST))
    with pytest.raises(IntegrityError, match="half of a bundle"):
        fetch_bundle(url, tmp_path / "got")
    assert not (tmp_path / "got").exists()
    send_bundle(bundle, url)
    digest = next(iter(remote.sizes("blobs")))
    remote.filesystem.pipe_file(remote.path(f"blobs/{digest}"), b"?" * remote.sizes("blobs")[digest])
    with pytest.raises(IntegrityError, match="another sha256"):
        fetch_bundle(url, tmp_path / "got")
    remote.filesystem.rm_file(remote.path(f"blobs/{digest}"))
    with pytest.raises(IntegrityError, match=r"blobs/.* is missing"):
        fetch_bundle(url, tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_fetching_goes_on_where_it_was_broken_off(
    bundle: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_bundle(bundle, url)
    real = Remote.get
    fetched: list[str] = []

    def get(self: Remote, name: str, *rest: Any) -> None:
        if len(fetched) == 2:
            raise Broken
        real(self, name, *rest)
        fetched.append(name)

    monkeypatch.setattr(transfers, "TRANSFERS", 1)
    monkeypatch.setattr(Remote, "get", get)
    with pytest.raises(OutputError):
        fetch_bundle(url, tmp_path / "got")
    monkeypatch.undo()
    progress = Sent()
    fetch_bundle(url, tmp_path / "got", progress)
    assert contents(tmp_path / "got") == contents(bundle)
    whole = sum(len(part) for part in contents(bundle).values())
    assert progress.stages["fetching"] < whole and not (tmp_path / ".got.fetching").exists()


def test_a_manifest_cannot_lead_out_of_the_directory(bundle: Path, url: str, tmp_path: Path) -> None:
    send_bundle(bundle, url)
    remote = Remote.at(url)
    for name in ("../evil.py", "/etc/evil", "a/../../evil", "a\\..\\evil"):
        document = json.loads(remote.filesystem.cat_file(remote.path(transfers.MANIFEST)))
        document["files"] = {name: next(iter(document["files"].values()))}
        remote.filesystem.pipe_file(remote.path("x"), json.dumps(document).encode())
        good = remote.filesystem.cat_file(remote.path(transfers.MANIFEST))
        remote.put_bytes(json.dumps(document).encode(), transfers.MANIFEST)
        with pytest.raises(IntegrityError, match="leads out"):
            fetch_bundle(url, tmp_path / "got")
        remote.put_bytes(good, transfers.MANIFEST)


def test_one_file_is_sent_as_one_file(url: str, tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run(CELL), "big", "v", out="b.pyz")
    send_bundle(tmp_path / "b.pyz", url + ".pyz")
    assert fetch_bundle(url + ".pyz", tmp_path / "into").parent == tmp_path / "into"
    got = fetch_bundle(url + ".pyz", tmp_path / "named.pyz")
    assert got == tmp_path / "named.pyz" and got.read_bytes() == (tmp_path / "b.pyz").read_bytes()
    with pytest.raises(UsageError, match="one is one file"):
        send_bundle(tmp_path / "b.pyz", url)
    with pytest.raises(IntegrityError, match="there is no bundle"):
        fetch_bundle(url + "2.pyz", tmp_path / "named.pyz")


def test_a_directory_that_is_not_a_bundle_is_not_replaced(bundle: Path, url: str, tmp_path: Path) -> None:
    send_bundle(bundle, url)
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match="not a bundle"):
        fetch_bundle(url, tmp_path / "got")


def test_a_bundle_that_could_not_be_sent_is_kept(bundle: Path, tmp_path: Path) -> None:
    place = outgoing("s3://bucket/some/bundle.v1", tmp_path)
    assert place.parent == tmp_path / "outgoing" and place.name.startswith("bundle-") and place.name.endswith(".v1")
    shutil.copytree(bundle, tmp_path / "kept")
    with pytest.raises(NbdagError) as caught:
        deliver(tmp_path / "kept", f"file://{bundle}/restore.py/below")
    assert f"kept in {tmp_path / 'kept'}" in caught.value.hint and (tmp_path / "kept" / "restore.py").is_file()
    deliver(tmp_path / "kept", f"file://{tmp_path}/there")
    assert not (tmp_path / "kept").exists()


def test_the_speed_is_measured_once_and_kept_while_it_is_about_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_in = tmp_path / "outgoing" / "b"
    first = check_remote(f"file://{tmp_path}/there", made_in)
    monkeypatch.setattr(sending, "round_bandwidth", lambda speed: first * 2)
    assert check_remote(f"file://{tmp_path}/there", made_in) == first
    monkeypatch.setattr(sending, "round_bandwidth", lambda speed: first / 100)
    monkeypatch.setattr(sending, "clamp_bandwidth", lambda speed: speed)
    assert check_remote(f"file://{tmp_path}/there", made_in) == first / 100
    assert [path.name for path in tmp_path.iterdir()] == ["outgoing"]  # the probe is gone


def test_what_is_missing_is_named_with_its_pip_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(*names: str) -> Any:
        def find(name: str, *rest: Any) -> Any:
            if name.split(".")[0] in names:
                raise ImportError(name)
            return real(name, *rest)

        return find

    for url, lacking, line in (
        ("s3://bucket/b", ("fsspec",), "pip install 'nbdag[cloud]' s3fs"),
        ("sftp://host/b", ("fsspec",), "pip install 'nbdag[cloud]' paramiko"),
        ("memory://b", ("fsspec",), "pip install 'nbdag[cloud]'"),
    ):
        monkeypatch.setattr(builtins, "__import__", without(*lacking))
        with pytest.raises(EnvironmentRefused) as caught:
            fetch_bundle(url, tmp_path / "got")
        monkeypatch.undo()
        assert caught.value.hint == line and url in caught.value.message
    with pytest.raises(UsageError, match="ftpx"):
        fetch_bundle("ftpx://host/b", tmp_path / "got")


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    assert without_password("sftp://me:sesame@host:22/b") == "sftp://me:***@host:22/b"
    assert without_password("s3://bucket/b") == "s3://bucket/b" and not is_url("b") and is_url("s3://b")
    with pytest.raises(NbdagError) as caught:
        check_remote("ftpx://me:sesame@host/b", tmp_path / "b")
    assert "sesame" not in caught.value.message + caught.value.hint


def test_a_store_stays_where_it_is(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="contradict"):
        check_remote(url, tmp_path / "b", store=True)
    store = Store.at(tmp_path / "store")
    with store.in_use():
        bundle_of(tmp_path, Session().run(CELL), "big", form=Form(store=store), out="b.pyz")
    with pytest.raises(UsageError, match="keeps its large data in the store"):
        send_bundle(tmp_path / "b.pyz", url + ".pyz")
