"""On Python 3.12 and later: which functions of the session really started in a statement, and which lines of it ran.

    def report(): lines.append(total)
    if late: report()        # mentions report, and through it lines and total: it did not start, neither was touched

``sys.monitoring`` is asked for single code objects only: for the functions that the walk (``reach.py``) says could be
called, once per statement each, and for the lines of the statement itself, once each. No event is global, so libraries
run as fast as ever, and ``restart_events`` is not needed: it would turn on again what debuggers and coverage have
turned off. A function is watched anew by asking for nothing and then for everything again; 3.13.0 loses lines (not
starts) that way, but the lines of a statement are asked for once.

Nothing is left out for a function that did not start where this could be wrong: another tool's callbacks and trace
functions run unseen, greenlets go on without an event, some libraries run other code in the place of a function's.
Below 3.12, and where no tool id is free, nothing of this happens, and the walk is all there is.
"""

from __future__ import annotations

import sys
import threading
import types
import weakref
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

TOOL_NAME = "nbdag"
TOOL_IDS = (3, 4, 5, 2)  # 0, 1 and 5 are a debugger's, coverage's and an optimizer's by convention, 2 a profiler's
# With one of these in the process a function may run without its own code object starting, or go on without an event.
REPLACING_MODULES = ("gevent", "eventlet", "torch._dynamo", "numba", "line_profiler", "codon")
LineRange = Tuple[int, int]


class Watched:
    """What is noted of a statement while it runs. Refers to code and to nothing that code made."""

    def __init__(self, code: types.CodeType, mark: int, sure: bool) -> None:
        self.code = code
        self.mark = mark  # where its part of the log begins
        self.sure = sure  # whether a function that is not in the log did not run
        self.running: List[types.CodeType] = []  # other threads were in these when it began
        self.sites: Set[int] = set()  # lines with code, where that is more than one
        self.lines: Set[int] = set()


