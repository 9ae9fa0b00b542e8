"""What the target must have before anything runs: Python, packages, input files. All that is missing at once."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List, Sequence, Tuple

from nbdag.portable.bundlefile import digest_of_file
from nbdag.portable.steps import Replay

ONLY_SYNTAX = 0x0400 | 0x2000  # ast.PyCF_ONLY_AST, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

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
    missing = [(name, version) for name, version in requirements if not is_installed(name)]
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
    return problems, version_notes(requirements)


def python_problems(steps: Sequence[Any], written_on: str, implementation: str) -> Tuple[List[str], List[str]]:
    """(problems, notes): code that is newer than this Python, and how far this Python is from the session's."""
    problems: List[str] = []
    here, there = "%d.%d" % sys.version_info[:2], ".".join(written_on.split(".")[:2])
    notes = []
    if implementation and implementation.lower() != sys.implementation.name:
        notes.append("the session ran on %s, this is %s" % (implementation, sys.implementation.name))
    if not there or there == here:
        return problems, notes
    notes.append("the session ran on Python %s, this is %s" % (there, here))
    if number_pair(there) > sys.version_info[:2]:
        for step in steps:
            if isinstance(step, Replay):
                try:
                    compile(step.code, "<%s>" % step.cell, "exec", ONLY_SYNTAX, True)
                except SyntaxError as error:
                    line = step.line + (error.lineno or 1) - 1
                    words = step.cell, line, there, here, ", ".join(step.names) or "what it makes"
                    problems.append("%s, line %d is written for Python %s, this is %s; without it: %s" % words)
                except (ValueError, RecursionError, MemoryError):
                    continue  # it will say so when it runs
    return problems, notes


def number_pair(version: str) -> Tuple[int, int]:
    """``(3, 12)`` of ``"3.12"``; (0, 0) of what is no version."""
    numbers = [int(part) if part.isdigit() else 0 for part in version.split(".")[:2]]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)


def version_notes(requirements: Sequence[Any]) -> List[str]:
    """Packages of which this Python has another release than the session had, in one note."""
    wanted = [(name, version) for name, version in requirements if version]
    if not wanted:
        return []
    here = installed_versions()
    other = []
    for name, version in wanted:
        found = here.get(plain_name(name))
        if found is not None and found.split(".")[:2] != version.split(".")[:2]:
            other.append("%s %s (the session had %s)" % (name, found, version))
    return ["other versions are installed here: %s" % ", ".join(other)] if other else []


def installed_versions() -> Dict[str, str]:
    """Distributions by plain name, as the directories of their metadata are called: looked at by name only, which takes
    a hundredth of the time of ``importlib.metadata``."""
    found: Dict[str, str] = {}
    for entry in reversed(sys.path):
        try:
            names = os.listdir(entry or os.curdir)
        except OSError:
            continue
        for file in names:
            if file.endswith((".dist-info", ".egg-info")):
                name, _, version = file.rpartition(".")[0].partition("-")
                if version:
                    found[plain_name(name)] = version.partition("-py")[0]
    return found


def plain_name(distribution: str) -> str:
    """A distribution's name as pip compares names."""
    return distribution.lower().replace("_", "-").replace(".", "-")


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
