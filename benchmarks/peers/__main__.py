"""``python -m benchmarks.peers [--kinds corpus,sizes,sessions] [--only TEXT] [--systems A,B] [--rounds N]``

Every system saves and restores every session, one after the other, the order turned round after each session. Raw
rows go to ``--out`` as JSON lines while it runs (a run that is cut off goes on where it was with ``--resume``). This is
one part of ``python -m benchmarks.bench``, which runs all parts and writes the report.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.corpus import CACHE, HERE, tomllib
from benchmarks.peers.environments import described_machine, install
from benchmarks.peers.imports import floor_name, floor_package
from benchmarks.peers.link import Link
from benchmarks.peers.measure import measure, measure_floor
from benchmarks.peers.results import append, rows_of
from benchmarks.peers.systems import SYSTEMS, System
from benchmarks.peers.workloads import WORKLOADS, Workload


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default="corpus,sizes,sessions")
    parser.add_argument("--only", default="", help="sessions whose name contains this text")
    parser.add_argument("--named", default="", help="the one session of this name")
    parser.add_argument("--every", type=int, default=1, help="only every n-th session")
    parser.add_argument("--offset", type=int, default=0, help="which of them is the first")
    parser.add_argument("--systems", default="", help="names, separated by commas; all when empty")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--turn", type=int, default=None, help="only this round, counted from 0")
    parser.add_argument("--environments", type=Path, default=CACHE / "peers")
    parser.add_argument("--installed", action="store_true", help="the environments are there and as they should be")
    parser.add_argument("--out", type=Path, default=CACHE / "peers.jsonl")
    parser.add_argument("--note", default="", help="what else is to be known of this run, for the report")
    parser.add_argument("--resume", action="store_true", help="leave out what --out already holds")
    options = parser.parse_args()
    wanted = [name for name in options.systems.split(",") if name]
    systems = [system for system in SYSTEMS if not wanted or system.name in wanted]
    absent = told_absent(options.out) if options.installed else install_all(systems, options.environments)
    systems = [system for system in systems if system.name not in absent]
    done = _held(options.out) if options.resume else set()
    if not options.resume:
        options.out.unlink(missing_ok=True)
    if not options.out.exists():
        head = {"machine": described_machine(options.environments), "absent": absent, "note": options.note}
        append(options.out, head)
    turns = range(options.rounds) if options.turn is None else (options.turn,)
    with ExitStack() as stack:
        link = None
        if 0 in turns:
            try:
                link = stack.enter_context(Link())
            except OSError as problem:
                print(f"sending is worked out, not measured: {problem}", file=sys.stderr)
        parent = os.getppid()
        for number, workload in _chosen(options):
            for turn in turns:
                for system, floor in _order(
                    systems, backwards=bool((number + turn) % 2), floors=workload.kind != "sessions"
                ):
                    name = floor_name(system.package) if floor else system.name
                    if (workload.kind, workload.name, name, turn) in done:
                        continue
                    if os.getppid() != parent:
                        return 1  # whoever started this is gone
                    row = _measured(floor, system, workload, options.environments) | {"round": turn}
                    if link and turn == 0 and row.get("bytes"):
                        row["send_seconds"] = link.seconds(row["bytes"])
                    append(options.out, row)
                    print(_line(row), flush=True)
    return 0


def told_absent(out: Path) -> dict[str, str]:
    """The systems that whoever began the run could not install, by name."""
    return dict(next((row.get("absent", {}) for row in rows_of(out) if "machine" in row), {}))


def install_all(systems: list[System], environments: Path) -> dict[str, str]:
    """Make the environments of the systems; why some cannot be had, by name."""
    libraries = tomllib.loads((HERE / "corpus.toml").read_text(encoding="utf-8"))["install"]
    problems = {package: install(environments, package, libraries) for package in sorted({s.package for s in systems})}
    absent = {s.name: problems[s.package] for s in systems if problems[s.package]}
    for name, problem in absent.items():
        print(f"{name} {problem}", file=sys.stderr)
    return absent


def _measured(floor: bool, system: System, workload: Workload, environments: Path) -> dict[str, Any]:
    if floor:
        return measure_floor(system.package, system, workload, environments)
    return measure(system, workload, environments)


def _chosen(options: argparse.Namespace) -> Iterator[tuple[int, Workload]]:
    for kind in options.kinds.split(","):
        for number, workload in enumerate(list(WORKLOADS[kind]())[options.offset :: options.every]):
            if options.only in workload.name and options.named in ("", workload.name):
                yield number, workload


def _order(systems: list[System], *, backwards: bool, floors: bool) -> list[tuple[System, bool]]:
    """The systems in turn; before the first of each environment the imports alone, for that environment."""
    turn: list[tuple[System, bool]] = []
    for system in systems:
        if floors and all(floor_package(system.package) != floor_package(other.package) for other, _ in turn):
            turn.append((system, True))
        turn.append((system, False))
    return turn[::-1] if backwards else turn


def _held(path: Path) -> set[tuple[str, str, str, int]]:
    return {
        (row["kind"], row["workload"], row["system"], row.get("round", 0)) for row in rows_of(path) if "system" in row
    }


def _line(row: dict[str, Any]) -> str:
    head = f"{row['kind']:8} {row['workload'][:40]:40} {row['system']:22}"
    if "problem" in row:
        return f"{head} {row['problem'][:70]}"
    if "statements" in row:
        return f"{head} {row['statements']} statements in {row['restore_seconds']:.2f} s"
    told = "correct" if row["correct"] else "WRONG " + ", ".join(row.get("missing") or row.get("wrong") or ["sharing"])
    return (
        f"{head} run {row['run_seconds']:6.2f} save {row['save_seconds']:6.2f} restore {row['restore_seconds']:6.2f} "
        f"{row['bytes']:12,} {told[:60]}"
    )


if __name__ == "__main__":
    sys.exit(main())
