"""The side of a cell's migration where the cell runs: takes in what it needs, and gives back what it changed.

A *visit* hangs on the shell and lives as long as the kernel. Between two cells the variables that the next one does not
need are *parked*: out of its sight, and still what the other side believes to be here. ``visit_command`` is the entry,
as ``agent.command`` is that of the recorder, which it falls back to. A command for another visit than this one's is not
done: ``{"replaced": True}``.

    arrive      find the directory that files arrive in, begin to record, say what there is
    receive     one parcel: variables, random states, options; all of it or nothing
    finish      what the cell did since: a parcel with what changed, kept until the other side has it
    settle      the other side has it
    leave       remove the files
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import threading
import traceback
from typing import Any, Callable, Dict, List, Set

from nbdag.portable.agent import command, recorder_of, running_shell, start_command
from nbdag.portable.delta import (
    DeltaLoading,
    decode_states,
    group_with_bytes,
)
from nbdag.portable.directories import current_directory
from nbdag.portable.fingerprint import fingerprint
from nbdag.portable.namespace import session_items
from nbdag.portable.parcel import ParcelDamaged, awaited_parts, read_parcel
from nbdag.portable.process_state import apply, capture
from nbdag.portable.randomness import get_states, set_states
from nbdag.portable.recorder import fault_text
from nbdag.portable.replaying import Replayer, fault_in_words
from nbdag.portable.steps import Replay
from nbdag.portable.visit_changes import (
    Visit,
    describe_run,
    encode_changes,
    progress_of,
    reference_to,
    write_result,
)
from nbdag.portable.visit_machine import benchmark_seconds, package_versions, warm_visit
from nbdag.portable.visit_traces import library_contents
from nbdag.portable.witness import testify

VISIT_ATTRIBUTE = "_nbdag_visit"


def visit_command(name: str, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Do one command; a fault comes back as ``{"error", "traceback"}``."""
    work = VISIT_COMMANDS.get(name)
    if work is None:
        return command(name, arguments)
    try:
        shell = running_shell()
        if shell is None:
            return {"error": "no IPython is running in this process", "traceback": ""}
        meant = arguments.get("visit")
        if meant and (VISIT_ATTRIBUTE not in vars(shell) or visit_of(shell).id != meant):
            return {"replaced": True}
        recorder = recorder_of(shell)
        if recorder is None:
            return work(shell, arguments)
        with recorder.listener.deaf():
            return work(shell, arguments)
    except ParcelDamaged as fault:
        return {"damaged": str(fault)}
    except MemoryError:
        return {"refused": "there is not enough memory"}
    except OSError as fault:
        return {"refused": fault.strerror or str(fault)}
    except BaseException as fault:
        return {"error": fault_text(fault), "traceback": traceback.format_exc()}


def visit_of(shell: Any) -> Visit:
    """The visit of a shell; a new one where there is none."""
    found = vars(shell).get(VISIT_ATTRIBUTE)
    if found is None:
        found = vars(shell)[VISIT_ATTRIBUTE] = Visit()
    visit: Visit = found
    return visit


