"""Why a step should not be replayed, or not at all: static effects x what the recorder saw, one rule per row.

| effect | said by the text | seen by the recorder | verdict |
|---|---|---|---|
| clock, pid, uuid | must or may | cannot be seen | last resort |
| random | any | state changed: state is put back first | free |
| random | any | no state changed | free |
| random | any | not recorded | last resort |
| file read | any | opened, content unchanged | risk: must be on the target |
| file read | any | opened, content changed | never: it would read something else |
| file read | any | opened, content unknown or gone | last resort |
| file read | any | opened, content unknown, an SQLite file now | never: the session wrote there |
| file read | must | nothing seen (C++ readers raise no audit event) | last resort |
| file read | may | nothing seen | free |
| file read or write | any | by an import: libraries and caches | free |
| file write | any | seen, or must and not recorded | never |
| network | any | seen, or must | never |
| process | any | seen, or must | last resort |
| input | any | - | never |
| history (_, Out[3]) | any | - | never |
| opaque code | - | - | last resort |
| credential struck out of the text when the session moved | - | - | never |
| failed | - | - | last resort, the failure is expected again |
| interrupted | - | - | never: it may not end |
| no text to run | - | - | never |
| before the recorder came | - | - | last resort |
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable

from nbdag.model.facts import Certainty, Effect, EffectKind, Statement, StatementKind
from nbdag.model.graph import Hazard, Reluctance
from nbdag.model.trace import Execution, FileUse, Outcome, StatementRun

DigestOfFile = Callable[[str], str]

NEVER, LAST_RESORT, RISK = Reluctance.NEVER, Reluctance.LAST_RESORT, Reluctance.RISK


def sha256_of_file(path: str) -> str:
    """The sha256 of the file at ``path`` now, "" when it cannot be read."""
    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
    except OSError:
        return ""


def hazards_of(
    statement: Statement, run: StatementRun | None, execution: Execution, digest_of: DigestOfFile = sha256_of_file
) -> tuple[Hazard, ...]:
    """The hazards of replaying ``statement`` as it ran in ``run`` (None: before the recorder came), gravest first."""
    found = list(_of_execution(execution, run))
    if statement.python is None or (run is not None and not statement.python and (run.bound or run.changed)):
        found.append(Hazard(NEVER, "it is a magic that plain Python does not have"))
    if statement.opaque and run is None:
        found.append(Hazard(LAST_RESORT, "it runs code that nobody recorded"))
    for effect in statement.effects:
        if not effect.deferred:
            found.extend(_of_effect(effect, run))
    if run is not None:
        found.extend(_of_run(statement, run, digest_of))
    unique = dict.fromkeys(found)
    return tuple(sorted(unique, key=lambda hazard: -hazard.reluctance))


def _of_execution(execution: Execution, run: StatementRun | None) -> Iterable[Hazard]:
    if not execution.known:
        yield Hazard(LAST_RESORT, "it ran before nbdag was recording")
    if run is not None and not run.completed:
        if execution.outcome is Outcome.INTERRUPTED:
            yield Hazard(NEVER, "it was interrupted and may not end by itself")
        else:
            yield Hazard(LAST_RESORT, "it raised an exception half-way")


def _of_effect(effect: Effect, run: StatementRun | None) -> Iterable[Hazard]:
    """Effects whose verdict rests on the text; those that the recorder can see are judged in ``_of_run``."""
    what = effect.detail or effect.kind.value
    must = effect.certainty is Certainty.MUST
    if effect.kind is EffectKind.CLOCK:
        yield Hazard(LAST_RESORT, f"it depends on the moment it runs ({what})")
    elif effect.kind is EffectKind.INPUT:
        yield Hazard(NEVER, f"it asks the user ({what})")
    elif effect.kind is EffectKind.HISTORY:
        yield Hazard(NEVER, f"it reads an earlier output ({what})")
    elif effect.kind is EffectKind.NETWORK and (must or (run is not None and "network" in run.effects)):
        yield Hazard(NEVER, f"it uses the network ({what})")
    elif effect.kind is EffectKind.PROCESS and must:
        yield Hazard(LAST_RESORT, f"it starts a process ({what})")
    elif effect.kind is EffectKind.FILE_WRITE and must and run is None:
        yield Hazard(NEVER, f"it writes a file ({what})")
    elif effect.kind is EffectKind.FILE_READ and (run is None or (must and not _read_files(run))):
        yield Hazard(LAST_RESORT, f"it reads a file that nobody saw ({what})")
    elif effect.kind is EffectKind.RANDOM and run is None:
        yield Hazard(LAST_RESORT, f"it draws random numbers ({what})")


def _read_files(run: StatementRun) -> list[FileUse]:
    return [use for use in run.files if use.mode == "r"]


def _is_database(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def _of_run(statement: Statement, run: StatementRun, digest_of: DigestOfFile) -> Iterable[Hazard]:
    if "withheld" in run.effects:
        yield Hazard(NEVER, "its text held what looked like a credential, which stayed behind when the session moved")
    if "network" in run.effects:
        yield Hazard(NEVER, "it used the network")
    if "process" in run.effects:
        yield Hazard(LAST_RESORT, "it started a process")
    written = [use.path for use in run.files if use.mode != "r"]
    if statement.kind is StatementKind.IMPORT:
        return  # what an import writes are caches, and what it reads is the library
    if written or "file-write" in run.effects:
        yield Hazard(NEVER, f"it writes {', '.join(written[:3]) or 'a file'}")
    reads = _read_files(run)
    for use in reads:
        if not use.digest and _is_database(use.absolute):
            yield Hazard(NEVER, f"it opens the database {use.path}, which may have been written to since")
        elif not use.digest:
            yield Hazard(LAST_RESORT, f"it reads {use.path}, whose content was not recorded")
        elif not os.path.exists(use.absolute):
            yield Hazard(LAST_RESORT, f"it reads {use.path}, which is gone")
        elif digest_of(use.absolute) != use.digest:
            yield Hazard(NEVER, f"it reads {use.path}, which has changed since")
        else:
            yield Hazard(RISK, f"it reads {use.path}, which the target may lack")
    if "file-read" in run.effects and not reads:
        yield Hazard(LAST_RESORT, "it read a file that nobody saw")
