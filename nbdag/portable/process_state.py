"""Process state that a session changes beside its variables: what it is now, what differs, and putting it back.

:func:`capture` is taken when recording starts and again when the session is compiled; only the difference travels. It
is applied in two phases: "before" what the plan's code needs (environment, ``sys.path``, directory), "after" what
belongs to libraries that the plan's imports have loaded (options, styles, filters). Everything is plain JSON values.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple

from nbdag.portable.directories import current_directory
from nbdag.portable.library_state import (
    decimal_state,
    locale_state,
    logging_state,
    matplotlib_state,
    numpy_state,
    pandas_state,
    set_decimal,
    set_locale,
    set_logging,
    set_matplotlib,
    set_numpy,
    set_pandas,
    set_warnings,
    warnings_state,
)
from nbdag.portable.local_modules import install_local_modules, local_modules_state, settle_local_modules
from nbdag.portable.namespace import word_set
from nbdag.portable.open_figures import pyplot_state

# Parts of names of environment variables that hold credentials: their values never travel.
SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY", "AUTH", "PRIVATE")
SECRET_ENDINGS = ("KEY", "_PW", "_PWD", "_PASS", "_DSN", "_SAS")
# Made by the kernel, the terminal or a debugger, not by the session.
NOISE_NAMES = word_set(
    "MPLBACKEND TERM CLICOLOR CLICOLOR_FORCE FORCE_COLOR PAGER GIT_PAGER COLUMNS LINES _ SHLVL OLDPWD PWD "
    "KMP_INIT_AT_FORK KMP_DUPLICATE_LIB_OK DISPLAY PYTHONHASHSEED"
)
NOISE_PREFIXES = ("JPY_", "PYDEVD_", "PYDEV_", "IPY_", "VSCODE_", "JUPYTER_", "LOKY_", "JOBLIB_", "QT_QPA_")


def environ_state() -> Dict[str, str]:
    """Environment variables, those of the kernel's making left out; of credentials only a mark to compare by."""
    return {
        name: f"withheld {hash(value):x}" if is_secret(name) else value
        for name, value in sorted(os.environ.items())
        if name not in NOISE_NAMES and not name.startswith(NOISE_PREFIXES)
    }


def path_state() -> List[str]:
    """``sys.path``, as far as it is made of strings."""
    return [entry for entry in sys.path if type(entry) is str]


def interpreter_state() -> Dict[str, Any]:
    """Limits of the interpreter that code sets."""
    return {"recursion_limit": sys.getrecursionlimit(), "switch_interval": round(sys.getswitchinterval(), 9)}


def is_secret(name: str) -> bool:
    """Whether the name of an environment variable says that it holds a credential."""
    upper = name.upper()
    return any(word in upper for word in SECRET_WORDS) or upper.endswith(SECRET_ENDINGS)


# What is captured; each gives JSON values, or None where its library is not loaded.
STATE_SOURCES: Tuple[Tuple[str, Callable[[], Any]], ...] = (
    ("environ", environ_state),
    ("path", path_state),
    ("cwd", current_directory),
    ("interpreter", interpreter_state),
    ("warnings", warnings_state),
    ("logging", logging_state),
    ("decimal", decimal_state),
    ("locale", locale_state),
    ("numpy", numpy_state),
    ("pandas", pandas_state),
    ("matplotlib", matplotlib_state),
    ("pyplot", pyplot_state),
    ("modules", lambda: local_modules_state(is_secret)),
)
TABLES = ("environ", "interpreter", "logging", "decimal", "locale", "numpy", "pandas", "matplotlib")


def capture() -> Dict[str, Any]:
    """The process state now. A part that cannot be read is left out."""
    state: Dict[str, Any] = {}
    for part, read in STATE_SOURCES:
        try:
            found = read()
        except Exception:
            continue
        if found is not None:
            state[part] = found
    return state


def difference(before: Dict[str, Any], after: Dict[str, Any]) -> Dict[str, Any]:
    """What the session changed: JSON-able, empty if nothing.

    Tables give ``{"set": {name: value}, "unset": [names]}``; of ``sys.path`` and the warning filters the entries added
    in front and behind and the ones removed, of the filters their order, too; credentials are only named, under
    ``withheld``. Of the modules beside the notebook it gives all.
    """
    out: Dict[str, Any] = {}
    for part in TABLES:
        # A library that was loaded meanwhile is compared with how it comes: its tables hold only what is not default.
        old, new = before.get(part, {}), after.get(part, {})
        put = {name: value for name, value in new.items() if name not in old or old[name] != value}
        unset = [name for name in old if name not in new] if part in after else []
        if part == "environ":
            withheld = [name for name in put if is_secret(name)]
            put = {name: value for name, value in put.items() if name not in withheld}
            if withheld:
                out["withheld"] = sorted(withheld)
        if put or unset:
            out[part] = {"set": put, "unset": unset}
    for part, found in (
        ("path", list_difference(before.get("path", []), after.get("path", []))),
        ("warnings", filters_difference(before.get("warnings", []), after.get("warnings", []))),
    ):
        if found:
            out[part] = found
    if after.get("cwd") and before.get("cwd") != after["cwd"]:
        out["cwd"] = after["cwd"]
    if after.get("pyplot"):
        out["pyplot"] = after["pyplot"]
    if after.get("modules"):  # whenever they were loaded: the target has none of them
        out["modules"] = after["modules"]
    return out


