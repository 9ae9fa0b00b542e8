"""The one entry into a user's kernel: ``command(name, arguments) -> dict``. Commands: docs/architecture.md.

Sent in as source, this module is ``sys.modules["nbdag_agent"]``; in process it is an ordinary module. There is one
recorder per shell either way: it hangs on the shell, so that a second injection finds the first one's work.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import sys
import tempfile
import traceback
from typing import Any, Callable, Dict, List, Optional

from nbdag.portable.adoption import (
    adopt_history,
    before_restoring,
    graft_history,
    inputs_so_far,
    mistrust,
    past_document,
    take_over_inputs,
    take_restored,
)
from nbdag.portable.autosave import Autosaver
from nbdag.portable.blobs import Writing
from nbdag.portable.brought import adopt_brought, note_what_stays
from nbdag.portable.budget import SHARE
from nbdag.portable.encode import INLINE_LIMIT, Unstorable, weigh_group, write_group
from nbdag.portable.fingerprint import fingerprint
from nbdag.portable.history import BROUGHT_ATTRIBUTE
from nbdag.portable.journal import RESTORED_SAVES_ATTRIBUTE
from nbdag.portable.namespace import session_items
from nbdag.portable.open_figures import numbers_by_name
from nbdag.portable.process_state import capture, difference
from nbdag.portable.randomness import get_states, raw_states, set_state
from nbdag.portable.recorder import Recorder, fault_text
from nbdag.portable.sharing import sharing_in_words
from nbdag.portable.survey import by_name_table, state_id, trace_document
from nbdag.portable.witness import testify

AGENT_VERSION = 1
RECORDER_ATTRIBUTE = "_nbdag_recorder"  # on the shell: found again after a second injection
START_STATE_ATTRIBUTE = "_nbdag_start_state"
AUTOSAVER_ATTRIBUTE = "_nbdag_autosaver"


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

    A session that was restored from a bundle goes on with its past (``adoption.py``).
    ``share`` of the session's own time is what looking may take, null for as much as it takes (``budget.py``).
    """
    if recorder_of(shell) is not None:
        return dict(status_command(shell, {}), already=True)
    start_state = capture()
    handed = take_restored(shell)
    if handed is not None:
        start_state = before_restoring(start_state, handed["changes"])
    brought = vars(shell).get(BROUGHT_ATTRIBUTE) or []
    for earlier in reversed(brought):
        start_state = before_restoring(start_state, earlier["changes"])
    recorder = Recorder(shell, arguments.get("share", SHARE))
    recorder.install()
    vars(shell)[RECORDER_ATTRIBUTE] = recorder
    vars(shell)[START_STATE_ATTRIBUTE] = start_state
    recorder.unseen_cell = inside_a_cell()
    if handed is not None:
        adopt_history(recorder, handed)
    elif arguments.get("late"):
        take_over_inputs(recorder, inputs_so_far(recorder), 0)
    recorder.guarded(recorder.baseline)
    if handed is not None:
        mistrust(recorder, handed)
    note_what_stays(recorder, brought)
    return dict(status_command(shell, {}), already=False)


def inside_a_cell() -> bool:
    """Whether the call comes out of a cell that is running (``%load_ext nbdag``) and not out of an empty request."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "run_code" and "code_obj" in frame.f_locals:
            return True
        frame = frame.f_back
    return False


def stop_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Remove every hook and forget everything."""
    autosave_off_command(shell, {})
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
        "restored_saves": list(vars(shell).get(RESTORED_SAVES_ATTRIBUTE, ())),
    }


def notebook_file(shell: Any) -> str:
    """The notebook this kernel belongs to, "" where nobody says: Jupyter Server and VS Code do."""
    for path in (os.environ.get("JPY_SESSION_NAME"), shell.user_ns.get("__vsc_ipynb_file__")):
        if type(path) is str and path.endswith((".ipynb", ".py")) and os.path.isfile(path):
            return os.path.abspath(path)
    return ""


