"""Records what the cells of a running IPython do: what ``nbdag.model.trace`` describes.

IPython calls ``shell.run_code`` once per top-level statement. The recorder puts a plain function in its place that
notes where the last statement ended, what it changed and where the next begins, and hands back IPython's own coroutine:
no frame of ours is on the user's stack, so tracebacks, ``stacklevel`` and ``inspect`` see what they always saw.

    pre_execute   pre_run_cell   run_code ... run_code   post_execute   post_run_cell
    open a frame  its text       statement boundaries    close a silent one   close the frame

A fault in here becomes a diagnostic, never an exception in the user's cell.
"""

from __future__ import annotations

import threading
import time
import traceback
from typing import Any, Callable, Dict, List, Optional, Set

from nbdag.portable.audit import Listener, sort_out
from nbdag.portable.budget import SHARE, Budget
from nbdag.portable.codescan import scan_code, scan_code_now
from nbdag.portable.directories import current_directory
from nbdag.portable.drawing import DrawingWatch
from nbdag.portable.filters import FilterBook
from nbdag.portable.fingerprint import TookTooLong
from nbdag.portable.foreign import MODULES_ONLY, REFRESH_SELDOM
from nbdag.portable.frames import Frame, OpenStatement, Record, execution_record
from nbdag.portable.idle import IdleWork
from nbdag.portable.looking import close_look, look_at_last, plain_values, statement_look
from nbdag.portable.monitoring import Monitoring, lines_of
from nbdag.portable.namespace import SessionNames
from nbdag.portable.objects import class_module, class_qualname
from nbdag.portable.randomness import drawn, pack_states
from nbdag.portable.reach import Reacher, can_change, is_interrupt
from nbdag.portable.snapshot import Camera, SessionItems, Snapshot
from nbdag.portable.watch import CONTAINER_TYPE_IDS, LONGEST_LOOK, Watch

DIAGNOSTICS_LIMIT = 100


