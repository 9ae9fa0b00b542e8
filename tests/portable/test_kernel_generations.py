"""One rich session in every kernel that a user may have: ipykernel 6 and 7, on each Python of this machine.

Recorded from the first cell, compiled from a shell beside it, restored under the same Python. The environments are
made with venv and pip; ``NBDAG_KERNEL_VENVS`` names a directory where they are kept from one run to the next.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from nbdag.model.plan import Action
from nbdag.model.trace import Outcome
from nbdag.pipeline import compile_bundle
from tests.interpreters import interpreters
from tests.portable.agent_kernel import Kernel

pytestmark = pytest.mark.slow

GENERATIONS = {"ipykernel 6": "ipykernel<7", "ipykernel 7": "ipykernel>=7"}
MATRIX = [
    (version, generation)
    for version in interpreters()
    for generation in GENERATIONS
    # ipykernel 7 needs Python 3.10
    if version.startswith("cpython 3") and not (generation == "ipykernel 7" and int(version.split(".")[1]) < 10)
]

CELLS = (
    "import collections, functools, random, asyncio, threading, weakref\nlog = []",
    "class Shop:\n    sold = []\n    def __init__(self, name): self.name = name\n"
    "    def sell(self, what):\n        self.sold.append(what)\n        log.append(what)\n        return self",
    "shop = Shop('a')\nshop.sell('tea')",
    "def counter():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n        return n\n    return up\n"
    "up = counter(); up()",
    # Code that may touch anything: a generator made before would count as advanced by it.
    "get_ipython().run_cell('nested = [up()]')\nafter = up()",
    "random.seed(3)\ndrawn = [random.random() for _ in range(3)]",
    "data = bytearray(range(200)) * 50\nview = memoryview(data)[10:20]\nview[0] = 255",
    "gen = (i * i for i in range(100))\nfirst = [next(gen), next(gen), next(gen)]",
    "%%capture out\nprint('hidden')\ncaptured = [1]",
    "async def later():\n    await asyncio.sleep(0.01)\n    log.append('later')\n    return 5\nanswer = await later()",
    "worker = threading.Thread(target=log.append, args=('thread',)); worker.start(); worker.join(); del worker",
    "half = []\nfor i in range(4):\n    half.append(1 / (2 - i))",
    "%time timed = sum(range(1000))",
    "type = 3; id = 5; sys = None; len_ = len",
    "chain = last = {}\nfor _ in range(5000):\n    last['next'] = {}\n    last = last['next']",
    "last['end'] = 1",
    "shop",
)
SILENT = "quiet = ['asked by a front end']"
PROBES = (
    "shop.name, Shop.sold, log", "up()", "drawn, random.random()", "data[10], data[11]",
    "view.__setitem__(1, 254) or data[11]", "next(gen), first", "captured", "answer", "half, i", "nested, after",
    "timed", "type, id, sys, len_([1])", "quiet", "last",
)  # fmt: skip


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = os.environ.get("NBDAG_KERNEL_VENVS")
    return Path(kept) if kept else tmp_path_factory.mktemp("kernels")


def python_with(requirement: str, version: str, environments: Path) -> str:
    """The interpreter of an environment of this Python version that has ``requirement``; skips where there is none."""
    folder = environments / f"{version} {requirement}".replace(" ", "-").replace("<", "below").replace(">=", "from")
    python = folder / "bin" / "python"
    if not python.exists():
        made = subprocess.run([interpreters()[version], "-m", "venv", str(folder)], capture_output=True, check=False)
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", requirement]
        if made.returncode or subprocess.run(install, capture_output=True, check=False).returncode:
            python.unlink(missing_ok=True)
            pytest.skip(f"no {requirement} for {version} to be had here")
    return str(python)


@pytest.mark.parametrize(("version", "generation"), MATRIX, ids=[" ".join(row) for row in MATRIX])
def test_a_rich_session(version: str, generation: str, environments: Path, tmp_path: Path) -> None:
    python = python_with(GENERATIONS[generation], version, environments)
    kernel = Kernel(python, tmp_path)
    try:
        kernel.inject()
        kernel.command("start", late=False, share=None)
        for cell in CELLS:
            kernel.cell(cell)
        kernel.cell(SILENT, silent=True, store_history=False)
        trace = kernel.trace()
        compiled = compile_bundle(tmp_path / "bundle", connection_file=Path(kernel.manager.connection_file))
        live = [kernel.expression(f"__import__('builtins').repr(({probe}))") for probe in PROBES]
    finally:
        kernel.close()

    # What was recorded: one execution for each cell, the nested ones with their parents, the silent one without number.
    top = [execution for execution in trace.executions if execution.parent is None]
    assert [execution.source for execution in top] == [*CELLS, SILENT]
    assert [execution.count for execution in top] == [*range(1, len(CELLS) + 1), None]
    failed = [execution.source for execution in top if execution.outcome is not Outcome.OK]
    assert failed == [cell for cell in CELLS if "half" in cell]
    nested = [execution.source.strip() for execution in trace.executions if execution.parent is not None]
    assert nested == ["nested = [up()]", "print('hidden')\ncaptured = [1]"]
    changes = {execution.source: {*execution.statements[-1].changed} for execution in top}
    assert {"Shop", "log"} <= changes[CELLS[2]]
    assert {"data", "view"} <= changes[CELLS[6]]
    assert "log" in changes[CELLS[9]] and "log" in {name for run in top[10].statements for name in run.changed}
    assert {"chain", "last"} <= changes[CELLS[-2]] and not changes[CELLS[-1]]
    assert not any(variable.altered for variable in trace.variables)

    # What comes back.
    lost = [name for decision in compiled.plan.decisions if decision.action is Action.LOSE for name in decision.names]
    assert lost == []
    answer = tmp_path / "answer.json"
    ask = f"[__import__('builtins').repr(eval(p, globals())) for p in {PROBES!r}]"
    done = subprocess.run(
        [python, "-I", "-i", str(tmp_path / "bundle" / "restore.py")],
        input=f"__import__('json').dump({ask}, __import__('builtins').open({str(answer)!r}, 'w'))\n",
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert answer.exists(), done.stderr
    assert json.loads(answer.read_text()) == live, done.stderr
