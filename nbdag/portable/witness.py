"""Says what is in a namespace so that another process can compare: runs in the live kernel and in the restored one.

    testify(namespace, names) -> {"values": {name: tree}, "shared": [[name, name], ...], "together": ...}

``values`` are digest trees (``digest.py``), ``shared`` the groups of names that share state, ``together`` the names
that reach one object, for each that several reach: in a group of three, two may share nothing but what each shares with
the third. ``overlapping`` says so of arrays: where pandas copies on write, nobody can tell that two frames share one.
``holding`` are the names that hold one function or class of the session, for each that several hold, and pairs of
names of which one holds the value of the other weakly: ``r() is c``, where ``r`` has a callback and is no link for it.
"""

from __future__ import annotations

import array
import json
import os
import sys
import time
import types
from typing import Any, Dict, FrozenSet, Iterable, List, Set, Tuple

from nbdag.portable.buffers import copies_on_write
from nbdag.portable.digest import digest_tree
from nbdag.portable.identity import holders_of, reach_with_identities
from nbdag.portable.links import NOTHING_REACHED, Reach, group, reaching_together
from nbdag.portable.objects import is_session_class

DEPTH = 3  # levels of a value that are digested one by one, so that a difference can be pointed at


def testify(namespace: Dict[str, object], names: Iterable[str]) -> Dict[str, Any]:
    """Digest trees of ``names`` that exist in ``namespace``, and which of them share state."""
    present = sorted(name for name in names if name in namespace)
    values = {}
    for name in present:
        try:
            values[name] = digest_tree(namespace[name], namespace, DEPTH)
        except Exception as error:
            values[name] = "?cannot be digested: " + type(error).__name__
    arrays: Set[int] = set()
    found = {name: _reach(namespace[name], arrays) for name in present}
    reaches = {name: reached for name, (reached, _) in found.items()}
    groups = group(reaches)
    large = [members for members in groups if len(members) > 2]
    together, overlapping = [], []
    for members in large:  # one after the other: what is told apart takes as much memory again
        together += reaching_together({name: _split(reaches[name], arrays, False) for name in members}, members)
        overlapping += reaching_together({name: _split(reaches[name], arrays, True) for name in members}, members)
    return {
        "values": values,
        "shared": [names for names in groups if len(names) > 1],
        "together": together,
        "overlapping": overlapping,
        "copies_on_write": copies_on_write(),
        "holding": holders_of({name: identities for name, (_, identities) in found.items()})
        + _weak_holders(reaches, namespace),
    }


def _split(reached: Reach, arrays: Set[int], of_arrays: bool) -> Reach:
    """What of it is memory of arrays, or all else."""
    ids: Any = () if of_arrays else reached.ids
    if arrays:
        ids = array.array("Q", (key for key in reached.ids if (key in arrays) is of_arrays))
    return Reach(ids, reached.extents if of_arrays else (), frozenset(), ())


def _weak_holders(reaches: Dict[str, Reach], namespace: Dict[str, object]) -> List[List[str]]:
    """The pairs of names of which one leads to the other's value by a weak reference; instances of the session only."""
    names_of: Dict[int, List[str]] = {}
    for name in reaches:
        if is_session_class(type(namespace[name])):
            names_of.setdefault(id(namespace[name]), []).append(name)
    pairs = {
        tuple(sorted((name, other)))
        for name, reached in reaches.items()
        for key in reached.weak & names_of.keys()
        for other in names_of[key]
        if other != name
    }
    return [list(pair) for pair in sorted(pairs)]


def _reach(value: object, arrays: Set[int]) -> Tuple[Reach, FrozenSet[int]]:
    try:
        return reach_with_identities(value, arrays=arrays)
    except Exception:  # of a metaclass that cannot be asked
        return NOTHING_REACHED, frozenset()


def restore_and_testify(script: str, names: List[str], path: str) -> None:
    """Run restore.py at ``script`` as ``__main__`` would be run, write what it left to ``path`` as JSON, and end.

    Ends the process without waiting for threads or exit handlers of the restored session.
    """
    main = types.ModuleType("__main__")
    main.__dict__["__file__"] = script
    sys.modules["__main__"] = main
    sys.argv = [script]
    begun = time.perf_counter()
    status = 0
    if script.endswith(".py"):
        with open(script, encoding="utf-8") as file:
            text = file.read()
    else:
        import zipfile

        with zipfile.ZipFile(script) as archive:
            text = archive.read("__main__.py").decode("utf-8")
    code = compile(text, script, "exec")
    try:
        exec(code, main.__dict__)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else (0 if end.code is None else 1)
    seconds = time.perf_counter() - begun
    found = testify(main.__dict__, names)
    found.update({"status": status, "seconds": seconds})
    with open(path, "w", encoding="utf-8") as output:
        json.dump(found, output)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
