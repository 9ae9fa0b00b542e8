"""The environments: one with the corpus's libraries for whoever needs nothing else, one for each peer that does."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

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


def described_machine(folder: Path) -> dict[str, Any]:
    """What has to be known of where and of what is measured: machine, versions, which nbdag."""
    packages = {"elastic-kernel": "elastic-kernel", "kishu": "kishu", "nbdag": "", "dill": "", "cloudpickle": "",
                "ipykernel": "", "IPython": "", "numpy": "", "pandas": ""}  # fmt: skip
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
    return _digest(next((folder / "shared" / "lib").glob("python3.*/site-packages/nbdag"), ROOT / "nbdag"))


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
