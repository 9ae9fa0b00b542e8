"""Bundles on disk: atomic, the same bytes for the same session, nothing of anybody else's destroyed."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import msgpack
import pytest

from nbdag.errors import IntegrityError, OutputError
from nbdag.portable.bundlefile import BundleDamaged, read_data
from nbdag.portable.msgpack import pack, unpack
from nbdag.replay import bundle as bundles
from nbdag.replay import publishing
from nbdag.replay.bundle import Form, parts_without_use, publish
from nbdag.replay.compression import Packing
from nbdag.replay.manifests import read_manifest
from nbdag.replay.publishing import check_destination
from nbdag.replay.script import code_literal
from tests.portable.session import Session
from tests.restoring import bundle_of, replay, restore

BIG = "import numpy as np; a = np.arange(50_000); b = [1]"


def contents(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_any_msgpack_library_reads_the_data(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run(BIG), "a", "b", requirements=[("numpy", "2.0")], random_states={"random": b"\0"})
    data = msgpack.unpackb((tmp_path / "bundle" / "data.msgpack").read_bytes())
    assert data["format"] == "nbdag-bundle" and data["version"] == 1 and data["requirements"] == [["numpy", "2.0"]]
    assert [group["names"] for group in data["groups"]] == [["a"], ["b"]]
    assert data == read_manifest(tmp_path / "bundle")


def test_the_same_session_gives_the_same_bytes(tmp_path: Path) -> None:
    session = Session().run(BIG)
    step = replay("x = 1", "x", random_state=(("random", b"\1"),))
    bundle_of(tmp_path, session, step, "a", "b")
    first = contents(tmp_path / "bundle")
    built = bundle_of(tmp_path, session, step, "a", "b", reuse=tmp_path / "bundle")
    assert contents(tmp_path / "bundle") == first and built.blobs == built.reused_blobs == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "staging"]


CODES = [
    "x = 1",
    "s = '''quotes'''",
    's = """quotes"""',
    "s = 'ends with a quote'",
    "s = r'\\d' + '\\\\'",
    "s = 'a\\\n b'  # goes on",
    "s = 'äöü \u200b \U0001f600'",
    "s = 'carriage\\rreturn'\r\n",
    "if True:\n\tx = 'tab'\n",
    "",
    "s = '\\''",
]


@pytest.mark.parametrize("code", CODES)
def test_the_plan_spells_code_exactly(code: str) -> None:
    literal = code_literal(code)
    assert eval(literal) == code
    namespace: dict[str, object] = {}
    exec(f"if True:\n    x = (\n        {literal},\n    )", namespace)
    assert namespace["x"] == (code,)


def test_the_script_reads_well(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run(BIG), replay("def f():\n    return 'y'", "f", cell="cell 2"), "b")
    text = (tmp_path / "bundle" / "restore.py").read_text()
    assert "Rebuilds the session of test.ipynb" in text and "r'''def f():\n    return 'y''''" not in text
    assert "Load('b', group=0)" in text and "cell='cell 2'" in text and "20" not in text.split("if __name__")[0][:40]
    assert os.access(tmp_path / "bundle" / "restore.py", os.X_OK)


def test_a_notebook_cannot_smuggle_code_into_the_header(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("b = 1"), "b", provenance={"notebook": "x\nimport os; os._exit(9)"})
    assert restore(tmp_path / "bundle").returncode == 0


# ------------------------------------------------------------------------------------------------ destinations


def test_what_is_not_ours_is_not_replaced(tmp_path: Path) -> None:
    session = Session().run(BIG)
    (tmp_path / "bundle").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        bundle_of(tmp_path, session, "b")
    (tmp_path / "bundle").unlink()
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match="not a bundle"):
        bundle_of(tmp_path, session, "b")
    (tmp_path / "bundle" / "thesis.tex").unlink()
    bundle_of(tmp_path, session, "b")  # an empty directory is fine
    (tmp_path / "bundle" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        bundle_of(tmp_path, session, "b")
    assert (tmp_path / "bundle" / "notes.txt").read_text() == "mine"


def test_publishing_replaces_an_older_bundle(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    first = bundle_of(old, Session().run("b = 1"), "b")
    second = bundle_of(new, Session().run("b = 2"), "b")
    published = publish(new / "bundle", old / "bundle", second)
    assert published.directory == str(old / "bundle") != first.directory + "x"
    assert restore(old / "bundle", then="print(b)").stdout.strip() == "2" and not (new / "bundle").exists()
    check_destination(tmp_path / "nothing there")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_killed_at_any_moment_the_old_bundle_or_the_new_one_is_there(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("b = 1"), "b")
    code = (
        "from pathlib import Path\nfrom tests.portable.session import Session\nfrom tests.restoring import bundle_of\n"
        "s = Session().run('b = [2]; big = bytearray(200_000)')\nprint('ready', flush=True)\n"
        f"while True: bundle_of(Path({str(tmp_path)!r}), s, 'b', 'big')\n"
    )
    for attempt in range(8):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline()
        try:
            process.wait(0.01 + 0.013 * attempt)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        read_manifest(tmp_path / "bundle")
    assert restore(tmp_path / "bundle").returncode == 0


def test_a_disk_that_refuses_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle_of(tmp_path, Session().run("b = 1"), "b")
    before = contents(tmp_path / "bundle")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(bundles, "sync_tree", full)
    with pytest.raises(OutputError, match="No space left") as caught:
        bundle_of(tmp_path, Session().run("b = 2"), "b")
    assert caught.value.hint and contents(tmp_path / "bundle") == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle"]


def test_every_file_and_directory_is_synced_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, bool]] = []

    def note(path: Path) -> None:
        synced.append((path.name, (tmp_path / "bundle").exists()))

    monkeypatch.setattr(publishing, "sync", note)
    bundle_of(tmp_path, Session().run(BIG), "a", "b")
    paths = {path.name for path in (tmp_path / "bundle").rglob("*")}
    before = {name for name, in_place in synced if not in_place}
    assert paths <= before and "bundle" in before


def test_a_script_has_the_modules_that_its_data_leads_to(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("b = 1"), "b")
    text = restore(tmp_path / "bundle", "--source").stdout
    assert "def restore_session" in text and "class Restoration" in text
    assert "class Replayer" not in text and "class UnpackingReader" not in text and "class Arrival" not in text
    content: dict[str, Any] = {"groups": [], "fallbacks": b"", "history": b"", "process_state": {}, "provenance": {}}
    everything = parts_without_use(content, replays=False)
    changes: list[tuple[dict[str, Any], set[str]]] = [
        ({"history": b"x"}, {"history"}),
        ({"fallbacks": {"blob": "x", "size": 1}}, {"replaying"}),
        ({"provenance": {"save": {"at": 1}}}, {"journal"}),
        ({"process_state": {"cwd": "/"}}, {"process_state"}),
        ({"process_state": {"modules": {}}}, {"process_state", "local_modules"}),
        ({"process_state": {"warnings": {}}}, {"process_state", "library_state"}),
        ({"process_state": {"pyplot": []}}, {"process_state", "open_figures"}),
        ({"groups": [{"head": b"", "regions": [], "restorers": ["figure_number"]}]}, {"open_figures"}),
        ({"groups": [{"head": b"", "regions": [{"codec": "zlib"}]}]}, {"unpacking"}),
    ]
    for change, needed in changes:
        assert everything - parts_without_use({**content, **change}, replays=False) == needed
    assert everything - parts_without_use(content, replays=True) == {"replaying"}


def test_the_program_can_be_read_and_tracebacks_show_its_lines(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("b = 1"), "b")
    text = (tmp_path / "bundle" / "restore.py").read_text()
    assert len(text) < 40_000 and max(map(len, text.splitlines())) <= 120
    source = restore(tmp_path / "bundle", "--source").stdout
    digits = text.split("PACKED.append(r'''")[1].split("'''")[0]  # as docs/format.md says
    stored = base64.b85decode("".join(digits.split()))
    assert zlib.decompressobj().decompress(stored).decode() == source
    (tmp_path / "bundle" / "restore.py").write_text(text.replace("runtime.PLAN,", "5,"))
    done = restore(tmp_path / "bundle")
    numbers = re.findall(r'File "restore.py --source", line (\d+)', done.stderr)
    line = source.splitlines()[int(numbers[-1]) - 1].strip()
    assert done.returncode == 1 and line == "return list(plan)" and line in done.stderr


def test_what_is_little_and_shrinks_is_packed_whatever_the_link(tmp_path: Path) -> None:
    code = (
        "text = ['line %d' % n for n in range(20_000)]; few = [list(range(n)) for n in range(90)]; b = bytes(300_000)"
    )
    code += "; import random; noise = random.Random(1).randbytes(200_000)"
    session = Session().run(code)
    sizes = {}
    for codec in ("none", "auto"):
        directory = tmp_path / codec
        directory.mkdir()
        form = Form(Packing(codec, bandwidth=2e9))
        bundle_of(directory, session, "text", "few", "b", "noise", form=form, provenance={"notebook": "t" * 9000})
        files = [path for path in (directory / "bundle").rglob("*") if path.is_file() and path.name != "restore.py"]
        sizes[codec] = sum(path.stat().st_size for path in files)
        assert restore(directory / "bundle", "--verify").returncode == 0
        data = unpack((directory / "bundle" / "data.msgpack").read_bytes())
        assert data["version"] == (1 if codec == "none" else 2)
        assert [b["names"] for b in read_manifest(directory / "bundle")["groups"]] == [
            ["text"],
            ["few"],
            ["b"],
            ["noise"],
        ]
    assert sizes["auto"] < 200_000 + 0.3 * (sizes["none"] - 200_000)


@pytest.mark.parametrize("change", [{"size": 10}, {"size": 10**9}, {"size": "x"}, {"packed": b"x"}, {"packed": None}])
def test_packed_data_that_is_not_what_it_says_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    bundle_of(tmp_path, Session().run("b = [1] * 20_000"), "b", form=Form(Packing("auto")))
    path = tmp_path / "bundle" / "data.msgpack"
    path.write_bytes(pack({**unpack(path.read_bytes()), **change}))
    with pytest.raises(BundleDamaged, match="damaged"):
        read_data(str(tmp_path / "bundle"), "")


def test_whatever_bit_is_flipped_in_packed_data_it_is_damage(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("b = [1, 2] * 9_000"), "b", form=Form(Packing("auto")))
    path = tmp_path / "bundle" / "data.msgpack"
    whole = unpack(path.read_bytes())
    for place in range(2, len(whole["packed"]), 7):
        packed = bytearray(whole["packed"])
        packed[place] ^= 1 << place % 8
        path.write_bytes(pack({**whole, "packed": bytes(packed)}))
        with pytest.raises(BundleDamaged):
            read_data(str(tmp_path / "bundle"), "")


# ------------------------------------------------------------------------------------------------ damage


def test_a_damaged_bundle_has_no_manifest(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run(BIG), "a", "b")
    directory = tmp_path / "bundle"
    data = (directory / "data.msgpack").read_bytes()
    for content in (b"", data[:-1], data[:100], bytes([data[0] ^ 1]) + data[1:]):
        (directory / "data.msgpack").write_bytes(content)
        with pytest.raises(IntegrityError):
            read_manifest(directory)
    (directory / "data.msgpack").write_bytes(data)
    read_manifest(directory)
    next((directory / "blobs").iterdir()).unlink()
    with pytest.raises(IntegrityError, match="missing"):
        read_manifest(directory)
    with pytest.raises(IntegrityError):
        read_manifest(tmp_path / "staging")
