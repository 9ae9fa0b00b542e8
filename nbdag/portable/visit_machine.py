"""What a machine says of itself to those whose cells it runs: installed packages, and how fast it is."""

from __future__ import annotations

import hashlib
import importlib
import time
from typing import Any, Dict


def package_versions(modules: Any) -> Dict[str, str]:
    """Module -> version as it is here; "" where it is installed without one, absent where it is not."""
    import importlib.util

    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:
        return {}
    found = {}
    for name in modules:
        module, _, distribution = str(name).partition("=")
        try:
            if importlib.util.find_spec(module) is None:
                continue
        except (ImportError, ValueError):
            continue
        try:
            found[module] = version(distribution or module)
        except PackageNotFoundError:
            found[module] = ""
    return found


def benchmark_seconds() -> float:
    """How long this machine takes for work like that of a cell: Python, hashing, and NumPy where it is there."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        total = 0
        for number in range(200_000):
            total += number * number % 7
        hashlib.sha256(bytes(4_000_000)).digest()
        sorted(str(number) for number in range(30_000))
        times.append(time.perf_counter() - began)
    return sorted(times)[1]


def warm_visit(shell: Any, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Import ``modules`` as far as they are here, so that the next cell need not wait for it."""
    for name in arguments["modules"]:
        try:
            importlib.import_module(name)
        except Exception:  # what is not here, or cannot be used here, is told when a cell needs it
            pass
    return {}
