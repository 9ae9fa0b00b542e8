"""What the target must have before anything runs: Python, packages, input files. All that is missing at once."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List, Sequence, Tuple

from nbdag.portable.bundlefile import digest_of_file
from nbdag.portable.steps import Replay

# Where a distribution and its module do not share a name.
MODULE_OF_DISTRIBUTION = {
    "attrs": "attr",
    "beautifulsoup4": "bs4",
    "opencv_python": "cv2",
    "opencv_python_headless": "cv2",
    "pillow": "PIL",
    "protobuf": "google.protobuf",
    "pyside6": "PySide6",
    "python_dateutil": "dateutil",
    "pyyaml": "yaml",
    "scikit_image": "skimage",
    "scikit_learn": "sklearn",
}


def environment_problems(
    steps: Sequence[Any], groups: Sequence[Any], requirements: Sequence[Any], directory: str
) -> Tuple[List[str], List[str]]:
    """(problems, notes) in words; nothing is imported and nothing runs."""
    problems: List[str] = []
    notes: List[str] = []
    missing = []
    for name, version in requirements:
        if not is_installed(name):
            missing.append((name, version))
    if missing:
        pins = " ".join("%s==%s" % (name, version) if version else name for name, version in missing)
        problems.append("missing packages: %s\n    pip install %s" % (", ".join(name for name, _ in missing), pins))
    seen: Dict[Tuple[str, str], str] = {}
    for step in steps:
        if not isinstance(step, Replay):
            continue
        for path, absolute, size, digest in step.files:
            if (path, digest) not in seen:
                seen[path, digest] = file_problem(path, absolute, size, digest, step.cwd, directory)
                if seen[path, digest]:
                    problems.append("%s (read by %s)" % (seen[path, digest], step.cell))
    return problems, notes


def is_installed(distribution: str) -> bool:
    """Whether a distribution's module can be imported, or its metadata is there."""
    name = distribution.replace("-", "_").replace(".", "_")
    module = MODULE_OF_DISTRIBUTION.get(name.lower(), name)
    if module in sys.modules:
        return True
    from importlib.util import find_spec

    for candidate in (module, module.lower()):
        try:
            if find_spec(candidate) is not None:
                return True
        except (ImportError, ValueError):
            pass
    from importlib.metadata import PackageNotFoundError, version

    try:
        return bool(version(distribution))
    except PackageNotFoundError:
        return False


def file_problem(path: str, absolute: str, size: int, digest: str, cwd: str, directory: str) -> str:
    """What is wrong with an input file, "" if it is there as it was. Looked for as ``replaying`` will find it.

    A negative size: it had changed before the session was compiled, and whoever reads it must see for himself.
    """
    if size < 0:
        return ""
    places = [path]
    if not os.path.isabs(path):
        places += [os.path.join(cwd, path)] if cwd else []
        places += [os.path.join(directory, "files", path)]
    for place in places:
        if not os.path.isfile(place):
            continue
        if os.path.getsize(place) != size or (digest and digest_of_file(place) != digest):
            return "the input file %s is not the one of the session" % place
        return ""
    return "the input file %s is missing" % path
