"""Blobs that bundles share: kept once, found again, and removed only when no bundle uses them."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from nbdag.errors import IntegrityError, OutputError
from nbdag.replay import stores
from nbdag.replay.bundle import Form, publish
from nbdag.replay.compression import Packing
from nbdag.replay.stores import Store
from tests.portable.session import Session
from tests.restoring import bundle_of, restore

CELL = "big = bytearray(b'abc' * 100_000)\nother = bytearray(b'xyz' * 100_000)"
SESSION = Session().run(CELL)


def shared(folder: Path, store: Store, *names: str, out: str = "bundle") -> Path:
    """A bundle of the session whose blobs are in the store."""
    with store.in_use():
        bundle = bundle_of(folder, SESSION, *names, form=Form(store=store), out=f"new-{out}")
        publish(folder / f"new-{out}", folder / out, bundle, store)
    shutil.rmtree(folder / "staging")
    return folder / out


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path / "store")


@pytest.fixture
def unlinked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the store were on another disk."""
    monkeypatch.setattr(Store, "links_into", lambda self, directory: False)


def test_equal_content_is_stored_once(tmp_path: Path, store: Store) -> None:
    one = shared(tmp_path / "a", store, "big")
    two = shared(tmp_path / "b", store, "big", "other")
    assert len(store.sizes()) == 2
    blobs = {path.name: path.stat() for bundle in (one, two) for path in (bundle / "blobs").iterdir()}
    assert sorted(found.st_nlink for found in blobs.values()) == [2, 3]
    assert all(found.st_mode & 0o222 == 0 for found in blobs.values())  # what is written to one is written to all
    assert restore(two, "--verify").returncode == 0
    shutil.rmtree(store.directory)
    assert restore(one, then="big[0] = 1; print(len(big))").stdout.strip() == "300000"  # the links are files of its own


@pytest.mark.usefixtures("unlinked")
@pytest.mark.parametrize("name", ["bundle", "bundle.pyz"])
def test_a_bundle_without_links_follows_its_store_and_says_when_it_is_not_there(
    tmp_path: Path, store: Store, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = shared(tmp_path / "a", store, "big", out=name)
    assert restore(bundle, "--verify").returncode == 0
    store.directory.rename(tmp_path / "moved")
    done = restore(bundle)
    assert done.returncode == 5 and f"the store {store.directory}" in done.stderr and "NBDAG_STORE" in done.stderr
    monkeypatch.setenv("NBDAG_STORE", str(tmp_path / "moved"))
    assert restore(bundle, flags=(), then="print(len(big))").stdout.strip() == "300000"
    digest = next(iter(Store.at(tmp_path / "moved").sizes()))
    blob = tmp_path / "moved" / "blobs" / digest[:2] / digest
    blob.chmod(0o644)
    blob.write_bytes(bytes(300_000))
    assert restore(bundle, "--verify", flags=()).returncode == 5


def old(store: Store) -> None:
    """Let the blobs be older than those that are never removed."""
    for path in store._blobs():
        os.utime(path, (time.time() - 2 * stores.YOUNG,) * 2)


def test_what_no_bundle_uses_is_removed(tmp_path: Path, store: Store) -> None:
    one = shared(tmp_path / "a", store, "big")
    two = shared(tmp_path / "b", store, "big", "other")
    assert store.collect().removed == ()
    shutil.rmtree(two)
    assert store.collect().removed == ()  # too young
    old(store)
    would = store.collect(dry_run=True)
    assert (len(would.removed), would.kept) == (1, 1) and 300_000 <= would.freed < 301_000
    assert len(store.sizes()) == 2
    assert store.collect().removed == would.removed and len(store.sizes()) == 1
    assert restore(one, "--verify").returncode == 0


@pytest.mark.usefixtures("unlinked")
def test_what_a_bundle_refers_to_stays_and_one_that_cannot_be_read_stops_it(tmp_path: Path, store: Store) -> None:
    one = shared(tmp_path / "a", store, "big")
    two = shared(tmp_path / "b", store, "other", out="b.pyz")
    old(store)
    assert store.collect().removed == ()
    data = (one / "data.msgpack").read_bytes()
    (one / "data.msgpack").write_bytes(b"?")
    with pytest.raises(IntegrityError, match="not known what"):
        store.collect()
    (one / "data.msgpack").write_bytes(data)
    two.unlink()
    found = store.collect()
    assert found.gone == (str(two),) and len(found.removed) == 1 and restore(one, "--verify").returncode == 0
    assert store.collect().gone == ()


def test_nothing_is_removed_while_a_bundle_is_written(store: Store) -> None:
    with store.in_use(), store.in_use(), pytest.raises(OutputError, match="is in use"):
        store.collect()
    assert store.collect().removed == ()


def test_a_damaged_blob_of_the_store_is_replaced(tmp_path: Path, store: Store) -> None:
    shared(tmp_path / "a", store, "big")
    blob = store._blobs()[0]
    blob.chmod(0o644)
    blob.write_bytes(bytes(300_000))
    bundle = shared(tmp_path / "b", store, "big")
    assert restore(bundle, "--verify").returncode == 0


def test_packed_blobs_are_shared_too(tmp_path: Path, store: Store) -> None:
    for name in ("a", "b"):
        with store.in_use():
            bundle_of(tmp_path / name, SESSION, "big", form=Form(Packing("zlib"), store))
    assert [size < 3000 for size in store.sizes().values()] == [True]


def test_many_write_at_the_same_time(tmp_path: Path, store: Store) -> None:
    (tmp_path / "raw").write_bytes(b"abc" * 50_000)
    faults: list[BaseException] = []

    def add() -> None:
        try:
            for number in range(20):
                store.add(f"{number % 4:064x}", (str(tmp_path / "raw"), 0, 150_000))
        except BaseException as error:
            faults.append(error)

    with store.in_use():
        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert faults == [] and len(store.sizes()) == 4
    assert not list((store.directory / "blobs").glob("*/tmp-*"))


def test_another_directory_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match="no store"):
        Store.at(tmp_path)
    with pytest.raises(OutputError, match="is no store"):
        Store.at(tmp_path / "nothing").collect()
