"""The agent in real kernels: injected as source between cells, as ``nbdag analyze`` does it.

``NBDAG_KERNEL_PYTHONS`` names further interpreters that have ipykernel (older ones, other versions of IPython).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdag.model.trace import Outcome
from tests.portable.agent_kernel import Kernel

PYTHONS = [sys.executable, *filter(None, os.environ.get("NBDAG_KERNEL_PYTHONS", "").split(os.pathsep))]


@pytest.fixture(params=PYTHONS, ids=[f"python{index}" for index in range(len(PYTHONS))])
def kernel(request: Any, tmp_path: Path) -> Iterator[Kernel]:
    kernel = Kernel(request.param, tmp_path)
    try:
        yield kernel
    finally:
        kernel.close()


def test_a_session_is_recorded_in_a_kernel(kernel: Kernel) -> None:
    kernel.inject()
    assert kernel.command("start", late=False)["recording"] is True
    kernel.cell("import random\nxs = [1]\nys = xs")
    kernel.cell("def f(): ys.append(random.random())\nf()")
    kernel.cell("%%time\nf()")
    kernel.cell("import asyncio\nawait asyncio.sleep(0)\nxs.append(2)\nfor i in range(3): await asyncio.sleep(0)")
    kernel.cell("1/0")
    kernel.cell("def (")
    trace = kernel.trace()
    outcomes = [execution.outcome for execution in trace.executions]
    assert outcomes == [Outcome.OK] * 4 + [Outcome.ERROR, Outcome.REFUSED]
    assert [execution.count for execution in trace.executions] == [1, 2, 3, 4, 5, 6]
    assert [run.changed for run in trace.executions[1].statements] == [(), ("xs", "ys")]
    assert [run.changed for run in trace.executions[2].statements] == [("xs", "ys")]
    assert [run.drew for run in trace.executions[1].statements] == [(), ("random",)]
    assert [run.changed for run in trace.executions[3].statements] == [(), (), ("xs", "ys"), ()]
    assert [run.bound for run in trace.executions[3].statements] == [("asyncio",), (), (), ("i",)]
    assert {variable.name for variable in trace.variables} == {"random", "xs", "ys", "f", "asyncio", "i"}
    assert not any(variable.altered for variable in trace.variables)


def test_our_requests_leave_no_trace_in_history(kernel: Kernel) -> None:
    kernel.cell("x = 1")
    kernel.inject()
    kernel.command("start", late=True)
    kernel.trace()
    shown = kernel.cell("print(In, Out, _, __, _i, _ii, sorted(n for n in globals() if 'nbdag' in n))\nlen(In)")
    assert shown.endswith("'x = 1'  []\n3") or "'x = 1'" in shown, shown
    assert "nbdag" not in shown.replace("'nbdag' in n", "")
    found = [(execution.source, execution.known) for execution in kernel.trace().executions]
    assert found[0] == ("x = 1", False) and len(found) == 2


def test_tracebacks_are_the_same_with_the_recorder(kernel: Kernel) -> None:
    cells = ["1/0", "def f(): raise ValueError(1)\nf()", "import inspect\nprint([f.function for f in inspect.stack()])"]
    before = [kernel.cell(cell) for cell in cells]
    kernel.inject()
    kernel.command("start", late=True)
    after = [kernel.cell(cell) for cell in cells]
    numbered = [(text.replace(f"[{i + 1}]", "[n]"), i) for i, text in enumerate(before)]
    assert [text for text, _ in numbered] == [text.replace(f"[{i + 4}]", "[n]") for i, text in enumerate(after)]


@pytest.mark.skipif(os.name == "nt", reason="interrupts by signal")
@pytest.mark.parametrize(
    "cell", ["import time\nx = 1\ntime.sleep(30)", "import asyncio\nx = 1\nawait asyncio.sleep(5)"]
)
def test_an_interrupt_is_recorded_and_the_session_goes_on(kernel: Kernel, cell: str) -> None:
    kernel.inject()
    kernel.command("start", late=False)
    kernel.cell("pass")
    identity = kernel.client.execute(cell)
    time.sleep(0.7)
    kernel.manager.interrupt_kernel()
    kernel.reply(identity)
    kernel.outputs(identity)
    kernel.cell("y = 2")
    _, interrupted, after = kernel.trace().executions
    assert (interrupted.outcome, after.outcome) == (Outcome.INTERRUPTED, Outcome.OK)
    assert [run.completed for run in interrupted.statements] == [True, True, False]
    assert interrupted.statements[1].bound == ("x",)


def test_a_session_that_breaks_its_builtins_is_recorded(kernel: Kernel) -> None:
    kernel.inject()
    kernel.command("start", late=False)
    kernel.cell("xs = []\nimport builtins\nkept = vars(builtins).copy()")
    kernel.cell("builtins.sorted = builtins.frozenset = None\nxs.append(1)\nvars(builtins).update(kept)")
    runs = kernel.trace().executions[1].statements
    assert "xs" not in runs[0].changed and "xs" in runs[1].changed and "xs" not in runs[2].changed


def test_a_second_injection_takes_over_and_hooks_once(kernel: Kernel) -> None:
    for _ in range(3):
        kernel.inject()
        kernel.command("start", late=False)
    kernel.cell("open('written', 'w').write('x')")
    (execution,) = kernel.trace().executions
    assert [use.path for use in execution.statements[0].files] == ["written"]
    kernel.command("stop")
    left = kernel.expression(
        "(lambda ip: [k for k in vars(ip) if 'nbdag' in k or k == 'run_code'] + [str(c) for cs in"
        " ip.events.callbacks.values() for c in cs if 'ecorder' in str(c)])(get_ipython())"
    )
    assert left == []


def test_deleting_a_large_array_frees_it(kernel: Kernel) -> None:
    if subprocess.run([kernel.manager._kernel_spec.argv[0], "-c", "import numpy"], capture_output=True).returncode:
        pytest.skip("no NumPy there")
    kernel.inject()
    kernel.command("start", late=False)
    kernel.cell("import numpy as np, resource\na = np.ones(25_000_000)\nb = a[1:]\nb[0] = 2")
    kernel.cell("a.sum(); None")
    resident = "int(open('/proc/self/statm').read().split()[1]) * 4096"
    before = kernel.expression(resident)
    kernel.cell("del a, b")
    assert before - kernel.expression(resident) > 190_000_000


def test_the_world_is_told_without_secrets(kernel: Kernel, tmp_path: Path) -> None:
    kernel.inject()
    kernel.command("start", late=False)
    kernel.cell(
        "import os, sys, warnings\nos.environ['MY_SETTING'] = '1'\nos.environ['MY_TOKEN'] = 'hush'\n"
        "sys.path.insert(0, 'lib')\nwarnings.simplefilter('ignore')\nos.mkdir('sub'); os.chdir('sub')"
    )
    kernel.cell("import decimal\ndecimal.getcontext().prec = 7")
    path = tmp_path / "world.json"
    kernel.command("world", path=str(path))
    text = path.read_text()
    changes = json.loads(text)["difference"]
    assert changes["environ"] == {"set": {"MY_SETTING": "1"}, "unset": []} and changes["withheld"] == ["MY_TOKEN"]
    assert "hush" not in text
    assert changes["path"]["front"] == ["lib"] and changes["cwd"].endswith("sub")
    assert changes["decimal"]["set"] == {"prec": 7}
    assert changes["warnings"]["front"] == [["ignore", None, "builtins:Warning", None, 0]]
    assert json.loads(text)["random_state"].keys() >= {"random"}
