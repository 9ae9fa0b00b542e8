"""What attaching to a large session and having it save itself cost, in a real kernel.

    python benchmarks/autosave.py [--gigabytes 5] [--variables 200] [--directory DIR] [--out FILE]

A kernel makes ``--variables`` variables, among them arrays of ``--gigabytes`` in all. Then, from a shell beside it:
attach; the first save; a save after a small change; a save after one array has changed; and how long cells take while
it saves itself every second, against the same cells without. Pauses are what the kernel itself measured: the time for
which taking a copy of the process stopped the session.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

from nbdag.analysis.agent_client import KernelAgent
from nbdag.analysis.live import start_recording
from nbdag.analysis.running import probe
from nbdag.saving import autosave

ARRAYS = 20
CELLS = 100
CELL = "total = 0\nfor i in range(400_000):\n    total += i * i"
MAKE = """
import numpy as np
arrays_{number} = np.full({count}, {number}.5)
"""


class Kernel:
    """A kernel and a client that runs cells in it."""

    def __init__(self, directory: Path) -> None:
        self.manager = KernelManager()
        environment = dict(os.environ, IPYTHONDIR=str(directory / "ipython"))
        self.manager.start_kernel(cwd=str(directory), env=environment)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def cell(self, source: str) -> float:
        """Seconds until its reply."""
        begun = time.perf_counter()
        identity = self.client.execute(source)
        while True:
            message = self.client.get_shell_msg(timeout=600)
            if message["parent_header"].get("msg_id") == identity:
                assert message["content"]["status"] == "ok", message["content"]
                return time.perf_counter() - begun

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def wait_for_save(agent: KernelAgent, executions: int) -> dict[str, Any]:
    """The status once everything up to ``executions`` is saved."""
    while True:
        status = autosave.status_of(agent)
        assert status is not None
        if status["failed"]:
            sys.exit(f"a save failed: {status['failed']}\n{status['last'].get('traceback', '')}")
        if status["saved_executions"] >= executions and not status["saving"]:
            return status
        time.sleep(0.05)


def measure(gigabytes: float, variables: int, directory: Path) -> dict[str, Any]:
    """All figures, in seconds and bytes."""
    kernel = Kernel(directory)
    figures: dict[str, Any] = {"gigabytes": gigabytes, "variables": variables}
    try:
        count = int(gigabytes * 1e9 / 8 / ARRAYS)
        for number in range(ARRAYS):
            kernel.cell(MAKE.format(number=number, count=count))
        kernel.cell("\n".join(f"name_{n} = [{n}, 'text', {{'n': {n}}}]" for n in range(variables - ARRAYS - 1)))
        file = Path(kernel.manager.connection_file)
        begun = time.perf_counter()
        with KernelAgent(file) as agent:
            start_recording(agent)
        figures["attach"] = time.perf_counter() - begun
        begun = time.perf_counter()
        probe([file])
        figures["status"] = time.perf_counter() - begun
        plain = [kernel.cell(CELL) for _ in range(CELLS)]
        agent = KernelAgent(file)
        autosave.begin(agent, directory / "saves", every=1.0)
        begun = time.perf_counter()
        first = wait_for_save(agent, 1)
        figures["first_save"] = first["last"]["seconds"]
        figures["first_commands"] = first["last"]["commands"]
        figures["first_wall"] = time.perf_counter() - begun
        figures["bytes"] = first["last"]["bytes"]
        begun = time.perf_counter()
        kernel.cell("name_0[0] += 1")
        second = wait_for_save(agent, first["executions"] + 1)
        figures["small_change"] = second["last"]["seconds"]
        figures["small_commands"] = second["last"]["commands"]
        kernel.cell("arrays_3 += 1")
        third = wait_for_save(agent, second["executions"] + 1)
        figures["one_array"] = third["last"]["seconds"]
        saved = []
        for _ in range(CELLS):
            saved.append(kernel.cell(CELL))
        last = wait_for_save(agent, third["executions"] + CELLS)
        figures["pauses"] = last["pauses"]
        figures["saves"] = last["saves"]
        figures["plain_cell"] = statistics.median(plain)
        figures["saved_cell"] = statistics.median(saved)
        figures["plain_cells"], figures["saved_cells"] = sum(plain), sum(saved)
        figures["longest_plain"], figures["longest_saved"] = max(plain), max(saved)
        figures["journal_seconds"] = agent_journal_seconds(kernel, agent)
        autosave.end(agent)
        agent.close()
    finally:
        kernel.close()
    return figures


def agent_journal_seconds(kernel: Kernel, agent: KernelAgent) -> float:
    """What one empty cell takes more with the hooks of autosave than without: medians of 200 each."""
    with_hooks = statistics.median(kernel.cell("1") for _ in range(100))
    autosave.end(agent)
    return with_hooks - statistics.median(kernel.cell("1") for _ in range(100))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--variables", type=int, default=200)
    parser.add_argument("--directory", type=Path, default=None, help="where to save (a temporary directory)")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="nbdag-autosave-", dir=options.directory))
    try:
        figures = measure(options.gigabytes, options.variables, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    text = json.dumps(figures, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
