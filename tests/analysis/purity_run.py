"""Calls all that the purity tables vouch for in one library: ``python -m tests.analysis.purity_run LIBRARY ...``.

Every function and method is tried in a fork of a process that has imported the library and called nothing (no thread
pool exists that a fork would break), with a limit on memory and time. What crashes or hangs costs that one name.

    --jobs 2          two forks at a time
    --seconds 0.1     CPU for each name
    --only TEXT       names that contain TEXT
    --one-in 4        of the names that only a pattern covers, the same quarter in every run (1: all)
    --at-most 600     seconds of wall time; what is not begun by then counts as unchecked
    --json            the report, as ``test_purity.py`` reads it
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import itertools
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nbdag.analysis import purity
from tests.analysis import purity_samples as samples
from tests.analysis.purity_check import (
    Arguments,
    Limits,
    Wrong,
    fresh,
    named_functions,
    pattern_functions,
    resolve,
    try_calls,
)

HANGS = 12.0  # seconds of wall time after which the fork that tries one name is killed
_PREPARED: dict[str, Sequence[Any]] = {}  # receivers that are dearer to make than all that is tried with them
MEMORY = 3 << 30  # bytes that it may take besides what the library has


@dataclass(frozen=True)
class Task:
    """One function, or one method of one of the receivers of its type."""

    name: str
    kind: str = ""  # of the receiver; "" for a function
    number: int = 0  # which of the receivers
    named: bool = True  # False: covered by a pattern

    @property
    def full(self) -> str:
        return f"{self.kind}.{self.name}" if self.kind else self.name


@dataclass
class Report:
    """What became of the rows of one library."""

    library: str
    called: dict[str, int] = field(default_factory=dict)  # name -> calls that came back
    unchecked: dict[str, str] = field(default_factory=dict)  # name -> why no call came back
    patterns: list[str] = field(default_factory=list)  # the names among them that only a pattern covers
    wrong: list[Wrong] = field(default_factory=list)
    seconds: float = 0.0

    def lines(self) -> Iterator[str]:
        covered = frozenset(self.patterns)
        for what, names in (
            ("named rows", [n for n in [*self.called, *self.unchecked] if n not in covered]),
            ("names under a pattern", self.patterns),
        ):
            why = collections.Counter(self.unchecked[name] for name in names if name in self.unchecked)
            reasons = ", ".join(f"{count} {reason}" for reason, count in why.most_common())
            checked = sum(name in self.called for name in names)
            yield f"{self.library}: {len(names)} {what}, {checked} checked by a call, unchecked: {reasons or 'none'}"
        calls = sum(self.called.values())
        yield f"{self.library}: {calls} calls, {len(self.wrong)} claims wrong, {self.seconds:.0f} s"


# ------------------------------------------------------------------------------------------------ what to try


def tasks(library: str) -> tuple[list[Task], dict[str, str]]:
    """What there is to try, and the rows that cannot be tried with the reason."""
    found: list[Task] = []
    skipped: dict[str, str] = {}
    named = named_functions(library)
    for name in [*named, *pattern_functions(library)]:
        if purity.of_function(name) is None:
            continue
        reason = _reason(name)
        try:
            function = resolve(name)
        except AttributeError:
            skipped[name] = "not in this version"
            continue
        if not reason and not callable(function):
            reason = "no function"
        if reason:
            skipped[name] = reason
        else:
            found.append(Task(name, named=name in named))
    for kind in samples.RECEIVERS:
        if kind.partition(".")[0] == library:
            own, without = _methods(kind)
            found += own
            skipped.update(without)
    return found, skipped


def _methods(kind: str) -> tuple[list[Task], dict[str, str]]:
    found: list[Task] = []
    without: dict[str, str] = {}
    named = [name for name in purity._METHODS.get(kind, {}) if name != "*"]
    seen = set()
    for number, one in enumerate(_alternatives(kind)):
        for name in sorted({*named, *(name for name in dir(one) if not name.startswith("_"))}):
            full = f"{kind}.{name}"
            if purity.of_method(kind, name) is None:
                continue
            try:
                if not callable(getattr(one, name)):
                    continue
            except Exception:
                continue
            seen.add(name)
            if _reason(full):
                without[full] = _reason(full)
            else:
                found.append(Task(name, kind, number, name in named))
    for name in named:
        if name not in seen:
            absent = "not in this version" if f"{kind}.{name}" in purity.OTHER_VERSIONS else "no receiver has it"
            without[f"{kind}.{name}"] = absent
    return found, without


def _reason(name: str) -> str:
    last = name.rpartition(".")[2]
    if name in samples.UNTRIED or last in samples.UNTRIED or name.startswith(samples.UNTRIED_ROOTS):
        return "network, screen or process"
    return ""


def _alternatives(kind: str) -> Sequence[Any]:
    if kind in _PREPARED:
        return _PREPARED[kind]
    made = samples.RECEIVERS[kind]()
    return made if isinstance(made, samples.Either) else (made,)


# ------------------------------------------------------------------------------------------------ trying


def try_task(task: Task, library: str, limits: Limits) -> Iterator[Wrong | None]:
    """None for each call that came back, and what is wrong."""
    pool = samples.POOLS[library]()
    signature = purity.of_method(task.kind, task.name) if task.kind else purity.of_function(task.name)
    assert signature is not None
    special = samples.SPECIAL.get(task.full, list)()
    receiver: Callable[[], Any] | None = None
    if task.kind:
        receiver = _receivers(task, again=signature.receiver)
    function = resolve(task.name) if not task.kind else None

    def called(whole: Any) -> Any:
        return function if whole is None else getattr(whole, task.name)

    yield from try_calls(
        task.full, receiver, called, signature, lambda it: Arguments(task.full, it, pool, special), limits
    )


def _receivers(task: Task, *, again: bool) -> Callable[[], Any]:
    """A function that gives a fresh receiver; ``again``: the same one, for methods that may change it."""
    first = _alternatives(task.kind)[task.number]
    if again:
        return lambda: first
    try:
        copied = fresh(first)
        getattr(copied, task.name)
    except Exception:
        return lambda: _alternatives(task.kind)[task.number]
    return lambda: fresh(first)


def in_forks(work: Iterable[Callable[[], Iterator[Any]]], jobs: int) -> Iterator[tuple[int, list[Any], str]]:
    """The number of a piece of work, done in a fork of this process, what it yielded (JSON-able), and how it ended."""
    running: dict[int, tuple[int, int, float, bytearray]] = {}  # pipe -> number, process, end, what it wrote
    coming = iter(enumerate(work))
    more = True
    while more or running:
        while more and len(running) < jobs:
            number, one = next(coming, (-1, None))
            more = one is not None
            if one is not None:
                pipe, process = _fork(one)
                running[pipe] = (number, process, time.monotonic() + HANGS, bytearray())
        ready, _, _ = select.select(list(running), [], [], 0.5)
        for pipe, (number, process, end, text) in list(running.items()):
            piece = os.read(pipe, 1 << 16) if pipe in ready else None
            if piece:
                text += piece
            late = time.monotonic() > end
            if late:
                os.kill(process, signal.SIGKILL)
            if late or piece == b"":
                status = os.waitpid(process, 0)[1]
                os.close(pipe)
                del running[pipe]
                lines = text.decode().split("\n")[:-1]
                ended = "hangs" if late else "crashes" if os.WIFSIGNALED(status) else "" if not status else "fails"
                yield number, [json.loads(line) for line in lines], ended


def _fork(work: Callable[[], Iterator[Any]]) -> tuple[int, int]:
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child:
        os.close(writer)
        return reader, child
    status = 1
    try:
        os.close(reader)
        if os.path.exists("/proc/self/statm"):
            taken = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            for one in work():
                os.write(writer, json.dumps(one).encode() + b"\n")
        status = 0
    finally:
        os._exit(status)


def check(
    library: str,
    limits: Limits,
    jobs: int = 1,
    only: str = "",
    one_in: int = 1,
    at_most: float = float("inf"),
    tell: Callable[[object], None] = lambda _: None,
) -> Report:
    """Tries everything of ``library``, the named rows first; ``tell`` hears what is wrong as soon as it is found."""
    start = time.monotonic()
    report = Report(library)
    resolve(library)
    if library == "sklearn":  # fitted with one thread (main sees to it), so that a fork breaks nothing
        _PREPARED["sklearn.Estimator"] = _alternatives("sklearn.Estimator")

    def look() -> Iterator[Any]:
        todo, skipped = tasks(library)
        yield [asdict(task) for task in todo], skipped

    ((_, answers, ended),) = in_forks([look], 1)
    assert not ended and answers, f"cannot list what to try in {library}"
    todo = [Task(**task) for task in answers[0][0] if only in Task(**task).full]
    todo.sort(key=lambda task: not task.named)
    drawn = [task for task in todo if task.named or zlib.crc32(task.full.encode()) % one_in == 0]
    report.unchecked = {name: reason for name, reason in answers[0][1].items() if only in name}
    report.unchecked.update((task.full, "not drawn") for task in todo if task not in drawn)
    todo = drawn
    named = {task.full for task in todo if task.named} | set(named_functions(library))
    named |= {f"{kind}.{name}" for kind, own in purity._METHODS.items() for name in own}
    for root in {task.full.partition(".")[2].partition(".")[0] for task in todo if not task.kind}:
        with contextlib.suppress(AttributeError):
            resolve(f"{library}.{root}")  # so that not every fork has to import it

    def work(task: Task) -> Callable[[], Iterator[Any]]:
        return lambda: (None if one is None else asdict(one) for one in try_task(task, library, limits))

    ends: dict[str, str] = dict.fromkeys((task.full for task in todo), "no time")
    in_time = itertools.takewhile(lambda _: time.monotonic() - start < at_most, todo)
    for number, found, ended in in_forks(map(work, in_time), jobs):
        name = todo[number].full
        came_back = sum(one is None for one in found)
        if came_back:
            report.called[name] = report.called.get(name, 0) + came_back
        elif ended or ends[name] == "no time":
            ends[name] = ended
        for one in found:
            if one is not None and not any((w.name, w.what) == (one["name"], one["what"]) for w in report.wrong):
                report.wrong.append(Wrong(**one))
                tell(report.wrong[-1])
    for name, ended in ends.items():
        if name not in report.called:
            report.unchecked[name] = ended or "no arguments that it takes"
    report.patterns = [name for name in [*report.called, *report.unchecked] if name not in named]
    report.seconds = time.monotonic() - start
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("libraries", nargs="+", metavar="LIBRARY")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=Limits().seconds)
    parser.add_argument("--only", default="")
    parser.add_argument("--one-in", type=int, default=1)
    parser.add_argument("--at-most", type=float, default=float("inf"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "MPLBACKEND"):
        os.environ.setdefault(name, "agg" if name == "MPLBACKEND" else "1")
    status = 0
    for library in options.libraries:
        tell = (lambda _: None) if options.json else (lambda wrong: print(wrong, flush=True))
        report = check(
            library,
            Limits(seconds=options.seconds),
            options.jobs,
            options.only,
            options.one_in,
            options.at_most,
            tell,
        )
        if options.json:
            print(json.dumps(asdict(report)))
            continue
        for name, reason in sorted(report.unchecked.items(), key=lambda item: (item[1], item[0])):
            if reason != "not drawn":
                print(f"unchecked: {reason}: {name}{' (pattern)' if name in report.patterns else ''}")
        print("\n".join(report.lines()), flush=True)
        status |= bool([w for w in report.wrong if (w.name, w.what) not in samples.HARMLESS])
    return status


if __name__ == "__main__":
    sys.exit(main())
