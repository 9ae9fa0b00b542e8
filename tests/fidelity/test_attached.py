"""Live sessions as users have them: %load_ext, a shell beside it, attaching late, %run -i, compiling twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbdag.model.plan import Action
from nbdag.model.results import Compiled
from nbdag.pipeline import compile_bundle
from tests.fidelity.harness import kernel, run

pytestmark = pytest.mark.slow

CELLS = ("import time\nx = list(range(5))\ng = (i for i in x)", "first = next(g)", "def f(n): return n + first")


def asked(client: Any, expression: str) -> str:
    """The repr of an expression in the kernel."""
    content = client.execute(
        "", silent=True, store_history=False, user_expressions={"it": expression}, reply=True, timeout=60
    )["content"]
    return str(content["user_expressions"]["it"]["data"]["text/plain"])


def lost(compiled: Compiled) -> list[str]:
    return [name for d in compiled.plan.decisions if d.action is Action.LOSE for name in d.names]


def restored(bundle: Path, expression: str) -> str:
    done = subprocess.run(
        [sys.executable, "-i", str(bundle / "restore.py")],
        input=f"print(repr({expression}))\n", capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.stdout.strip()


def test_inside_and_from_a_shell_beside_it(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    with kernel(tmp_path / "live") as (client, connection):
        assert run(client, "%load_ext nbdag")["status"] == "ok"
        for cell in CELLS:
            assert run(client, cell)["status"] == "ok"
        assert run(client, "%nbdag compile inside")["status"] == "ok"
        compiled = compile_bundle(tmp_path / "beside", connection_file=connection)
    assert lost(compiled) == []
    for bundle in (tmp_path / "live" / "inside", tmp_path / "beside"):
        assert restored(bundle, "(first, next(g), f(1), x)") == "(0, 1, 1, [0, 1, 2, 3, 4])"


def test_attached_late_what_ran_before_is_stored_and_a_generator_is_replayed_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    with kernel(tmp_path / "live") as (client, connection):
        for cell in CELLS:
            run(client, cell)
        compiled = compile_bundle(tmp_path / "bundle", connection_file=connection)
    actions = {name: d.action for d in compiled.plan.decisions for name in d.names}
    assert actions["first"] is Action.STORE
    assert restored(tmp_path / "bundle", "(first, f(1))") == "(0, 1)"
    if actions["g"] is Action.REPLAY:
        assert any(diagnostic.code == "replay-not-exact" for diagnostic in compiled.diagnostics)
        assert restored(tmp_path / "bundle", "next(g)") == "1"


def test_run_i_fills_the_users_namespace_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    with kernel(tmp_path / "live") as (client, connection):
        for cell in ("%load_ext nbdag", *CELLS):
            run(client, cell)
        compile_bundle(tmp_path / "bundle", connection_file=connection)
    (tmp_path / "other").mkdir()
    with kernel(tmp_path / "other") as (client, connection):
        run(client, "mine = 'kept'\ndef main(): return 'also kept'\nx = 'replaced'")
        before = set(json.loads(asked(client, "__import__('json').dumps(list(globals()))").strip("'")))
        assert run(client, f"%run -i {tmp_path / 'bundle' / 'restore.py'}")["status"] == "ok"
        assert asked(client, "(mine, main(), x, next(g), f(1))") == "('kept', 'also kept', [0, 1, 2, 3, 4], 1, 1)"
        after = set(json.loads(asked(client, "__import__('json').dumps(list(globals()))").strip("'")))
    new = {name for name in after - before if not name.startswith("_")}
    assert new == {"time", "g", "first", "f"}


def test_the_same_session_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    with kernel(tmp_path / "live") as (client, connection):
        for cell in ("%load_ext nbdag", *CELLS, "import os\nbig = os.urandom(200_000)"):
            run(client, cell)
        compile_bundle(tmp_path / "one", connection_file=connection, bandwidth=1e8)
        again = compile_bundle(tmp_path / "one", connection_file=connection, bandwidth=1e8)
        compile_bundle(tmp_path / "two", connection_file=connection, bandwidth=1e8)
    assert again.bundle.reused_blobs == again.bundle.blobs == 1
    files = {path.name: path.read_bytes() for path in (tmp_path / "one").rglob("*") if path.is_file()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "two").rglob("*") if path.is_file()}
