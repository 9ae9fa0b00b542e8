"""From a live kernel to a bundle on disk: what falls back, what fits, which candidate is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from nbdag.analysis.kernels import sessions, stop_session
from nbdag.errors import PlanError
from nbdag.pipeline import analyze, compile_bundle
from tests.restoring import restore

CELLS = [
    "import os\n"
    "class Picky:\n"
    "    def __init__(self, xs): self.xs = xs\n"
    "    def __getstate__(self): return self.xs\n"
    "    def __setstate__(self, xs):\n"
    "        if 'NOT_HERE' in os.environ: raise ValueError('not here')\n"
    "        self.xs = xs",
    # The pickle of this one lies: replaying restores it.
    "class Forgetful:\n    def __reduce__(self): return Forgetful, ()",
    "base = [1, 2]\nseen = 'first'\npicky = Picky([len(base)])\nseen = 'last'",
    "f = Forgetful()\nf.kept = 5",
    "big = bytes(300_000)",
]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A kept session of the notebook."""
    folder = tmp_path_factory.mktemp("compiled")
    path = folder / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS]), path)
    directory = folder / ".nbdag"
    analyze(path, state_directory=directory)
    yield directory
    for session in sessions(directory):
        stop_session(session)


def test_a_value_that_does_not_load_on_the_target_is_replayed_there(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle"
    compile_bundle(bundle, state_directory=state, store=["picky", "base", "seen"])
    said = json.loads(restore(bundle, "--json").stdout)
    assert "picky" in said["loaded"] and said["instead"] == {}
    monkeypatch.setenv("NOT_HERE", "1")
    said = json.loads(restore(bundle, "--json").stdout)
    assert said["status"] == 0 and said["instead"] == {"picky": "ValueError: not here"}
    assert restore(bundle, then="print(picky.xs, base, seen)").stdout.strip() == "[2] [1, 2] last"


def test_what_a_pickle_drops_is_replayed_and_the_first_candidate_that_is_right_is_published(
    state: Path, tmp_path: Path
) -> None:
    compiled = compile_bundle(tmp_path / "bundle", state_directory=state)
    assert {c.result for c in compiled.verdict.comparisons} <= {"identical", "incomparable"}
    assert compiled.verdict.rounds == 2
    assert restore(tmp_path / "bundle", then="print(f.kept)").stdout.strip() == "5"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


@pytest.mark.slow
def test_the_whole_directory_keeps_to_max_size(state: Path, tmp_path: Path) -> None:
    def size(most: int) -> int:
        options = {"store": ["seen"], "verify": False, "bandwidth": 1e9}
        compile_bundle(tmp_path / "b", state_directory=state, max_bytes=most, **options)
        return sum(path.stat().st_size for path in (tmp_path / "b").rglob("*") if path.is_file())

    least = size(10**9)
    assert size(least) == least
    with pytest.raises(PlanError, match=r"does not fit|do not fit"):
        size(20_000)
    assert os.path.isfile(tmp_path / "b" / "restore.py")
