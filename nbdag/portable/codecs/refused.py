"""Types whose values are bound to this process, each with the reason in words."""

from __future__ import annotations

import types
from typing import Any, Dict

from nbdag.portable.encoder import GroupEncoder, Refused

# By "module.name" of the type, so that no module is imported to know it; subclasses count.
REFUSED_TYPES: Dict[str, str] = {
    "builtins.generator": "a generator that is running cannot be taken apart",
    "builtins.coroutine": "a coroutine that is running cannot be taken apart",
    "builtins.async_generator": "a generator that is running cannot be taken apart",
    "builtins.frame": "a stack frame belongs to its process",
    "builtins.traceback": "a traceback belongs to its process",
    "builtins.code": "compiled code runs on no other Python version",
    "builtins.PyCapsule": "a pointer into a C library",
    "_thread.lock": "a lock belongs to its process",
    "_thread.RLock": "a lock belongs to its process",
    "_thread._local": "thread-local data belongs to its threads",
    "threading.Thread": "a thread belongs to its process",
    "concurrent.futures.thread.ThreadPoolExecutor": "its threads belong to this process",
    "concurrent.futures.process.ProcessPoolExecutor": "its processes belong to this one",
    "multiprocessing.pool.Pool": "its processes belong to this one",
    "socket.socket": "an open connection belongs to its process",
    "_socket.socket": "an open connection belongs to its process",
    "ssl.SSLSocket": "an open connection belongs to its process",
    "sqlite3.Connection": "an open database connection belongs to its process",
    "sqlite3.Cursor": "an open database connection belongs to its process",
    "subprocess.Popen": "a running process cannot move",
    "asyncio.events.AbstractEventLoop": "an event loop belongs to its process",
    "_asyncio.Task": "a running task belongs to its event loop",
    "_asyncio.Future": "a future belongs to its event loop",
    "asyncio.futures.Future": "a future belongs to its event loop",
    "_io.BytesIOBuffer": "memory inside a BytesIO",
    "_contextvars.Context": "a context belongs to its thread",
    "_contextvars.ContextVar": "a context variable belongs to its module",
    "tempfile.TemporaryDirectory": "a temporary directory ends with its process",
}


def choose_refused_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Refuse these types and what derives from them."""
    for base in getattr(kind, "__mro__", ()):
        reason = REFUSED_TYPES.get("%s.%s" % (base.__module__, base.__qualname__))
        if reason is not None:
            return _Refusal(reason)
    if kind in (types.MethodWrapperType,):
        return None
    return None


class _Refusal:
    """Refuses every value with one reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __call__(self, value: Any, encoder: GroupEncoder) -> Any:
        raise Refused(value, self.reason)
