"""``python -m benchmarks.peers [--kinds corpus,sizes,sessions] [--only TEXT] [--systems A,B] [--rounds N]``

Every system saves and restores every session, one after the other, the order turned round after each session. Raw
rows go to ``--out`` as JSON lines while it runs (a run that is cut off goes on where it was with ``--resume``); the
report (docs/peers.md and its pictures) is made from such a file by ``--report``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.corpus import CACHE, HERE, tomllib
from benchmarks.peers.environments import install, version
from benchmarks.peers.link import Link
from benchmarks.peers.measure import measure
from benchmarks.peers.report import write_report
from benchmarks.peers.systems import SYSTEMS
from benchmarks.peers.workloads import WORKLOADS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default="corpus,sizes,sessions")
    parser.add_argument("--only", default="", help="sessions whose name contains this text")
    parser.add_argument("--every", type=int, default=1, help="only every n-th session")
    parser.add_argument("--offset", type=int, default=0, help="which of them is the first")
    parser.add_argument("--systems", default="", help="names, separated by commas; all when empty")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--environments", type=Path, default=CACHE / "peers")
    parser.add_argument("--installed", action="store_true", help="the environments are there and as they should be")
    parser.add_argument("--out", type=Path, default=CACHE / "peers.jsonl")
    parser.add_argument("--note", default="", help="what else is to be known of this run, for the report")
    parser.add_argument("--resume", action="store_true", help="leave out what --out already holds")
    parser.add_argument("--report", type=Path, default=None, metavar="DIR", help="only write the report into DIR")
    options = parser.parse_args()
    if options.report is not None:
        write_report(options.out, options.report)
        return 0
    libraries = tomllib.loads((HERE / "corpus.toml").read_text(encoding="utf-8"))["install"]
    wanted = [name for name in options.systems.split(",") if name]
    systems = [system for system in SYSTEMS if not wanted or system.name in wanted]
    absent = {
        s.name: problem
        for s in systems
        if not options.installed and (problem := install(options.environments, s.package, libraries))
    }
    for name, problem in absent.items():
        print(f"{name} {problem}", file=sys.stderr)
    systems = [system for system in systems if system.name not in absent]
    done = _held(options.out) if options.resume else set()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("a" if options.resume else "w", encoding="utf-8") as out, ExitStack() as stack:
        try:
            link = stack.enter_context(Link())
        except OSError as problem:
            print(f"sending is worked out, not measured: {problem}", file=sys.stderr)
            link = None
        if not done:
            _write(out, {"machine": _machine(options.environments), "absent": absent, "note": options.note})
        number = 0
        for kind in options.kinds.split(","):
            for workload in list(WORKLOADS[kind]())[options.offset :: options.every]:
                if options.only not in workload.name:
                    continue
                number += 1
                for turn in range(options.rounds):
                    for system in systems if (number + turn) % 2 else reversed(systems):
                        if (kind, workload.name, system.name, turn) in done:
                            continue
                        row = measure(system, workload, options.environments) | {"round": turn}
                        if link and turn == 0 and row.get("bytes"):
                            row["send_seconds"] = link.seconds(row["bytes"])
                        _write(out, row)
                        print(_line(row), flush=True)
    return 0


def _held(path: Path) -> set[tuple[str, str, str, int]]:
    if not path.exists():
        return set()
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {(row["kind"], row["workload"], row["system"], row["round"]) for row in rows if "system" in row}


def _write(out: Any, row: dict[str, Any]) -> None:
    out.write(json.dumps(row) + "\n")
    out.flush()


def _line(row: dict[str, Any]) -> str:
    head = f"{row['kind']:8} {row['workload'][:40]:40} {row['system']:16}"
    if "problem" in row:
        return f"{head} {row['problem'][:70]}"
    told = "correct" if row["correct"] else "WRONG " + ", ".join(row.get("missing") or row.get("wrong") or ["sharing"])
    return (
        f"{head} run {row['run_seconds']:6.2f} save {row['save_seconds']:6.2f} restore {row['restore_seconds']:6.2f} "
        f"{row['bytes']:12,} {told[:60]}"
    )


def _machine(environments: Path) -> dict[str, Any]:
    packages = {"elastic-kernel": "elastic-kernel", "kishu": "kishu", "dill": "", "cloudpickle": "", "ipykernel": ""}
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "date": time.strftime("%Y-%m-%d"),
        "versions": {name: version(environments, folder, name) for name, folder in packages.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
