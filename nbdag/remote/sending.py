"""What a cell needs, brought to the other side and compared there, before the cell runs."""

from __future__ import annotations

import re
import time
import types
from dataclasses import dataclass, replace
from typing import Any

from nbdag.errors import EnvironmentRefused, IntegrityError, NbdagError, RemoteError
from nbdag.portable.agent import START_STATE_ATTRIBUTE
from nbdag.portable.credentials import looks_like_credential
from nbdag.portable.delta import encode_states, write_delta
from nbdag.portable.encode import Unstorable
from nbdag.portable.process_state import capture, difference
from nbdag.portable.randomness import get_states
from nbdag.portable.visit_changes import SILENT_PARTS
from nbdag.remote.apply import disagreements
from nbdag.remote.lazy import placeholders
from nbdag.remote.model import Needs, Transfer
from nbdag.remote.needs import Reading, Survey
from nbdag.remote.rebuild import rebuild
from nbdag.remote.there import There, Watcher

_RUNNING = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
_TRAVELS = ("environ", "modules")  # of the process state: to the other side, and not back


@dataclass(frozen=True, slots=True, eq=False)
class Delivered:
    """What was sent: ``needs`` says what was missing in the end, ``transfer`` what it took."""

    needs: Needs
    transfer: Transfer


class StartAfresh(Exception):
    """What is there is not what it should be: ``error`` is to be told, and all of it to be thrown away."""

    def __init__(self, error: NbdagError) -> None:
        super().__init__(error.message)
        self.error = error


def send(
    there: There, shell: Any, survey: Survey, reading: Reading, needs: Needs, request: str, watcher: Watcher
) -> Delivered:
    """Bring the missing variables there, with options and random states. Raises NbdagError, StartAfresh."""
    ledger = there.ledger
    steps: tuple[dict[str, Any], ...] = ()
    begun = time.perf_counter()
    try:
        groups = _encode(there, shell, survey, needs)
        forget = ledger.drop([*needs.missing, *(name for name in ledger.entries if name not in survey.items)])
    except Unstorable:
        _refuse_running_generators(reading, survey)
        made = rebuild(shell, needs.names, there.store, there.link.bytes_per_second)
        watcher.say(f"{_statements(made.statements)} there what cannot be sent")
        steps, groups = made.steps, made.groups
        needs = replace(needs, missing=needs.names)
        forget = ledger.drop([*ledger.entries])
    here_again = ledger.staying & survey.items.keys()
    ledger.staying -= here_again
    left = placeholders(shell).keys()
    unread = ledger.left - left - ledger.entries.keys()
    ledger.left &= left
    process = _process_changes(shell)
    states = encode_states(get_states())
    manifest = {
        "request": request,
        "active": list(needs.names),
        "maybe": sorted(ledger.staying.intersection(reading.unknown)),
        "mentioned": sorted(reading.mentioned),
        "left": sorted(ledger.left),
        "apart": sorted(ledger.left | ledger.staying),
        "forget": sorted({*forget, *unread, *here_again}),
        "groups": [] if steps else groups,
        "steps": list(steps),
        "process": process if repr(process) != ledger.process else {},
        "random": {name: state for name, state in states.items() if ledger.states.get(name) != state or steps},
    }
    for name in needs.missing:
        why = looks_like_credential(name, survey.items[name])
        if why:
            watcher.say(f"{name} goes to {there.target.name}, too: {why}")
    sent, answer = there.deliver(request, manifest, groups, watcher)
    there.refuse_if_damaged(answer)
    if "failed" in answer:
        raise _load_failure(there, str(answer["failed"]))
    if answer["missing"]:
        lost = ", ".join(answer["missing"][:8])
        raise StartAfresh(RemoteError(f"{there.target.name} has lost {lost}", "run the cell again"))
    values = {name: survey.items[name] for name in needs.missing}
    doubts = disagreements(answer["witness"], values, shell.user_ns)
    if doubts and not there.may_differ(groups):
        raise StartAfresh(
            IntegrityError(
                f"{there.target.name}: the cell was not run, as what arrived there is different: {'; '.join(doubts)}",
                "run it here, and please report this",
            )
        )
    for note in [*answer["notes"], *(f"different there: {doubt}" for doubt in doubts)]:
        watcher.say(note)
    ledger.blobs |= {part["blob"] for group in groups for part in [group["head"], *group["regions"]] if "blob" in part}
    ledger.process = repr(process)
    ledger.states = states
    ledger.note(needs.missing, survey)
    return Delivered(needs, Transfer(sent.bytes, time.perf_counter() - begun, sent.raw_bytes, needs.missing))


def _encode(there: There, shell: Any, survey: Survey, needs: Needs) -> list[dict[str, Any]]:
    """The missing variables as one delta. Raises Unstorable where one cannot be pickled."""
    if not needs.missing:
        return []
    values = {name: survey.items[name] for name in needs.missing}
    held = {name: survey.items[name] for name in needs.names if name not in values}
    try:
        # Whole groups are missing or held: none of the values shares state with what is there.
        return [write_delta(values, held, (), shell.user_ns, there.store)]
    except OSError as fault:
        where = f"cannot write in {there.store}: {fault.strerror}"
        raise RemoteError(where, "make room in the temporary directory") from None


def _process_changes(shell: Any) -> dict[str, Any]:
    """Options and the like that the session set here, and modules beside the notebook."""
    before = vars(shell).get(START_STATE_ATTRIBUTE)
    if before is None:
        return {}
    found = difference(before, capture())
    return {part: change for part, change in found.items() if part not in SILENT_PARTS or part in _TRAVELS}


def _load_failure(there: There, reason: str) -> NbdagError:
    name = there.target.name
    missing = re.search(r"No module named '([^']+)'", reason)
    if missing:
        return EnvironmentRefused(
            f"{name} lacks the package {missing[1]}; the cell was not run and the session is as it was",
            f"install it there, or run the cell here; %nbdag remote test {name} compares all packages",
        )
    return RemoteError(
        f"{name} cannot load what the cell needs: {reason}; nothing was run, the session is as it was",
        f"%nbdag remote test {name} compares the packages",
    )


def _refuse_running_generators(reading: Reading, survey: Survey) -> None:
    """Raise RemoteError where a cell could advance a generator: that could be made there, but not brought back."""
    names = [name for name in sorted(reading.mentioned) if isinstance(survey.items.get(name), _RUNNING)]
    if names:
        raise RemoteError(
            f"the cell could advance {', '.join(names)}, and a {type(survey.items[names[0]]).__name__}"
            " cannot come back; nothing was run",
            "run it here",
        )


def _statements(count: int) -> str:
    return "1 statement makes" if count == 1 else f"{count} statements make"
