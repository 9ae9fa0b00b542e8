"""The one entry into a user's kernel: ``command(name, arguments) -> dict``. Commands: docs/architecture.md.

Sent in as source, this module is ``sys.modules["nbdag_agent"]``; in process it is an ordinary module. There is one
recorder per shell either way: it hangs on the shell, so that a second injection finds the first one's work.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import traceback
from typing import Any, Callable, Dict, List, Optional

from nbdag.portable.budget import SHARE
from nbdag.portable.celltext import definitions_in
from nbdag.portable.encode import Unstorable, write_group
from nbdag.portable.frames import history_record
from nbdag.portable.namespace import session_items
from nbdag.portable.process_state import capture, difference
from nbdag.portable.randomness import get_states
from nbdag.portable.recorder import Recorder, fault_text
from nbdag.portable.sharing import sharing_in_words
from nbdag.portable.survey import by_name_table, state_id, trace_document
from nbdag.portable.witness import testify

AGENT_VERSION = 1
RECORDER_ATTRIBUTE = "_nbdag_recorder"  # on the shell: found again after a second injection
START_STATE_ATTRIBUTE = "_nbdag_start_state"


def command(name: str, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Do one command. Always returns a JSON-able dict; a fault comes back as ``{"error", "traceback"}``."""
    try:
        shell = running_shell()
        if shell is None:
            return {"error": "no IPython is running in this process", "traceback": ""}
        work = AGENT_COMMANDS.get(name)
        if work is None:
            return {"error": f"unknown command {name!r}", "traceback": ""}
        recorder = recorder_of(shell)
        if recorder is None:
            return work(shell, arguments)
        with recorder.listener.deaf():
            return work(shell, arguments)
    except BaseException as fault:
        return {"error": fault_text(fault), "traceback": traceback.format_exc()}


def running_shell() -> Any:
    """The IPython shell of this process, None where there is none."""
    interactiveshell = sys.modules.get("IPython.core.interactiveshell")
    if interactiveshell is None or not interactiveshell.InteractiveShell.initialized():
        return None
    return interactiveshell.InteractiveShell.instance()


def recorder_of(shell: Any) -> Optional[Any]:
    """The recorder at work in a shell."""
    return vars(shell).get(RECORDER_ATTRIBUTE)


def start_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Begin to record; nothing happens when that is so already. ``late``: cells have run before, take over history.

    ``share`` of the session's own time is what looking may take, null for as much as it takes (``budget.py``).
    """
    if recorder_of(shell) is not None:
        return dict(status_command(shell, {}), already=True)
    start_state = capture()
    recorder = Recorder(shell, arguments.get("share", SHARE))
    recorder.install()
    vars(shell)[RECORDER_ATTRIBUTE] = recorder
    vars(shell)[START_STATE_ATTRIBUTE] = start_state
    recorder.unseen_cell = inside_a_cell()
    if arguments.get("late"):
        take_over_history(recorder)
    recorder.guarded(recorder.baseline)
    return dict(status_command(shell, {}), already=False)


def inside_a_cell() -> bool:
    """Whether the call comes out of a cell that is running (``%load_ext nbdag``) and not out of an empty request."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "run_code" and "code_obj" in frame.f_locals:
            return True
        frame = frame.f_back
    return False


def take_over_history(recorder: Recorder) -> None:
    """IPython's own history as executions of unknown cost; a cell that is running now is the last of them."""
    history = getattr(recorder.shell, "history_manager", None)
    raw = getattr(history, "input_hist_raw", None) or recorder.namespace.get("In") or []
    if type(raw) is not list:
        return
    failures = getattr(history, "exceptions", None)
    failures = failures if isinstance(failures, dict) else {}
    for count, source in enumerate(raw):
        if count == 0 or type(source) is not str or not source.strip():
            continue
        record = history_record(len(recorder.executions), source, count, recorder.cwd)
        failure = failures.get(count)
        if type(failure) is dict:  # IPython 9 keeps what a front end was shown
            record["error"] = f"{failure.get('ename')}: {failure.get('evalue')}"[:1000]
            record["outcome"] = "interrupted" if failure.get("ename") == "KeyboardInterrupt" else "error"
        recorder.executions.append(record)
        for name, kind in definitions_in(transformed(recorder.shell, source)).items():
            value = recorder.namespace.get(name)
            if type(value).__name__ == "function" or issubclass(type(value), type):
                recorder.definitions[name] = (id(value), kind)


def transformed(shell: Any, source: str) -> str:
    """A cell's text as Python, the text itself where IPython cannot say."""
    try:
        return str(shell.transform_cell(source))
    except Exception:
        return source


