"""A session compiled from a real kernel comes back under every Python of this machine, with no packages installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdag.analysis.agent_client import KernelAgent
from nbdag.pipeline import compile_bundle
from tests.fidelity.harness import kernel, run
from tests.interpreters import interpreters

pytestmark = pytest.mark.slow

WITH_PACKAGES = "this environment"  # the one interpreter that surely has what the demo needs

# fmt: off
# ruff: noqa: E501
CELLS = (
    "import collections, datetime, decimal, enum, functools, itertools, json, math, random, re",
    "from dataclasses import dataclass, field\nPoint = collections.namedtuple('Point', 'x y')",
    "@dataclass\nclass Box:\n    name: str\n    items: list = field(default_factory=list)\n"
    "    def put(self, item):\n        self.items.append(item)\n        return self",
    "class Color(enum.Enum):\n    RED = 1\n    BLUE = 2",
    "def make_counter(step):\n    n = 0\n    def count():\n        nonlocal n\n        n += step\n        return n\n"
    "    return count\ntick = make_counter(2)\ntick(); tick()",
    "shared = [1, 2]\nbox = Box('a', shared).put(3)\nboxes = {'first': box, 'color': Color.BLUE}",
    "def squares():\n    i = 0\n    while True:\n        yield i * i\n        i += 1\ngen = squares()\nseen = [next(gen), next(gen)]",
    "ops = {'double': lambda v: 2 * v, 'hex': hex}\npattern = re.compile('a+', re.I)\nwhen = datetime.date(2024, 2, 29)",
    "random.seed(7)\ndrawn = [random.random() for _ in range(3)]\nprice = decimal.Decimal('1.10')\nbig = bytes(range(256)) * 400",
    "%time total = sum(len(str(i)) for i in range(1000))\nbuffer = bytearray(b'abcdef')\nview = memoryview(buffer)[2:4]",
)

# fmt: on

PROBES = (
    "tick()", "next(gen)", "seen", "shared.append(9) or box.items", "boxes['first'] is box", "boxes['color'] is Color.BLUE",
    "ops['double'](21)", "pattern.match('AAb').group()", "when.isoformat()", "drawn", "random.random()", "str(price)",
    "len(big), big[:3]", "total", "view.__setitem__(0, 90) or bytes(buffer)", "Point(1, 2).y", "repr(Box('q'))",
    "__import__('inspect').getsource(make_counter)[:16]",
)  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[str]]]:
    """A bundle of the session, and what the live session answered to the probes."""
    folder = tmp_path_factory.mktemp("everywhere")
    (folder / "live").mkdir()
    with kernel(folder / "live") as (client, connection):
        with KernelAgent(connection) as agent:
            agent.command("start", {"late": False})
        for cell in CELLS:
            assert run(client, cell)["status"] == "ok"
        compiled = compile_bundle(folder / "bundle", connection_file=connection)
        assert {c.result for c in compiled.verdict.comparisons} <= {"identical", "incomparable"}
        expressions = {str(number): probe for number, probe in enumerate(PROBES)}
        content = client.execute(
            "", silent=True, store_history=False, user_expressions=expressions, reply=True, timeout=60
        )["content"]
        said = [content["user_expressions"][str(n)]["data"]["text/plain"] for n in range(len(PROBES))]
    yield folder / "bundle", said


@pytest.mark.parametrize("version", interpreters())
def test_every_python_restores_it(version: str, bundle: tuple[Path, list[str]], tmp_path: Path) -> None:
    directory, live = bundle
    answer = tmp_path / "answer.json"
    line = f"__import__('json').dump([repr(eval(p, globals())) for p in {PROBES!r}], open({str(answer)!r}, 'w'))"
    done = subprocess.run(
        [interpreters()[version], "-I", "-i", str(directory / "restore.py")],
        input=line + "\n",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.exists(), done.stderr
    assert json.loads(answer.read_text()) == live, done.stderr


@pytest.mark.skipif("CI" not in os.environ, reason="whoever runs this at home may have one Python")
def test_at_least_three_pythons_were_tried() -> None:
    assert len(interpreters()) >= 3, f"only {sorted(interpreters())} found: install more for CI"


@pytest.mark.parametrize("version", [*interpreters(), WITH_PACKAGES])
def test_the_demo_restores_or_says_which_packages_it_needs(version: str, demo_bundle: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [interpreters().get(version, sys.executable), str(demo_bundle / "restore.py")],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    if done.returncode == 4 and version != WITH_PACKAGES:
        assert "pip install" in done.stderr and "pandas" in done.stderr, done.stderr
    else:
        assert (done.returncode, "restored 33 of 33" in done.stderr) == (0, True), done.stderr


@pytest.fixture(scope="module")
def demo_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the demo notebook, made by the commands a user types."""
    folder = tmp_path_factory.mktemp("demo")
    checkout = Path(__file__).resolve().parents[1]
    nbdag = [sys.executable, str(checkout / "cli.py")]
    notebook = checkout / "examples" / "demo.ipynb"
    for command in ([*nbdag, "analyze", str(notebook), "-q"], [*nbdag, "compile", "--out", "bundle"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
    subprocess.run([*nbdag, "stop", "--all"], cwd=folder, capture_output=True, check=False)
    return folder / "bundle"
