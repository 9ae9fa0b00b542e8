"""What the target must have installed: the modules that stored values and replayed code name, as distributions."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterable

ASK_VERSIONS = """
import importlib.metadata, json, sys
texts, found = [], {}
for dist in importlib.metadata.distributions():
    # RECORD as text: taking it apart into paths takes a second where a hundred packages are installed.
    listed = dist.read_text("RECORD")
    if listed is None:
        listed = "\\n".join(str(file) for file in dist.files or ()) + "\\n"
    text = "\\n" + listed + "".join("\\n%s/" % name for name in (dist.read_text("top_level.txt") or "").split())
    texts.append((dist, text))
wanted = json.load(sys.stdin)
for dist, text in texts:
    bringing = [name for name in wanted if "\\n%s/" % name in text or "\\n%s." % name in text]
    if bringing and dist.metadata["Name"]:
        for module in bringing:
            found.setdefault(module, {})[dist.metadata["Name"]] = dist.version
json.dump({"found": found}, sys.stdout)
"""
"""Runs in the kernel's own interpreter: top-level module -> the distributions that bring it, with versions. It reads
first, and then what it is asked: it is started while there is other work."""

PATIENCE = 60.0  # seconds


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


class Installed:
    """What is installed where ``executable`` runs. Looked up from now on, beside other work; to be closed."""

    def __init__(self, executable: str) -> None:
        self._command = [executable or sys.executable, "-c", ASK_VERSIONS]
        self._answers: dict[frozenset[str], tuple[tuple[str, str], ...]] = {}
        self._process = self._started()

    def __enter__(self) -> Installed:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that looks, if nobody asked it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def distributions_of(self, modules: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """(distribution, version); modules of no distribution are left out."""
        wanted = frozenset(modules)
        if wanted not in self._answers:
            self._answers[wanted] = self._ask(wanted)
        return self._answers[wanted]

    def _started(self) -> subprocess.Popen[str] | None:
        pipe = subprocess.PIPE
        try:
            return subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            return None

    def _ask(self, wanted: frozenset[str]) -> tuple[tuple[str, str], ...]:
        process, self._process = self._process or self._started(), None
        if process is None:
            return ()
        try:
            said, _ = process.communicate(json.dumps(sorted(wanted)), timeout=PATIENCE)
            found = json.loads(said)["found"]
        except (OSError, subprocess.SubprocessError, ValueError, KeyError):
            return ()
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        pairs = {pair for distributions in found.values() for pair in distributions.items()}
        return tuple(sorted(pairs, key=lambda pair: (pair[0].lower(), pair[1])))
