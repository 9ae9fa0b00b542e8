"""A recorder takes over the past of a session that was restored (``history.py``), as if it had been there.

What happened between the restoration and the recorder without a text (a silent request) could have changed anything:
every value then counts as one that changed unseen, and is stored rather than replayed. So do values that are not what
their statements would make: those that changed unseen before, that a replay gave otherwise, that could not be loaded.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional

from nbdag.portable.celltext import definitions_in
from nbdag.portable.credentials import looks_like_credential
from nbdag.portable.frames import history_record
from nbdag.portable.history import RESTORED_ATTRIBUTE
from nbdag.portable.namespace import session_items
from nbdag.portable.randomness import raw_states
from nbdag.portable.recorder import Recorder, is_definition

LONGEST_OUTPUT = 1000  # characters of a plain value in Out that travels
PLAIN_TYPES = (int, float, complex, str, bytes, bool)


def take_restored(shell: Any) -> Optional[Dict[str, Any]]:
    """What restore.py left on the shell, and take it away; None where nothing was restored."""
    handed: Optional[Dict[str, Any]] = vars(shell).pop(RESTORED_ATTRIBUTE, None)
    if handed is not None:
        try:
            shell.events.unregister("pre_execute", handed["note"])
        except ValueError:
            pass
    return handed


def adopt_history(recorder: Recorder, handed: Dict[str, Any]) -> None:
    """Take over the executions of the restored session, and the cells that ran before and after it was restored.

    The recorder has not begun. ``mistrust`` belongs behind its first look at everything.
    """
    raw = inputs_so_far(recorder)
    restored_at = handed["count"]
    if not handed["fresh"]:
        take_over_inputs(recorder, raw[:restored_at], 0)
    recorder.executions += restored_records(handed, len(recorder.executions))
    take_over_inputs(recorder, raw[restored_at:], restored_at, skip_restoring=True)
    recorder.cwd = handed["cwd"]
    adopt_definitions(recorder, handed["history"])


def mistrust(recorder: Recorder, handed: Dict[str, Any]) -> None:
    """Note which values need not be what the history says of them."""
    names = list(session_items(recorder.shell, recorder.namespace))
    first = handed["count"] + (1 if handed["running"] else 0)
    spoken = len([text for text in inputs_so_far(recorder)[first:] if text.strip()])
    if handed["silent"][0] > spoken:
        recorder.mistrusted.update(names)
        recorder.note("behind", "warning", "something ran without a text between the restoration and nbdag's arrival")
    recorder.mistrusted.update(set(handed["history"].get("altered", ())).intersection(names))
    recorder.behind.update(recorder.mistrusted)


def graft_history(recorder: Recorder, handed: Dict[str, Any]) -> None:
    """Take it over in the middle of the cell that restored the session: what is there now was made before this cell."""
    at = min([frame.ordinal for frame in recorder.frames] + [len(recorder.executions)])
    records = restored_records(handed, at)
    later = recorder.executions[at:]
    for record in later:
        record["ordinal"] += len(records)
    recorder.executions[at:] = [*records, *later]
    adopt_definitions(recorder, handed["history"])
    recorder.baseline()
    recorder.random = raw_states()
    for frame in recorder.frames:
        frame.ordinal += len(records)
        frame.parent = frame.parent + len(records) if frame.parent is not None and frame.parent >= at else frame.parent
        frame.names_at_start = recorder.watch.known
        if frame.open is not None:
            frame.open.before = recorder.watch.known
            frame.open.random = recorder.random
    mistrust(recorder, handed)


def restored_records(handed: Dict[str, Any], first: int) -> List[Dict[str, Any]]:
    """The executions as the recorder keeps them, numbered from ``first`` on, with the places of this machine."""
    history = handed["history"]
    states = history.get("states", [])
    number_of: Dict[int, int] = {}
    records: List[Dict[str, Any]] = []
    here, there = handed["cwd"], history.get("cwd", "")
    for record in history.get("executions", ()):
        fields = dict(record)
        number_of[record["ordinal"]] = fields["ordinal"] = first + len(records)
        fields["parent"] = number_of.get(record["parent"]) if record["parent"] is not None else None
        at_start = record["cwd"] == there
        fields["cwd"] = here if at_start else record["cwd"]
        fields["statements"] = [
            dict(
                statement,
                doubts=[],
                random_state={name: states[index] for name, index in statement["random_state"]},
                files=[moved_file(use, here, at_start, handed["folder"]) for use in statement["files"]],
            )
            for statement in record["statements"]
        ]
        records.append(fields)
    return records


def moved_file(use: Dict[str, Any], here: str, at_start: bool, folder: str) -> Dict[str, Any]:
    """A file that was opened by a relative path, where it is now: in this directory, or as it came in the bundle."""
    if not at_start or os.path.isabs(use["path"]):
        return dict(use)
    places = [os.path.join(here, use["path"]), os.path.join(folder, "files", use["path"])]
    found = next((place for place in places if os.path.isfile(place)), places[0])
    return dict(use, absolute=os.path.abspath(found))


def adopt_definitions(recorder: Recorder, history: Dict[str, Any]) -> None:
    """Which names stand for what a ``def`` or ``class`` of the history made."""
    for name, kind in history.get("definitions", {}).items():
        value = recorder.namespace.get(name)
        if name in recorder.namespace and is_definition(value):
            recorder.definitions[name] = (id(value), kind)


def before_restoring(state: Dict[str, Any], changes: Dict[str, Any]) -> Dict[str, Any]:
    """The process state that a restored session began with: ``state`` without ``changes``, which were put into effect
    since. What the session changed before it moved is then still a change of the session."""
    before = dict(state)
    for part, change in changes.items():
        if isinstance(change, dict) and "set" in change and isinstance(before.get(part), dict):
            table = {name: value for name, value in before[part].items() if name not in change["set"]}
            for name in change["unset"]:
                table.setdefault(name, "")
            before[part] = table
        elif isinstance(change, dict) and "front" in change and isinstance(before.get(part), list):
            added = [*change["front"], *change["back"]]
            before[part] = [entry for entry in before[part] if as_lists(entry) not in added] + list(change["removed"])
        elif part == "cwd" and before.get("cwd") == change:
            before["cwd"] = ""
    return before


def as_lists(value: Any) -> Any:
    """``value`` with lists for tuples, as it comes out of a bundle."""
    return [as_lists(item) for item in value] if isinstance(value, (list, tuple)) else value


# ------------------------------------------------------------------------------------------------ inputs and outputs


def inputs_so_far(recorder: Recorder) -> List[str]:
    """``In`` as it was typed."""
    history = getattr(recorder.shell, "history_manager", None)
    raw = getattr(history, "input_hist_raw", None) or recorder.namespace.get("In") or []
    return [text if type(text) is str else "" for text in raw] if type(raw) is list else []


def take_over_inputs(recorder: Recorder, raw: List[str], first: int, skip_restoring: bool = False) -> None:
    """IPython's own history as executions of unknown cost; a cell that is running now is the last of them.

    ``raw`` are texts of ``In`` from the number ``first`` on. ``skip_restoring`` leaves out cells that only restored.
    """
    failures = getattr(getattr(recorder.shell, "history_manager", None), "exceptions", None)
    failures = failures if isinstance(failures, dict) else {}
    for count, source in enumerate(raw, first):
        if count == 0 or not source.strip() or (skip_restoring and restores_only(source)):
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


def restores_only(text: str) -> bool:
    """Whether a cell does nothing but restore a bundle, or load nbdag: what it made is known from the history."""
    lines = [line.strip() for line in text.split("\n") if line.strip() and not line.strip().startswith("#")]
    return all(
        line.startswith(("%nbdag", "%load_ext nbdag", "%reload_ext nbdag"))
        or (line.startswith("%run ") and ("restore.py" in line or ".pyz" in line))
        for line in lines
    )


def transformed(shell: Any, source: str) -> str:
    """A cell's text as Python, the text itself where IPython cannot say."""
    try:
        return str(shell.transform_cell(source))
    except Exception:
        return source