def autosave_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Save the session by itself from now on, as ``arguments`` say (``autosave.py``); in place of an earlier order."""
    recorder = need_recorder(shell)
    autosave_off_command(shell, {})
    autosaver = Autosaver(shell, recorder, command, arguments)
    if autosaver.journal.fault:
        return {"refused": autosaver.journal.fault}
    autosaver.install()
    vars(shell)[AUTOSAVER_ATTRIBUTE] = autosaver
    return autosaver.status()


def autosave_off_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Save no longer by itself; what is saved stays."""
    autosaver = vars(shell).pop(AUTOSAVER_ATTRIBUTE, None)
    if autosaver is None:
        return {"was": False}
    status = autosaver.status()
    autosaver.remove()
    return dict(status, was=True)


def autosave_status_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Where the session is saved by itself, and how well; empty where it is not."""
    autosaver = vars(shell).get(AUTOSAVER_ATTRIBUTE)
    return {"autosave": None if autosaver is None else autosaver.status()}


def prints_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """For each of ``groups`` of names what its state is now, as a fingerprint that only this process and copies of it
    understand, or null where nobody can tell; and where the functions and classes of ``by_name`` are."""
    items = session_items(shell, shell.user_ns)
    prints: List[Optional[str]] = []
    for group in arguments["groups"]:
        values = [items.get(name) for name in group]
        found = fingerprint(values[0] if len(values) == 1 else values)
        prints.append(None if found is None else found.digest.hex())
    return {"prints": prints, "by_name": {name: id(items[name]) for name in arguments["by_name"] if name in items}}


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

    ``known`` is a file with the sizes, by sha256, of contents that need not be written again; ``progress`` a file that
    is told how many bytes are done. A group that cannot be stored after all has ``{"names", "error": reason}`` in its
    place. A disk that is full or
    read-only ends it with ``{"refused": reason}``: no group would do better.
    """
    items = session_items(shell, shell.user_ns)
    by_name = {id(items[name]): name for name in arguments.get("by_name") or [] if name in items}
    known: Dict[str, int] = {}
    if arguments.get("known"):
        with open(arguments["known"], encoding="utf-8") as file:
            known = json.load(file)
    writing = Writing(arguments["directory"], INLINE_LIMIT, known, arguments.get("progress") or "")
    try:
        return encode_groups(shell, arguments, items, by_name, writing)
    finally:
        writing.close()


def encode_groups(
    shell: Any, arguments: Dict[str, Any], items: Dict[str, Any], by_name: Dict[int, str], writing: Writing
) -> Dict[str, Any]:
    """The work of :func:`encode_command`."""
    indices: List[Dict[str, Any]] = []
    for group in arguments["groups"]:
        missing = [name for name in group if name not in items]
        if missing:
            indices.append({"names": group, "error": "no longer in the session: " + ", ".join(missing)})
            continue
        values = {name: items[name] for name in group}
        try:
            indices.append(dict(write_group(values, by_name, shell.user_ns, arguments["directory"], writing=writing)))
        except Unstorable as refusal:
            indices.append({"names": group, "error": f"{refusal.path}: {refusal.reason}"})
        except OSError as refusal:
            return {"refused": refusal.strerror or str(refusal)}
    write_json(arguments["path"], {"groups": indices})
    return {"path": arguments["path"], "groups": len(indices)}


def weigh_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """What each of ``groups`` takes as it is and packed, to ``path``; null for one that cannot be stored."""
    items = session_items(shell, shell.user_ns)
    by_name = by_name_table(need_recorder(shell), items)
    weights: List[Optional[Dict[str, int]]] = []
    for group in arguments["groups"]:
        try:
            weights.append(weigh_group({name: items[name] for name in group}, by_name, shell.user_ns))
        except (Unstorable, KeyError):
            weights.append(None)
    write_json(arguments["path"], {"weights": weights})
    return {"path": arguments["path"]}


