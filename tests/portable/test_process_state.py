"""Process state: each row changes something; the difference says so, and applying it elsewhere brings it back."""

from __future__ import annotations

import decimal
import json
import locale
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

from nbdag.portable.process_state import apply, capture, difference, is_secret
from tests.interpreters import interpreters


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    environ, path, cwd, limit = dict(os.environ), list(sys.path), os.getcwd(), sys.getrecursionlimit()
    parameters, context = dict(dict.items(matplotlib.rcParams)), decimal.getcontext().copy()
    options, errors, interval = np.get_printoptions(), np.geterr(), sys.getswitchinterval()
    level = logging.root.level
    with warnings.catch_warnings():
        yield
    os.environ.clear()
    os.environ.update(environ)
    sys.path[:] = path
    os.chdir(cwd)
    sys.setrecursionlimit(limit)
    sys.setswitchinterval(interval)
    dict.update(matplotlib.rcParams, parameters)
    decimal.setcontext(context)
    np.set_printoptions(**options)  # type: ignore[arg-type]
    np.seterr(**errors)  # type: ignore[arg-type]
    pd.reset_option("display.max_rows")
    logging.root.setLevel(level)
    logging.getLogger("mine").setLevel(0)
    logging.disable(0)


def changed_since(before: dict[str, Any]) -> dict[str, Any]:
    """The difference without the modules beside the notebook: this process has those of the test suite."""
    changes = difference(before, capture())
    changes.pop("modules", None)
    return changes


CHANGES = [
    ("an environment variable", lambda: os.environ.update(MINE="1"), lambda: os.environ.get("MINE"), "before"),
    ("one that is gone", lambda: os.environ.pop("HOME"), lambda: os.environ.get("HOME"), "before"),
    ("an import path in front", lambda: sys.path.insert(0, "/mine"), lambda: sys.path[0], "before"),
    ("an import path behind", lambda: sys.path.append("/mine"), lambda: sys.path[-1], "before"),
    ("the working directory", lambda: os.chdir("/"), os.getcwd, "before"),
    ("the recursion limit", lambda: sys.setrecursionlimit(5077), sys.getrecursionlimit, "before"),
    ("the switch interval", lambda: sys.setswitchinterval(0.25), sys.getswitchinterval, "before"),
    ("a warning filter", lambda: warnings.simplefilter("error", UserWarning), lambda: warnings.filters[0], "after"),
    ("a filter by text", lambda: warnings.filterwarnings("ignore", "a.*b"), lambda: warnings.filters[0], "after"),
    ("no filters", warnings.resetwarnings, lambda: list(warnings.filters), "after"),
    (
        "a filter asked earlier",
        lambda: warnings.filters.insert(0, warnings.filters.pop()),
        lambda: list(warnings.filters),
        "after",
    ),
    ("the root logger", lambda: logging.root.setLevel(10), lambda: logging.root.level, "after"),
    ("a logger", lambda: logging.getLogger("mine").setLevel(10), lambda: logging.getLogger("mine").level, "after"),
    ("logging as a whole", lambda: logging.disable(30), lambda: logging.root.manager.disable, "after"),
    ("the precision", lambda: setattr(decimal.getcontext(), "prec", 7), lambda: decimal.getcontext().prec, "after"),
    (
        "a trap",
        lambda: decimal.getcontext().traps.update({decimal.Inexact: True}),
        lambda: decimal.getcontext().traps[decimal.Inexact],
        "after",
    ),
    ("digits of NumPy", lambda: np.set_printoptions(precision=3), lambda: np.get_printoptions()["precision"], "after"),
    ("errors of NumPy", lambda: np.seterr(divide="raise"), lambda: np.geterr()["divide"], "after"),
    (
        "a pandas option",
        lambda: pd.set_option("display.max_rows", 7),
        lambda: pd.get_option("display.max_rows"),
        "after",
    ),
    (
        "a parameter of matplotlib",
        lambda: matplotlib.rcParams.update({"lines.linewidth": 7.0}),
        lambda: matplotlib.rcParams["lines.linewidth"],
        "after",
    ),
    (
        "a colour cycle",
        lambda: matplotlib.rcParams.update({"axes.prop_cycle": matplotlib.cycler(color=["r", "g"])}),
        lambda: matplotlib.rcParams["axes.prop_cycle"],
        "after",
    ),
]


