"""What a cell that runs for another session has done: found by the recorder, and encoded to go back.

A *visit* is what one kernel keeps for such a session. ``visiting.py`` has its commands.
"""

from __future__ import annotations

import io
import os
import tempfile
import types
import uuid
import weakref
from types import MappingProxyType
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Set

from nbdag.portable.agent import recorder_of
from nbdag.portable.delta import (
    Detached,
    encode_states,
    is_session_definition,
    names_of_groups,
    refused_names,
    write_delta,
)
from nbdag.portable.encode import Unstorable, measure_group
from nbdag.portable.fingerprint import fingerprint
from nbdag.portable.namespace import session_items
from nbdag.portable.parcel import ParcelWriter, blobs_of_groups
from nbdag.portable.process_state import capture, difference
from nbdag.portable.randomness import get_states
from nbdag.portable.reach import can_change
from nbdag.portable.survey import linked_names, type_name
from nbdag.portable.visit_traces import (
    library_changes_in_words,
    library_contents,
    process_changes_in_words,
    threads_in_words,
)
from nbdag.portable.witness import testify

RESULT_NAME = "_nbdag_result"  # stands for what the cell displayed: ``_`` and Out[n]
SILENT_PARTS = ("cwd", "environ", "withheld", "path", "modules", "pyplot")  # named to the user, not carried over
Encode = Callable[[FrozenSet[str], Dict[str, str]], Dict[str, Any]]


