"""``python -m benchmarks.peers.memory``: a session of 1 GB restored on machines with less and less memory.

The session is ten arrays of 100 MB of noise that cannot be drawn again. Each saved form is restored by a plain Python
inside a memory control group with a limit (no swap), which then adds up one array, and then all. Told is what was
reached before the process was killed; a line of it goes to ``--out`` for the report. Only systems that restore outside
a kernel are asked. Needs Linux with control groups of version 1 or 2 and the right to make one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.corpus import CACHE, HERE, tomllib
from benchmarks.peers.environments import install, python_of
from benchmarks.peers.kernels import Failed, Kernel
from benchmarks.peers.results import append
from benchmarks.peers.systems import SYSTEMS, Place

CELLS = (
    "import numpy as np",
    "arrays = [np.random.default_rng().normal(size=12_500_000) for i in range(10)]",
)
LIMITS_MB = (2000, 1200, 600, 300, 150)
RESTORE = {
    "nbdag": "import sys; sys.argv = [{file!r}]; exec(compile(open({file!r}).read(), {file!r}, 'exec'))",
    "dill": "import dill; dill.load_session({file!r})",
    "cloudpickle": "import pickle; globals().update(pickle.load(open({file!r}, 'rb')))",
}
FILES = {"nbdag": "bundle/restore.py", "dill": "session.dill", "cloudpickle": "session.pickle"}
SCRIPT = """
{restore}
import os, __main__
arrays = vars(__main__).get("arrays") or arrays
os.write(1, b"ready\\n")
arrays[0].sum()
os.write(1, b"one\\n")
for array in arrays:
    array.sum()
os.write(1, b"all\\n")
"""
REACHED = {0: "killed", 1: "ready", 2: "one array read", 3: "all read"}


@contextmanager
def memory_group(limit_mb: int) -> Iterator[Path]:
    """A control group of this limit; its ``cgroup.procs`` takes process ids. Raises OSError where none can be made."""
    first = Path("/sys/fs/cgroup/memory")
    old = first.is_dir()
    group = (first if old else Path("/sys/fs/cgroup")) / f"nbdag-{os.getpid()}-{limit_mb}"
    group.mkdir()
    try:
        limit = str(limit_mb << 20)
        group.joinpath("memory.limit_in_bytes" if old else "memory.max").write_text(limit)
        swap = group / ("memory.memsw.limit_in_bytes" if old else "memory.swap.max")
        if swap.exists():
            swap.write_text(limit if old else "0")
        yield group
    finally:
        group.rmdir()


def reached(python: Path, restore: str, limit_mb: int, directory: Path) -> str:
    """How far a restore came under the limit."""
    with memory_group(limit_mb) as group:
        join = f"import os; open({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
        done = subprocess.run(
            [str(python), "-c", join + SCRIPT.format(restore=restore)],
            cwd=directory, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
    steps = [line for line in done.stdout.splitlines() if line in ("ready", "one", "all")]
    if done.returncode > 0 and "MemoryError" not in done.stderr:
        raise Failed(f"ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    return REACHED[len(steps)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, default=CACHE / "peers")
    parser.add_argument("--installed", action="store_true", help="the environment is there and as it should be")
    parser.add_argument("--out", type=Path, default=CACHE / "peers.jsonl")
    options = parser.parse_args()
    libraries = tomllib.loads((HERE / "corpus.toml").read_text(encoding="utf-8"))["install"]
    found: dict[str, list[str]] = {}
    for system in SYSTEMS:
        if system.name not in RESTORE:
            continue
        if not options.installed and (problem := install(options.environments, system.package, libraries)):
            sys.exit(problem)
        python = python_of(options.environments, system.package)
        with tempfile.TemporaryDirectory(prefix="nbdag-memory-", dir=options.environments) as scratch:
            place = Place(*(Path(scratch) / name for name in ("work", "home", "room")), CELLS)
            for folder in (place.directory, place.home, place.room):
                folder.mkdir()
            try:
                with Kernel(python, place.directory, place.home) as kernel:
                    system.begin(kernel, place)
                    for cell in CELLS:
                        kernel.must(cell)
                    system.save(kernel, place)
                restore = RESTORE[system.name].format(file=str(place.room / FILES[system.name]))
                cells = [reached(python, restore, limit, place.directory) for limit in LIMITS_MB]
            except Failed as failure:
                cells = [str(failure)]
            found[system.name] = cells
            print(system.name, *cells, sep="\t", flush=True)
    append(options.out, {"memory": found, "limits_mb": LIMITS_MB})
    return 0


if __name__ == "__main__":
    sys.exit(main())
