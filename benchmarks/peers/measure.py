"""One session under one system: run, save, restore in a new kernel, judge."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import python_of
from benchmarks.peers.imports import floor_name, measure_imports
from benchmarks.peers.judge import asking, changed_names, verdict
from benchmarks.peers.kernels import Failed, Kernel
from benchmarks.peers.systems import Place, System
from benchmarks.peers.workloads import Workload

PROBES = """
def nbdag_bench_probe(lines):
    import json
    namespace, said = get_ipython().user_ns, []
    for line in lines:
        try:
            try:
                code = compile(line, "<probe>", "eval")
            except SyntaxError:
                exec(compile(line, "<probe>", "exec"), namespace)
                said.append("done")
            else:
                said.append(repr(eval(code, namespace)))
        except BaseException as error:
            said.append("raises " + type(error).__name__)
    return json.dumps(said)
"""
DESCRIBE = "nbdag_bench_describe()"
SCRATCH = "nbdag-peers-"


def clear_scratch(directory: Path) -> None:
    """Remove the directories that measures left in ``directory`` whose process was killed."""
    for left in directory.glob(f"{SCRATCH}*-*"):
        process = left.name.removeprefix(SCRATCH).partition("-")[0]
        if process.isdigit() and not _is_alive(int(process)):
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def measure(system: System, workload: Workload, environments: Path) -> dict[str, Any]:
    """A row: seconds, bytes and whether it came back right; ``problem`` when the system could not."""
    row: dict[str, Any] = {"system": system.name, "kind": workload.kind, "workload": workload.name}
    begun = time.perf_counter()
    with _place(workload) as place:
        python = python_of(environments, system.package)
        try:
            saved = _save(system, place, workload, python, row)
            _restore(system, place, workload, python, row, saved)
        except Failed as failure:
            row["problem"] = str(failure)[:300]
        except Exception as fault:  # a kernel that died, a time limit: the system's doing as far as a user can see
            row["problem"] = f"{type(fault).__name__}: {fault}"[:300]
    return row | {"took": time.perf_counter() - begun}


def measure_floor(package: str, system: System, workload: Workload, environments: Path) -> dict[str, Any]:
    """The row of the imports alone, in the environment of ``package`` and a kernel as ``system`` uses it."""
    begun = time.perf_counter()
    row: dict[str, Any] = {"system": floor_name(package), "kind": workload.kind, "workload": workload.name}
    try:
        with _place(workload) as place:
            row |= measure_imports(package, system, workload, place, environments)
    except Exception as fault:  # a kernel that did not start, a time limit: the others are measured all the same
        row["problem"] = f"{type(fault).__name__}: {fault}"[:300]
    return row | {"took": time.perf_counter() - begun}


def _save(system: System, place: Place, workload: Workload, python: Path, row: dict[str, Any]) -> str:
    kernel = Kernel(
        python, place.directory, place.home, module=system.module, variables=system.variables(place)
    )  # fmt: skip
    with kernel:
        system.begin(kernel, place)
        begun = time.perf_counter()
        replies = [kernel.run(cell) for cell in place.cells]
        row["run_seconds"] = time.perf_counter() - begun
        row["failed_cells"] = sum(bool(reply.error) for reply in replies)
        before = "" if workload.probes else kernel.value(DESCRIBE, asking([]))
        saved = system.save(kernel, place)
        row |= {"save_seconds": saved.seconds, "bytes": saved.bytes, "told_loss": saved.told_loss}
        row["save_peak_mb"] = kernel.peak_bytes() >> 20
        if workload.probes:
            return kernel.value(f"nbdag_bench_probe({list(workload.probes)!r})", PROBES)
        after = kernel.value(DESCRIBE)
        row["changed_by_saving"] = changed_names(before, after)
        return json.dumps([before, after])


def _restore(
    system: System, place: Place, workload: Workload, python: Path, row: dict[str, Any], saved: str
) -> None:  # fmt: skip
    # Files that the cells wrote are still there, as on a shared home directory: peers could not do without.
    with Kernel(
        python, place.directory, place.home, module=system.module, variables=system.variables(place)
    ) as kernel:  # fmt: skip
        row["restore_seconds"] = system.restore(kernel, place)
        row["restore_peak_mb"] = kernel.peak_bytes() >> 20
        if workload.probes:
            now = kernel.value(f"nbdag_bench_probe({list(workload.probes)!r})", PROBES)
            row["correct"] = now == saved
            if not row["correct"]:
                pairs = zip(workload.probes, json.loads(saved), json.loads(now), strict=True)
                row["wrong"] = [f"{probe}: {old[:60]} -> {new[:60]}" for probe, old, new in pairs if old != new]
            return
        before, after = json.loads(saved)
        found = verdict(before, after, kernel.value(DESCRIBE, asking(list(json.loads(before)["values"]))))
        row |= asdict(found) | {"correct": found.correct}


@contextmanager
def _place(workload: Workload) -> Iterator[Place]:
    scratch = Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-"))
    try:
        workload.furnish(scratch / "work")
        place = Place(scratch / "work", scratch / "home", scratch / "room", workload.cells)
        for folder in (place.home, place.room):
            folder.mkdir()
        yield place
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
