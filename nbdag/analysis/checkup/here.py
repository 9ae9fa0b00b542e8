"""The directory in which the command was given: nbdag's own leftovers, and files that shadow what notebooks import."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from nbdag.analysis.checkup.check import Check, State
from nbdag.analysis.processes import this_host
from nbdag.analysis.session_files import read_session

_LARGE = 100_000_000  # bytes of .nbdag beyond which somebody would want to know


def look_here(state_directory: Path) -> list[Check]:
    """Whether files can be written and locked here, what ``.nbdag`` holds, and which files shadow modules."""
    return [_writing(state_directory), *_leftovers(state_directory), *_shadows(Path())]


def _writing(state_directory: Path) -> Check:
    what, here = "files here", state_directory.absolute().parent
    try:
        with tempfile.NamedTemporaryFile(dir=here, prefix=".nbdag-doctor-") as file:
            locked = _lock(file.fileno())
    except OSError as error:
        return Check(what, State.WARNING, f"none can be made in {here}: {error.strerror}", "work in another directory")
    if not locked:
        remedy = "nbdag keeps its kernels in .nbdag: work on a local disk where two commands run at the same time"
        return Check(what, State.WARNING, "can be written, but not locked (a network drive?)", remedy)
    return Check(what, State.OK, "can be written and locked")


def _lock(file: int) -> bool:
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _leftovers(state_directory: Path) -> list[Check]:
    if not state_directory.is_dir():
        return [Check(str(state_directory), State.OK, "not there: no kernel was kept here yet")]
    size, count = _size(state_directory)
    folders = [path for path in state_directory.glob("sessions/*") if path.is_dir()]
    kept = [session for session in map(read_session, folders) if session is not None]
    far = sorted({session.host for session in kept if session.host != this_host()})
    crashes = sorted(state_directory.glob("crash-*.log"))
    says = f"{size / 1e6:.1f} MB in {count} files; {len(folders)} kernels kept"
    checks = [
        Check(str(state_directory), State.INFO, says, "nbdag stop --all ends them")
        if folders or size > _LARGE
        else Check(str(state_directory), State.OK, says)
    ]
    if far:
        says = f"kept by {', '.join(far)}: nbdag cannot tell from here whether they still run"
        checks.append(Check("kernels of other machines", State.INFO, says, "nbdag stop, there"))
    if crashes:
        says = f"{len(crashes)} reports of faults of nbdag itself, the last one {crashes[-1].name}"
        checks.append(
            Check("crash logs", State.WARNING, says, f"please report them; then: rm {state_directory}/crash-*.log")
        )
    return checks


def _shadows(directory: Path) -> list[Check]:
    """Files beside the notebooks that a kernel would import instead of the module that is meant."""
    try:
        names = {path.stem for path in directory.glob("*.py")} | {
            path.parent.name for path in directory.glob("*/__init__.py")
        }
    except OSError:
        return []
    known = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    # A package's own checkout is the usual place for a folder of its name; then it is what is meant.
    packages = set(metadata.packages_distributions()) if not (directory / "pyproject.toml").exists() else set()
    found = sorted(names & (known | packages))
    if not found:
        return []
    says = f"{', '.join(_as_file(directory, name) for name in found)}: kernels that start here import this instead"
    return [Check("shadowed modules", State.WARNING, says, "rename it, if the module of the same name is meant")]


def _as_file(directory: Path, name: str) -> str:
    return f"{name}.py" if (directory / f"{name}.py").exists() else f"{name}{os.sep}"


def _size(directory: Path) -> tuple[int, int]:
    size = count = 0
    for folder, _, files in os.walk(directory):
        for name in files:
            try:
                size += os.lstat(os.path.join(folder, name)).st_size
                count += 1
            except OSError:
                continue  # a kernel that ends takes its files with it
    return size, count
