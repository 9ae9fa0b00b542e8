"""Bundles for tests, written from a session without a kernel, and restored by a script in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbdag.model.bundle import Bundle
from nbdag.model.plan import Load, Plan, Replay
from nbdag.replay.bundle import write_bundle
from tests.portable.session import Session


def replay(code: str, *names: str, cell: str = "cell 1", line: int = 1, **options: Any) -> Replay:
    return Replay(0, cell, line, code, names, 0.0, **options)


def plan_of(steps: Sequence[Load | Replay], dropped: tuple[str, ...] = ()) -> Plan:
    return Plan(tuple(steps), (), 0.0, 0.0, 0.0, dropped)


def bundle_of(
    directory: Path,
    session: Session,
    *steps: Replay | str,
    by_name: str = "",
    dropped: tuple[str, ...] = (),
    out: str = "bundle",
    **options: Any,
) -> Bundle:
    """Write ``directory/bundle``, or what ``out`` names there; a string among the steps loads these names together."""
    groups, plan = [], []
    for step in steps:
        if isinstance(step, str):
            plan.append(Load(len(groups), tuple(step.split()), 0, 0))
            groups.append(session.encode(directory / "staging", step, by_name))
        else:
            plan.append(step)
    given: dict[str, Any] = {
        "process_state": {},
        "random_states": {},
        "provenance": {"notebook": "test.ipynb"},
        "requirements": [],
        **options,
    }
    return write_bundle(plan_of(plan, dropped), {"groups": groups}, directory / "staging", directory / out, **given)


def restore(
    bundle: Path,
    *arguments: str,
    python: str = sys.executable,
    then: str = "",
    cwd: Path | None = None,
    flags: Sequence[str] = ("-I",),
) -> subprocess.CompletedProcess[str]:
    """Run restore.py; ``then`` is typed at the prompt of ``python -i`` after it."""
    interactive = ["-i", "-q"] if then else []
    script = bundle if bundle.is_file() else bundle / "restore.py"
    return subprocess.run(
        [python, *flags, *interactive, str(script), *arguments],
        input="import sys; sys.ps1 = sys.ps2 = ''\n" + then + "\n" if then else None,
        stdin=None if then else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
        check=False,
    )
