"""Bundles that earlier versions wrote: restored as they are, and by the runtime of today."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from benchmarks.matrix import Outcome, read
from nbdag.model.plan import Load
from nbdag.portable.bundlefile import BUNDLE_VERSION, read_data
from nbdag.portable.msgpack import pack, unpack
from nbdag.portable.places import place_of
from nbdag.replay.script import RandomTable, restore_script, step_text
from tests.interpreters import interpreters
from tests.portable.cases.codecs import Case
from tests.restoring import restore

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures" / "bundles").glob("*/*.tar.xz"))
# Only the release that wrote it reads it, and says so.
OF_ITS_RELEASE = ("group-by",)


def unpacked(fixture: Path, folder: Path) -> tuple[list[Case], list[dict[str, Any]]]:
    with tarfile.open(fixture) as archive:
        for member in archive.getmembers():  # extractall's filters came with Python 3.12
            target = folder / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(member)
            assert content is not None and ".." not in member.name
            target.write_bytes(content.read())
    (folder / "bundle" / "blobs").mkdir(exist_ok=True)
    cases = [
        Case(**{**case, "since": tuple(case["since"])}) for case in json.loads((folder / "cases").read_text("utf-8"))
    ]
    return cases, json.loads((folder / "written").read_text("utf-8"))


def complaints(cases: list[Case], outcomes: list[Outcome | None]) -> dict[str, str]:
    """What is wrong, and what is lost although the library is here."""
    found = {}
    for case, outcome in zip(cases, outcomes, strict=True):
        expected = outcome is None or outcome.what in ("same", "other type")
        known = any(importlib.util.find_spec(name.partition(".")[0]) is None for name in case.library.split())
        known = known or case.name in OF_ITS_RELEASE or (case.library == "" and case.since > sys.version_info[:2])
        if not expected and not (outcome is not None and outcome.what == "lost" and known):
            found[f"{case.library} {case.name}"] = f"{outcome}"
    return found


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: f"{path.parent.name} {path.name.partition('.tar')[0]}")
def test_a_bundle_of_an_earlier_version_restores(fixture: Path, tmp_path: Path) -> None:
    cases, written = unpacked(fixture, tmp_path)
    assert not complaints(cases, read(cases, sys.executable, tmp_path, written))


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: f"{path.parent.name} {path.name.partition('.tar')[0]}")
def test_the_runtime_of_today_reads_it_too(fixture: Path, tmp_path: Path) -> None:
    cases, written = unpacked(fixture, tmp_path)
    groups = read_data(place_of(str(tmp_path / "bundle")), "")["groups"]
    steps = [step_text(Load(number, tuple(group["names"]), 0, 0), RandomTable()) for number, group in enumerate(groups)]
    restorers = frozenset(name for group in groups for name in group["restorers"])
    digest = hashlib.sha256((tmp_path / "bundle" / "data.msgpack").read_bytes()).hexdigest()
    script = restore_script(steps, (), digest, {}, restorers, archive=False)
    (tmp_path / "bundle" / "restore.py").write_text(script, "utf-8")
    assert not complaints(cases, read(cases, sys.executable, tmp_path, written))


@pytest.mark.slow
@pytest.mark.parametrize("python", interpreters().values(), ids=list(interpreters()))
def test_every_python_restores_the_standard_library(python: str, tmp_path: Path) -> None:
    fixture = next(path for path in FIXTURES if path.name.startswith("standard-library"))
    cases, written = unpacked(fixture, tmp_path)
    outcomes = read(cases, python, tmp_path, written)
    wrong = {c.name: o for c, o in zip(cases, outcomes, strict=True) if o is not None and o.what == "wrong"}
    lost = {c.name for c, o in zip(cases, outcomes, strict=True) if o is not None and o.what == "lost"}
    assert not wrong and lost <= {case.name for case in cases if case.since}


def test_the_same_in_one_packed_file(tmp_path: Path) -> None:
    fixture = next(path for path in FIXTURES if path.name.startswith("standard-library"))
    cases, written = unpacked(fixture, tmp_path)
    shutil.rmtree(tmp_path / "bundle")
    assert not complaints(cases, read(cases, sys.executable, tmp_path, written, "bundle.pyz"))


def test_a_bundle_of_a_later_format_says_what_to_do(tmp_path: Path) -> None:
    fixture = next(path for path in FIXTURES if path.name.startswith("standard-library"))
    unpacked(fixture, tmp_path)
    bundle = tmp_path / "bundle"
    raw = (bundle / "data.msgpack").read_bytes()
    data = unpack(raw)
    data["version"] = BUNDLE_VERSION + 1
    (bundle / "data.msgpack").write_bytes(pack(data))
    old, new = (hashlib.sha256(part).hexdigest() for part in (raw, (bundle / "data.msgpack").read_bytes()))
    script = (bundle / "restore.py").read_text("utf-8")
    (bundle / "restore.py").write_text(script.replace(old, new), "utf-8")
    done = restore(bundle)
    assert done.returncode == 5 and "format version 2, this script reads 1: use the restore.py" in done.stderr
    assert "Traceback" not in done.stderr
