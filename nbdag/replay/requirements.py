"""What the target must have installed: the modules that stored values and replayed code name, as distributions."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterable

ASK_VERSIONS = """
import importlib.metadata, json, sys
wanted, found = json.load(sys.stdin), {}
for dist in importlib.metadata.distributions():
    # RECORD as text: taking it apart into paths takes a second where a hundred packages are installed.
    listed = dist.read_text("RECORD")
    if listed is None:
        listed = "\\n".join(str(file) for file in dist.files or ()) + "\\n"
    text = "\\n" + listed + "".join("\\n%s/" % name for name in (dist.read_text("top_level.txt") or "").split())
    bringing = [name for name in wanted if "\\n%s/" % name in text or "\\n%s." % name in text]
    if bringing and dist.metadata["Name"]:
        for module in bringing:
            found.setdefault(module, {})[dist.metadata["Name"]] = dist.version
json.dump({"found": found}, sys.stdout)
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
