"""The purity tables are true of the libraries that are installed here. ``purity_check`` is how that is found out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdag.analysis import purity
from nbdag.analysis.purity import parse
from tests.analysis import purity_samples as samples
from tests.analysis.purity_check import Arguments, has, named_functions, place_of_out, resolve, try_calls
from tests.analysis.purity_run import in_forks

ROOT = Path(__file__).resolve().parents[2]
# The named rows first, then each eighth name that only a pattern covers, as far as half a minute goes: a slow machine
# tries fewer. All of them, and longer: `python -m tests.analysis.purity_run LIBRARY`.
BRIEFLY = ["--json", "--jobs", "2", "--seconds", "0.03", "--one-in", "8", "--at-most", "30"]
LIBRARIES = [
    pytest.param(name, marks=[pytest.mark.slow, pytest.mark.skipif(not has(name), reason=f"{name} is not installed")])
    for name in samples.POOLS
]
INSTALLED = [name for name in ("builtins", *samples.POOLS) if has(name)]


@pytest.mark.parametrize("library", INSTALLED)
def test_every_name_of_the_tables_exists_or_is_known_to_be_of_other_versions(library: str) -> None:
    missing = []
    for name in named_functions(library):
        try:
            resolve(name)
        except AttributeError:
            missing.append(name)
    assert [name for name in missing if name not in purity.OTHER_VERSIONS] == []


@pytest.mark.parametrize("library", INSTALLED)
def test_every_method_of_the_tables_exists_or_is_known_to_be_of_other_versions(library: str) -> None:
    missing = []
    for kind, receiver in samples.RECEIVERS.items():
        if kind.partition(".")[0] == library or (library == "builtins" and "." not in kind):
            own = [name for name in purity._METHODS.get(kind, {}) if name != "*"]
            made = receiver()
            alternatives = made if isinstance(made, samples.Either) else (made,)
            names = [name for name in own if not any(hasattr(one, name) for one in alternatives)]
            missing += [f"{kind}.{name}" for name in names if f"{kind}.{name}" not in purity.OTHER_VERSIONS]
    assert missing == []


@pytest.mark.parametrize("library", INSTALLED)
def test_an_out_that_is_given_by_position_is_in_the_table(library: str) -> None:
    wrong = []
    for name in named_functions(library):
        try:
            place = place_of_out(resolve(name))
        except AttributeError:
            continue
        signature = purity.of_function(name)
        if place and signature is not None and place not in (*signature.positions, *signature.doubtful):
            wrong.append(f"{name}: arg{place}")
    assert wrong == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_is_called_does_what_the_tables_say(library: str) -> None:
    # Names under a pattern of matplotlib are called with an Axes for a label, too, which indeed changes it: not judged.
    only_named = ["--one-in", "1000000"] if library == "matplotlib" else []
    # In a process of its own: no thread of the tests before may be running when it forks.
    done = subprocess.run(
        [sys.executable, "-m", "tests.analysis.purity_run", library, *BRIEFLY, *only_named],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["called"]
    wrong = [one for one in report["wrong"] if (one["name"], one["what"]) not in samples.HARMLESS]
    assert [f"{one['name']}: {one['what']}  [{one['call']}]" for one in wrong] == []


# ------------------------------------------------------------------------------------------------ the check can fail


def wrong_claims(entry: str, function: Callable[..., Any], *arguments: Any) -> list[str]:
    found = try_calls(
        "made_up", None, lambda _: function, parse(entry), lambda it: Arguments("made_up", it, [], [arguments])
    )
    return [one.what for one in found if one is not None]


def test_a_function_that_changes_its_argument_is_found() -> None:
    assert "changes argument 0" in wrong_claims("", lambda xs: xs.append(1), [1])
    assert wrong_claims("arg0", lambda xs: xs.append(1), [1]) == []


def test_a_result_that_shares_with_an_argument_is_found() -> None:
    assert wrong_claims("", lambda xs: xs, [1]) == ["its result (builtins.list) shares with argument 0"]
    assert wrong_claims("", lambda xs: {"k": xs}, [1]) == ["its result (builtins.dict) shares with argument 0"]
    assert wrong_claims("view", lambda xs: xs, [1]) == []


def test_a_result_that_can_change_is_not_immutable() -> None:
    assert wrong_claims("-> scalar", lambda xs: list(xs), [1]) == ["returns a builtins.list, which can change"]


def test_a_process_that_dies_costs_one_name() -> None:
    def dies() -> Iterator[Any]:
        yield 1
        os.kill(os.getpid(), signal.SIGKILL)

    answers = sorted(in_forks([dies, lambda: iter([2])], 1))
    assert answers == [(0, [1], "crashes"), (1, [2], "")]
