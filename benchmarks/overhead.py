"""``python benchmarks/overhead.py``: what recording costs, side by side with the peers, in one run.

    python benchmarks/overhead.py [--only TEXT] [--rounds N] [--modes nbdag,kishu,elastic-kernel] [--out FILE]

Every case is a list of cells. In each round it runs once in a plain kernel and once in each monitored kernel, one after
the other, cells back to back as "run all" sends them. Compared are, of the kernel's process: CPU time from the first
cell to the last reply (all threads, by the process's own CPU clock) and the peak of resident memory. The table shows
medians over the rounds of the ratios monitored/plain of one round, with the lowest and highest; ``idle`` is CPU time
spent after the last reply, while nobody waits. All raw figures go to ``--out`` as JSON (.corpus/overhead.json).

Needs Linux, and the environments that benchmarks/corpus.py makes; each peer gets one of its own from the same list.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from corpus import CACHE, HERE, environment, fetch, tomllib
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from nbdag.analysis.agent_client import KernelAgent

PEERS = {"kishu": ["kishu"], "elastic-kernel": ["elastic-kernel"]}
ENVIRONMENTS = [CACHE]  # where the environments of the peers are
CELL_SECONDS = 300.0
IDLE_SECONDS = 1.5

FRAME = """
import numpy as np, pandas as pd
rows = 5_500_000
big = pd.DataFrame({"a": np.arange(rows), "b": np.linspace(0, 1, rows), "c": np.arange(rows) % 97,
                    "s": np.array(["s%d" % (i % 1000) for i in range(1000)], dtype=object)[np.arange(rows) % 1000],
                    "t": np.array(["t%d" % (i % 5000) for i in range(5000)], dtype=object)[np.arange(rows) % 5000],
                    "u": np.array(["u%d" % (i % 900) for i in range(900)], dtype=object)[np.arange(rows) % 900]})
small = list(range(20))
"""
READS = ["big.a.sum()", "len(big)", "big.b.max()", "big.head()", "big.shape", "big.c.mean()", "big.iloc[3]",
         "big.dtypes", "big.columns", "big.b[:9].tolist()"]  # fmt: skip
INSTANCES = """
class Point:
    def __init__(self, x, y): self.x, self.y = x, y
points = [Point(i, str(i)) for i in range(200_000)]
"""
FOREST = """
import numpy as np
from sklearn.ensemble import RandomForestClassifier
X = np.random.default_rng(0).normal(size=(4000, 20)); y = (X[:, 0] + X[:, 1] > 0).astype(int)
forest = RandomForestClassifier(100, random_state=0).fit(X, y)
"""


def adversarial() -> dict[str, tuple[list[str], list[str]]]:
    """Name -> (cells that run before the clock starts, cells that are measured)."""
    return {
        "loop of 5,000,000 steps": ([], ["x = 0", "for i in range(5_000_000): x += i", "x"]),
        "1,000 tiny cells": ([], [f"v{i % 50} = {i}" if i % 2 else f"v{i % 50} + 1" for i in range(1, 1001)]),
        "500 MB frame, 50 cheap cells, 10 read it": (
            [FRAME],
            [READS[i // 5] if i % 5 == 4 else f"small.append({i}); total{i % 4} = sum(small)" for i in range(50)],
        ),
        "the same, with the cell that makes the frame": (
            [],
            [FRAME]
            + [READS[i // 5] if i % 5 == 4 else f"small.append({i}); total{i % 4} = sum(small)" for i in range(50)],
        ),
        "forest of 100 trees": (
            [],
            [FOREST, *["forest.predict(X[:200]).sum()"] * 20, "forest.feature_importances_.argmax()"],
        ),
        "200,000 small instances": (
            [],
            [INSTANCES, *["sum(p.x for p in points)"] * 10, "points[7].x = 1", "sum(p.x for p in points)"],
        ),
        "session of 2,000 names": (
            [f"n{i} = [{i}]" if i % 3 else f"n{i} = {i}" for i in range(0)]
            + ["for i in range(2000): globals()['n%d' % i] = [i] if i % 3 else i\ndel i"],
            [f"y = n{i} ; z = 1" for i in range(200)],
        ),
    }


def notebooks(only: str) -> Iterator[tuple[str, list[str], Path]]:
    """Name, cells and directory of each notebook of the corpus."""
    for source in tomllib.loads((HERE / "corpus.toml").read_text(encoding="utf-8"))["source"]:
        for path in source["notebooks"]:
            name = f"{source['sdist'].partition('=')[0]} {Path(path).stem}"
            if only in name:
                file = fetch(source["sdist"]) / path
                cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
                texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
                yield name, [text for text in texts if text.strip()], file.parent


# ------------------------------------------------------------------------------------------------ kernels


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of another process, in nanosecond resolution (the kernel's per-process clock)."""
    return time.clock_gettime((~pid << 3) | 2)


