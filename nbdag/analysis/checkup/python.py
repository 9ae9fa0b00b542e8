"""nbdag itself: its Python, the command on PATH, its packages and extras."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from nbdag import __version__
from nbdag.analysis.checkup.check import Check, State

_OLDEST = (3, 10)
FOR_DEVELOPERS = frozenset(("corpus", "docs", "test"))  # extras that a user of nbdag has no use for


def look_at_python(_state_directory: Path) -> list[Check]:
    """The version of nbdag and its Python, whether ``nbdag`` on PATH is this one, packages and extras."""
    checks = [Check("nbdag", State.OK, f"{__version__} in {_home(Path(__file__).parents[2])}"), _python(), _command()]
    try:
        wanted = [Requirement(text) for text in metadata.requires("nbdag") or ()]
    except metadata.PackageNotFoundError:
        remedy = f"install it: {_pip()} -e {Path(__file__).parents[3]}"
        return [*checks, Check("packages", State.WARNING, "nbdag runs from a folder and is not installed", remedy)]
    except ValueError as error:
        return [*checks, Check("packages", State.WARNING, f"nbdag's own metadata cannot be read: {error}")]
    return [*checks, _packages(wanted), *_extras(wanted)]


def unmet(wanted: list[Requirement], extra: str = "") -> list[str]:
    """Which of these requirements are not met here, in words. ``extra`` "" takes those without one."""
    found = []
    for requirement in wanted:
        marker = str(requirement.marker or "")
        belongs = (
            bool(re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", marker)) if extra else "extra ==" not in marker
        )
        if not belongs or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
            continue
        try:
            there = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found.append(f"{requirement.name} is not there")
            continue
        if not requirement.specifier.contains(there, prereleases=True):
            found.append(f"{requirement.name} is {there}, not {requirement.specifier}")
    return found


def _python() -> Check:
    says = f"{platform.python_implementation()} {platform.python_version()}, {_home(Path(sys.executable))}"
    if sys.version_info < _OLDEST:
        return Check("Python", State.PROBLEM, says, f"nbdag needs {_OLDEST[0]}.{_OLDEST[1]} or later")
    if not sys.flags.utf8_mode and (sys.stdout.encoding or "").lower().replace("-", "") != "utf8":
        remedy = "reports write … and → in another way; PYTHONUTF8=1 shows them"
        return Check("Python", State.INFO, f"{says}; text is {sys.stdout.encoding}", remedy)
    return Check("Python", State.OK, says)


def _command() -> Check:
    found = shutil.which("nbdag")
    if found is None:
        scripts = Path(sys.executable).parent
        remedy = f"python -m nbdag works; or add {_home(scripts)} to PATH"
        return Check("nbdag on PATH", State.WARNING, "there is none", remedy)
    interpreter = _interpreter_of(Path(found))
    if interpreter is not None and not _same_environment(interpreter, Path(sys.executable)):
        says = f"{_home(Path(found))} belongs to another Python: {_home(interpreter)}"
        return Check("nbdag on PATH", State.WARNING, says, f"take this one: {_home(Path(sys.executable))} -m nbdag")
    others = [path for path in _all_on_path() if path != Path(found)]
    if others:
        return Check("nbdag on PATH", State.INFO, f"{_home(Path(found))}, before {', '.join(map(_home, others))}")
    return Check("nbdag on PATH", State.OK, _home(Path(found)))


def _all_on_path() -> Iterator[Path]:
    seen = set()
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = Path(folder or ".", "nbdag")
        real = os.path.realpath(path)
        if path.is_file() and os.access(path, os.X_OK) and real not in seen:
            seen.add(real)
            yield path


def _interpreter_of(script: Path) -> Path | None:
    # pip writes "#!/path/python", or, where that is too long or has a blank, "#!/bin/sh" and the path in the next line.
    try:
        head = script.read_bytes()[:4096].decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    if not head or not head[0].startswith("#!"):
        return None
    line = head[1].partition("exec' ")[2] if head[0].startswith("#!/bin/sh") and len(head) > 1 else head[0][2:]
    word = line.strip().strip('"').split('" ')[0].split(' "$0')[0].strip('"')
    return Path(word) if os.path.isabs(word) and "python" in os.path.basename(word) else None


def _same_environment(one: Path, other: Path) -> bool:
    # Of a virtual environment, only the folder says which it is: its python is a link to that of all others.
    return os.path.realpath(one.parent) == os.path.realpath(other.parent)


def _packages(wanted: list[Requirement]) -> Check:
    missing = unmet(wanted)
    if missing:
        return Check("packages", State.PROBLEM, "; ".join(missing), f"{_pip()} --upgrade nbdag")
    count = sum("extra ==" not in str(requirement.marker or "") for requirement in wanted)
    return Check("packages", State.OK, f"all {count} that nbdag needs are there")


def _extras(wanted: list[Requirement]) -> Iterator[Check]:
    names = metadata.metadata("nbdag").get_all("Provides-Extra") or []
    there = [name for name in names if not unmet(wanted, name)]
    lacking = [name for name in names if name not in there and name not in FOR_DEVELOPERS]
    says = f"installed: {', '.join(there) or 'none'}"
    if lacking:
        remedy = f"to have one, where its command asks for it: {_pip()} 'nbdag[{lacking[0]}]'"
        yield Check("extras", State.INFO, f"{says}; not installed: {', '.join(lacking)}", remedy)
    elif names:
        yield Check("extras", State.OK, says)


def _pip() -> str:
    return f"{_home(Path(sys.executable))} -m pip install"


def _home(path: Path) -> str:
    text, home = str(path), os.path.expanduser("~")
    return "~" + text[len(home) :] if home != "/" and text.startswith(home + os.sep) else text
