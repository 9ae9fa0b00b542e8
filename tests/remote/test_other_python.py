"""Cells run in a kernel of another Python than the one here: values cross, what differs is said.

Needs a Python of another version that has ipykernel: the interpreters of this machine (``tests/interpreters.py``) are
asked, and those that ``NBDAG_OTHER_PYTHONS`` names, separated by colons.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interpreters import interpreters
from tests.remote.notebook import Notebook
from tests.remote.servers import TOKEN, Server, write_kernelspec

pytestmark = pytest.mark.slow


@functools.cache
def others() -> dict[str, str]:
    """Pythons with ipykernel and another version than this one, by version."""
    found = {}
    for path in [*os.environ.get("NBDAG_OTHER_PYTHONS", "").split(":"), *interpreters().values()]:
        ask = "import sys, ipykernel; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([path, "-c", ask], capture_output=True, text=True, check=False) if path else None
        ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
        if done is not None and not done.returncode and done.stdout.strip() != ours:
            found.setdefault(done.stdout.strip(), path)
    return found


def test_a_session_goes_on_in_a_kernel_of_another_python(plain_notebook: Notebook, jupyter: Server) -> None:
    if not others():
        pytest.skip("no Python of another version has ipykernel here; NBDAG_OTHER_PYTHONS can name one")
    notebook = plain_notebook
    for version, path in others().items():
        write_kernelspec(jupyter.root.parent / "data", f"python{version}", Path(path))
        notebook.clear()
        notebook.ears.said.clear()
        notebook.connect(jupyter.url, TOKEN, kernel=f"python{version}")
        notebook.runs("import collections, dataclasses, datetime, random\nrandom.seed(1)\nafter = random.Random(1)")
        notebook.runs(
            "@dataclasses.dataclass\nclass Point:\n    x: int\n    near: list\n"
            "    def moved(self, by=1):\n        return Point(self.x + by, self.near)\n"
            "def twice(f, *values, **named):\n    return f(*values, **named), f(*values, **named)\n"
            "day = datetime.date(2026, 11, 21)\nlog = []\npoint = Point(1, log)\ncount = collections.Counter('abca')"
        )
        run = notebook.sends(
            "import sys\nversion = '%d.%d' % sys.version_info[:2]\npair = twice(point.moved, by=2)\n"
            "log.append(day.year)\ncount.update('z')\ndrawn = random.random()\n"
            "def later(day, n=2):\n    return [day.replace(day=d + 1) for d in range(n)]"
        )
        assert run.outcome == "ok" and notebook["version"] == version
        assert any(f"Python {version}" in said for said in notebook.ears.said)
        assert notebook["log"] == [2026] and notebook["point"].near is notebook["log"]
        assert [one.x for one in notebook["pair"]] == [3, 3] and type(notebook["pair"][0]) is notebook["Point"]
        assert notebook["pair"][0].near is notebook["log"] and notebook["count"]["z"] == 1
        notebook.runs("expected = after.random(); days = later(day); following = random.random()")
        assert notebook["drawn"] == notebook["expected"] and len(notebook["days"]) == 2
        assert notebook["following"] == notebook["after"].random()
        assert "log" not in notebook.sends("log.append(3)").needs.missing  # it is there already
        assert notebook["log"] == [2026, 3]
