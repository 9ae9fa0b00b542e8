"""What a cell that ran for another session leaves behind in the process and does not take back: in words."""

from __future__ import annotations

import builtins
import sys
import threading
import types
from typing import Any, Dict, FrozenSet, List

from nbdag.portable.objects import is_session_class

MOST_REPLACED = 5  # of one library that are named


def threads_in_words(before: FrozenSet[Any]) -> List[str]:
    """Threads that run functions of the session, and did not before."""
    found = []
    for thread in threading.enumerate():
        target = getattr(thread, "_target", None)
        if thread not in before and "__main__" in (type(thread).__module__, getattr(target, "__module__", "")):
            found.append(str(getattr(target, "__name__", thread.name)))
    return [
        "a thread that the cell started goes on there (%s): what it changes from now on does not come back" % name
        for name in sorted(found)
    ]


def library_contents(items: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """What stands in the libraries' modules and classes that the session names, and what hangs on each logger: for
    each thing its id, and whether the session made it.
    """
    found: Dict[str, Dict[str, Any]] = {}
    for name, value in items.items():
        kind = type(value)
        if kind is types.ModuleType:
            if value in (sys, builtins):
                continue
        elif not issubclass(kind, type) or is_session_class(value):
            continue
        found[name] = {
            word: (id(content), getattr(content, "__module__", "") == "__main__")
            for word, content in dict(vars(value)).items()
            if word[:1] != "_" and type(content) is not types.ModuleType
        }
    logging = sys.modules.get("logging")
    loggers = dict(logging.root.manager.loggerDict, root=logging.root) if logging is not None else {}
    for name, logger in loggers.items():
        if hasattr(logger, "handlers"):
            hanging = [*logger.handlers, *logger.filters]
            found["the logger " + name] = {"%s %d" % (type(one).__name__, id(one)): (id(one), True) for one in hanging}
    return found


def library_changes_in_words(before: Dict[str, Dict[str, Any]], now: Dict[str, Dict[str, Any]]) -> List[str]:
    """What the cell put into libraries: none of it comes back."""
    words = []
    for name, contents in sorted(now.items()):
        known = before.get(name, {})
        ours = [word for word in contents if word not in known and contents[word][1]]
        if name.startswith("the logger "):
            if ours:
                got = ", ".join(sorted(word.partition(" ")[0] for word in ours))
                words.append("%s has got %s there, and has not here" % (name, got))
            continue
        ours += [word for word in contents if word in known and contents[word][0] != known[word][0]]
        words += ["%s.%s was set there, and is here as it was" % (name, word) for word in sorted(ours)[:MOST_REPLACED]]
    return words


def process_changes_in_words(before: Dict[str, Any], now: Dict[str, Any], changes: Dict[str, Any]) -> List[str]:
    """What the cell changed of the process there that does not come back."""
    words = []
    if "cwd" in changes:
        words.append("the working directory there is now %s" % changes["cwd"])
    for what, names in (
        ("set", changes.get("environ", {}).get("set", {})),
        ("removed", changes.get("environ", {}).get("unset", [])),
    ):
        if names:
            words.append("environment variables %s there: %s" % (what, ", ".join(sorted(names))))
    if changes.get("path"):
        words.append("sys.path changed there")
    return words
