"""Runs the code of a cell again as the notebook did: same line numbers, output kept back, no windows, no questions."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, Dict, List, Sequence, Tuple

from nbdag.portable.decode import remember_source
from nbdag.portable.directories import current_directory
from nbdag.portable.steps import Replay

FUTURE_FLAGS = 0x1FF0000 & ~0x1000  # __future__ features in co_flags: they hold for the cells after, too
COROUTINE_FLAG = 0x80
AWAIT_FLAG = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
NOT_OPTIMIZED = 0  # under python -O, too: assert next(g) == 1 moved the session's generator on


class Captured:
    """Stands for a standard stream: keeps what is written while a cell runs, passes it on afterwards.

    A logging handler that a cell makes keeps this object, and must go on working.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.pieces: List[str] = []
        self.capturing = True

    def write(self, text: str) -> int:
        """Keep the text, or pass it on."""
        if self.capturing:
            self.pieces.append(text)
            return len(text)
        return self.stream.write(text) if self.stream is not None else len(text)

    def writelines(self, lines: Any) -> None:
        """Many."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Pass on."""
        if not self.capturing and self.stream is not None:
            self.stream.flush()

    def isatty(self) -> bool:
        """No terminal while a cell runs."""
        return not self.capturing and self.stream is not None and self.stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class Replayer:
    """Runs replays in a namespace, one after another."""

    def __init__(self, namespace: Dict[str, Any], plan: Sequence[Any], directory: str, started_in: str = "") -> None:
        self.namespace = namespace
        self.directory = directory
        self.started_in = started_in or current_directory()
        self.flags = 0
        self.plan = list(plan)
        self.texts: Dict[str, Dict[int, str]] = {}
        self.filenames = register_cells(self.plan, self.texts)
        self.output: List[Tuple[str, str]] = []

    def add(self, steps: Sequence[Replay]) -> None:
        """Let ``steps`` be run too, which are not part of the plan."""
        self.plan += steps
        self.filenames = register_cells(self.plan, self.texts)

    def run(self, step: Replay) -> None:
        """Run one step; raises what its code raises."""
        filename = self.filenames[id(step)]
        text = "\n" * (step.line - 1) + step.code
        code = compile(text, filename, "exec", self.flags | AWAIT_FLAG, True, NOT_OPTIMIZED)
        self.flags |= code.co_flags & FUTURE_FLAGS
        directory = self.directory_for(step)
        before = current_directory() if directory else ""
        backend = "MPLBACKEND" not in os.environ
        streams = sys.stdout, sys.stderr, sys.stdin
        out, err = Captured(sys.stdout), Captured(sys.stderr)
        if directory:
            os.chdir(directory)
        moved = os.getcwd() if directory else ""
        if backend:
            os.environ["MPLBACKEND"] = "agg"
        sys.stdout, sys.stderr, sys.stdin = out, err, io.StringIO()
        try:
            result = eval(code, self.namespace)
            if code.co_flags & COROUTINE_FLAG and hasattr(result, "send"):
                run_to_end(result)
        finally:
            if sys.stdout is out:
                sys.stdout = streams[0]
            if sys.stderr is err:
                sys.stderr = streams[1]
            sys.stdin = streams[2]
            out.capturing = err.capturing = False
            if backend and os.environ.get("MPLBACKEND") == "agg":
                del os.environ["MPLBACKEND"]
            if directory and before and current_directory() == moved:
                os.chdir(before)
            text = "".join(out.pieces + err.pieces)
            if text:
                self.output.append((step.cell, text))

    def directory_for(self, step: Replay) -> str:
        """Where ``step`` has to run to find its files; "" for the current directory."""
        relative = [file for file in step.files if not os.path.isabs(file[0])]
        if not relative or all(os.path.exists(file[0]) for file in relative):
            return ""
        carried = os.path.join(self.directory, "files")
        for directory in (self.started_in, step.cwd, carried):
            if directory and all(os.path.exists(os.path.join(directory, file[0])) for file in relative):
                return directory
        return ""


def run_to_end(coroutine: Any) -> None:
    """A cell with a top-level await; beside a running event loop (in a notebook) on a thread of its own."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _run_in_new_loop(coroutine)
        return
    import threading

    raised: List[BaseException] = []

    def work() -> None:
        try:
            _run_in_new_loop(coroutine)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def _run_in_new_loop(coroutine: Any) -> None:
    """As ``asyncio.run``, but asynchronous generators that the cell has begun live on: later cells go on with them."""
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(coroutine)
    finally:
        try:
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            if hasattr(loop, "shutdown_default_executor"):  # since Python 3.9
                loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def register_cells(plan: Sequence[Any], texts: Dict[str, Dict[int, str]]) -> Dict[int, str]:
    """Enter the text of every cell into linecache; the file name that each step of ``plan`` is compiled under.

    The steps of one cell together are its text; a cell that ran in two versions has two names, and so have the first
    cells of two bundles that are restored in one process. ``texts`` are the lines by number under each name, as they
    were entered before for the same plan.
    """
    filenames: Dict[int, str] = {}
    for step in plan:
        if not isinstance(step, Replay):
            continue
        lines = dict(enumerate(step.code.split("\n"), step.line))
        attempt = 1
        while True:
            filename = "<%s>" % step.cell if attempt == 1 else "<%s (%d)>" % (step.cell, attempt)
            known = texts.get(filename)
            if known is not None and all(known.get(number, line) == line for number, line in lines.items()):
                break
            if known is None:  # or of another bundle: what that defined goes on reading there
                known = lines_known_as(filename)
                if not known or all(known.get(number) == line for number, line in lines.items()):
                    break
            attempt += 1
        texts.setdefault(filename, known).update(lines)
        filenames[id(step)] = filename
    for filename, known in texts.items():
        remember_source(filename, "".join(known.get(number, "") + "\n" for number in range(1, max(known) + 1)))
    return filenames


def lines_known_as(filename: str) -> Dict[int, str]:
    """The lines by number that linecache has under a name."""
    import linecache

    entry: Any = linecache.cache.get(filename, ())
    return {number: line.rstrip("\n") for number, line in enumerate(entry[2] if len(entry) == 4 else (), 1)}


def fault_in_words(error: BaseException, step: Replay, filename: str) -> str:
    """``cell 4, line 2: ZeroDivisionError: division by zero``."""
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) and error.filename == filename else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == filename:
            line = trace.tb_lineno
            break
        trace = trace.tb_next
    text = str(error).strip().split("\n")[0]
    what = type(error).__name__ + (": " + text if text else "")
    return "%s, line %d: %s" % (step.cell, line or step.line, what[:300])


def traceback_text(error: BaseException) -> List[str]:
    """The traceback of replayed code, from its cell on."""
    import traceback

    inner = error.__traceback__
    while inner is not None and not inner.tb_frame.f_code.co_filename.startswith("<cell"):
        inner = inner.tb_next
    return ["".join(traceback.format_exception(type(error), error, inner or error.__traceback__))]