@pytest.mark.parametrize(("what", "change", "look", "phase"), CHANGES, ids=[row[0] for row in CHANGES])
def test_a_change_travels(what: str, change: Any, look: Any, phase: str) -> None:
    before = capture()
    original = look()
    change()
    wanted = look()
    changes = json.loads(json.dumps(changed_since(before)))
    assert wanted != original and changes
    back = json.loads(json.dumps(difference(capture(), before)))
    assert apply(back, "before") + apply(back, "after") == []
    assert look() == original
    other = "after" if phase == "before" else "before"
    assert apply(changes, other) == [] and look() == original
    assert apply(changes, phase) == [] and look() == wanted


def test_nothing_differs_when_nothing_changed() -> None:
    assert changed_since(capture()) == {}


NOISE = ["JPY_PARENT_PID", "PYDEVD_USE_FRAME_EVAL", "MPLBACKEND", "TERM", "COLUMNS", "VSCODE_PID"]


@pytest.mark.parametrize("name", NOISE)
def test_what_the_kernel_makes_does_not_travel(name: str) -> None:
    before = capture()
    os.environ[name] = "something"
    assert changed_since(before) == {}


SECRETS = ["AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "db_password", "OPENAI_API_KEY", "MY_KEY", "SSH_AUTH_SOCK", "PG_PWD"]


@pytest.mark.parametrize("name", SECRETS)
def test_credentials_are_named_and_never_written(name: str) -> None:
    before = capture()
    os.environ[name] = "hush-hush"
    after = capture()
    assert "hush-hush" not in json.dumps([before, after, difference(before, after)])
    assert changed_since(before) == {"withheld": [name]}


@pytest.mark.parametrize("name", ["MONKEY_COUNT", "DATA_DIR", "KEYBOARD", "OMP_NUM_THREADS"])
def test_ordinary_names_are_no_secrets(name: str) -> None:
    assert not is_secret(name)


def test_a_directory_that_is_not_here_is_reported() -> None:
    assert apply({"cwd": "/no/such/place"}, "before") == [
        "the working directory was /no/such/place, which does not exist here"
    ]


def test_a_filter_of_a_library_that_is_not_loaded_is_left_out() -> None:
    entry = ["ignore", None, "no_such_library:Warning", None, 0]
    before = list(warnings.filters)
    assert apply({"warnings": {"front": [entry], "back": [], "removed": []}}, "after") == []
    assert list(warnings.filters) == before


def test_an_unknown_locale_is_reported() -> None:
    kept = locale.setlocale(locale.LC_NUMERIC)
    problems = apply({"locale": {"set": {"LC_NUMERIC": "xx_YY"}, "unset": []}}, "after")
    assert problems == ["locales not installed here: LC_NUMERIC=xx_YY"]
    assert locale.setlocale(locale.LC_NUMERIC) == kept


@pytest.mark.parametrize("version", interpreters())
def test_any_python_applies_it_with_nothing_installed(version: str, tmp_path: Path) -> None:
    from nbdag.link import link

    script = tmp_path / "script.py"
    changes = {
        "environ": {"set": {"MINE": "1"}, "unset": []},
        "pandas": {"set": {"display.max_rows": 7}, "unset": []},
        "warnings": {"front": [["ignore", ["x", 2], "builtins:UserWarning", None, 0]], "back": [], "removed": []},
        "decimal": {"set": {"prec": 5}, "unset": []},
    }
    script.write_text(
        link(["nbdag.portable.process_state"])
        + f"\nassert apply({changes!r}, 'before') == []\nproblems = apply({changes!r}, 'after')\n"
        "import decimal, warnings\nassert os.environ['MINE'] == '1' and decimal.getcontext().prec == 5\n"
        "assert warnings.filters[0][2] is UserWarning\ncapture()\nprint(problems)\n",
        encoding="utf-8",
    )
    executable = interpreters()[version]
    answer = subprocess.run([executable, "-I", str(script)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() in ("[]", "['pandas options were not restored: it is not installed here']")