class Recorder:
    """The hooks in one IPython shell and everything they have recorded."""

    def __init__(self, shell: Any, share: Optional[float] = SHARE) -> None:
        self.shell = shell
        self.namespace: Dict[str, Any] = shell.user_ns
        self.names = SessionNames(shell, self.namespace)
        self.camera = Camera(self.names)
        self.budget = Budget(share)
        self.watch = Watch(self.budget)
        self.reacher = Reacher(self.watch.haze)
        self.listener = Listener()
        self.filters = FilterBook()
        self.monitoring = Monitoring()
        self.idle = IdleWork(self.look_in_a_pause)
        self.executions: List[Record] = []
        self.frames: List[Frame] = []
        self.definitions: Dict[str, Any] = {}  # name -> (id of the value, "function" or "class")
        self.behind: Set[str] = set()  # names that changed while nothing was running
        self.mistrusted: Set[str] = set()  # names that were restored, and may not be what the history says of them
        self.diagnostics: List[Record] = []
        self.cwd = current_directory()
        self.drawing = DrawingWatch()
        self.random: Dict[str, Any] = self.drawing.states()
        self.hook_seconds = 0.0
        self.hook_cpu_seconds = 0.0
        self.left_at = time.process_time()  # CPU time when the last hook ended
        self.busy: Set[int] = set()
        self.unseen_cell = False  # the recorder was started by a cell that is still running
        self.original_run_code: Optional[Callable[..., Any]] = None
        self.installed_run_code: Optional[Callable[..., Any]] = None
        self.callbacks = {
            "pre_execute": self.pre_execute,
            "pre_run_cell": self.pre_run_cell,
            "post_execute": self.post_execute,
            "post_run_cell": self.post_run_cell,
        }

    # ---------------------------------------------------------------------------------------- hooks

    def install(self) -> None:
        """Begin to record."""
        original = self.shell.run_code
        self.original_run_code = original

        def run_code(code_obj: Any, *arguments: Any, **options: Any) -> Any:
            if self.installed_run_code is not None:
                if self.guarded(self.statement_boundary, code_obj):
                    code_obj = compile("raise KeyboardInterrupt", code_obj.co_filename, "exec")
                self.start_clocks()
            return original(code_obj, *arguments, **options)

        self.installed_run_code = run_code
        self.shell.run_code = run_code
        for event, callback in self.callbacks.items():
            self.shell.events.register(event, callback)
        refusal = self.monitoring.start()
        if refusal:
            self.note("monitoring", "info", refusal)

    def remove(self) -> None:
        """Take every hook away. A wrapper that somebody put around ours keeps working; ours then passes through."""
        for event, callback in self.callbacks.items():
            try:
                self.shell.events.unregister(event, callback)
            except ValueError:
                continue
        if vars(self.shell).get("run_code") is self.installed_run_code:
            del self.shell.run_code
        self.installed_run_code = None
        self.monitoring.stop()
        self.listener.switch_off()
        self.listener.counter.close()
        self.idle.cancel()
        self.frames = []

    def guarded(self, work: Callable[..., None], *arguments: Any) -> bool:
        """Do our own work in the middle of the user's; True when the user pressed interrupt meanwhile."""
        thread = threading.get_ident()
        if thread in self.busy:
            return False
        began, cpu = time.perf_counter(), time.process_time()
        self.budget.earn(cpu - self.left_at)
        self.busy.add(thread)
        deaf_already = thread in self.listener.muted
        self.listener.muted.add(thread)
        REFRESH_SELDOM[0] = True
        MODULES_ONLY[0] = not self.budget.unlimited
        try:
            work(*arguments)
        except BaseException as fault:
            if is_interrupt(fault):
                return True
            self.note("recorder", "error", f"the recorder failed in {work.__name__}: {fault_text(fault)}")
        finally:
            self.busy.discard(thread)
            if not deaf_already:
                self.listener.muted.discard(thread)
            REFRESH_SELDOM[0] = MODULES_ONLY[0] = False
            self.hook_seconds += time.perf_counter() - began
            self.left_at = time.process_time()
            self.hook_cpu_seconds += self.left_at - cpu
            self.budget.settle_hook(self.left_at - cpu)
        return False

    def start_clocks(self) -> None:
        """Begin to measure what was just opened; called after our own work is done and counted."""
        frame = self.top()
        if frame is not None:
            frame.clocks.start(self.hook_seconds)
            if frame.open is not None:
                frame.open.clocks.start(self.hook_seconds)

    def note(self, code: str, severity: str, message: str) -> None:
        """Keep a diagnostic; the same message once."""
        if len(self.diagnostics) < DIAGNOSTICS_LIMIT and all(known["message"] != message for known in self.diagnostics):
            self.diagnostics.append({"code": code, "severity": severity, "message": message, "hint": ""})

    def pre_execute(self) -> None:
        """IPython is about to run something."""
        self.idle.cancel()
        self.guarded(self.open_frame)
        self.start_clocks()

    def pre_run_cell(self, info: Any) -> None:
        """It is not silent, and this is its text."""
        self.guarded(self.describe_frame, info)

    def post_execute(self) -> None:
        """Something ended; a silent one is over, others wait for post_run_cell, which says which one it is."""
        frame = self.top()
        if frame is not None and frame.info is None:
            self.guarded(self.close_silent)

    def post_run_cell(self, result: Any) -> None:
        """A cell ended."""
        self.guarded(self.close_cell, result)

    # --------------------------------------------------------------------------------------- frames

    def top(self) -> Optional[Frame]:
        """The innermost execution of this thread."""
        thread = threading.get_ident()
        for frame in reversed(self.frames):
            if frame.thread == thread:
                return frame
        return None

    def open_frame(self) -> None:
        """Push a frame for the execution that begins."""
        outer = self.top()
        if not self.frames:
            self.listener.switch_on()
        ordinal = len(self.executions)
        frame = Frame(
            ordinal, outer.ordinal if outer else None, threading.get_ident(), time.time(), current_directory()
        )
        self.executions.append({"ordinal": ordinal})  # its place in the order; filled when it ends
        self.frames.append(frame)

    def describe_frame(self, info: Any) -> None:
        """Give the innermost frame its text. A cell of the user's own is never nested: what is below it was lost."""
        frame = self.top()
        if frame is None or frame.info is not None:
            return
        if getattr(info, "store_history", False):
            for stale in [other for other in self.frames if other is not frame and other.thread == frame.thread]:
                self.end_frame(stale, "interrupted", "")
            frame.parent = None
            self.listener.switch_on()
        frame.describe(info)

    def close_silent(self) -> None:
        """A silent request has ended."""
        frame = self.top()
        if frame is not None and frame.info is None:
            error = "" if getattr(self.shell, "last_execution_succeeded", True) else "failed"
            self.end_frame(frame, "error" if error else "ok", error)

    def close_cell(self, result: Any) -> None:
        """The cell of this result has ended, and whatever is still open inside it."""
        thread = threading.get_ident()
        mine = [frame for frame in self.frames if frame.thread == thread]
        info = getattr(result, "info", None)
        chosen = None
        for frame in reversed(mine):
            if result is None or frame.info is info or same_text(frame, info):
                chosen = frame
                break
        if chosen is None:
            if self.unseen_cell and not mine:
                self.unseen_cell = False
                self.baseline()
            self.wait_for_a_pause()
            return
        for frame in reversed(mine[mine.index(chosen) + 1 :]):
            self.end_frame(frame, "interrupted", "")
        outcome, error = outcome_of(result, bool(chosen.count))
        if getattr(chosen.info, "store_history", False):
            chosen.execution_count = getattr(result, "execution_count", None)
        self.end_frame(chosen, outcome, error)
        self.wait_for_a_pause()

    def wait_for_a_pause(self) -> None:
        """What was put off can be looked at when nobody waits."""
        if not self.budget.unlimited and (self.watch.haze.names or self.watch.put_off):
            self.idle.wait()

    def end_frame(self, frame: Frame, outcome: str, error: str) -> None:
        """Close the last statement, look at what is left to look at, and keep the record."""
        seconds = frame.clocks.seconds(self.hook_seconds)
        if frame in self.frames:
            self.frames.remove(frame)
        try:
            items = self.end_statement(frame, outcome == "ok")
            if frame.count:
                close_look(self.watch, self.reacher, frame, self.camera.take()[1] if items is None else items)
                if frame.statements:
                    last = frame.statements[-1]
                    self.report_outwards(frame, set(last["changed"]).union(*(members for _, members in last["doubts"])))
        finally:
            record = execution_record(frame, outcome, error, seconds)
            record["covariables"] = self.watch.groups
            self.executions[frame.ordinal] = record
            if not self.frames:
                self.listener.switch_off()

    # ----------------------------------------------------------------------------------- statements

    def statement_boundary(self, code: Any) -> None:
        """The last statement of the innermost frame is over and ``code`` is the next."""
        frame = self.top()
        if frame is None:
            return
        items = self.end_statement(frame, True)
        follows = items is not None
        if items is None:
            before, items = self.camera.take()
        else:
            before = self.watch.known
        if frame.count == 0:
            if frame.info is None:
                frame.describe_by_code(code)
            frame.names_at_start = before
            if len(self.frames) == 1:
                self.notice_behind(before)
            self.random = self.drawing.states()
        text = frame.node_text(frame.count)
        names = scan_code_now(code, inert=True) if text.inert else scan_code(code)
        reach = self.reacher.reach_code(names, items)
        reach.names.difference_update(self.watch.cannot_compare(reach.indirect, items))
        statement = OpenStatement(frame.count, text, names, reach, before)
        if self.watch.haze.clouds:
            statement.through = self.reacher.half_known(reach.names, items)
            for outer in self.frames:  # a.append(big); a[0][0].append(1): a's walk is from before the first
                statement.through |= {name for waiting in outer.later for name in waiting.names & reach.names}
        closed = self.watch.link_closure(reach.names, statement.through)
        statement.reached = statement.reachable = {name for name in closed if name in before}
        statement.plain_before = plain_values(reach.names if reach.opaque else reach.stores, items)
        alone = all(other.open is None for other in self.frames)
        statement.watched = self.monitoring.begin(code, reach.codes, alone)
        frame.count += 1
        frame.open = statement
        statement.random = self.random
        statement.mark = self.listener.mark(at_once=follows)

    def notice_behind(self, now: Snapshot) -> None:
        """Names that were rebound since the last execution ended: a thread or a callback did that."""
        moved, gone = self.watch.known.moved(now)
        if not moved and not gone:
            return
        self.behind.update(moved)
        self.watch.forget(moved + gone)
        self.reacher.forget(moved + gone)
        self.note(
            "behind",
            "warning",
            "bound or deleted while no cell was running: " + ", ".join(sorted({*moved, *gone})[:20]),
        )

    def end_statement(self, frame: Frame, completed: bool) -> Optional[SessionItems]:
        """Note what the open statement did; returns the session's items after it, None when none was open."""
        statement = frame.open
        if statement is None:
            return None
        seconds = statement.clocks.seconds(self.hook_seconds)
        frame.open = None
        after, items = self.camera.take()
        ran = self.monitoring.end(statement.watched)
        if ran is not None and statement.reached:
            self.cut_down(statement, ran, items, after)
        record: Record = {
            "node": statement.node,
            "line": statement.text.line,
            "end_line": statement.text.end_line,
            "seconds": seconds,
            "completed": completed,
        }
        record["lines"], record["missed"] = lines_of(
            statement.watched, frame.source, statement.text.line, statement.text.end_line
        )
        record["started"] = sorted({getattr(code, "co_qualname", code.co_name) for code in ran or ()})
        record["beyond"] = sorted(statement.reachable - statement.reached)
        statement_look(self.watch, self.reacher, frame, statement, items, after, completed, record)
        for name in record["bound"]:
            self.behind.discard(name)
            self.definitions.pop(name, None)
        for name in record["deleted"]:
            self.behind.discard(name)
            self.definitions.pop(name, None)
        for name, kind in statement.text.definitions.items():
            if name in record["bound"] and is_definition(items.get(name)):
                self.definitions[name] = (after.address(name), kind)
        for name in record["bound"]:
            # Point = namedtuple("Point", "x y") defines a class as well as `class Point` does; exec and magics do not:
            # what they made is not replayed, and the class belongs to its instances.
            if name in statement.stores and name not in self.definitions and is_class_named(items.get(name), name):
                self.definitions[name] = (after.address(name), "class")
        self.note_randomness(statement, record)
        self.filters.after(statement.code)
        heard, read = self.listener.since(statement.mark)
        record["files"], record["effects"] = sort_out(heard, read, self.listener)
        frame.ways_in.append(statement.through)
        frame.statements.append(record)
        self.report_outwards(frame, set(record["changed"]))
        return items

    def cut_down(self, statement: OpenStatement, ran: List[Any], items: SessionItems, after: Snapshot) -> None:
        """The statement touched what its own code mentions and the functions that ran, however much it reached."""

        def unmoved() -> Dict[str, Any]:
            moved = set(statement.before.moved(after)[0])
            return {name: value for name, value in items.items() if name not in moved}

        names = self.reacher.touched(statement.reach, ran, unmoved)
        closed = self.watch.link_closure(names, statement.through)
        statement.reached = {name for name in closed if name in statement.before}
        statement.reachable = statement.reachable | statement.reached

    def note_randomness(self, statement: OpenStatement, record: Record) -> None:
        """Which generators the statement drew from, with their states from before it."""
        record["drew"], record["random_state"] = [], {}
        if statement.could_draw:
            now = self.drawing.states()
            record["drew"] = drawn(statement.random, now)
            if record["drew"]:
                before = {name: state for name, state in statement.random.items() if name in record["drew"]}
                record["random_state"] = pack_states(before)
            self.random = now

    def report_outwards(self, frame: Frame, changed: Set[str]) -> None:
        """What an inner execution changed, the statement around it changed."""
        for outer in self.frames:
            if outer is not frame and outer.thread == frame.thread and outer.open is not None:
                outer.open.changed_inside |= changed

    def look_at_the_rest(self) -> None:
        """Look at everything whose look was put off, however long that takes: the session is about to be compiled."""
        REFRESH_SELDOM[0] = MODULES_ONLY[0] = False
        items = self.camera.take()[1]
        at_work = self.at_work()
        for name in self.watch.hazy_names(items):
            if name not in at_work:
                look_at_last(self.watch, self.reacher, name, items[name])
        doubted = {name for name in self.watch.doubted if name in items and name not in self.watch.haze}
        self.watch.doubted = set()
        self.reacher.forget(doubted)
        self.watch.link(self.reacher, items, list(self.watch.unlinked | doubted))

    def look_in_a_pause(self, stop: Callable[[], bool]) -> bool:
        """Look at one value whose look was put off, unless somebody waits; whether there is more to look at."""
        left, more = self.budget.left, []

        def work() -> None:
            now, items = self.camera.take()
            names = [
                name for name in self.watch.hazy_names(items) if now.address(name) == self.watch.known.address(name)
            ]
            if self.frames or not names:
                return
            name = min(names, key=lambda name: (self.watch.price(name), name))
            try:
                look_at_last(self.watch, self.reacher, name, items[name], LONGEST_LOOK, stop)
            except TookTooLong:
                if not stop():
                    self.watch.give_up(name)
                return
            more.extend(names[1:])
            # Whoever comes in before the last look finds this name's links: nothing else stands for them any more.
            self.watch.link(self.reacher, items, [name] if more else list(self.watch.unlinked))

        interrupted = self.guarded(work)
        self.budget.left = left  # nobody waited for it
        return bool(more) and not interrupted

    def at_work(self) -> Set[str]:
        """Names that the statements reach which are running now: what they stand for is about to change."""
        names: Set[str] = set()
        for frame in self.frames:
            if frame.open is not None:
                names |= frame.open.reached | set(frame.open.stores)
        return names

    # ------------------------------------------------------------------------------------- baseline

    def baseline(self) -> None:
        """Take everything that is there now as given: identities, fingerprints, links."""
        self.watch.known, items = self.camera.take()
        self.watch.prints = {}
        for name, value in items.items():
            self.watch.look(name, value)
        self.watch.link(self.reacher, items, list(items))
        self.behind = set(self.mistrusted)


