"""The floor: what a session's import statements alone take in a new kernel.

Whoever brings back a session in which ``sm`` is statsmodels has to import it. No restoration that is correct can take
less time than that, whatever the system; only what is above can be told apart. It is measured like a restoration, in
the environment of each system: some kernels have imported a part already when they are ready.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import RESOLVED, python_of
from benchmarks.peers.kernels import Kernel
from benchmarks.peers.systems import Place, System
from benchmarks.peers.workloads import Workload

FLOOR = "imports"
"""What rows of the floor are called; behind it, in brackets, the package whose environment it was measured in."""


def floor_package(package: str) -> str:
    """The environment in which the floor of the environment of ``package`` is measured: that of the libraries, where
    these are the same ones."""
    return package if package in RESOLVED else ""


def floor_name(package: str) -> str:
    """The ``system`` of the rows that are the floor of the environment of ``package``."""
    return f"{FLOOR} ({package})" if floor_package(package) else FLOOR


def import_statements(cells: Sequence[str]) -> list[str]:
    """The import statements that run with the cells, in their order: not those inside functions and classes."""
    from IPython.core.inputtransformer2 import TransformerManager

    found: list[str] = []
    for cell in cells:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(TransformerManager().transform_cell(cell))
        except SyntaxError:  # of another language
            continue
        found += (ast.unparse(node) for node in _running(tree.body))
    return list(dict.fromkeys(found))


def _running(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from _running(list(ast.iter_child_nodes(node)))


def measure_imports(
    package: str, system: System, workload: Workload, place: Place, environments: Path
) -> dict[str, Any]:
    """A row whose ``restore_seconds`` are those of the imports; each statement by itself, failures passed over."""
    lines = [f"try:\n    {line}\nexcept Exception:\n    pass" for line in import_statements(workload.cells)]
    python = python_of(environments, floor_package(package))
    with Kernel(python, place.directory, place.home, module=system.module, variables=system.variables(place)) as kernel:
        seconds = kernel.run("\n".join(lines)).seconds if lines else 0.0
    row = {"system": floor_name(package), "kind": workload.kind, "workload": workload.name}
    return row | {"restore_seconds": seconds, "statements": len(lines)}
