"""The Trace as JSON: what was recorded, and what is in the session now. Fields: those of ``nbdag.model.trace``."""

from __future__ import annotations

import base64
import hashlib
import platform
import sys
import types
from typing import Any, Dict, FrozenSet, List, Set, Tuple

from nbdag.portable.credentials import looks_like_credential
from nbdag.portable.encode import Unstorable, measure_group
from nbdag.portable.frames import Record, execution_record
from nbdag.portable.identity import group_with_identities, named_definitions, reach_with_identities
from nbdag.portable.links import NOTHING_REACHED, Reach
from nbdag.portable.looking import close_look
from nbdag.portable.objects import class_module, is_handmade_module
from nbdag.portable.reach import can_change, is_interrupt
from nbdag.portable.recorder import Recorder, fault_text
from nbdag.portable.watch import identities, take_fingerprint

TRACE_FORMAT = "nbdag-trace"
TRACE_VERSION = 1


def trace_document(recorder: Recorder) -> Dict[str, Any]:
    """The whole Trace, JSON-able; surveys the namespace, so it takes as long as encoding the session once."""
    states: Dict[str, str] = {}
    recorder.look_at_the_rest()
    variables = survey(recorder)
    note_what_has_no_name(recorder)
    return {
        "format": TRACE_FORMAT,
        "version": TRACE_VERSION,
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "executable": sys.executable or "",
        "cwd": recorder.cwd,
        "executions": [execution_document(record, states) for record in records_now(recorder)],
        "variables": variables,
        "diagnostics": [dict(diagnostic, cell=None, place=None) for diagnostic in recorder.diagnostics],
        "states": states,
    }


def note_what_has_no_name(recorder: Recorder) -> None:
    """Entries of the namespace that no code can name, ``globals()[5] = x``, stay behind: say so."""
    kinds = sorted({type_name(key) for key in list(recorder.namespace) if type(key) is not str})
    if kinds:
        message = "entries of globals() that are no names stay behind: keys of the types " + ", ".join(kinds)
        recorder.note("no-name", "warning", message)


def records_now(recorder: Recorder) -> List[Record]:
    """The executions so far; of those that are running, the statements that have ended."""
    records = list(recorder.executions)
    for frame in recorder.frames:
        if frame.statements:
            close_look(recorder.watch, recorder.reacher, frame, recorder.names.items())
        seconds = frame.clocks.seconds(recorder.hook_seconds)
        records[frame.ordinal] = execution_record(frame, "ok", "", seconds)
        records[frame.ordinal]["covariables"] = recorder.watch.groups
    return [record for record in records if "source" in record]


def execution_document(record: Record, states: Dict[str, str]) -> Record:
    """An execution with its random states moved into the table ``states``."""
    statements = []
    for statement in record["statements"]:
        document = dict(statement)
        doubts = document.pop("doubts")
        document["changed"] = sorted(set(statement["changed"]).union(*(members for _, members in doubts)))
        document["put_off"] = [name for name in statement["put_off"] if name not in document["changed"]]
        document["random_state"] = {
            generator: state_id(state, states) for generator, state in sorted(statement["random_state"].items())
        }
        statements.append(document)
    return dict(record, statements=statements)


def state_id(state: bytes, states: Dict[str, str]) -> str:
    """The id of a random state in the table, which is filled."""
    key = hashlib.sha256(state).hexdigest()[:16]
    states[key] = base64.b64encode(state).decode("ascii")
    return key


def by_name_table(recorder: Recorder, items: Dict[str, Any]) -> Dict[int, str]:
    """id -> name of the functions and classes of the session that still are what their statement defined."""
    table = {}
    for name, (identity, _kind) in recorder.definitions.items():
        if name in items and id(items[name]) == identity:
            table[identity] = name
    return table


