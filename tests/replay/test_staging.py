"""What an earlier bundle has is not written again, as long as it is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nbdag.model.plan import Load
from nbdag.portable.blobs import Writing
from nbdag.portable.encode import INLINE_LIMIT, write_group
from nbdag.replay.bundle import Form, write_bundle
from nbdag.replay.compression import Packing
from nbdag.replay.manifests import read_manifest
from nbdag.replay.staging import Earlier, Staging
from nbdag.replay.stores import Store
from tests.portable.session import Session
from tests.restoring import plan_of, restore

CELL = "import random\nbig = 'the quick brown fox ' * 20_000\nnoise = random.Random(1).randbytes(300_000)\nsmall = 1"
NAMES = ("big", "noise", "small")


class Kernel:
    """An agent that encodes variables of a session in this process."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.asked = 0

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert name == "encode"
        self.asked += 1
        known = json.loads(Path(arguments["known"]).read_text())
        writing = Writing(arguments["directory"], INLINE_LIMIT, known, arguments["progress"])
        groups = [
            write_group(
                {name: self.session[name] for name in names},
                {},
                self.session.namespace,
                arguments["directory"],
                writing=writing,
            )
            for names in arguments["groups"]
        ]
        writing.close()
        Path(arguments["path"]).write_text(json.dumps({"groups": groups}))
        return {}


def compiled(folder: Path, out: Path, session: Session, form: Form = Form()) -> tuple[Kernel, list[str]]:
    """Write a bundle as a compilation does; the kernel, and what it has written."""
    folder.mkdir()
    (folder / "staging").mkdir()
    kernel, plan = Kernel(session), plan_of([Load(number, (name,), 0, 0) for number, name in enumerate(NAMES)])
    staging = Staging(folder / "staging", Earlier(out, folder), form)
    encoded = staging.encode(kernel, plan, ())
    write_bundle(
        plan,
        encoded,
        folder / "staging",
        out,
        process_state={},
        random_states={},
        provenance={},
        requirements=[],
        reuse=staging.earlier.path if staging.earlier else None,
        form=form,
    )
    blobs = folder / "staging" / "blobs"
    return kernel, sorted(path.name for path in blobs.iterdir()) if blobs.exists() else []


PLACES = ["bundle", "bundle.pyz"]


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("codec", ["none", "zlib"])
def test_what_did_not_change_is_taken_from_the_bundle_before(tmp_path: Path, name: str, codec: str) -> None:
    session, out, form = Session().run(CELL), tmp_path / name, Form(Packing(codec))
    compiled(tmp_path / "one", out, session, form)
    before = out.read_bytes() if out.is_file() else (out / "data.msgpack").read_bytes()
    compiled(tmp_path / "two", out, session, form)
    assert before == (out.read_bytes() if out.is_file() else (out / "data.msgpack").read_bytes())
    session.run("noise = b'!' + noise[1:]")
    compiled(tmp_path / "three", out, session, form)
    done = restore(out, "--verify", then="print(len(big), noise[:1], small)")
    assert done.stdout.split() == ["400000", "b'!'", "1"]


def test_memory_that_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    session = Session().run("import numpy as np\nbig = np.arange(40_000)\nnoise = np.ones(50_000)\nsmall = 1")
    out = tmp_path / "bundle"
    first = compiled(tmp_path / "one", out, session)[1]
    assert len(first) == 2
    assert compiled(tmp_path / "two", out, session)[1] == []
    session.run("big[7] = 0")
    assert len(compiled(tmp_path / "three", out, session)[1]) == 1
    assert restore(out, "--verify", then="print(big[7], noise.sum())").stdout.split() == ["0", "50000.0"]


def test_a_damaged_blob_of_the_bundle_before_is_written_anew(tmp_path: Path) -> None:
    session = Session().run("import numpy as np\nbig = np.arange(40_000)\nnoise = np.ones(50_000)\nsmall = 1")
    out = tmp_path / "bundle"
    compiled(tmp_path / "one", out, session)
    blob = next((out / "blobs").iterdir())
    blob.unlink()  # the staging directory has a link to it
    blob.write_bytes(bytes(next(iter(size for d, size in read_manifest_sizes(out).items() if d == blob.name))))
    kernel, written = compiled(tmp_path / "two", out, session)
    assert kernel.asked == 2 and written == [blob.name]
    assert restore(out, "--verify").returncode == 0


def read_manifest_sizes(out: Path) -> dict[str, int]:
    import msgpack

    sizes: dict[str, int] = msgpack.unpackb((out / "data.msgpack").read_bytes())["blobs"]
    return sizes


def test_packed_blobs_become_plain_ones_when_that_is_asked_for_and_back(tmp_path: Path) -> None:
    session, out = Session().run(CELL), tmp_path / "bundle"
    for number, codec in enumerate(["zlib", "none", "zlib", "none"]):
        compiled(tmp_path / str(number), out, session, Form(Packing(codec)))
        parts = [group["head"] for group in read_manifest(out)["groups"] if isinstance(group["head"], dict)]
        assert any("codec" in part for part in parts) is (codec == "zlib")
        assert restore(out, "--verify", then="print(len(big), len(noise))").stdout.split() == ["400000", "300000"]


def test_what_a_store_has_is_not_written(tmp_path: Path) -> None:
    session = Session().run("import numpy as np\nbig = np.arange(40_000)\nnoise = np.ones(50_000)\nsmall = 1")
    form = Form(store=Store.at(tmp_path / "store"))
    assert form.store is not None
    with form.store.in_use():
        assert len(compiled(tmp_path / "one", tmp_path / "a", session, form)[1]) == 2
        assert compiled(tmp_path / "two", tmp_path / "b", session, form)[1] == []
    assert restore(tmp_path / "b", "--verify", then="print(noise.sum())").stdout.strip() == "50000.0"