def arrive_visit(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Begin. ``marker`` is a file that was just put into the server's files, "" where there are none; ``token`` is what
    stands in it.
    """
    start_command(shell, {"share": None})
    if visit_of(shell).token not in ("", arguments["token"]):
        # Of a session that has gone, or shares this process: its visit ends here.
        settle_visit(shell, {"request": "", "refused": True})
        leave_visit(shell, {})
    visit = visit_of(shell)
    visit.token = str(arguments["token"])
    marker = str(arguments.get("marker") or "")
    visit.directory = marked_directory(marker, visit.token) if marker else visit.store
    return dict(about_visit(shell, arguments), directory=visit.directory, visit=visit.id)


def about_visit(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """This machine, and the versions of ``modules`` ("module=distribution")."""
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "cwd": current_directory(),
        "host": platform.node(),
        "packages": package_versions(arguments.get("modules") or ()),
    }


def marked_directory(marker: str, token: str) -> str:
    """The directory of the file whose path ends in ``marker``: from here upwards, then in the usual places; ""."""
    places: List[str] = []
    here = current_directory()
    while here not in places:
        places.append(here)
        here = os.path.dirname(here)
    places += [os.environ.get("JUPYTER_SERVER_ROOT", ""), os.path.expanduser("~"), os.environ.get("NOTEBOOK_DIR", "")]
    for place in places:
        path = os.path.join(place, *marker.split("/")) if place else ""
        try:
            with open(path, encoding="utf-8") as file:
                if file.read(200) == token:
                    return os.path.dirname(path)
        except (OSError, ValueError):
            continue
    return ""


# ------------------------------------------------------------------------------------------------ there


def receive_visit(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Take in the parcel in the files ``parts``, of these ``sizes``, which may still be on their way; after a failure
    everything is as it was before. ``settled`` is what was to be settled before, if that has not come through.

    Answers ``{"witness": ...}`` about what was loaded, or ``{"failed": reason}``.
    """
    visit = visit_of(shell)
    if visit.receipt.get("request") == arguments["request"]:
        return dict(visit.receipt["answer"])  # asked again, for the answer was lost
    if arguments["settled"].get("request") in visit.results:
        settle_visit(shell, arguments["settled"])
    paths = [os.path.join(visit.directory, os.path.basename(part)) for part in arguments["parts"]]
    remove_files([path for path in visit.paths if path not in paths])  # asked again after a failure, they are the same
    visit.paths = paths  # the server may still be about to look at what it wrote: they go when the cell is over
    manifest = read_parcel(awaited_parts(paths, arguments["sizes"]), arguments["sha256"], visit.store)
    namespace = shell.user_ns
    items = session_items(shell, namespace)
    active: Set[str] = set(manifest["active"])
    active.update(name for name in manifest["maybe"] if name in visit.parked or name in items)
    before = {**{name: ("here", value) for name, value in items.items()}}
    parked = dict(visit.parked)
    arrived = dict(visit.arrived)
    loaded: Dict[str, Any] = {}
    try:
        for name in manifest["forget"]:
            visit.parked.pop(name, None)
            visit.arrived.pop(name, None)
            if name in items:
                del namespace[name]
        for name in list(session_items(shell, namespace)):
            if name not in active:
                visit.parked[name] = namespace.pop(name)
        for name in sorted(active):
            if name in visit.parked and name not in namespace:
                namespace[name] = visit.parked.pop(name)
        notes = apply(manifest["process"], "before")
        loading = DeltaLoading(visit.store, namespace)
        rebuild(visit, namespace, loading, manifest["steps"], active)
        for group in manifest["groups"]:
            loaded.update(loading.load(group_with_bytes(group)))
        namespace.update(loaded)
        loading.finish()
        notes += apply(manifest["process"], "after")
    except BaseException as fault:
        for name in list(session_items(shell, namespace)):
            if name not in before:
                del namespace[name]
        for name, (_, value) in before.items():
            namespace[name] = value
        visit.parked, visit.arrived = parked, arrived
        if isinstance(fault, (MemoryError, OSError, KeyboardInterrupt)):
            raise
        return {"failed": fault_text(fault)}
    visit.arrived.update({name: reference_to(namespace[name]) for name in active if name in namespace})
    failed = set_states(decode_states(manifest["random"]))
    look_at_arrivals(shell, sorted(active) if manifest["steps"] else list(loaded))
    visit.request = manifest["request"]
    visit.mentioned = set(manifest["mentioned"])
    visit.left = frozenset(manifest["left"])
    visit.apart = frozenset(manifest["apart"])
    visit.threads = frozenset(threading.enumerate())
    visit.libraries = library_contents({**visit.parked, **session_items(shell, namespace)})
    visit.began = len(recorder_of(shell).executions)  # type: ignore[union-attr]
    visit.states = get_states()
    visit.process = capture()
    visit.prints = dict(recorder_of(shell).watch.prints)  # type: ignore[union-attr]
    visit.progress = {name: progress_of(value) for name, value in session_items(shell, namespace).items()}
    arrivals = [*loaded, *(name for step in manifest["steps"] for name in step_names(step) if name in active)]
    answer = {
        "witness": testify(namespace, arrivals),
        "missing": sorted(set(manifest["active"]).difference(namespace)),
        "notes": notes + ["the random generator of %s could not be set there" % name for name in failed],
    }
    visit.receipt = {"request": manifest["request"], "answer": answer}
    return answer


def remove_files(paths: List[str]) -> None:
    """Remove those that are there."""
    for path in paths:
        if os.path.exists(path):
            os.unlink(path)


def step_names(step: Dict[str, Any]) -> List[str]:
    """The names that a step of a rebuilding makes."""
    names: List[str] = step["group"]["names"] if "group" in step else step["replay"]["names"]
    return names


def rebuild(
    visit: Visit, namespace: Dict[str, Any], loading: DeltaLoading, steps: List[Dict[str, Any]], active: Set[str]
) -> None:
    """Load and run, in this order, what makes values that cannot be sent; ``active`` names are left."""
    replays = {
        number: Replay(
            code=step["replay"]["code"],
            cell=step["replay"]["cell"],
            line=step["replay"]["line"],
            names=tuple(step["replay"]["names"]),
            may_fail=step["replay"]["may_fail"],
        )
        for number, step in enumerate(steps)
        if "replay" in step
    }
    if not steps:
        return
    known = set(namespace)
    replayer = Replayer(namespace, list(replays.values()), visit.store)
    for number, step in enumerate(steps):
        if number not in replays:
            namespace.update(loading.load(group_with_bytes(step["group"])))
            loading.finish()
            continue
        set_states(decode_states(step["replay"]["states"]))
        try:
            replayer.run(replays[number])
        except Exception as fault:
            if not replays[number].may_fail:
                words = fault_in_words(fault, replays[number], replayer.filenames[id(replays[number])])
                raise RuntimeError("what cannot be sent cannot be made there: " + words) from fault
    for name in set(namespace) - known - active:
        del namespace[name]


def look_at_arrivals(shell: Any, names: List[str]) -> None:
    """Let the recorder take what is there now as given."""
    recorder = recorder_of(shell)
    if recorder is None:
        return

    def look() -> None:
        recorder.watch.known, items = recorder.camera.take()
        stale = [*names, *(name for name in list(recorder.watch.prints) if name not in items)]
        recorder.watch.forget(stale)
        recorder.reacher.forget(stale)
        for name, value in items.items():
            if name not in recorder.watch.prints:
                recorder.watch.look(name, value)
        recorder.watch.link(recorder.reacher, items, list(items))
        recorder.behind = set()

    recorder.guarded(look)


# ------------------------------------------------------------------------------------------------ back


def finish_visit(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """What the cell of ``request`` did. Asked again, the answer is the same; the parcel is written again.

    ``have`` are digests of blobs that the other side has, ``lazy`` the bytes above which a value stays here (null:
    none does). ``lacking`` are packages that the other side does not have, ``unfit`` names with the reason why they did
    not come through: what needs them, and these, stay here.
    """
    visit = visit_of(shell)
    request = arguments["request"]
    result = visit.results.get(request)
    if result is None:
        if request != visit.request:
            return {"unknown": True}
        result = visit.results[request] = describe_run(shell, visit, arguments)
        visit.request = ""
    elif arguments.get("lacking") or arguments.get("unfit"):
        result.update(visit.encode(frozenset(arguments["lacking"]), arguments["unfit"]))
    return write_result(visit, request, result, arguments)


def values_visit(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """The values of ``names``, which had stayed here, as a parcel like that of a cell."""
    visit = visit_of(shell)
    items = {**visit.parked, **session_items(shell, shell.user_ns)}
    names = set(arguments["names"])
    missing = sorted(names.difference(items))
    if missing:
        return {"missing": missing}
    encoded = encode_changes(shell, visit, items, names, names, set(), {}, frozenset())
    result = dict(encoded, lazy={}, deleted=[], bound=sorted(names), ran=True, outcome="ok", fault="", seconds=0.0)
    result.update({"random": {}, "process": {}, "elsewhere": [], "files": [], "effects": []})
    return write_result(visit, arguments["request"], result, arguments)


def settle_visit(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """The other side has taken over the result of ``request``: what is here is what is there. ``forget`` names are not.

    With ``refused``, it has not, and nothing of what is here counts any more.
    """
    visit = visit_of(shell)
    visit.encode = lambda lacking, unfit: {}
    visit.request = ""
    remove_files([os.path.join(visit.directory, os.path.basename(part)) for part in arguments.get("parts") or ()])
    remove_files(visit.paths)
    namespace = shell.user_ns
    items = session_items(shell, namespace)
    if arguments.get("refused"):
        kept = set(arguments.get("keep") or ())
        values = {**visit.parked, **items}
        spoiled = {
            name
            for name in kept.intersection(items)
            if name in visit.prints and fingerprint(items[name]) != visit.prints[name]
        }
        for name in items:
            del namespace[name]
        visit.parked = {name: values[name] for name in kept - spoiled if name in values}
        visit.arrived = {name: reference_to(value) for name, value in visit.parked.items()}
        visit.results.pop(arguments["request"], None)
        return {"names": [], "lost": sorted(kept - visit.parked.keys())}
    visit.arrived = {name: value for name, value in visit.arrived.items() if name in items or name in visit.parked}
    visit.arrived.update({name: reference_to(value) for name, value in items.items()})
    visit.results.pop(arguments["request"], None)  # at last: what fails before is done again (``receive_visit``)
    return {"names": sorted(items)}


def place_visit(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Where files are expected."""
    return {"directory": visit_of(shell).directory}


def leave_visit(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Remove every file of the visit."""
    visit = vars(shell).pop(VISIT_ATTRIBUTE, None)
    if visit is not None:
        shutil.rmtree(visit.store, ignore_errors=True)
        if visit.directory and os.path.basename(visit.directory).startswith("nbdag-transfer-"):
            shutil.rmtree(visit.directory, ignore_errors=True)
    return {}


def speed_visit(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Seconds of a fixed piece of work: the middle of several runs."""
    return {"seconds": benchmark_seconds()}


def drop_visit(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Make and remove nothing but a file of ``size`` random bytes, for measuring the way back."""
    visit = visit_of(shell)
    path = os.path.join(visit.directory, "nbdag-speed.bin")
    size = int(arguments.get("size") or 0)
    if size:
        with open(path, "wb") as file:
            file.write(os.urandom(size))
    elif os.path.exists(path):
        os.unlink(path)
    return {"name": os.path.basename(path)}


VISIT_COMMANDS: Dict[str, Callable[[Any, Dict[str, Any]], Dict[str, Any]]] = {
    "arrive": arrive_visit,
    "about": about_visit,
    "receive": receive_visit,
    "finish": finish_visit,
    "values": values_visit,
    "settle": settle_visit,
    "place": place_visit,
    "leave": leave_visit,
    "warm": warm_visit,
    "speed": speed_visit,
    "drop": drop_visit,
}