class Visit:
    """What one kernel keeps for the sessions whose cells it runs."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex  # each command says which visit it is meant for
        self.token = ""  # of the session that it belongs to
        self.receipt: Dict[str, Any] = {}  # the request that was received last, and what was answered
        self.directory = ""  # where parcels arrive and leave
        self.paths: List[str] = []  # of the parcel that was received last
        self.store = tempfile.mkdtemp(prefix="nbdag-visit-")
        self.parked: Dict[str, Any] = {}
        self.arrived: Dict[str, Callable[[], Any]] = {}  # name -> the value that both sides have under it
        self.began = 0  # executions before the cell
        self.request = ""
        self.mentioned: Set[str] = set()  # names that the cell could get at, and not only what shares state with them
        self.states: Dict[str, bytes] = {}
        self.process: Dict[str, Any] = {}
        self.results: Dict[str, Dict[str, Any]] = {}
        self.progress: Dict[str, Any] = {}  # how far each generator was before the cell
        self.prints: Dict[str, Any] = {}  # fingerprints from before the cell
        self.left: FrozenSet[str] = frozenset()  # names whose values are here until the other side reads them
        self.apart: FrozenSet[str] = frozenset()  # those and the names of what cannot go there: only here
        self.threads: FrozenSet[Any] = frozenset()  # that ran before the cell
        self.libraries: Dict[str, Dict[str, Any]] = {}  # what stood in libraries before the cell
        self.encode: Encode = lambda lacking, unfit: {}  # what changed, once more


def reference_to(value: Any) -> Callable[[], Any]:
    """Gives ``value``; None when it is gone. A cell that replaces a large array does not hold on to the old one."""
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value


def has_arrived(visit: Visit, name: str, value: Any) -> bool:
    """Whether ``value`` is the very object that both sides have under this name."""
    known = visit.arrived.get(name)
    return known is not None and known() is value and not (value is None and isinstance(known, weakref.ref))


def progress_of(value: Any) -> Any:
    """What tells whether a value without a fingerprint has changed: how far a generator or a file is, the digest of a
    hash, how much a database was changed. None where nothing tells.
    """
    if type(value) is types.GeneratorType:
        locals_seen = () if value.gi_frame is None else tuple(map(id, value.gi_frame.f_locals.values()))
        return (-2 if value.gi_frame is None else value.gi_frame.f_lasti, locals_seen)
    try:
        if isinstance(value, io.IOBase):
            return (value.tell(),)
        if hasattr(type(value), "hexdigest"):
            return (value.hexdigest(),)
        if type(value).__module__ == "_thread" and hasattr(type(value), "locked"):
            return (value.locked(),)
        if type(value).__module__ == "sqlite3" and hasattr(type(value), "total_changes"):
            return (value.total_changes, value.in_transaction)
    except Exception:  # closed, or of another thread
        return ("closed",)
    return None


def is_where_it_was(visit: Visit, name: str, items: Dict[str, Any]) -> bool:
    """Whether nothing tells that the cell has moved the value of ``name`` on."""
    return bool(progress_of(items[name]) == visit.progress[name]) and type(items[name]) is not types.GeneratorType


def describe_run(shell: Any, visit: Visit, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """What changed since the cell began, encoded into the store, JSON-able."""
    recorder = recorder_of(shell)
    if recorder is None:
        raise RuntimeError("the recorder is gone")
    records = [record for record in recorder.executions[visit.began :] if "source" in record]
    items = session_items(shell, shell.user_ns)
    for name in items:  # the cell has made another one
        visit.parked.pop(name, None)
    bound: Set[str] = set()
    changed: Set[str] = set()
    for record in records:
        for statement in record["statements"]:
            bound.update(statement["bound"])
            changed.update(statement["changed"], *(members for _, members in statement["doubts"]))
    changed |= bound
    bound = {name for name, value in items.items() if not has_arrived(visit, name, value)}
    changed |= definitions_that_changed(visit, items)
    deleted = sorted(name for name in visit.arrived if name not in items and name not in visit.parked)
    # What is linked with a generator counts as changed with it, as far as the recorder can tell: look again.
    same = {
        name
        for name in changed.intersection(items) - bound
        if visit.prints.get(name) is not None and fingerprint(items[name]) == visit.prints[name]
    }
    changed = (changed | bound).intersection(items) - same
    unsure = {
        name
        for name in changed - bound
        if recorder.watch.prints.get(name) is None
        and can_change(items[name])
        and (
            name not in visit.mentioned
            or (visit.progress.get(name) is not None and is_where_it_was(visit, name, items))
        )
    }
    lazy = large_results(shell, items, bound, arguments.get("lazy"))
    own = [record for record in records if record["parent"] is None and not record["silent"]]
    last: Dict[str, Any] = own[-1] if own else {}
    shown = displayed_result(shell, last.get("count"))

    def encode(lacking: FrozenSet[str], unfit: Dict[str, str]) -> Dict[str, Any]:
        left = frozenset(lazy)
        return encode_changes(shell, visit, items, changed - left, bound, unsure, shown, left, lacking, unfit)

    visit.encode = encode
    encoded = encode(frozenset(), {})
    now = capture()
    moved = {generator: state for generator, state in get_states().items() if visit.states.get(generator) != state}
    gone = difference(visit.process, now)
    return {
        **encoded,
        "lazy": lazy,
        "deleted": deleted,
        "bound": sorted(bound.intersection(items)),
        "ran": bool(own),
        "outcome": last.get("outcome", ""),
        "fault": last.get("error", ""),
        "seconds": sum(record["seconds"] for record in own),
        "random": encode_states(moved),
        "process": {part: change for part, change in gone.items() if part not in SILENT_PARTS},
        "elsewhere": process_changes_in_words(visit.process, now, gone)
        + threads_in_words(visit.threads)
        + library_changes_in_words(visit.libraries, library_contents(items)),
        "files": written_files(records),
        "effects": sorted(
            {kind for record in records for statement in record["statements"] for kind in statement["effects"]}
        ),
    }


def definitions_that_changed(visit: Visit, items: Dict[str, Any]) -> Set[str]:
    """Classes and functions that are not what they were: an instance leads to a class that nothing else names."""
    return {
        name
        for name, value in items.items()
        if is_session_definition(value)
        and visit.prints.get(name) is not None
        and fingerprint(value) != visit.prints[name]
    }


def large_results(shell: Any, items: Dict[str, Any], bound: Set[str], limit: Optional[int]) -> Dict[str, Any]:
    """Variables that the cell made and that take more than ``limit`` bytes, with type and size: they stay for now.

    Only what shares state with nothing else: else one half would be there and the other here.
    """
    if limit is None:
        return {}
    groups = linked_names({name: value for name, value in items.items() if can_change(value)}, {})
    found: Dict[str, Any] = {}
    for group in groups:
        name = group[0]
        if len(group) > 1 or name not in bound or is_session_definition(items[name]):
            continue
        try:
            size = measure_group({name: items[name]}, {}, shell.user_ns)["bytes"]
        except Unstorable:
            continue
        if size > limit:
            found[name] = {"type": type_name(items[name]), "size": size}
    return found


def displayed_result(shell: Any, count: Optional[int]) -> Dict[str, Any]:
    """``{RESULT_NAME: value}`` of what the cell displayed; empty if nothing."""
    outputs = shell.user_ns.get("_oh")
    return {RESULT_NAME: outputs[count]} if type(outputs) is dict and count in outputs else {}


def encode_changes(
    shell: Any,
    visit: Visit,
    items: Dict[str, Any],
    changed: Set[str],
    bound: Set[str],
    unsure: Set[str],
    shown: Dict[str, Any],
    lazy: FrozenSet[str],
    lacking: FrozenSet[str] = frozenset(),
    unfit: Mapping[str, str] = MappingProxyType({}),
) -> Dict[str, Any]:
    """The changed variables as a delta; what cannot be pickled, needs a package of ``lacking``, or is ``unfit`` for the
    reason given there, is named under ``staying``. ``parted`` are pairs of a name that goes and one that stays, which
    share state.
    """
    namespace = shell.user_ns
    values = {**items, **shown}
    definitions = {id(items[name]): name for name in items if is_session_definition(items[name])}
    groups = linked_names({name: value for name, value in values.items() if can_change(value)}, definitions)
    wanted = changed | set(shown)
    if not lazy.isdisjoint(names_of_groups(groups, set(shown))):
        wanted -= set(shown)
    wanted |= names_of_groups(groups, wanted) & visit.left  # what one of them leads to cannot stay any longer
    staying = {name: why for name, why in unfit.items() if name in wanted}
    if lacking:
        staying.update(names_that_need(lacking, wanted, values, groups, namespace))
    wanted -= set(staying)
    index: Optional[Dict[str, Any]] = None
    for attempt in range(len(values) + 2):
        sent = {name: values[name] for name in values if name in wanted}
        held = {
            name: value
            for name, value in items.items()
            if has_arrived(visit, name, value)
            and name not in visit.apart
            and name not in staying
            and (name not in wanted or (name not in bound and is_session_definition(value)))
        }
        near = names_of_groups(groups, wanted) - wanted
        try:
            index = write_delta(sent, held, near, namespace, visit.store) if sent else None
            break
        except Detached as fault:
            wanted |= names_of_groups(groups, {str(fault)})
        except Unstorable as refusal:
            only_here = visit.apart.union(staying)
            refused = refused_names([[name] for name in sorted(wanted)], values, namespace, only_here)
            if not refused:
                together = [group for group in groups if not wanted.isdisjoint(group)]
                refused = refused_names(together, values, namespace, only_here)
            if not refused or attempt > len(values):
                refused = dict.fromkeys(wanted, "%s: %s" % (refusal.path, refusal.reason))
            staying.update({name: reason for name, reason in refused.items() if name in wanted})
            wanted -= set(refused)
    else:
        staying.update(dict.fromkeys(wanted, "it shares state with what cannot go"))
        wanted = set()
    alone = {*staying, *visit.apart}
    parted = [[name, other] for members in groups for name in members if name in wanted for other in members]
    staying.pop(RESULT_NAME, None)
    return {
        "groups": [index] if index is not None else [],
        "names": sorted(wanted - {RESULT_NAME}),
        "changed": sorted(changed),
        "result": RESULT_NAME in wanted,
        "result_lost": bool(shown) and RESULT_NAME not in wanted,
        "staying": staying,
        "parted": [pair for pair in parted if pair[1] in alone and pair[0] != RESULT_NAME],
        "types": {name: type_name(items[name]) for name in sorted(staying)},
        "unsure": sorted(unsure),
        "witness": testify(values, sorted(wanted)),
    }


def names_that_need(
    lacking: FrozenSet[str],
    wanted: Set[str],
    values: Dict[str, Any],
    groups: List[List[str]],
    namespace: Dict[str, Any],
) -> Dict[str, str]:
    """Those of ``wanted`` that the other side cannot have for want of a package, each with that package."""
    found: Dict[str, str] = {}
    grouped = {name for group in groups for name in group}
    for members in [*groups, *([name] for name in sorted(wanted - grouped))]:
        if wanted.isdisjoint(members):
            continue
        try:
            needed = measure_group({name: values[name] for name in members}, {}, namespace)["modules"]
        except Unstorable:
            continue
        missing = sorted(lacking.intersection(needed))
        if missing:
            found.update(dict.fromkeys(members, "%s is not installed where the session is" % missing[0]))
    return {name: why for name, why in found.items() if name in wanted}


def written_files(records: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The files that the cell wrote, as they are now."""
    found: Dict[str, Dict[str, Any]] = {}
    for record in records:
        for statement in record["statements"]:
            for use in statement["files"]:
                if use["mode"] != "r" and os.path.isfile(use["absolute"]):
                    path = use["absolute"]
                    found[path] = {"path": use["path"], "absolute": path, "size": os.path.getsize(path)}
    return [found[path] for path in sorted(found)]


def write_result(visit: Visit, request: str, result: Dict[str, Any], arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Write the parcel of a result into the directory; its description."""
    have: FrozenSet[str] = frozenset(arguments.get("have") or ())
    parts: List[str] = []

    def put(number: int, content: bytes) -> None:
        path = os.path.join(visit.directory, "%s.back.%d" % (request, number))
        with open(path + ".tmp", "wb") as file:
            file.write(content)
        os.replace(path + ".tmp", path)
        parts.append(os.path.basename(path))

    blobs = blobs_of_groups(result["groups"])
    writer = ParcelWriter(put, int(arguments["part_size"]))
    try:
        written = writer.write(
            result, visit.store, [digest for digest in sorted(blobs) if digest not in have], arguments["bandwidth"]
        )
    except OSError:
        for part in parts:
            os.unlink(os.path.join(visit.directory, part))
        raise
    return {
        "parts": parts,
        "sha256": written["sha256"],
        "size": written["size"],
        "raw_size": written["raw_size"],
        "ran": result["ran"],
        "outcome": result["outcome"],
        "seconds": result["seconds"],
    }
