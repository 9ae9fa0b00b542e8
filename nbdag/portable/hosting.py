"""IPython inside a process that is no kernel (a Dask worker): cells run on a thread of it, their outputs are collected.

One :class:`Host` lives in ``HOSTS`` under the key "host". Its messages have the kinds and contents of a kernel's iopub.
"""

from __future__ import annotations

import base64
import builtins
import ctypes
import json
import os
import sys
import threading
from typing import Any, Dict, List, Optional

HOSTS: Dict[str, Any] = {}


class Host:
    """A shell and the thread that works for it: one piece of work at a time."""

    def __init__(self) -> None:
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        config = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"autoindent": False}})
        shell_class: Any = InteractiveShell
        self.shell = shell_class.instance(config=config)
        self.messages: List[Dict[str, Any]] = []
        self.answer: Optional[Dict[str, Any]] = None
        self.thread: Optional[threading.Thread] = None
        self.shell.display_pub.publish = self.publish
        self.shell.display_pub.clear_output = lambda wait=False: self.tell("clear_output", {"wait": wait})
        self.shell._showtraceback = self.show_traceback
        hook = self.shell.displayhook
        hook.write_output_prompt = lambda: None
        hook.write_format_data = self.write_result
        self.fault: Dict[str, Any] = {}

    def tell(self, kind: str, content: Dict[str, Any]) -> None:
        """One message more."""
        self.messages.append({"kind": kind, "content": content})

    def publish(self, data: Any, metadata: Any = None, *sources: Any, **more: Any) -> None:
        """As ``DisplayPublisher.publish``."""
        content = {
            "data": plain_bundle(data),
            "metadata": plain_bundle(metadata or {}),
            "transient": dict(more.get("transient") or {}),
        }
        self.tell("update_display_data" if more.get("update") else "display_data", content)

    def write_result(self, data: Any, metadata: Any = None) -> None:
        """As ``DisplayHook.write_format_data``."""
        content = {"data": plain_bundle(data), "metadata": plain_bundle(metadata or {})}
        self.tell("execute_result", dict(content, execution_count=self.shell.execution_count))

    def show_traceback(self, kind: Any, fault: Any, lines: List[str]) -> None:
        """Keep what a notebook would show in red."""
        self.fault = {"ename": kind.__name__, "evalue": str(fault), "traceback": list(lines)}

    def start(self, kind: str, text: str) -> None:
        """Begin to evaluate an expression ("evaluate") or to run a cell ("execute")."""
        if self.thread is not None and self.thread.is_alive():
            raise RuntimeError("the process is busy with another cell")
        self.messages, self.answer, self.fault = [], None, {}
        work = self.evaluate if kind == "evaluate" else self.execute
        self.thread = threading.Thread(target=work, args=(text,), name="nbdag-cell")
        self.thread.start()

    def evaluate(self, expression: str) -> None:
        """The value of an expression, a string."""
        try:
            self.answer = {"status": "ok", "value": str(eval(expression, {}))}
        except BaseException as fault:
            self.answer = {"status": "error", "ename": type(fault).__name__, "evalue": str(fault)}

    def execute(self, code: str) -> None:
        """Run a cell; what it prints on this thread becomes messages."""
        out, err, ask = sys.stdout, sys.stderr, builtins.input
        mine = threading.current_thread()
        sys.stdout, sys.stderr = ThreadStream(self, "stdout", out, mine), ThreadStream(self, "stderr", err, mine)
        self.shell.builtin_trap.auto_builtins["input"] = refuse_input
        try:
            result = self.shell.run_cell(code, store_history=True)
            failed = result.error_in_exec or result.error_before_exec
            if failed is None:
                self.answer = {"status": "ok", "execution_count": result.execution_count}
            else:
                named = {"ename": type(failed).__name__, "evalue": str(failed), "traceback": []}
                self.answer = dict(self.fault or named, status="error", execution_count=result.execution_count)
        except BaseException as fault:  # an interrupt that came too late for the cell
            self.answer = {"status": "error", "ename": type(fault).__name__, "evalue": str(fault), "traceback": []}
        finally:
            sys.stdout, sys.stderr = out, err
            builtins.input = ask

    def poll(self, after: int) -> Dict[str, Any]:
        """The messages from number ``after`` on, and the answer once there is one."""
        answer = self.answer
        return {"messages": self.messages[after:], "answer": answer}

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the cell, as soon as it runs Python again."""
        if self.thread is not None and self.thread.ident is not None and self.thread.is_alive():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self.thread.ident), ctypes.py_object(KeyboardInterrupt)
            )


class ThreadStream:
    """A standard stream: what the cell's thread writes is a message, the rest goes where it went."""

    def __init__(self, host: Host, name: str, stream: Any, thread: threading.Thread) -> None:
        self.host = host
        self.name = name
        self.stream = stream
        self.thread = thread

    def write(self, text: str) -> int:
        """Tell, or pass on."""
        if threading.current_thread() is self.thread:
            self.host.tell("stream", {"name": self.name, "text": str(text)})
        elif self.stream is not None:
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on."""
        if self.stream is not None:
            self.stream.flush()

    def isatty(self) -> bool:
        """It is no terminal."""
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class StdinNotImplementedError(NotImplementedError):
    """Named as that of ipykernel."""


def refuse_input(prompt: Any = "") -> str:
    """In place of ``input``."""
    raise StdinNotImplementedError("input() is not possible in a cell that runs elsewhere")


def plain_bundle(data: Any) -> Dict[str, Any]:
    """A MIME bundle as JSON has it: pictures as base64."""
    found = {}
    for kind, value in dict(data).items():
        if isinstance(value, bytes):
            value = base64.b64encode(value).decode("ascii")
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            value = str(value)
        found[str(kind)] = value
    return found


def host_call(name: str, *arguments: Any) -> Any:
    """Call the host's method ``name``; the host is made at the first call."""
    if "host" not in HOSTS:
        HOSTS["host"] = Host()
    return getattr(HOSTS["host"], name)(*arguments)


def host_pid() -> int:
    """This process."""
    return os.getpid()


def host_write(directory: str, name: str, content: bytes) -> None:
    """Write a file whole."""
    path = os.path.join(directory, os.path.basename(name))
    with open(path + ".tmp", "wb") as file:
        file.write(content)
    os.replace(path + ".tmp", path)


def host_read(directory: str, name: str) -> bytes:
    """The content of a file."""
    with open(os.path.join(directory, os.path.basename(name)), "rb") as file:
        return file.read()


def host_remove(directory: str, name: str) -> None:
    """Remove a file, if it is there."""
    path = os.path.join(directory, os.path.basename(name))
    if os.path.exists(path):
        os.unlink(path)
