"""Which text a function came from, when IPython has compiled each statement of its cell by itself."""

from __future__ import annotations

import ast
import linecache
from typing import Any

import pytest

from nbdag.portable.sources import Sources


def run_as_ipython_does(cell: str) -> dict[str, Any]:
    filename = f"<cell {hash(cell)}>"
    linecache.cache[filename] = (len(cell), None, cell.splitlines(True), filename)
    namespace: dict[str, Any] = {}
    for statement in ast.parse(cell).body:
        exec(compile(ast.Module([statement], []), filename, "exec"), namespace)
    return namespace


@pytest.mark.parametrize(
    "cell",
    [
        "import os\ndef f():\n    return os.getcwd()",
        "import os\nf = lambda: os.getcwd()",
        "import threading\nclass C:\n    def f(self):\n        return threading.Lock()\nf = C.f",
        "import os\ng, f = lambda: 1, lambda: os.getpid()",
    ],
)
def test_a_module_imported_in_the_same_cell_is_no_obstacle(cell: str) -> None:
    found = Sources().place_of(run_as_ipython_does(cell)["f"].__code__)
    assert found is not None and found.text == cell
