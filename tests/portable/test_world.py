"""Process state that a session's cells change, as the agent tells it: one row for each kind, and what is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.portable.test_process_state import process_as_it_was  # noqa: F401  (used by pytest)
from tests.portable.test_recorder import Session, session  # noqa: F401

CHANGES: list[tuple[str, str, str, Any]] = [
    ("the working directory", "import os; os.chdir('/')", "cwd", "/"),
    ("an environment variable", "%env MINE=1", "environ", {"set": {"MINE": "1"}, "unset": []}),
    ("an import path", "import sys; sys.path.insert(0, '/mine')", "path",
     {"front": ["/mine"], "back": [], "removed": []}),
    ("a warning filter", "import warnings; warnings.simplefilter('error', UserWarning)", "warnings",
     {"front": [["error", None, "builtins:UserWarning", None, 0]], "back": [], "removed": []}),
    ("a logger's level", "import logging; logging.getLogger('mine').setLevel(10)", "logging",
     {"set": {"mine": 10}, "unset": []}),
    ("a pandas option", "import pandas; pandas.set_option('display.max_rows', 7)", "pandas",
     {"set": {"display.max_rows": 7}, "unset": []}),
    ("a parameter of matplotlib", "import matplotlib; matplotlib.rcParams['lines.linewidth'] = 7.0", "matplotlib",
     {"set": {"lines.linewidth": 7.0}, "unset": []}),
    ("NumPy's print options", "import numpy; numpy.set_printoptions(precision=3)", "numpy",
     {"set": {"print.precision": 3}, "unset": []}),
    ("the decimal context", "import decimal; decimal.getcontext().prec = 7", "decimal",
     {"set": {"prec": 7}, "unset": []}),
    ("the locale", "import locale; kept = locale.setlocale(locale.LC_NUMERIC)\n"
     "locale.setlocale(locale.LC_NUMERIC, 'C.UTF-8' if kept == 'C' else 'C')", "locale", None),
    ("the recursion limit", "import sys; sys.setrecursionlimit(5077)", "interpreter",
     {"set": {"recursion_limit": 5077}, "unset": []}),
]  # fmt: skip


def world(session: Session) -> dict[str, Any]:  # noqa: F811
    path = session.directory / "world.json"
    session.command("world", path=str(path))
    found: dict[str, Any] = json.loads(path.read_text())
    changes = found["difference"]
    changes.pop("modules", None)  # this process has those of the test suite, and pytest's own variable
    changes.get("environ", {"set": {}})["set"].pop("PYTEST_CURRENT_TEST", None)
    if changes.get("environ") == {"set": {}, "unset": []}:
        del changes["environ"]
    if changes.get("pyplot") == []:  # said wherever pyplot is loaded, as it may be by other tests
        del changes["pyplot"], changes["figures"]
    return found


@pytest.mark.parametrize(("sentence", "cell", "part", "expected"), CHANGES, ids=[row[0] for row in CHANGES])
def test_a_cell_changes(
    session: Session,  # noqa: F811
    sentence: str,
    cell: str,
    part: str,
    expected: Any,
) -> None:
    import locale

    numeric = locale.setlocale(locale.LC_NUMERIC)
    try:
        assert session.run(cell).success
        changes = world(session)["difference"]
    finally:
        locale.setlocale(locale.LC_NUMERIC, numeric)
    assert changes.keys() == {part}
    if part == "warnings":
        assert changes[part].pop("order")[: len(expected["front"])] == expected["front"]
    assert expected is None or changes[part] == expected


NO_CHANGES = [
    ("computing", "x = sum(range(10))"),
    ("what is put back", "import os; here = os.getcwd(); os.chdir('/'); os.chdir(here)"),
    ("a filter for a while", "import warnings\nwith warnings.catch_warnings(): warnings.simplefilter('ignore')"),
    ("an option for a while", "import pandas\nwith pandas.option_context('display.max_rows', 3): pass"),
    ("a decimal context for a while", "import decimal\nwith decimal.localcontext() as c: c.prec = 3"),
    ("drawing random numbers", "import random; random.random()"),
]


@pytest.mark.parametrize(("sentence", "cell"), NO_CHANGES, ids=[row[0] for row in NO_CHANGES])
def test_no_process_state_is_changed_by(session: Session, sentence: str, cell: str) -> None:  # noqa: F811
    assert session.run(cell).success
    assert world(session)["difference"] == {}


def test_random_states_are_told(session: Session) -> None:  # noqa: F811
    session.run("import random, numpy; random.seed(1); numpy.random.seed(1)")
    found = world(session)
    assert found["random_state"].keys() >= {"random", "numpy"}
    assert set(found["random_state"].values()) == found["states"].keys()


def test_filters_that_a_library_installs_are_not_the_sessions(session: Session, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "noisy_library.py").write_text("import warnings\nwarnings.filterwarnings('always', 'noisy')\n")
    sys.path.insert(0, str(tmp_path))
    try:
        session.run("import warnings; warnings.filterwarnings('ignore', 'mine')", "import noisy_library")
    finally:
        del sys.modules["noisy_library"]
    changes = world(session)["difference"]["warnings"]
    assert [entry[1][0] for entry in changes.pop("order")[:2]] == ["noisy", "mine"]
    assert changes == {"front": [["ignore", ["mine", 34], "builtins:Warning", None, 0]], "back": [], "removed": []}
