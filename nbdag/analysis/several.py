"""Many notebook files analyzed by their text, in parallel processes that can be interrupted.

    thread --path--> worker process: analyze_file --Analysis or Failed--> thread        one thread per worker

A worker is a session of its own, so that Ctrl-C reaches only the process that waits for it; it ends when its stdin
does, also when that process is killed. A worker that dies takes its file with it: that file has failed, another worker
goes on.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import nbdag
from nbdag.errors import NbdagError
from nbdag.model.results import Analysis, Failed

# Bytes of notebook files that take about as long to analyze as a worker takes to start (0.4 s).
_WORTH_A_WORKER = 300_000

FAULT_STATUS = 70  # of a fault of nbdag itself, as the command line ends with


def failure(path: Path, error: BaseException) -> Failed:
    """What ``error`` means for the file at ``path``."""
    if isinstance(error, NbdagError):
        return Failed(str(path), error.code, error.message, error.hint, error.exit_status)
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    told = "".join(traceback.format_exception(error))
    return Failed(str(path), "internal", f"{path}: a fault of nbdag itself: {what}", "", FAULT_STATUS, told)


def default_jobs() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def analyze_files(
    paths: Sequence[Path], jobs: int, on_file: Callable[[Path], None] = lambda path: None
) -> list[Analysis | Failed]:
    """What ``analyze_file`` says of each path, in their order, by up to ``jobs`` processes; ``on_file`` as each ends.

    Few small files are analyzed in this process: starting another takes longer. After KeyboardInterrupt no worker is
    left.
    """
    workers = min(jobs, len(paths), 1 + sum(map(_size, paths)) // _WORTH_A_WORKER)
    if workers > 1:
        return _in_workers(paths, workers, on_file)
    found = []
    for path in paths:
        found.append(_analyze(path))
        on_file(path)
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _analyze(path: Path) -> Analysis | Failed:
    from nbdag.analysis.static import analyze_file

    try:
        return analyze_file(path)
    except Exception as error:
        return failure(path, error)


# ------------------------------------------------------------------------------------------------ this process


class _Worker:
    """A process that analyzes, and the way to it. Used by one thread, and ended by any."""

    def __init__(self) -> None:
        root = str(Path(nbdag.__file__).parents[1])
        code = f"import sys; sys.path.insert(0, {root!r}); from nbdag.analysis.several import work; work()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def analyze(self, path: Path) -> Analysis | Failed:
        """What the process says of ``path``. Raises EOFError when it died."""
        asked, told = self.process.stdin, self.process.stdout
        assert asked is not None and told is not None
        try:
            pickle.dump(str(path), asked)
            asked.flush()
            answer = pickle.load(told)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            raise EOFError from None
        assert isinstance(answer, (Analysis, Failed))
        return answer

    def end(self) -> int:
        """Its exit status; a negative one is a signal."""
        self.process.kill()
        with suppress(OSError):
            for stream in (self.process.stdin, self.process.stdout):
                if stream is not None:
                    stream.close()
        return self.process.wait()


def _in_workers(paths: Sequence[Path], count: int, on_file: Callable[[Path], None]) -> list[Analysis | Failed]:
    left: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(paths)):
        left.put(index)
    done: queue.SimpleQueue[tuple[int, Analysis | Failed]] = queue.SimpleQueue()
    workers: list[_Worker] = []
    stopped = threading.Event()
    starting = threading.Lock()

    def serve() -> None:
        worker: _Worker | None = None
        while not stopped.is_set():
            try:
                index = left.get_nowait()
            except queue.Empty:
                return
            try:
                if worker is None:
                    with starting:
                        if stopped.is_set():
                            return
                        worker = _Worker()
                        workers.append(worker)
                result = worker.analyze(paths[index])
            except EOFError:
                assert worker is not None
                result, worker = _died(paths[index], worker.process.wait()), None
            except Exception as error:  # no process could be started
                result = failure(paths[index], error)
            done.put((index, result))

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(count)]
    found: dict[int, Analysis | Failed] = {}
    try:
        for thread in threads:
            thread.start()
        while len(found) < len(paths):
            index, result = done.get()
            found[index] = result
            on_file(paths[index])
    finally:
        stopped.set()
        with starting:
            for worker in workers:
                worker.end()
    return [found[index] for index in range(len(paths))]


def _died(path: Path, status: int) -> Failed:
    how = f"signal {-status}" if status < 0 else f"status {status}"
    hint = "out of memory? --jobs 1 analyzes one file at a time"
    return Failed(str(path), "internal", f"{path}: the process that analyzed it ended with {how}", hint, FAULT_STATUS)


# ------------------------------------------------------------------------------------------------ a worker


def work() -> None:
    """Answers paths on stdin with pickles on stdout, until stdin ends."""
    answers: IO[bytes] = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed is no answer
    while True:
        try:
            path = pickle.load(sys.stdin.buffer)
        except (EOFError, KeyboardInterrupt):
            return
        pickle.dump(_analyze(Path(path)), answers)
        answers.flush()
