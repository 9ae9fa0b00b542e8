"""Whether this machine has room for the session: memory that must be private, address space, disk.

What is mapped needs no memory of its own until it is written to; pickles are read, packed blobs unpacked, and with
``--eager`` everything is copied. The figures are the least that is needed: what is refused here could not have gone
well.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional, Sequence, Tuple

from nbdag.portable.telling import bytes_needed, size_text


def room_problems(data: Dict[str, Any], groups: Sequence[int], eager: bool, place: Any, root: str = "/") -> List[str]:
    """What there is no room for, in words; ``root`` is where ``/proc`` and ``/sys`` are."""
    private, mapped = bytes_needed(data, groups, eager)
    problems = []
    free, limit = memory_free(root)
    if free is not None and private > free:
        instead = bytes_needed(data, groups, False)[0]
        hint = "; without --eager %s will do" % size_text(instead) if eager and instead < private else ""
        free_words = size_text(free) + limit + hint
        problems.append("at least %s of memory are needed, and free are %s" % (size_text(private), free_words))
    space = address_space()
    if space is not None and private + mapped > space:
        words = size_text(private + mapped), size_text(space)
        problems.append("%s of address space are needed, and this process may have %s (ulimit -v)" % words)
    return problems + disk_problems(place)


def memory_free(root: str = "/") -> Tuple[Optional[int], str]:
    """Bytes that this process can still have, None where nobody says so, and whose limit that is."""
    found: List[Tuple[int, str]] = []
    system = number_in(os.path.join(root, "proc/meminfo"), "MemAvailable:")
    if system is not None:
        found.append((system * 1024, ""))
    for folder, limit, usage, idle in control_groups(root):
        most, used = number_in(os.path.join(folder, limit)), number_in(os.path.join(folder, usage))
        if most is not None and used is not None and most < 1 << 60:
            cache = number_in(os.path.join(folder, "memory.stat"), idle) or 0  # given back when it is asked for
            found.append((max(0, most - used + cache), " (the limit of the container)"))
    return min(found) if found else (None, "")


def control_groups(root: str) -> List[Tuple[str, str, str, str]]:
    """Directories with limits of memory that hold for this process, and how their files are called."""
    try:
        with open(os.path.join(root, "proc/self/cgroup"), encoding="ascii", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        if not kinds:  # version 2
            top, names = os.path.join(root, "sys/fs/cgroup"), ("memory.max", "memory.current", "inactive_file")
        elif "memory" in kinds.split(","):
            top = os.path.join(root, "sys/fs/cgroup/memory")
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        parts = [part for part in path.split("/") if part and part != ".."]
        for length in range(len(parts) + 1):  # each directory above has a say, too
            found.append((os.path.join(top, *parts[:length]), *names))
    return found


def number_in(path: str, word: str = "") -> Optional[int]:
    """The number after ``word`` in a file of the system, or the one that it begins with."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                words = line.split()
                if not word and words:
                    return int(words[0]) if words[0].isdigit() else None
                if len(words) > 1 and words[0] == word:
                    return int(words[1])
    except (OSError, ValueError):
        pass
    return None


def address_space() -> Optional[int]:
    """Bytes that may be mapped and taken in all, None where there is no limit."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def disk_problems(place: Any) -> List[str]:
    """The input files of an archive are unpacked into the temporary directory: whether they fit there."""
    needed = place.bytes_to_unpack()
    if not needed:
        return []
    import shutil
    import tempfile

    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if needed < free:
        return []
    return ["%s are needed in %s for input files, and %s are free" % (size_text(needed), folder, size_text(free))]
