"""The environments: one with the corpus's libraries alone, and one for each system that needs a package of its own.

Where a package fits beside the libraries as they are, its environment is a copy of theirs by hard links, with the
package in it, so that all have the same versions; ``elastic-kernel`` and ``kishu`` want other ones, and get what pip
resolves.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = "libraries"
RESOLVED = ("elastic-kernel", "kishu")
"""Packages with demands on the versions of others."""
ADDED = {"nbdag": [str(ROOT)], "dill": ["dill>=0.4"], "cloudpickle": ["cloudpickle>=3"]}


def python_of(folder: Path, package: str) -> Path:
    """The interpreter of the environment for ``package``, "" for the libraries alone."""
    return folder / (package or LIBRARIES) / "bin" / "python"


def install(folder: Path, package: str, libraries: list[str]) -> str:
    """Make the environment, unless it is there; "" or why it cannot be had."""
    if package in RESOLVED:
        return _made(folder / package, [*libraries, package])
    base = folder / LIBRARIES
    problem = _made(base, [*libraries, "ipykernel"])
    if problem or not package:
        return problem
    if _stamp(folder / package) != [*_stamp(base), *ADDED[package]]:
        shutil.rmtree(folder / package, ignore_errors=True)
        shutil.copytree(base, folder / package, symlinks=True, copy_function=os.link)
        os.unlink(folder / package / STAMP)
        if problem := _pip(folder / package, ADDED[package]):
            return problem
        _write_stamp(folder / package, [*_stamp(base), *ADDED[package]])
    return _pip(folder / package, ["--force-reinstall", "--no-deps", str(ROOT)]) if package == "nbdag" else ""


STAMP = "installed.json"


def _stamp(where: Path) -> list[str]:
    try:
        return list(json.loads((where / STAMP).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return []


def _write_stamp(where: Path, wanted: list[str]) -> None:
    (where / STAMP).write_text(json.dumps(wanted), encoding="utf-8")


def _made(where: Path, wanted: list[str]) -> str:
    if _stamp(where) != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(where)], check=True)
        if problem := _pip(where, wanted):
            return problem
        _write_stamp(where, wanted)
    return ""


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


def described_machine(folder: Path) -> dict[str, Any]:
    """What has to be known of where and of what is measured: machine, versions, which nbdag."""
    packages = {package: package for package in (*RESOLVED, *ADDED)}
    packages |= dict.fromkeys(("ipykernel", "IPython", "numpy", "pandas"), "")
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "date": time.strftime("%Y-%m-%d %H:%M"),
        **_which_nbdag(folder),
        "versions": {name: version(folder, package, name) for name, package in packages.items()},
    }


def digest_of_nbdag(folder: Path) -> str:
    """Of the sources of the nbdag that is installed for the kernels: rows of two of them are never in one run."""
    return _digest(next((folder / "nbdag" / "lib").glob("python3.*/site-packages/nbdag"), ROOT / "nbdag"))


def _digest(package: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _which_nbdag(folder: Path) -> dict[str, Any]:
    """The commit, and how many files differ from it; nothing where what is installed is not this checkout's."""
    if digest_of_nbdag(folder) != _digest(ROOT / "nbdag"):
        return {}
    changed = _git("status", "--porcelain", "--", "nbdag").splitlines()
    return {"commit": _git("rev-parse", "--short", "HEAD"), "changed_files": len(changed)}


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], text=True, capture_output=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