class Monitoring:
    """The tool in this process. Every method may be called at any time and does nothing when the tool is not there."""

    def __init__(self) -> None:
        self.tool: Optional[int] = None
        self.api: Any = getattr(sys, "monitoring", None)
        self.log: List[types.CodeType] = []  # watched functions in the order they started or went on
        self.armed = 0  # functions in the log before this place are watched anew
        self.functions: Dict[int, Any] = {}  # id -> weak reference to a watched function's code
        self.statements: Dict[int, Watched] = {}  # id of the code of an open statement -> its notes

    def start(self) -> str:
        """Take a tool id; returns why that was not possible, "" if it was or if this Python has no monitoring."""
        if self.api is None or self.tool is not None:
            return ""
        for tool in TOOL_IDS:
            try:
                self.api.use_tool_id(tool, TOOL_NAME)
            except ValueError:
                continue
            self.tool = tool
            events = self.api.events
            self.starts = events.PY_START | events.PY_RESUME
            self.api.register_callback(tool, events.PY_START, self.on_start)
            self.api.register_callback(tool, events.PY_RESUME, self.on_start)
            self.api.register_callback(tool, events.LINE, self.on_line)
            return ""
        return "every tool id of sys.monitoring that nbdag could use is taken: it goes by what functions mention"

    def stop(self) -> None:
        """Take everything back, and the id with it if it is still ours."""
        tool, self.tool = self.tool, None
        if tool is not None and self.api.get_tool(tool) == TOOL_NAME:
            codes = [reference() for reference in self.functions.values()]
            for code in codes + [watched.code for watched in self.statements.values()]:
                if code is not None:
                    self.api.set_local_events(tool, code, 0)
            for event in ("PY_START", "PY_RESUME", "LINE"):
                self.api.register_callback(tool, getattr(self.api.events, event), None)
            self.api.free_tool_id(tool)
        self.log, self.armed, self.functions, self.statements = [], 0, {}, {}

    # The callbacks. Only an interrupt of the user's can come out of them, as out of the line they stand in for.

    def on_start(self, code: types.CodeType, offset: int) -> Any:
        """A watched function begins, or a generator or coroutine goes on; in any thread."""
        self.log.append(code)
        return self.api.DISABLE

    def on_line(self, code: types.CodeType, line: int) -> Any:
        """A line of a statement runs for the first time."""
        watched = self.statements.get(id(code))
        if watched is not None:
            watched.lines.add(line)
        return self.api.DISABLE

    # -------------------------------------------------------------------------------------- statements

    def begin(self, code: types.CodeType, functions: Iterable[types.CodeType], alone: bool) -> Optional[Watched]:
        """A statement begins that could call ``functions``; ``alone``: inside no other statement."""
        if self.tool is None or not self.is_ours():
            return None
        self.watch_anew(alone)
        for function in functions:
            self.watch(function)
        watched = Watched(code, len(self.log), self.is_sure())
        if watched.sure and self.functions:
            watched.running = self.in_other_threads()
        sites = lines_with_code(code)
        if len(sites) > 1:
            watched.sites = sites
            self.statements[id(code)] = watched
            self.api.set_local_events(self.tool, code, self.api.events.LINE)
        return watched

    def end(self, watched: Optional[Watched]) -> Optional[List[types.CodeType]]:
        """The watched functions that ran while the statement did; None where that is not known for sure."""
        if watched is None:
            return None
        if self.statements.pop(id(watched.code), None) is not None and self.tool is not None and self.is_ours():
            self.api.set_local_events(self.tool, watched.code, 0)
        if self.tool is None or not self.is_ours():
            watched.sites = set()
            return None
        if not watched.sure or not self.is_sure():
            return None
        unique = {id(code): code for code in self.log[watched.mark :] + watched.running}
        return list(unique.values())

    def is_ours(self) -> bool:
        """Whether nobody has taken the tool id or given it back."""
        return bool(self.api.get_tool(self.tool) == TOOL_NAME)

    def is_sure(self) -> bool:
        """Whether no function of the session can run now without an event."""
        if sys.gettrace() is not None or sys.getprofile() is not None or threading.gettrace() is not None:  # type: ignore[attr-defined, unused-ignore]
            return False
        if any(name in sys.modules for name in REPLACING_MODULES):
            return False
        return all(tool == self.tool or self.api.get_tool(tool) is None for tool in range(6))

    def watch(self, code: types.CodeType) -> None:
        """Ask for the starts of a function and of those inside it, if that was not done before."""
        key = id(code)
        known = self.functions.get(key)
        if known is not None and known() is code:
            return

        def forget(reference: Any) -> None:
            if self.functions.get(key) is reference:
                del self.functions[key]

        self.functions[key] = weakref.ref(code, forget)
        self.api.set_local_events(self.tool, code, self.starts)
        for constant in code.co_consts:
            if type(constant) is types.CodeType:
                self.watch(constant)

    def watch_anew(self, alone: bool) -> None:
        """What has started since was turned off by that: turn it on again."""
        fresh = {id(code): code for code in self.log[self.armed :]}
        for code in fresh.values():
            self.api.set_local_events(self.tool, code, 0)
            self.api.set_local_events(self.tool, code, self.starts)
        if alone:
            self.log = []
        self.armed = len(self.log)

    def in_other_threads(self) -> List[types.CodeType]:
        """The watched functions that other threads are in: they go on without a start."""
        found = []
        frames = sys._current_frames()
        # Our own frame in a variable of its own would be a cycle, and keep what our callers hold of the session.
        frames.pop(threading.get_ident(), None)
        for top in frames.values():
            frame: Any = top
            while frame is not None:
                if id(frame.f_code) in self.functions:
                    found.append(frame.f_code)
                frame = frame.f_back
        return found


def lines_with_code(code: types.CodeType) -> Set[int]:
    """The lines that instructions of ``code`` itself belong to."""
    lines: Any = getattr(code, "co_lines", tuple)()
    return {line for _, _, line in lines if line}


def in_ranges(lines: Iterable[int]) -> List[LineRange]:
    """Line numbers as ranges, both ends included."""
    ranges: List[LineRange] = []
    for line in sorted(lines):
        if ranges and ranges[-1][1] == line - 1:
            ranges[-1] = (ranges[-1][0], line)
        else:
            ranges.append((line, line))
    return ranges


def lines_of(watched: Optional[Watched], source: str, first: int, last: int) -> Tuple[List[LineRange], List[LineRange]]:
    """Of a statement in lines ``first`` to ``last`` of a cell: the lines that ran, those with code that did not.

    Both empty where that is not known or the statement has code in one line only. IPython drops leading blank lines.
    """
    if watched is None or not watched.sites or not watched.lines or source.lstrip().startswith("%%"):
        return [], []
    shift = 0
    for line in source.split("\n"):
        if line.strip():
            break
        shift += 1
    ran = {line + shift for line in watched.lines}
    missed = {line + shift for line in watched.sites - watched.lines}
    inside = set(range(first, last + 1))
    return in_ranges(ran & inside), in_ranges(missed & inside)
