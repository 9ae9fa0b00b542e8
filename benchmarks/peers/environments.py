"""The environments: one with the corpus's libraries for whoever needs nothing else, one for each peer that does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMON = ["dill>=0.4", "cloudpickle>=3", "ipykernel"]


def python_of(folder: Path, package: str) -> Path:
    """The interpreter of the environment for ``package``, "" for the shared one."""
    return folder / (package or "shared") / "bin" / "python"


def install(folder: Path, package: str, libraries: list[str]) -> str:
    """Make the environment, unless it is there; "" or why it cannot be had."""
    where, wanted = folder / (package or "shared"), [*libraries, *([package] if package else COMMON)]
    stamp = where / "installed.json"
    if not stamp.exists() or json.loads(stamp.read_text(encoding="utf-8")) != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(where)], check=True)
        if problem := _pip(where, wanted):
            return problem
        stamp.write_text(json.dumps(wanted), encoding="utf-8")
    return "" if package else _pip(where, [str(ROOT)]) or _pip(where, ["--force-reinstall", "--no-deps", str(ROOT)])


def _pip(where: Path, words: list[str]) -> str:
    done = subprocess.run(
        [str(where / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *words],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    return "cannot be installed: " + done.stderr.strip()[-300:] if done.returncode else ""


def version(folder: Path, package: str, distribution: str) -> str:
    """The installed version of ``distribution``, "" if there is none."""
    done = subprocess.run(
        [str(python_of(folder, package)), "-c", f"import importlib.metadata as m; print(m.version({distribution!r}))"],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    return done.stdout.strip()
