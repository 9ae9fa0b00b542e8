"""A script that was linked once is not linked again, and a damaged one is never used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nbdag.kept_scripts import cache_directory, kept_script


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBDAG_CACHE_DIR", str(tmp_path / "cache"))
    return cache_directory()


def refuse() -> str:
    raise AssertionError("linked again")


def test_it_is_made_once(cache: Path) -> None:
    assert kept_script("agent", lambda: "x = 1\n# ä\n") == "x = 1\n# ä\n"
    assert kept_script("agent", refuse) == "x = 1\n# ä\n"


def test_each_purpose_has_its_own(cache: Path) -> None:
    kept_script("agent", lambda: "x = 1\n")
    assert kept_script("runtime", lambda: "y = 2\n") == "y = 2\n"


@pytest.mark.parametrize("damage", [lambda text: text[:-3], lambda text: text + "import evil\n", lambda text: ""])
def test_a_file_that_was_cut_off_or_changed_is_made_anew(cache: Path, damage: object) -> None:
    kept_script("agent", lambda: "x = 1\n")
    (file,) = cache.iterdir()
    file.write_text(damage(file.read_text()))  # type: ignore[operator]
    assert kept_script("agent", lambda: "x = 1\n") == "x = 1\n"
    assert kept_script("agent", refuse) == "x = 1\n"


@pytest.mark.parametrize("place", ["file", "directory"])
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no such modes")
def test_what_others_may_have_written_is_not_used(cache: Path, place: str) -> None:
    kept_script("agent", lambda: "x = 1\n")
    (file,) = cache.iterdir()
    (file if place == "file" else cache).chmod(0o777)
    assert kept_script("agent", lambda: "y = 2\n") == "y = 2\n"


def test_without_a_cache_directory_it_is_made_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NBDAG_CACHE_DIR", str(tmp_path / "file"))
    assert kept_script("agent", lambda: "x = 1\n") == "x = 1\n"


def test_old_ones_are_removed_when_a_new_one_is_kept(cache: Path) -> None:
    kept_script("agent", lambda: "x = 1\n")
    (old,) = cache.iterdir()
    os.utime(old, (0, 0))
    kept_script("runtime", lambda: "y = 2\n")
    assert not old.exists()
