"""A bundle in one file: run by Python as it is, mapped out of where it lies, refused where it is damaged."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nbdag.errors import OutputError
from nbdag.portable.places import BundlePlace, archive_entries
from nbdag.replay import bundle as bundles
from nbdag.replay.archives import ALIGNMENT, pack_archive
from nbdag.replay.manifests import earlier_choices, read_manifest
from nbdag.replay.publishing import check_destination
from tests.interpreters import interpreters
from tests.portable.session import Session
from tests.portable.test_serving import ask
from tests.restoring import bundle_of, replay, restore

CELLS = "big = bytearray(b'abc' * 100_000)\nview = memoryview(big)[3:9]\nsmall = {'k': [1, 2]}"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    step = replay("made = 6 * 7", "made", cell="cell 2")
    bundle_of(folder, Session().run(CELLS), "big view", step, "small", out="bundle.pyz")
    return folder / "bundle.pyz"


def test_an_archive_that_takes_the_place_of_another_meanwhile_is_not_mixed_up_with_it(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path := tmp_path / "bundle.pyz").write_bytes(archive.read_bytes())
    opened = zipfile.ZipFile.__init__

    def replaced(self: zipfile.ZipFile, *arguments: Any) -> None:
        (tmp_path / "shorter").write_bytes(b"#!")
        (tmp_path / "shorter").replace(path)
        opened(self, *arguments)

    whole = {name: piece[1:] for name, piece in archive_entries(str(archive)).items()}
    monkeypatch.setattr(zipfile.ZipFile, "__init__", replaced)
    assert {name: piece[1:] for name, piece in archive_entries(str(path)).items()} == whole


@pytest.mark.parametrize("python", interpreters().values(), ids=interpreters())
def test_python_runs_it_and_goes_on_at_the_prompt(archive: Path, python: str) -> None:
    done = restore(archive, python=python, then="big[3] = 90; print(bytes(view), small, made)")
    assert done.stdout.strip().endswith("b'Zbcabc' {'k': [1, 2]} 42"), done.stderr


OPTIONS = [
    ("--list", "load", 0),
    ("--dry-run", "made = 6 * 7", 0),
    ("--json", '"status": 0', 0),
    ("--verify", "restored 4 of 4", 0),
    ("--eager", "restored 4 of 4", 0),
    ("--only small", "restored 1 of 1", 0),
    ("--no-replay", "lost", 1),
    ("--only nothing", "the bundle has no nothing", 2),
    ("--help", "usage", 0),
]


@pytest.mark.parametrize(("option", "said", "status"), OPTIONS, ids=[row[0] for row in OPTIONS])
def test_it_takes_the_options_of_restore_py(archive: Path, option: str, said: str, status: int) -> None:
    done = restore(archive, *option.split())
    assert done.returncode == status and said in done.stdout + done.stderr


def test_blobs_begin_at_multiples_of_64_and_are_mapped_without_changing_the_file(tmp_path: Path) -> None:
    cell = "import numpy as np\na = np.arange(30_000)\nb = np.ones(20_001, 'i2')\nrow = a.reshape(300, 100)[7]"
    bundle_of(tmp_path, Session().run(cell), "a row", "b", out="b.pyz")
    file = tmp_path / "b.pyz"
    offsets = [offset for name, (_, offset, _) in archive_entries(str(file)).items() if name.startswith("blobs/")]
    assert offsets and all(offset % ALIGNMENT == 0 for offset in offsets)
    before = file.read_bytes()
    code = "a[700] = -1; b[0] = 5; print(row[0], a.ctypes.data % 64, b.ctypes.data % 2, b.sum(), a.flags.writeable)"
    assert restore(file, then=code).stdout.split() == ["-1", "0", "0", "20005", "True"]
    assert file.read_bytes() == before


def test_the_same_session_gives_the_same_file(tmp_path: Path) -> None:
    session = Session().run(CELLS)
    for name in ("one.pyz", "two.pyz"):
        bundle_of(tmp_path, session, "big view", "small", out=name)
    assert (tmp_path / "one.pyz").read_bytes() == (tmp_path / "two.pyz").read_bytes()


def test_input_files_in_it_are_found_by_replayed_code(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("hello")
    step = replay("text = open('data/in.txt').read()", "text")
    bundle_of(tmp_path, Session(), step, out="b.pyz", carried=[("data/in.txt", tmp_path / "in.txt")])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "in.txt").unlink()
    place = BundlePlace(str(tmp_path / "b.pyz"))
    assert (Path(place.folder()) / "files" / "data" / "in.txt").read_text() == "hello"
    data = read_manifest(tmp_path / "b.pyz")
    assert data["groups"] == []


def test_unpacked_by_the_standard_library_it_is_a_directory_that_python_runs(archive: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(archive), str(tmp_path / "d")], check=True)
    said = json.loads(
        subprocess.run(
            [sys.executable, str(tmp_path / "d"), "--json"], capture_output=True, text=True, check=True
        ).stdout
    )
    assert said["status"] == 0 and sorted(said["loaded"]) == ["big", "small", "view"]
    check_destination(tmp_path / "d")
    assert earlier_choices(archive) == (frozenset({"big", "small", "view"}), frozenset())


def test_a_notebook_runs_what_is_in_it(archive: Path) -> None:
    code = (
        "import zipfile\n"
        f"path = {str(archive)!r}\n"
        "exec(compile(zipfile.ZipFile(path).read('__main__.py'), path, 'exec'))\n"
        "print(small, made)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "{'k': [1, 2]} 42", done.stderr


def test_what_is_no_bundle_is_not_replaced(tmp_path: Path) -> None:
    session = Session().run("b = 1")
    out = tmp_path / "mine.pyz"
    out.write_text("a thesis")
    with pytest.raises(OutputError, match="not a bundle"):
        bundle_of(tmp_path, session, "b", out="mine.pyz")
    with zipfile.ZipFile(out, "w") as other:
        other.writestr("__main__.py", "print('somebody else')")
    with pytest.raises(OutputError, match="not a bundle"):
        bundle_of(tmp_path, session, "b", out="mine.pyz")
    out.unlink()
    out.mkdir()
    with pytest.raises(OutputError, match="is a directory"):
        bundle_of(tmp_path, session, "b", out="mine.pyz")
    out.rmdir()
    bundle_of(tmp_path, session, "b", out="mine.pyz")
    bundle_of(tmp_path, Session().run("b = 2"), "b", out="mine.pyz")
    assert restore(out, then="print(b)").stdout.strip() == "2"


def test_damage_never_restores_a_wrong_value(archive: Path, tmp_path: Path) -> None:
    raw = archive.read_bytes()
    damaged = tmp_path / "d.pyz"
    entries = archive_entries(str(archive))
    _, data, _ = entries["data.msgpack"]
    blob = next(entry for name, entry in entries.items() if name.startswith("blobs/"))
    for content in (
        raw[: len(raw) // 2],
        raw[:-1],
        raw[:data] + bytes([raw[data] ^ 1]) + raw[data + 1 :],
        raw[: blob[1] + 5] + b"?" + raw[blob[1] + 6 :],
    ):
        damaged.write_bytes(content)
        done = restore(damaged, "--verify", "--json")
        assert done.returncode in (1, 5) and '"loaded"' not in done.stdout, done.stderr
    damaged.write_bytes(raw)
    assert restore(damaged, "--verify").returncode == 0


def test_an_archive_that_somebody_packed_or_doubled_is_refused(archive: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.pyz"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    done = restore(packed)
    assert done.returncode == 5 and "is packed" in done.stderr
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(packed, "w") as twice:
        twice.writestr("data.msgpack", b"1")
        twice.writestr("data.msgpack", b"2")
    with pytest.raises(ValueError, match="two entries"):
        archive_entries(str(packed))


@pytest.mark.parametrize("python", interpreters().values(), ids=interpreters())
def test_above_4_gib_every_python_finds_the_script_and_all_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr(bundles, "pack_archive", partial(pack_archive, limit=100_000))  # as if that were 4 GiB
    bundle_of(tmp_path, Session().run(CELLS), "big view", "small", out="b.pyz")
    path = tmp_path / "b.pyz"
    entries = archive_entries(str(path))
    assert all(offset % ALIGNMENT == 0 for _, offset, _ in entries.values())
    assert b"PK\x06\x06" in path.read_bytes() and "__main__.py" in entries
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    done = restore(path, "--verify", python=python)
    assert done.returncode == 0 and "restored 3 of 3" in done.stderr, done.stderr


@pytest.mark.slow
def test_a_kernel_that_is_installed_from_it_holds_the_session(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_client.manager import start_new_kernel

    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.delenv("JUPYTER_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    place = tmp_path / "it's a place" / "a b.pyz"
    place.parent.mkdir()
    place.write_bytes(archive.read_bytes())
    done = restore(place, "--install-kernel", "one-file", flags=())
    assert done.returncode == 0, done.stderr
    manager, client = start_new_kernel(kernel_name="one-file")
    try:
        first = "".join(ask(client, "bytes(view), small, made, 'BundlePlace' in globals(), __name__"))
        assert "restored 4 of 4" in first and "(b'abcabc', {'k': [1, 2]}, 42, False, '__main__')" in first
        assert ask(client, "big[3] = 90; bytes(view)") == ["b'Zbcabc'"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
