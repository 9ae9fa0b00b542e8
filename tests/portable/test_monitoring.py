"""Functions that really started and lines that ran, on the Pythons of this machine that have ``sys.monitoring``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbdag.analysis.trace import read_trace, write_trace
from nbdag.model.trace import Execution, Outcome, StatementRun, Trace
from nbdag.portable.monitoring import Monitoring, in_ranges
from tests.interpreters import interpreters

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("plain_shell.py")
MONITORED = [version for version in interpreters() if version in ("cpython 3.12", "cpython 3.13", "cpython 3.14")]
SETUP = (
    "log = []; other = []; rate = 2; late = False\n"
    "def f(x):\n    log.append(x)\n    return rate\n"
    "def g(): other.append(1)\n"
    "handlers = {'f': f, 'g': g}\n"
)


def run(version: str, *cells: str, taken: tuple[int, ...] = ()) -> Any:
    """What plain_shell.py prints for these cells."""
    done = subprocess.run(
        [interpreters()[version], str(SCRIPT), str(ROOT)],
        input=json.dumps({"cells": [SETUP, *cells], "taken": taken}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


CASES = {
    "what a function mentions that did not start was not touched": ("handlers['f'](1)", ["log"], ["other"]),
    "a function that ran before is seen again": (
        "handlers['g']()\nhandlers['g']()\nhandlers['g']()",
        ["other"],
        ["log"],
    ),
    "a branch that was not taken touches nothing": ("if late:\n    g()\nelse:\n    f(1)", ["log"], ["other"]),
    "a library calls back": ("import functools\nfunctools.reduce(lambda a, b: g(), [1, 2])", ["other"], []),
    "a lambda on one line": ("h = lambda: g()\nh()\nh()", ["other"], []),
    "a generator goes on within one line": (
        "def gen(): yield; log.append(1); yield; log.append(2); yield\nit = gen(); next(it)\nnext(it)\nnext(it)",
        ["log"],
        [],
    ),
    "a method through an instance": (
        "class A:\n    def pay(self): log.append(1)\n    def rest(self): other.append(1)\na = A()\na.pay()",
        ["log"],
        ["other"],
    ),
    "a thread that was running before": (
        "import threading, time\nstop = []\ngo = threading.Event()\n"
        "def work():\n    while not stop:\n        other.append(1)\n        go.set()\n        time.sleep(0.001)\n"
        "t = threading.Thread(target=work, daemon=True)\nt.start()\nb = go.wait(60)\n"
        "done = work and (go.clear(), go.wait(60), stop.append(1), t.join())",
        ["other"],
        [],
    ),
    "a trace function runs unseen": (
        "import sys\ndef tracer(*a):\n    if a[0].f_code.co_name == 'f': other.append(1)\nsys.settrace(tracer)\n"
        "(tracer and handlers['f'](1), sys.settrace(None))",
        ["other", "log"],
        [],
    ),
    "a trace function for the length of one statement": (
        "import sys\ndef tracer(*a):\n    if a[0].f_code.co_name == 'f': other.append(1)\n"
        "(sys.settrace(tracer), f(1), sys.settrace(None))",
        ["other", "log"],
        [],
    ),
    "a finalizer, and nothing keeps the object from it": (
        "class D:\n    def __del__(self): log.append(1)\nd = D()\nd = 1",
        ["log"],
        [],
    ),
    "a function that may do anything, and did": (
        "def evil(): globals()['other'].append(1)\nhandlers['f'] = evil\nhandlers['f']()",
        ["other"],
        [],
    ),
    "code put into a function": (
        "def swap():\n    f.__code__ = f.__code__.replace(co_name='new')\n    f(1)\nswap()",
        ["log"],
        [],
    ),
}


@pytest.mark.parametrize("version", MONITORED)
def test_what_functions_touch_that_ran(version: str) -> None:
    for title, (cell, touched, beyond) in CASES.items():
        seen, *_, diagnostics = run(version, cell)
        last = seen[-1]
        assert not diagnostics, (title, diagnostics)
        assert set(touched) <= set(last["reached"]), (title, last)
        assert set(touched) <= set(last["changed"]) or not touched, (title, last)
        assert set(beyond) <= set(last["beyond"]), (title, last)
        assert not set(last["beyond"]) & set(last["reached"]), (title, last)


@pytest.mark.parametrize("version", MONITORED)
def test_lines_that_ran_and_lines_that_did_not(version: str) -> None:
    seen, *_ = run(
        version, "\n\nif late:\n    g()\n    g()\nelse:\n    f(1)\n    f(2)", "for x in []:\n    g()", "y = 1"
    )
    assert [(run["lines"], run["missed"]) for run in seen[1:]] == [
        ([[3, 3], [7, 8]], [[4, 5]]),
        ([[1, 1]], [[2, 2]]),
        ([], []),
    ]


@pytest.mark.parametrize("version", MONITORED)
def test_the_id_is_taken_and_given_back(version: str) -> None:
    _, during, after, events, _ = run(version)
    assert during == [None, None, None, "nbdag", None, None]
    assert after == [None] * 6 and not events


@pytest.mark.parametrize("version", MONITORED)
def test_beside_other_tools_the_walk_decides(version: str) -> None:
    seen, during, after, _, diagnostics = run(version, "handlers['f'](1)", taken=(1, 3))
    assert during == [None, "another", None, "another", "nbdag", None]
    assert after == [None, "another", None, "another", None, None]
    assert {"log", "other"} <= set(seen[-1]["reached"]) and not seen[-1]["beyond"] and not diagnostics
    seen, _, after, _, diagnostics = run(version, "handlers['f'](1)", taken=(0, 1, 2, 3, 4, 5))
    assert after == ["another"] * 6
    assert {"log", "other"} <= set(seen[-1]["reached"])
    assert [(found["code"], found["severity"]) for found in diagnostics] == [("monitoring", "info")]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python has sys.monitoring")
def test_before_python_3_12_nothing_happens() -> None:
    monitoring = Monitoring()
    assert monitoring.start() == ""
    watched = monitoring.begin(compile("a = 1\nb = 2", "<cell>", "exec"), [], True)
    assert watched is None and monitoring.end(watched) is None
    monitoring.stop()


def test_lines_are_kept_as_ranges() -> None:
    assert in_ranges({1, 2, 3, 7, 9, 10}) == [(1, 3), (7, 7), (9, 10)]


def test_a_trace_keeps_them_and_old_traces_are_read(tmp_path: Path) -> None:
    known = StatementRun(0, 1, 4, 0.1, lines=((1, 2), (4, 4)), missed=((3, 3),), started=("f",), beyond=("other",))
    trace = Trace("3.12.1", "cpython", "", "", (Execution(0, "x", Outcome.OK, statements=(known,)),), (), ())
    path = tmp_path / "trace.json"
    write_trace(trace, path)
    assert read_trace(path) == trace
    document = json.loads(path.read_text())
    for field in ("lines", "missed", "started", "beyond"):
        del document["executions"][0]["statements"][0][field]
    path.write_text(json.dumps(document))
    assert read_trace(path).executions[0].statements[0] == StatementRun(0, 1, 4, 0.1)
