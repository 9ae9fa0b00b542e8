"""``python benchmarks/bundles.py``: what a saved session costs to write, to keep and to restore, beside the peers.

    python benchmarks/bundles.py [--sizes 1,50,400] [--kinds numeric,frames] [--systems nbdag,dill] [--rounds 3]
                                 [--four-gigabytes] [--venvs DIR] [--out FILE]

One run, alternating: in every round every system saves every state, and restores it, each in a process of its own, one
after the other. The figures are medians over the rounds; ratios are medians of the ratios within a round, so that a
machine that is busy for a while disturbs both sides. "Ready" is the time from the start of the process until all
variables are there, CPU time of all its threads; "imports" is a process that only imports what the values need. Each
restored value is compared with the original, which is made again in the process that restored it.

Every system has an environment of its own, made from PyPI at first use in ``--venvs`` (the libraries of the values are
in one environment that all of them see). A system that cannot be installed, or fails, has its row, with the reason.
All raw figures go to ``--out`` as JSON. Needs Linux for the figures of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bundles_worker import KINDS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WORKER = HERE / "bundles_worker.py"
LIBRARIES = ["numpy", "pandas", "scikit-learn"]
PEERS = {
    "cloudpickle": ["cloudpickle"],
    "dill": ["dill"],
    "joblib": ["joblib"],
    "elastic-kernel": ["elastic-kernel"],
    "kishu": ["kishu"],
}
OURS = ("nbdag", "nbdag --eager", "nbdag first")
"""The last one: with nothing compiled that was kept, as on a machine that has restored no bundle like it."""
PATIENCE = 240.0  # seconds for one process


# ------------------------------------------------------------------------------------------------ environments


def make_environments(venvs: Path, systems: Iterable[str]) -> dict[str, str]:
    """Make what is missing; why a system has none, for those that have none."""
    wrong = {}
    trouble = install(venvs / "base", LIBRARIES, None)
    if trouble:
        raise SystemExit(f"the libraries of the values cannot be installed: {trouble}")
    for system in systems:
        wanted = ["-e", str(ROOT)] if system == "nbdag" else PEERS.get(system)
        if wanted is not None:
            trouble = install(venvs / system, wanted, venvs / "base")
            if trouble:
                wrong[system] = trouble
    return wrong


def install(folder: Path, wanted: Sequence[str], below: Path | None) -> str:
    """Make the environment ``folder``, which also sees the packages of ``below``; what went wrong, "" if nothing."""
    stamp = folder / "installed.json"
    if stamp.exists() and json.loads(stamp.read_text()) == list(wanted):
        return ""
    print(f"making the environment {folder.name}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    if below is not None:
        packages = next((folder / "lib").glob("python3*")) / "site-packages"
        seen = next((below / "lib").glob("python3*")) / "site-packages"
        (packages / "below.pth").write_text(f"{seen}\n")
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *wanted]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode:
        return "cannot be installed: " + done.stderr.strip().splitlines()[-1][:200]
    stamp.write_text(json.dumps(list(wanted)))
    return ""


def python_of(venvs: Path, system: str) -> str:
    home = {"imports": "base", "copy": "base"}.get(system, system.split()[0])
    return str(venvs / home / "bin" / "python")


# ------------------------------------------------------------------------------------------------ one measurement


def run(venvs: Path, what: str, system: str, kind: str, size: int, folder: Path) -> dict[str, Any]:
    """What the worker says, or ``{"problem": why}``."""
    command = [python_of(venvs, system), str(WORKER), what, system, kind, str(size), str(folder)]
    home = folder.parent / "home"
    home.mkdir(parents=True, exist_ok=True)
    # Threads of BLAS would make CPU time mean something else from system to system.
    quiet = {"HOME": str(home), "IPYTHONDIR": str(home), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    # Python itself keeps what the peers' libraries compile to.
    quiet.update({"PYTHONDONTWRITEBYTECODE": "", "NBDAG_CACHE_DIR": str(folder.parent.parent / "kept")})
    if system == "nbdag first":
        quiet.update({"PYTHONDONTWRITEBYTECODE": "1", "NBDAG_CACHE_DIR": str(home / "nothing")})
    if what == "load":
        command.append(repr(time.monotonic()))
    try:
        done = subprocess.run(
            command,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
            cwd=home,
            env={**os.environ, **quiet},
            check=False,
        )
        last = done.stdout.strip().splitlines()[-1:] or [""]
        return dict(json.loads(last[0]))
    except subprocess.TimeoutExpired:
        return {"problem": f"took more than {PATIENCE:.0f} s"}
    except ValueError:
        said = done.stderr.strip().splitlines()[-1:] or [f"ended with status {done.returncode}"]
        return {"problem": said[0][:160]}


def measure(
    venvs: Path, systems: Sequence[str], kind: str, size: int, rounds: int, wrong: dict[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """All rounds of one state: system -> one entry per round, of what saving and restoring took."""
    found: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="bundles-", dir=os.environ.get("TMPDIR")) as place:
        for number in range(rounds):
            order = list(systems) if number % 2 == 0 else list(reversed(systems))
            for system in ["imports", *order]:
                entry: dict[str, Any] = {}
                folder = Path(place, system, "save")
                if system in wrong:
                    entry = {"problem": wrong[system]}
                elif system == "imports":
                    entry["load"] = run(venvs, "load", system, kind, size, folder)
                else:
                    shutil.rmtree(folder.parent, ignore_errors=True)
                    entry["save"] = run(venvs, "save", system, kind, size, folder)
                    for loader in loaders_of(system):
                        if "problem" not in entry["save"]:
                            found.setdefault(loader, []).append(
                                {"save": entry["save"], "load": run(venvs, "load", loader, kind, size, folder)}
                            )
                    if system == "nbdag" and "problem" not in entry["save"]:
                        copy = Path(place, "copy", "save")
                        shutil.rmtree(copy.parent, ignore_errors=True)
                        entry["copy"] = run(venvs, "save", "copy", kind, size, copy)
                        found.setdefault("copy", []).append({"save": entry["copy"]})
                        shutil.rmtree(copy.parent, ignore_errors=True)
                    shutil.rmtree(folder.parent, ignore_errors=True)
                if system == "imports" or "problem" in entry or "problem" in entry.get("save", {}):
                    found.setdefault(system, []).append(entry)
                print(".", end="", file=sys.stderr, flush=True)
    return found


def loaders_of(system: str) -> tuple[str, ...]:
    """The ways to restore what a system has saved."""
    return {"nbdag": OURS, "joblib": ("joblib", "joblib mmap")}.get(system, (system,))


# ------------------------------------------------------------------------------------------------ tables


def middle(rounds: Sequence[dict[str, Any]], part: str, field: str) -> float | None:
    values = [entry[part][field] for entry in rounds if field in entry.get(part, {})]
    return statistics.median(values) if values else None


def ratio(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]], part: str, field: str) -> float | None:
    """The median of the ratios of a round."""
    pairs = [
        (a[part][field], b[part][field])
        for a, b in zip(one, other, strict=False)
        if field in a.get(part, {}) and b.get(part, {}).get(field)
    ]
    return statistics.median(a / b for a, b in pairs) if pairs else None


def problem_of(rounds: Sequence[dict[str, Any]]) -> str:
    for entry in rounds:
        for part in (entry, entry.get("save", {}), entry.get("load", {})):
            if "problem" in part:
                return str(part["problem"])
    return ""


def milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value * 1000:,.0f}"


def megabytes(value: float | None) -> str:
    return "" if value is None else f"{value / 1e6:,.1f}"


def times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}x"


def table(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """One state as rows of Markdown."""
    lines = [
        "| system | write, wall ms | whole save, wall ms | size MB | ready, CPU ms | of imports"
        " | ready + touch, CPU ms | peak MB, ready | peak MB, touched | values |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    imports = found.get("imports", [])
    for system, rounds in found.items():
        problem = problem_of(rounds)
        if problem:
            lines.append(f"| {system} | | | | | | | | | {problem.replace('|', '/')} |")
            continue
        verdicts = sorted({entry["load"].get("verdict", "") for entry in rounds if "load" in entry})
        cells = [
            system,
            milliseconds(middle(rounds, "save", "wall")),
            milliseconds(middle(rounds, "save", "compile")),
            megabytes(middle(rounds, "save", "size")),
            milliseconds(middle(rounds, "load", "ready_cpu")),
            times(ratio(rounds, imports, "load", "ready_cpu")) if system != "imports" else "",
            milliseconds(middle(rounds, "load", "touched_cpu")),
            megabytes(middle(rounds, "load", "peak")),
            megabytes(middle(rounds, "load", "touched_peak")),
            "; ".join(verdicts),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def goals(found: dict[str, list[dict[str, Any]]], kind: str, size: int) -> dict[str, str]:
    """What one state says of each goal: ``"1.08x, met"``."""

    def judged(value: float | None, limit: float, least: bool = False) -> str:
        if value is None:
            return "not measured"
        met = value >= limit if least else value <= limit
        return f"{value:.2f}x {'met' if met else '**missed**'}"

    ours, eager = found.get("nbdag", []), found.get("nbdag --eager", [])
    honest = {
        name: rounds
        for name, rounds in found.items()
        if name not in (*OURS, "imports", "copy") and not problem_of(rounds)
    }
    touched = [
        min(
            (r for r in (ratio(mine, rounds, "load", "touched_cpu") for mine in (ours, eager)) if r is not None),
            default=None,
        )
        for rounds in honest.values()
    ]
    sizes = [ratio(ours, rounds, "save", "size") for rounds in honest.values()]
    size_limit = 1.0 if kind == "views" else 1.01
    return {
        "ready / imports <= 1.15": judged(ratio(ours, found.get("imports", []), "load", "ready_cpu"), 1.15),
        "touched / best peer <= 1.0": judged(max((t for t in touched if t is not None), default=None), 1.0),
        "speed of writing / copy >= 0.8": judged(
            inverse(ratio(ours, found.get("copy", []), "save", "wall")), 0.8, True
        ),
        f"size / smallest peer <= {size_limit}": judged(
            max((s for s in sizes if s is not None), default=None), size_limit
        ),
    }


def inverse(value: float | None) -> float | None:
    return 1 / value if value else None


def document(results: dict[str, dict[str, list[dict[str, Any]]]], rounds: int) -> str:
    """The tables of a run as Markdown."""
    lines = [f"{rounds} rounds, Python {sys.version.split()[0]}, {os.cpu_count()} cores.", "", "## Goals", ""]
    rows: list[tuple[str, dict[str, str]]] = []
    for state, found in results.items():
        kind, _, size = state.partition(" ")
        rows.append(
            (state + " MB", {k.split(" <=")[0].split(" >=")[0]: v for k, v in goals(found, kind, int(size)).items()})
        )
    titles = list(rows[0][1]) if rows else []
    lines += ["| state | " + " | ".join(titles) + " |", "|---|" + "---|" * len(titles)]
    lines += [f"| {state} | " + " | ".join(said.values()) + " |" for state, said in rows]
    for state, found in results.items():
        lines += ["", f"## {state} MB", "", *table(found)]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", default="1,50,400", help="megabytes of a state, with commas")
    parser.add_argument("--four-gigabytes", action="store_true", help="4 GB states, too (32 GB of memory and of disk)")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--systems", default="nbdag," + ",".join(PEERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--venvs", type=Path, default=ROOT / ".corpus" / "bundles")
    parser.add_argument("--out", type=Path, default=ROOT / ".corpus" / "bundles.json")
    parser.add_argument("--from", dest="source", type=Path, help="show the tables of an earlier run's JSON")
    options = parser.parse_args()
    if options.source:
        earlier = json.loads(options.source.read_text())
        print(document(earlier["results"], earlier["rounds"]))
        return 0
    systems = options.systems.split(",")
    options.venvs.mkdir(parents=True, exist_ok=True)
    wrong = make_environments(options.venvs.resolve(), systems)
    sizes = [int(size) for size in options.sizes.split(",")] + ([4096] if options.four_gigabytes else [])
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for size in sizes:
        for kind in options.kinds.split(","):
            state = f"{kind} {size}"
            results[state] = measure(options.venvs.resolve(), systems, kind, size * 1_000_000, options.rounds, wrong)
            print(f" {state} MB", file=sys.stderr)
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps({"rounds": options.rounds, "results": results}, indent=1))
    print(document(results, options.rounds))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