def list_difference(before: List[Any], after: List[Any]) -> Dict[str, List[Any]]:
    """Entries of an ordered table added before the first old one, added later, and removed; {} if none."""
    first_old = next((index for index, entry in enumerate(after) if entry in before), len(after))
    found = {
        "front": [entry for entry in after[:first_old] if entry not in before],
        "back": [entry for entry in after[first_old:] if entry not in before],
        "removed": [entry for entry in before if entry not in after],
    }
    return found if any(found.values()) else {}


def filters_difference(before: List[Any], after: List[Any]) -> Dict[str, List[Any]]:
    """The same for warning filters, where it matters which is asked first: with ``order``, in which all filters were.

    {} if none was added or removed, and those that stayed are in their order.
    """
    found = list_difference(before, after)
    if not found and [entry for entry in before if entry in after] == [entry for entry in after if entry in before]:
        return {}
    return {"front": [], "back": [], "removed": [], **found, "order": after}


def apply_environ(change: Dict[str, Any]) -> Optional[str]:
    """Set and unset environment variables."""
    os.environ.update(change["set"])
    for name in change["unset"]:
        os.environ.pop(name, None)
    return None


def miss_withheld(names: List[str]) -> Optional[str]:
    """Environment variables that held credentials are for the user to set."""
    return "environment variables that look like credentials were left behind: %s" % ", ".join(names)


def miss_modules(reasons: Dict[str, str]) -> Optional[str]:
    """Modules beside the notebook whose text held credentials are for the user to bring."""
    if all(is_there(name) for name in reasons):
        return None
    return "modules beside the notebook were left behind, as their text holds what looks like a credential: %s" % (
        ", ".join(sorted(reasons))
    )


def is_there(module: str) -> bool:
    """Whether a module can be imported; nothing is."""
    from importlib.util import find_spec

    try:
        return find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def apply_path(change: Dict[str, Any]) -> Optional[str]:
    """Add the session's entries to ``sys.path``; entries that only the old machine had are not missed."""
    sys.path[:0] = [entry for entry in change["front"] if entry not in sys.path]
    sys.path.extend(entry for entry in change["back"] if entry not in sys.path)
    sys.path[:] = [entry for entry in sys.path if entry not in change["removed"]]
    return None


def apply_cwd(directory: str) -> Optional[str]:
    """Go to the session's directory where it exists."""
    if not os.path.isdir(directory):
        return f"the working directory was {directory}, which does not exist here"
    os.chdir(directory)
    return None


def apply_interpreter(change: Dict[str, Any]) -> Optional[str]:
    """Set the interpreter's limits."""
    if "recursion_limit" in change["set"]:
        sys.setrecursionlimit(change["set"]["recursion_limit"])
    if "switch_interval" in change["set"]:
        sys.setswitchinterval(change["set"]["switch_interval"])
    return None


STATE_TARGETS: Dict[str, Tuple[Tuple[str, Callable[[Any], Optional[str]]], ...]] = {
    "before": (
        ("environ", apply_environ),
        ("withheld", miss_withheld),
        ("withheld_modules", miss_modules),
        ("path", apply_path),
        ("cwd", apply_cwd),
        ("interpreter", apply_interpreter),
        ("modules", install_local_modules),
    ),
    "after": (
        ("warnings", set_warnings),
        ("logging", set_logging),
        ("decimal", set_decimal),
        ("locale", set_locale),
        ("numpy", set_numpy),
        ("pandas", set_pandas),
        ("matplotlib", set_matplotlib),
        ("modules", settle_local_modules),
    ),
}


def apply(changes: Dict[str, Any], phase: str) -> List[str]:
    """Put the changes of one phase into effect; returns one sentence for each thing that could not be."""
    problems = []
    for part, put in STATE_TARGETS[phase]:
        if part in changes:
            try:
                problem = put(changes[part])
            except Exception as fault:
                problem = f"process state {part!r} was not restored: {type(fault).__name__}: {fault}"
            if problem:
                problems.append(problem)
    return problems
