"""Every Python that can hold a session against every Python that can restore it."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest

from nbdag.link import link
from nbdag.model.plan import Load
from nbdag.portable.randomness import get_states
from nbdag.replay.bundle import write_bundle
from tests.interpreters import interpreters
from tests.portable.test_restore import CHECK, DEFINITIONS, GROUPS, VALUES
from tests.restoring import plan_of, replay, restore

PYTHONS = interpreters()

WRITER = """
import json, linecache, sys, types
encoder = types.ModuleType("nbdag_agent")
sys.modules["nbdag_agent"] = encoder
exec(compile(open(sys.argv[1]).read(), "encoder", "exec"), encoder.__dict__)
main = sys.modules["__main__"].__dict__
for number, cell in enumerate(json.load(open(sys.argv[2]))):
    name = "<cell %d>" % number
    linecache.cache[name] = (len(cell), None, cell.splitlines(True), name)
    exec(compile(cell, name, "exec"), main)
by_name = {id(main[name]): name for name in ("Node", "Color", "Pair", "log")}
groups = []
for names in json.load(open(sys.argv[3])):
    values = {name: main[name] for name in names.split()}
    encoder.measure_group(values, by_name, main)
    groups.append(encoder.write_group(values, by_name, main, sys.argv[4]))
json.dump(groups, open(sys.argv[5], "w"))
"""


@pytest.mark.parametrize("writer", [version for version in PYTHONS if version.startswith("cpython")])
def test_written_by_one_python_and_restored_by_all(writer: str, tmp_path: Path) -> None:
    files = {"encoder.py": link(["nbdag.portable.encode"]), "cells": json.dumps([DEFINITIONS, VALUES])}
    files.update(groups=json.dumps(GROUPS), writer=WRITER)
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    arguments = [str(tmp_path / name) for name in ("writer", "encoder.py", "cells", "groups", "staging", "index")]
    done = subprocess.run([PYTHONS[writer], *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    state = random.getstate()
    random.seed(0)
    states = {"random": get_states()["random"]}
    random.setstate(state)
    steps = [replay(DEFINITIONS, "Node", "Color", "Pair", "log", "collections", "enum", "re")]
    loads = [Load(number, tuple(names.split()), 0, 0) for number, names in enumerate(GROUPS)]
    write_bundle(
        plan_of([*steps, *loads]),
        {"groups": json.loads((tmp_path / "index").read_text())},
        tmp_path / "staging",
        tmp_path / "bundle",
        process_state={},
        random_states=states,
        provenance={},
        requirements=[],
    )
    failed = {}
    for reader, python in PYTHONS.items():
        done = restore(tmp_path / "bundle", python=python, then=CHECK)
        if done.stdout.strip().lstrip("> ") != "all well []":  # PyPy prompts with >>>>
            failed[reader] = done.stdout + done.stderr
    assert not failed, failed
