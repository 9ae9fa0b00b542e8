"""``make bench``, ``python -m benchmarks.bench``: everything that is compared with others, in one run, and the report.

    python -m benchmarks.bench [--minutes N] [--parts peers,overhead,planner,memory] [--streams 2] [--estimate]

| part | what it measures | alone |
|---|---|---|
| peers | notebooks, larger data, wild sessions under every system | `python -m benchmarks.peers` |
| overhead | what recording adds to CPU time and memory | `python benchmarks/overhead.py` |
| planner | time to plan by number of cells | `python benchmarks/planner.py` |
| memory | restoring 1 GB on smaller machines | `python -m benchmarks.peers.memory` |

Rows go to files below `.corpus/bench` as they are measured. A run that was ended, in whatever way, goes on where it
was when it is started again; one measure is lost at most. It begins anew where the last one came to its end, where
nbdag is another one by now, or with `--fresh`. With `--minutes` no task is begun that would not be done in time: first
every notebook once, then larger data, sessions and the cost of recording, and further rounds with what is left.

At the end the rows are copied to `benchmarks/results`, and from these docs/peers.md, its pictures and the table of the
README are written; `--report` does only that.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.corpus import CACHE, ROOT
from benchmarks.peers.__main__ import install_all
from benchmarks.peers.environments import described_machine, digest_of_nbdag
from benchmarks.peers.measure import clear_scratch
from benchmarks.peers.report import write_report
from benchmarks.peers.results import append, rows_of
from benchmarks.peers.systems import SYSTEMS
from benchmarks.schedule import PARTS, Task, next_task, seconds_by_part, tasks

RESULTS = ROOT / "benchmarks" / "results"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help="separated by commas; all by default")
    parser.add_argument("--only", default="", help="sessions and cases whose name contains this text")
    parser.add_argument("--minutes", type=float, default=None, help="begin nothing that would end later than that")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=max(1, min(2, (os.cpu_count() or 2) // 2)))
    parser.add_argument("--environments", type=Path, default=CACHE / "peers")
    parser.add_argument("--installed", action="store_true", help="the environments are there and as they should be")
    parser.add_argument("--work", type=Path, default=CACHE / "bench", help="where rows are kept while it runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where they are kept for good")
    parser.add_argument("--note", default="", help="what else is to be known of this run, for the report")
    parser.add_argument("--fresh", action="store_true", help="do not go on with a run that was cut off")
    parser.add_argument("--estimate", action="store_true", help="only say how long each part would take")
    parser.add_argument("--report", action="store_true", help="only write the report, from what --results holds")
    options = parser.parse_args(words)
    parts = [part for part in options.parts.split(",") if part]
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    if options.only and options.results == RESULTS:
        options.results = options.work.with_name(options.work.name + ".results")  # a part is not this checkout's report
    if options.report:
        return report(options.results)
    begun = time.monotonic()
    if options.estimate:
        waiting = tasks(parts, options.rounds, options.results, options.work, options.only)
        say_estimate(waiting, options)
        return 0
    absent = {} if options.installed else install_all(list(SYSTEMS), options.environments)
    clear_scratch(Path(tempfile.gettempdir()))
    begin(options.work, options.environments, absent, options.note, fresh=options.fresh)
    waiting = tasks(parts, options.rounds, options.results, options.work, options.only)
    say_estimate(waiting, options)
    run(waiting, options, begun)
    append(
        options.work / "peers.jsonl", {"ended": time.strftime("%Y-%m-%d %H:%M"), "load": round(os.getloadavg()[0], 1)}
    )
    options.results.mkdir(parents=True, exist_ok=True)
    for file in sorted(options.work.glob("*.jsonl")):
        # A part that was not measured this time keeps the rows that it has.
        if file.name != "peers.jsonl" or any("system" in row for row in rows_of(file)):
            shutil.copyfile(file, options.results / file.name)
    return report(options.results)


def report(results: Path) -> int:
    """Write the report; 1, with a word about it, where there is nothing to report."""
    try:
        write_report(results, report_root(results))
    except FileNotFoundError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def report_root(results: Path) -> Path:
    """Where the report goes: this checkout for its own results, otherwise beside them."""
    return ROOT if results.resolve() == RESULTS.resolve() else results


def begin(work: Path, environments: Path, absent: dict[str, str], note: str, *, fresh: bool) -> None:
    """Leave what an unfinished run of the same code has measured, or put an earlier run aside."""
    rows, code = list(rows_of(work / "peers.jsonl")), digest_of_nbdag(environments)
    head = next((row for row in rows if "machine" in row), None)
    ended = any("ended" in row for row in rows)
    if head and head.get("code") == code and not ended and not fresh:
        count = sum("system" in row for row in rows)
        print(
            f"going on with the run of {head['machine']['date']}, which has {count} measures (anew: --fresh)",
            flush=True,
        )
        return
    if head and not ended:
        why = "nbdag is another one by now" if head.get("code") != code else "--fresh"
        print(f"the unfinished run of {head['machine']['date']} is put aside as {work.name}.old: {why}", flush=True)
    if work.exists():
        old = work.with_name(work.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        work.rename(old)
    machine = described_machine(environments)
    append(work / "peers.jsonl", {"machine": machine, "absent": absent, "note": note, "code": code})


def say_estimate(waiting: Sequence[Task], options: argparse.Namespace) -> None:
    """Print how long each part will take, as far as earlier runs tell."""
    for part, seconds in seconds_by_part(waiting).items():
        streams = f" in {options.streams} streams" if options.streams > 1 else ""
        print(f"{part:28} about {seconds / options.streams / 60:6.1f} min{streams}", flush=True)
    if options.minutes is not None:
        print(f"{'at most':28}       {options.minutes:6.1f} min", flush=True)


def run(waiting: list[Task], options: argparse.Namespace, begun: float) -> None:
    """Do the tasks, so many at a time as there are streams, until none is left that would be done in time."""
    end = None if options.minutes is None else begun + options.minutes * 60
    running: dict[subprocess.Popen[bytes], tuple[Task, float]] = {}
    environment = dict(os.environ, PYTHONUNBUFFERED="1")
    slower = 1.0  # than was estimated: what has ended so far tells
    expected = taken = 0.0
    try:
        while True:
            while len(running) < options.streams:
                left = None if end is None else end - time.monotonic()
                task = next_task(waiting, left, slower)
                if task is None:
                    break
                waiting.remove(task)
                process = subprocess.Popen(command(task, options), cwd=ROOT, env=environment)
                running[process] = task, time.monotonic()
            if not running:
                return
            time.sleep(0.2)
            for process in [process for process in running if process.poll() is not None]:
                task, started = running.pop(process)
                expected, taken = expected + task.seconds, taken + time.monotonic() - started
                # The first few say little: they weigh as if five minutes had gone as estimated.
                slower = (taken + 300) / (expected + 300)
                if process.returncode:
                    print(f"{task.part} {task.name}: ended with {process.returncode}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        for process in running:
            process.wait()
        sys.exit("stopped; the same command goes on from here")


def command(task: Task, options: argparse.Namespace) -> list[str]:
    """What measures a task and appends its rows to the file of its part."""
    places = ["--environments", str(options.environments.resolve())]
    out = ["--out", str((options.work / f"{task.part}.jsonl").resolve())]
    python = sys.executable
    if task.part == "peers":
        which = ["--kinds", task.kind, "--named", task.name, "--turn", str(task.turn)]
        return [python, "-m", "benchmarks.peers", *which, "--installed", "--resume", *places, *out]
    if task.part == "memory":
        return [python, "-m", "benchmarks.peers.memory", "--installed", *places, *out]
    if task.part == "planner":
        return [python, "benchmarks/planner.py", "--cells", "100", "1000", "2000", "5000", "10000", *out]
    which = ["--case", task.name, "--turn", str(task.turn)]
    return [python, "-m", "benchmarks.peers.recording", *which, *places, *out]


if __name__ == "__main__":
    sys.exit(main())
