"""What the target must have installed: the modules that stored values and replayed code name, as distributions."""

from __future__ import annotations

import ast
import json
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
