"""The processes elsewhere that run cells of a shell: one for each target, from its first cell until the shell ends."""

from __future__ import annotations

import atexit
from typing import Any

from nbdag.remote.config import target_called, token_of
from nbdag.remote.running import RemoteSession, Watcher

_ATTRIBUTE = "_nbdag_remote_sessions"  # on the shell


def sessions_of(shell: Any) -> dict[str, RemoteSession]:
    """The sessions of a shell by the names of their targets."""
    found = vars(shell).get(_ATTRIBUTE)
    if found is None:
        found = vars(shell)[_ATTRIBUTE] = {}
        atexit.register(close_all, found)
    sessions: dict[str, RemoteSession] = found
    return sessions


def session_on(shell: Any, name: str, watcher: Watcher) -> RemoteSession:
    """The session on the target of this name; it is connected at its first use. Raises UsageError where there is none.

    A target that was added anew, with another address, gets a new one.
    """
    target = target_called(name)
    sessions = sessions_of(shell)
    known = sessions.get(name)
    if known is not None and known.target == target:
        known.watcher = watcher
        return known
    if known is not None:
        known.close()
    sessions[name] = RemoteSession(shell, target, token_of(target), watcher)
    return sessions[name]


def close_session(shell: Any, name: str) -> bool:
    """End the process on a target; whether there was one."""
    known = sessions_of(shell).pop(name, None)
    if known is None:
        return False
    known.close()
    return True


def close_all(sessions: dict[str, RemoteSession]) -> None:
    """End all of them."""
    while sessions:
        _, session = sessions.popitem()
        session.close()