def digest_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """What the variables are and which of them share state, to ``path``, as another process can compare it.

    ``names`` null: all, but those of ``without``.
    """
    items = session_items(shell, shell.user_ns)
    names = arguments.get("names")
    if names is None and arguments.get("without"):
        names = [name for name in items if name not in set(arguments["without"])]
    said = testify(shell.user_ns, list(items) if names is None else [name for name in names if name in items])
    write_json(arguments["path"], said)
    return {"path": arguments["path"], "names": len(said["values"])}


def world_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Process state now, what of it the session changed, and the states of the random generators, to ``path``."""
    now = capture()
    before = vars(shell).get(START_STATE_ATTRIBUTE)
    before = before if before is not None else now
    recorder = recorder_of(shell)
    changes = difference(before, now)
    if recorder is not None:
        changes.pop("warnings", None)
        changes.update(recorder.filters.change(before.get("warnings"), now.get("warnings")))
    if "pyplot" in now:  # whether or not some are open: a replay may make figures that are closed by now
        changes.update(pyplot=now["pyplot"], figures=numbers_by_name(session_items(shell, shell.user_ns)))
    states: Dict[str, str] = {}
    random_state = {generator: state_id(state, states) for generator, state in get_states().items()}
    write_json(
        arguments["path"],
        {
            "state": now,
            "difference": changes,
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


def past_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """What a history needs beside the trace (definitions, inputs, outputs, the next number), to ``path``."""
    recorder = need_recorder(shell)
    definitions = by_name_table(recorder, session_items(shell, shell.user_ns))
    write_json(arguments["path"], past_document(recorder, definitions))
    return {"path": arguments["path"]}


def settle_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Take the session back to before some cell: ``forget`` names that it made, and put the random generators back.

    ``random`` is the state of each generator in base64. The first cell shows no report of the restoration. Answers with
    the names that are there then.
    """
    for callback in list(shell.events.callbacks.get("pre_run_cell", ())):
        if getattr(callback, "__module__", "") == "nbdag_restore":  # what it says is for who sits there
            shell.events.unregister("pre_run_cell", callback)
    gone = [name for name in arguments.get("forget") or [] if name in shell.user_ns]
    for name in gone:
        del shell.user_ns[name]
    states = {name: base64.b64decode(state) for name, state in (arguments.get("random") or {}).items()}
    failed = set_state(states)
    recorder = recorder_of(shell)
    if recorder is not None:
        recorder.random = raw_states()
        recorder.watch.forget(gone)
        recorder.reacher.forget(gone)
        recorder.watch.known = recorder.camera.take()[0]
    return {"names": sorted(session_items(shell, shell.user_ns)), "failed": list(failed)}


def adopt_command(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """A bundle was restored into this session while it was recorded: its past becomes the session's."""
    recorder = recorder_of(shell)
    if recorder is None:
        return {"adopted": 0}
    handed = take_restored(shell)
    if handed is None:
        adopt_brought(recorder, vars(shell).get(BROUGHT_ATTRIBUTE) or [])
        return {"adopted": 0}
    recorder.filters.adopt(handed["changes"])
    recorder.guarded(graft_history, recorder, handed)
    return {"adopted": len(handed["history"].get("executions", ()))}


AGENT_COMMANDS: Dict[str, Callable[[Any, Dict[str, Any]], Dict[str, Any]]] = {
    "start": start_command,
    "stop": stop_command,
    "status": status_command,
    "trace": trace_command,
    "encode": encode_command,
    "weigh": weigh_command,
    "digest": digest_command,
    "world": world_command,
    "definitions": definitions_command,
    "sharing": sharing_command,
    "past": past_command,
    "adopt": adopt_command,
    "settle": settle_command,
    "autosave": autosave_command,
    "autosave_off": autosave_off_command,
    "autosave_status": autosave_status_command,
    "prints": prints_command,
}