def is_class_named(value: Any, name: str) -> bool:
    """Whether a value is a class of the session that its instances will look for under this name."""
    return issubclass(type(value), type) and class_module(value) == "__main__" and class_qualname(value) == name


def is_definition(value: Any) -> bool:
    """Whether a value can be what a ``def`` or ``class`` statement made (a decorator may have returned None)."""
    return can_change(value) and id(type(value)) not in CONTAINER_TYPE_IDS


def same_text(frame: Frame, info: Any) -> bool:
    """Whether IPython made a second description of the same cell (it does when the runner was interrupted)."""
    return frame.info is not None and info is not None and frame.source == getattr(info, "raw_cell", None)


def outcome_of(result: Any, began: bool) -> Any:
    """Outcome and error text of an IPython ExecutionResult."""
    if result is None:
        return "interrupted", ""
    refused = getattr(result, "error_before_exec", None)
    failed = getattr(result, "error_in_exec", None)
    fault = failed if failed is not None else refused
    if fault is None:
        return "ok", ""
    if type(fault).__name__ in ("KeyboardInterrupt", "CancelledError"):
        return "interrupted", type(fault).__name__
    return ("refused" if failed is None and not began else "error"), fault_text(fault)


def fault_text(fault: BaseException) -> str:
    """``"ValueError: message"``, without trusting the exception to describe itself."""
    try:
        text = "".join(traceback.format_exception_only(type(fault), fault)).strip().split("\n")[-1]
    except BaseException:
        text = type(fault).__name__
    return text[:1000]