def survey(recorder: Recorder) -> List[Dict[str, Any]]:
    """Every active name: its co-variable, whether and how large it can be stored, whether it changed unseen."""
    items = recorder.names.items()
    by_name = by_name_table(recorder, items)
    altered = altered_names(recorder, items)
    groups = [[name] for name, value in items.items() if not can_change(value)]
    groups += linked_names({name: value for name, value in items.items() if can_change(value)}, by_name)
    number_of = {name: number for number, members in enumerate(groups) for name in members}
    order = {name: position for position, name in enumerate(items)}
    renumbered: Dict[int, int] = {}
    for name in items:
        renumbered.setdefault(number_of[name], len(renumbered))
    variables = []
    for members in sorted(groups, key=lambda names: order[names[0]]):
        endless = sorted(recorder.watch.endless.intersection(members))
        measured = refused(f"{endless[0]}: no end of its state was found") if endless else None
        measured = measured or measure(members, items, by_name, recorder.namespace)
        linked_alteration = any(name in altered for name in members)
        for name in members:
            variables.append(
                {
                    "name": name,
                    "type": type_name(items[name]),
                    "kind": variable_kind(recorder, name, items[name]),
                    "group": renumbered[number_of[name]],
                    "altered": linked_alteration,
                    "credential": looks_like_credential(name, items[name]) or "",
                    **measured,
                }
            )
    variables.sort(key=lambda variable: order[variable["name"]])
    return variables


def linked_names(items: Dict[str, Any], by_name: Dict[int, str]) -> List[List[str]]:
    """The co-variables: nothing that was remembered while recording, this is the last word."""
    named = named_definitions(items[name] for name in by_name.values() if name in items)
    found = {name: last_reach(value, named) for name, value in items.items()}
    reaches = {name: reached for name, (reached, _) in found.items()}
    return group_with_identities(reaches, {name: identities for name, (_, identities) in found.items()})


def last_reach(value: Any, named: FrozenSet[int]) -> Tuple[Reach, FrozenSet[int]]:
    """What a value reaches; nothing, where its metaclass cannot be asked."""
    try:
        return reach_with_identities(value, named)
    except BaseException as fault:
        if is_interrupt(fault):
            raise
        return NOTHING_REACHED, frozenset()


def altered_names(recorder: Recorder, items: Dict[str, Any]) -> Set[str]:
    """Names whose value is not what the recorder last saw: a thread, a callback or a C library changed it.

    Inside a running cell the open statement is still at work: what it reaches is not judged.
    """
    watch = recorder.watch
    now = identities(items)
    at_work = recorder.at_work()
    altered = set(recorder.behind)
    for name, value in items.items():
        if name in at_work:
            continue
        if watch.known.address(name) != now[name]:
            altered.add(name)
        elif can_change(value):
            last = watch.prints.get(name)
            if last is not None and take_fingerprint(value) != last:
                altered.add(name)
    return altered.intersection(items)


def measure(members: List[str], items: Dict[str, Any], by_name: Dict[int, str], namespace: Dict[str, Any]) -> Record:
    """``size``, ``store_seconds``, ``storable`` and ``obstacle`` of one co-variable."""
    if all(is_importable_module(items[name]) for name in members):
        return {"size": 0, "store_seconds": 0.0, "storable": True, "obstacle": ""}
    try:
        found = measure_group({name: items[name] for name in members}, by_name, namespace)
        return {
            "size": int(found["bytes"]),
            "store_seconds": float(found["seconds"]),
            "storable": True,
            "obstacle": "",
        }
    except Unstorable as refusal:
        obstacle = f"{refusal.path}: {refusal.reason}"
    except BaseException as fault:  # a value's own code may raise anything while it is pickled
        if is_interrupt(fault):
            raise
        obstacle = fault_text(fault)
    return refused(obstacle)


def refused(obstacle: str) -> Record:
    """The measurements of what cannot be stored."""
    return {"size": 0, "store_seconds": 0.0, "storable": False, "obstacle": obstacle}


def is_importable_module(value: Any) -> bool:
    """Whether the value is a module that ``import`` finds by its name."""
    found = type(value) is types.ModuleType and sys.modules.get(vars(value).get("__name__", "")) is value
    return found and not is_handmade_module(value)


def variable_kind(recorder: Recorder, name: str, value: Any) -> str:
    """``model.trace.ValueKind``: what a variable holds, as far as moving it is concerned."""
    if issubclass(type(value), types.ModuleType) and not is_handmade_module(value):
        return "module"
    definition = recorder.definitions.get(name)
    if definition is not None and definition[0] == id(value):
        return str(definition[1])
    return "data"


def type_name(value: Any) -> str:
    """``module.Name`` of a value's type, without the module for builtins; asks the type alone, never the value."""
    kind = type(value)
    module = class_module(kind)
    name = type.__dict__["__qualname__"].__get__(kind)
    return name if module in ("builtins", "__main__", "") else f"{module}.{name}"
