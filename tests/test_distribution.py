"""The wheel: what is in it is enough to analyze, compile and draw, with no checkout anywhere near."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="pip install hatchling")
    folder = tmp_path_factory.mktemp("dist")
    code = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=CHECKOUT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what pip would install."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.slow
def test_every_file_of_the_package_is_in_the_wheel_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    there = {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "nbdag").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    assert packed == there
    assert "nbdag/py.typed" in packed


@pytest.mark.slow
def test_the_metadata_has_what_an_index_shows(installed: Path) -> None:
    folder = next(installed.glob("nbdag-*.dist-info"))
    metadata = Parser().parsestr((folder / "METADATA").read_text(encoding="utf-8"))
    assert metadata["License-Expression"] == "Apache-2.0"
    assert (folder / "licenses" / "LICENSE").is_file()
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert "nbdag = nbdag.cli:main" in (folder / "entry_points.txt").read_text()


@pytest.mark.slow
def test_the_installed_wheel_analyzes_compiles_draws_and_restores(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "session.py").write_text(
        "# %%\nxs = [1]\n# %%\ndef up():\n    xs.append(2)\n    return xs\nys = up()\n"
    )
    variables = {**os.environ, "PYTHONPATH": str(installed)}

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = python("-c", "import nbdag, nbdag.portable; print(nbdag.__file__)")
    assert Path(where.strip()).is_relative_to(installed)
    try:
        python("-m", "nbdag", "analyze", "session.py")
        python("-m", "nbdag", "plan", "--format", "html", "-o", "plan.html")
        python("-m", "nbdag", "graph", "-o", "dag.html")
        assert "identical" in python("-m", "nbdag", "compile", "--out", "bundle")
    finally:
        python("-m", "nbdag", "stop", "--all")
    assert "<style>" in (tmp_path / "dag.html").read_text(encoding="utf-8")
    del variables["PYTHONPATH"]
    script = (tmp_path / "bundle" / "restore.py").as_posix()
    said = python(
        "-I", "-c", f"import runpy; made = runpy.run_path({script!r}); print(made['ys'] is made['xs'], made['up']())"
    )
    assert said.split("\n")[-2] == "True [1, 2, 2]"
