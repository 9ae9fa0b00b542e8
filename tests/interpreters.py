"""The Python interpreters of this machine that bundles are restored on: 3.8 to 3.14 and PyPy, where there are any."""

from __future__ import annotations

import functools
import glob
import os
import shutil
import subprocess
from pathlib import Path

NAMES = (*(f"python3.{minor}" for minor in range(8, 15)), "python3", "pypy3")

ASK = "import sys; print('%s %d.%d' % ((sys.implementation.name,) + sys.version_info[:2]))"


@functools.cache
def interpreters() -> dict[str, str]:
    """One working interpreter for each of ``"cpython 3.8"``, ``"pypy 3.9"`` ...: from PATH and from pyenv."""
    found: dict[str, str] = {}
    for path in _candidates():
        version = _version_of(path)
        if version is not None and version not in found:
            found[version] = path
    return dict(
        sorted(found.items(), key=lambda item: [*item[0].split()[:1], *map(int, item[0].split()[1].split("."))])
    )


def _candidates() -> list[str]:
    paths: list[str] = []
    root = _pyenv_root()
    if root:
        for version in sorted(glob.glob(os.path.join(root, "versions", "*"))):
            paths += [str(path) for name in ("python", "pypy3") if (path := Path(version, "bin", name)).is_file()][:1]
    return paths + [path for name in NAMES if (path := shutil.which(name))]


def _pyenv_root() -> str:
    root = os.environ.get("PYENV_ROOT", "")
    if root or not shutil.which("pyenv"):
        return root
    done = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _version_of(path: str) -> str | None:
    """``"cpython 3.11"``; None for what does not start (pyenv's shims of versions not chosen) or is too old."""
    try:
        done = subprocess.run([path, "-I", "-c", ASK], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.split()
    if done.returncode or len(words) != 2 or not words[1].startswith("3."):
        return None
    return " ".join(words) if 8 <= int(words[1].split(".")[1]) <= 14 else None
