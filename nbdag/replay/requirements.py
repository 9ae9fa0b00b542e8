"""What the target must have installed: the modules that stored values and replayed code name, as distributions."""

from __future__ import annotations

import ast
import json
import pickletools
import subprocess
import sys
from collections.abc import Iterable

ASK_VERSIONS = """
import importlib.metadata, json, sys
wanted, found, where = set(json.load(sys.stdin)), {}, {}
for dist in importlib.metadata.distributions():
    name = dist.metadata["Name"]
    if not name:
        continue
    listed = (dist.read_text("top_level.txt") or "").split()
    for file in dist.files or ():
        if len(file.parts) > 1 or file.suffix == ".py":
            listed.append(file.parts[0].split(".")[0])
    for module in wanted.intersection(listed):
        found.setdefault(module, {})[name] = dist.version
json.dump({"found": found, "builtin": sorted(wanted & set(getattr(sys, "stdlib_module_names", ())))}, sys.stdout)
"""
"""Runs in the kernel's own interpreter: top-level module -> the distributions that bring it, with versions."""


def modules_of_pickle(head: bytes) -> frozenset[str]:
    """Top-level modules that loading ``head`` imports, by reading its opcodes; nothing is executed."""
    found: set[str] = set()
    memo: list[str | None] = []
    recent: list[str | None] = [None, None]
    for opcode, argument, _ in pickletools.genops(head):
        name = opcode.name
        if name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            memo.append(recent[-1])
            continue
        if name == "STACK_GLOBAL":
            if isinstance(recent[-2], str):
                found.add(recent[-2].split(".")[0])
            recent.append(None)
        elif name == "GLOBAL" and isinstance(argument, str):
            found.add(argument.split()[0].split(".")[0])
            recent.append(None)
        elif name in ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"):
            recent.append(str(argument))
        elif name in ("BINGET", "LONG_BINGET", "GET") and isinstance(argument, int):
            recent.append(memo[argument] if argument < len(memo) else None)
        else:
            recent.append(None)
        del recent[:-2]
    return frozenset(found)


def modules_of_code(code: str) -> frozenset[str]:
    """Top-level modules that import statements anywhere in ``code`` name; none if it is newer than this Python."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return frozenset(found)


def distributions_of(modules: Iterable[str], executable: str) -> tuple[tuple[str, str], ...]:
    """(distribution, version) as installed where ``executable`` runs; modules of no distribution are left out."""
    wanted = sorted(set(modules))
    try:
        done = subprocess.run(
            [executable or sys.executable, "-c", ASK_VERSIONS],
            input=json.dumps(wanted),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        found = json.loads(done.stdout)["found"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return ()
    pairs = {pair for distributions in found.values() for pair in distributions.items()}
    return tuple(sorted(pairs, key=lambda pair: (pair[0].lower(), pair[1])))