def memory_bytes(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def python_of(mode: str) -> Path:
    return (ENVIRONMENTS[0] / mode if mode in PEERS else CACHE / "venv") / "bin" / "python"


def peer_environment(mode: str, install: list[str]) -> str:
    """Make the environment of a peer; what went wrong, "" when nothing did."""
    folder, wanted = ENVIRONMENTS[0] / mode, [*install, *PEERS[mode]]
    stamp = folder / "installed.json"
    if stamp.exists() and json.loads(stamp.read_text()) == wanted:
        return ""
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    done = subprocess.run(
        [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *wanted],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return "cannot be installed: " + done.stderr.strip()[-300:]
    stamp.write_text(json.dumps(wanted))
    return ""


@contextmanager
def kernel(mode: str, directory: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    module = "elastic_kernel.kernel" if mode == "elastic-kernel" else "ipykernel_launcher"
    home = Path(tempfile.mkdtemp(prefix="overhead-"))
    # Kishu knows its kernel by the name that Jupyter Server gives to connection files.
    manager = KernelManager(connection_file=str(home / f"kernel-{uuid.uuid4()}.json"))
    manager.kernel_spec_manager.ensure_native_kernel = False
    argv = [str(python_of(mode)), "-m", module, "-f", "{connection_file}"]
    spec = manager.kernel_spec_manager.kernel_spec_class(argv=argv, display_name=mode, language="python")
    manager._kernel_spec = spec
    hidden = {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg", "IPYTHONDIR": str(home / "ipython"), "HOME": str(home)}
    manager.start_kernel(cwd=str(directory), env=dict(os.environ, **hidden), stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)  # fmt: skip
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        shutil.rmtree(home, ignore_errors=True)


def run_cell(client: BlockingKernelClient, text: str) -> bool:
    reply = client.execute_interactive(text, timeout=CELL_SECONDS, output_hook=lambda message: None, allow_stdin=False)
    return bool(reply["content"]["status"] == "ok")


def attach(mode: str, manager: KernelManager, client: BlockingKernelClient) -> Callable[[], dict[str, Any]]:
    """Begin to monitor; the result says what the monitor knows of its own cost."""
    if mode == "nbdag":
        agent = KernelAgent(Path(manager.connection_file))
        agent.command("start", {"late": False})
        return lambda: agent.command("status", {})
    if mode == "kishu":
        empty = "import nbformat; nbformat.write(nbformat.v4.new_notebook(), 'overhead.ipynb')"
        said: list[str] = []
        reply = client.execute_interactive(
            f"{empty}\nfrom kishu import init_kishu\ninit_kishu('overhead.ipynb')",
            timeout=CELL_SECONDS, allow_stdin=False, output_hook=lambda m: said.append(m["content"].get("evalue", "")),
        )  # fmt: skip
        if reply["content"]["status"] != "ok":
            raise RuntimeError("init_kishu: " + "".join(said))
    return dict


def measure(mode: str, prelude: list[str], cells: list[str], directory: Path) -> dict[str, Any]:
    """One kernel from start to end."""
    with kernel(mode, directory) as (manager, client):
        pid = manager.provisioner.pid
        status = attach(mode, manager, client)
        for text in prelude:
            run_cell(client, text)
        time.sleep(0.2 if not prelude else IDLE_SECONDS)
        hooks = status().get("hook_cpu_seconds", 0.0)
        began, clock = cpu_seconds(pid), time.perf_counter()
        failed = sum(not run_cell(client, text) for text in cells)
        ended, wall = cpu_seconds(pid), time.perf_counter() - clock
        peak, now = memory_bytes(pid, "VmHWM"), memory_bytes(pid, "VmRSS")
        hooks = status().get("hook_cpu_seconds", 0.0) - hooks
        before = cpu_seconds(pid)
        time.sleep(IDLE_SECONDS)
        idle = cpu_seconds(pid) - before
    return {"cpu": ended - began, "wall": wall, "failed": failed, "peak": peak, "rss": now, "idle": idle,
            "hooks": hooks, "cells": len(cells)}  # fmt: skip


# -------------------------------------------------------------------------------------------------- table


def spread(values: list[float]) -> str:
    if not values:
        return "-"
    middle = statistics.median(values)
    return f"{middle:.3f} ({min(values):.3f}-{max(values):.3f})"


def ratios(rounds: list[dict[str, Any]], mode: str, field: str) -> list[float]:
    pairs = [(one["plain"], one[mode]) for one in rounds if "problem" not in one.get(mode, {"problem": ""})]
    return [monitored[field] / plain[field] for plain, monitored in pairs if plain[field]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    parser.add_argument("--skip", default="", help="no cases whose name contains this text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--modes", default="nbdag,kishu,elastic-kernel")
    parser.add_argument("--out", type=Path, default=CACHE / "overhead.json")
    parser.add_argument("--environments", type=Path, default=CACHE, help="where the peers' environments are made")
    options = parser.parse_args()
    ENVIRONMENTS[0] = options.environments
    install = tomllib.loads((HERE / "corpus.toml").read_text(encoding="utf-8"))["install"]
    environment(install)
    modes, absent = [], {}
    for mode in options.modes.split(","):
        problem = peer_environment(mode, install) if mode in PEERS else ""
        if problem:
            absent[mode] = problem
            print(f"{mode} {problem}")
        else:
            modes.append(mode)
    cases = [(name, *texts, None) for name, texts in adversarial().items() if options.only in name]
    cases += [(name, [], cells, folder) for name, cells, folder in notebooks(options.only)]
    if options.skip:
        cases = [case for case in cases if options.skip not in case[0]]
    results: dict[str, Any] = {"machine": describe_machine(modes), "absent": absent, "cases": {}}
    print(
        f"{'case':46} {'plain s':>8} "
        + " ".join(f"{mode + ' cpu':>22} {'mem':>6}" for mode in modes)
        + "  in hooks   idle s"
    )
    for name, prelude, cells, folder in cases:
        rounds = [one_round(["plain", *modes], prelude, cells, folder, number) for number in range(options.rounds)]
        results["cases"][name] = rounds
        print(line(name, rounds, modes), flush=True)
        options.out.write_text(json.dumps(results, indent=1))
    summary(results, modes)
    return 0


def one_round(
    modes: list[str], prelude: list[str], cells: list[str], folder: Path | None, number: int
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    ordered = modes if number % 2 == 0 else [*modes[::-1]]
    for mode in ordered:
        with tempfile.TemporaryDirectory() as scratch:
            directory = Path(scratch) / "work"
            if folder is None:
                directory.mkdir()
            else:
                shutil.copytree(folder, directory)
            try:
                found[mode] = measure(mode, prelude, cells, directory)
            except Exception as fault:
                found[mode] = {"problem": f"{type(fault).__name__}: {fault}"[:300]}
    return found


def line(name: str, rounds: list[dict[str, Any]], modes: list[str]) -> str:
    plain = [one["plain"] for one in rounds if "cpu" in one["plain"]]
    text = f"{name[:46]:46} {statistics.median([one['cpu'] for one in plain] or [0]):8.3f} "
    for mode in modes:
        problems = [one[mode]["problem"] for one in rounds if "problem" in one[mode]]
        memory = ratios(rounds, mode, "peak")
        told = spread(ratios(rounds, mode, "cpu")) if not problems else problems[0][:22]
        failed = max((one[mode].get("failed", 0) for one in rounds), default=0)
        told += "!" if failed != max((one["failed"] for one in plain), default=0) else ""
        text += f"{told:>22} {statistics.median(memory) if memory else 0:6.3f} "
    shares = [one["nbdag"]["hooks"] / one["plain"]["cpu"] for one in rounds if "hooks" in one.get("nbdag", {})]
    idle = [one["nbdag"]["idle"] for one in rounds if "idle" in one.get("nbdag", {})]
    return text + (f"  {statistics.median(shares):8.4f} {statistics.median(idle):8.3f}" if shares else "")


def summary(results: dict[str, Any], modes: list[str]) -> None:
    books = {name: rounds for name, rounds in results["cases"].items() if name not in adversarial()}
    for mode in modes:
        figures = {name: ratios(rounds, mode, "cpu") for name, rounds in books.items()}
        medians = {name: statistics.median(values) for name, values in figures.items() if values}
        if medians:
            worst = max(medians, key=lambda name: medians[name])
            memory = [statistics.median(found) for rounds in books.values() if (found := ratios(rounds, mode, "peak"))]
            print(f"{mode}: notebooks {len(medians)}, median {statistics.median(medians.values()):.3f}, "
                  f"worst {medians[worst]:.3f} ({worst}), memory median {statistics.median(memory):.3f}, "
                  f"worst {max(memory):.3f}")  # fmt: skip


def describe_machine(modes: list[str]) -> dict[str, Any]:
    versions = {"nbdag": importlib.metadata.version("nbdag")} if "nbdag" in modes else {}
    for mode in modes:
        if mode in PEERS:
            done = subprocess.run(
                [str(python_of(mode)), "-c", f"import importlib.metadata as m; print(m.version({mode!r}))"],
                text=True, capture_output=True, check=False,
            )  # fmt: skip
            versions[mode] = done.stdout.strip()
    return {"platform": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version(),
            "versions": versions, "date": time.strftime("%Y-%m-%d")}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