def stop_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Remove every hook and forget everything."""
    recorder = recorder_of(shell)
    if recorder is not None:
        recorder.remove()
        del vars(shell)[RECORDER_ATTRIBUTE]
        vars(shell).pop(START_STATE_ATTRIBUTE, None)
    return {"recording": False}


def status_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """What there is: version, counts, whether recording."""
    recorder = recorder_of(shell)
    return {
        "version": AGENT_VERSION,
        "python": platform.python_version(),
        "pid": os.getpid(),
        "recording": recorder is not None,
        "executions": len(recorder.executions) if recorder is not None else 0,
        "names": len(session_items(shell, shell.user_ns)),
        "hook_seconds": recorder.hook_seconds if recorder is not None else 0.0,
        "hook_cpu_seconds": recorder.hook_cpu_seconds if recorder is not None else 0.0,
        "notebook": notebook_file(shell),
    }


def notebook_file(shell: Any) -> str:
    """The notebook this kernel belongs to, "" where nobody says: Jupyter Server and VS Code do."""
    for path in (os.environ.get("JPY_SESSION_NAME"), shell.user_ns.get("__vsc_ipynb_file__")):
        if type(path) is str and path.endswith((".ipynb", ".py")) and os.path.isfile(path):
            return os.path.abspath(path)
    return ""


def need_recorder(shell: Any) -> Recorder:
    """The recorder at work; RuntimeError when there is none."""
    recorder = recorder_of(shell)
    if recorder is None:
        raise RuntimeError("nbdag is not recording in this kernel: send start first")
    found: Recorder = recorder
    return found


def trace_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Survey the namespace and write the Trace to ``path``."""
    recorder = need_recorder(shell)
    documents: List[Dict[str, Any]] = []
    faults: List[str] = []

    def work() -> None:
        try:
            documents.append(trace_document(recorder))
        except Exception:
            faults.append(traceback.format_exc())

    interrupted = recorder.guarded(work)
    if not documents:
        return {"error": "interrupted" if interrupted else "the survey failed", "traceback": "".join(faults)}
    write_json(arguments["path"], documents[0])
    return {
        "path": arguments["path"],
        "executions": len(documents[0]["executions"]),
        "variables": len(documents[0]["variables"]),
    }


def encode_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Write heads and blobs of the groups into ``directory`` and the index to ``path``.

    A group that cannot be stored after all has ``{"names", "error": reason}`` in its place. A disk that is full or
    read-only ends it with ``{"refused": reason}``: no group would do better.
    """
    items = session_items(shell, shell.user_ns)
    by_name = {id(items[name]): name for name in arguments.get("by_name") or [] if name in items}
    indices: List[Dict[str, Any]] = []
    for group in arguments["groups"]:
        missing = [name for name in group if name not in items]
        if missing:
            indices.append({"names": group, "error": "no longer in the session: " + ", ".join(missing)})
            continue
        values = {name: items[name] for name in group}
        try:
            indices.append(dict(write_group(values, by_name, shell.user_ns, arguments["directory"])))
        except Unstorable as refusal:
            indices.append({"names": group, "error": f"{refusal.path}: {refusal.reason}"})
        except OSError as refusal:
            return {"refused": refusal.strerror or str(refusal)}
    write_json(arguments["path"], {"groups": indices})
    return {"path": arguments["path"], "groups": len(indices)}


def digest_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """What the variables are and which of them share state, to ``path``, as another process can compare it.

    ``names`` null: all.
    """
    items = session_items(shell, shell.user_ns)
    names = arguments.get("names")
    said = testify(shell.user_ns, list(items) if names is None else [name for name in names if name in items])
    write_json(arguments["path"], said)
    return {"path": arguments["path"], "names": len(said["values"])}


def world_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Process state now, what of it the session changed, and the states of the random generators, to ``path``."""
    now = capture()
    before = vars(shell).get(START_STATE_ATTRIBUTE)
    before, after = (dict(state) for state in (before if before is not None else now, now))
    recorder = recorder_of(shell)
    if recorder is not None:
        for state in (before, after):
            state["warnings"] = recorder.filters.without(state.get("warnings"))
    states: Dict[str, str] = {}
    random_state = {generator: state_id(state, states) for generator, state in get_states().items()}
    write_json(
        arguments["path"],
        {
            "state": now,
            "difference": difference(before, after),
            "random_state": random_state,
            "states": states,
        },
    )
    return {"path": arguments["path"]}


def definitions_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """The names whose functions and classes are pickled by name."""
    recorder = need_recorder(shell)
    return {"names": sorted(by_name_table(recorder, session_items(shell, shell.user_ns)).values())}


def write_json(path: str, document: Dict[str, Any]) -> None:
    """Write a file whole or not at all."""
    directory = os.path.dirname(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(prefix=".nbdag-", dir=directory)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=True)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def sharing_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """What each of ``names`` shares with the names it is linked with, in words."""
    items = session_items(shell, shell.user_ns)
    return {"words": {name: sharing_in_words(name, others, items) for name, others in arguments["names"].items()}}


AGENT_COMMANDS: Dict[str, Callable[[Any, Dict[str, Any]], Dict[str, Any]]] = {
    "start": start_command,
    "stop": stop_command,
    "status": status_command,
    "trace": trace_command,
    "encode": encode_command,
    "digest": digest_command,
    "world": world_command,
    "definitions": definitions_command,
    "sharing": sharing_command,
}
