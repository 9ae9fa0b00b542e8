"""Every policy on the same sessions, beside staying here, going there and the oracle: what ``nbdag simulate`` shows."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbdag.analysis.session_files import recall
from nbdag.analysis.trace import read_trace
from nbdag.errors import IntegrityError, UsageError
from nbdag.remote.history import History, history_from_document
from nbdag.remote.policies import FIXED, POLICIES
from nbdag.remote.policies.base import Policy
from nbdag.remote.policies.guard import Account, Guarded
from nbdag.remote.recording import history_of
from nbdag.remote.simulate import ORACLE, Conditions, Course, oracle, simulate


@dataclass(frozen=True, slots=True)
class Trial:
    """The courses of all sessions by policy, in the order of ``sessions``; "here", "there" and "oracle" among them."""

    sessions: tuple[History, ...]
    learned_from: tuple[str, ...]
    conditions: Conditions
    courses: dict[str, tuple[Course, ...]]

    def waited(self, policy: str) -> float:
        """Seconds that all sessions together took."""
        return sum(course.waited for course in self.courses[policy])

    def against(self, policy: str, other: str) -> float:
        """How many times as long as under ``other``."""
        theirs = self.waited(other)
        return self.waited(policy) / theirs if theirs else 1.0

    def worst(self, policy: str) -> float:
        """The session that fared worst against staying here: how many times as long it took."""
        pairs = zip(self.courses[policy], self.courses["here"], strict=True)
        return max((mine.waited / here.waited for mine, here in pairs if here.waited), default=1.0)


def run_trial(
    sessions: Sequence[History],
    conditions: Conditions,
    policies: Sequence[str],
    *,
    learn_from: Sequence[History] = (),
    guarded: bool = True,
) -> Trial:
    """Simulate every session under every policy.

    With ``learn_from``, each policy goes through those sessions first, and every session begins with what it knew then.
    Without, the sessions are a user's days: each is learned from before the next.
    """
    courses: dict[str, tuple[Course, ...]] = {}
    for name in FIXED:
        courses[name] = tuple(simulate(session, FIXED[name](), conditions) for session in sessions)
    for name in policies:
        policy = make_policy(name, guarded=guarded)
        for session in learn_from:
            simulate(session, policy, conditions)
        found = []
        for session in sessions:
            found.append(simulate(session, copy.deepcopy(policy) if learn_from else policy, conditions))
        courses[name] = tuple(found)
    courses[ORACLE] = tuple(oracle(session, conditions) for session in sessions)
    return Trial(tuple(sessions), tuple(history.name for history in learn_from), conditions, courses)


def make_policy(name: str, *, guarded: bool = True, account: Account | None = None) -> Policy:
    """A fresh policy of this name, held to an account unless ``guarded`` is False."""
    policy = POLICIES[name]()
    return Guarded(policy, account) if guarded else policy


# ------------------------------------------------------------------------------------------------ reading sessions


def read_sessions(paths: Sequence[Path], state_directory: Path) -> tuple[History, ...]:
    """The sessions at ``paths``, in the order of their names: histories, traces, kept sessions, notebooks that have
    one, and directories of these. Raises UsageError, IntegrityError; empty sessions are left out.
    """
    found = [history for path in paths for history in _sessions_at(path, state_directory)]
    told = tuple(history for history in found if history.runs)
    if not told:
        named = ", ".join(str(path) for path in paths)
        raise UsageError(f"{named}: no session in which a cell ran", "nbdag analyze NOTEBOOK records one")
    return told


def _sessions_at(path: Path, state_directory: Path) -> list[History]:
    if path.is_dir():
        if (path / "trace.json").is_file():
            return [_read(path / "trace.json", path.name)]
        files = sorted(path.glob("*.json")) or sorted(path.glob("**/trace.json"))
        if not files:
            raise UsageError(f"{path}: no sessions in this directory", "it holds neither histories nor traces")
        found: list[History] = []
        for file in files:
            found += _several(file)
        return found
    if path.suffix in {".ipynb", ".py", ".md"}:
        session = recall(state_directory, str(path.resolve()))
        trace = None if session is None else Path(session.directory, "trace.json")
        if trace is None or not trace.is_file():
            raise UsageError(f"{path}: no recorded session of it is kept here", f"run: nbdag analyze {path}")
        return [_read(trace, path.stem, str(path))]
    if not path.is_file():
        raise UsageError(f"{path}: no such file or directory", "name a history, a trace, or a notebook analyzed here")
    return [_read(path, _name_of(path))]


def _several(file: Path) -> list[History]:
    """What is in one file of a directory; files that are something else entirely are passed over."""
    try:
        return [_read(file, _name_of(file))]
    except UsageError:
        return []


def _name_of(path: Path) -> str:
    return path.parent.name if path.name == "trace.json" else path.stem


def _read(path: Path, name: str, notebook: str = "") -> History:
    """A history or a trace, whichever the file says it is."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise IntegrityError(f"{path} cannot be read as a session: {error}", "record it again") from None
    kind = document.get("format") if isinstance(document, dict) else None
    if kind == "nbdag-trace":
        return history_of(read_trace(path), name, notebook=notebook)
    if kind == "nbdag-history":
        return history_from_document(document, path)
    raise UsageError(f"{path}: neither a session's history nor a trace", "nbdag analyze and %nbdag migrate record them")