def past_document(recorder: Recorder, definitions: Dict[int, str]) -> Dict[str, Any]:
    """What a history needs beside the Trace, JSON-able: definitions by name, ``In``, and what of ``Out`` can travel.

    Of ``Out`` that is what a variable holds, and plain values that never change; no copy of a list would be the list.
    """
    shell = recorder.shell
    name_of = {id(value): name for name, value in session_items(shell, shell.user_ns).items()}
    outputs: List[List[Any]] = []
    shown = getattr(getattr(shell, "history_manager", None), "output_hist", None)
    for number, value in (shown if type(shown) is dict else {}).items():
        if type(number) is not int:
            continue
        if type(value) in PLAIN_TYPES:
            text = repr(value)
            finite = "inf" not in text and "nan" not in text if type(value) in (float, complex) else True
            if finite and len(text) <= LONGEST_OUTPUT and not looks_like_credential("Out", value):
                outputs.append([number, "value", text])
        elif id(value) in name_of:
            outputs.append([number, "name", name_of[id(value)]])
    kinds = {name: str(recorder.definitions[name][1]) for name in definitions.values() if name in recorder.definitions}
    raw = inputs_so_far(recorder)
    return {
        "definitions": dict(sorted(kinds.items())),
        "inputs": [[number, text] for number, text in enumerate(raw) if text],
        "outputs": outputs,
        "count": max(1, len(raw)),  # of the next cell
    }
