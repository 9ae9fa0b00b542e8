"""Modules beside the notebook: found, brought along with what the session changed in them, and imported elsewhere."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdag.portable.local_modules import (
    LocalModules,
    install_local_modules,
    is_small_and_plain,
    local_modules_state,
    settle_local_modules,
)


@pytest.fixture(autouse=True)
def imports_as_they_were() -> Iterator[None]:
    modules, path, finders = set(sys.modules), list(sys.path), list(sys.meta_path)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.path[:] = path
    sys.meta_path[:] = finders
    importlib.invalidate_caches()


def brought(folder: Path, *names: str, withheld: str = "-") -> dict[str, list[Any]]:
    """The state of these modules after importing them from ``folder``."""
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    for name in names:
        importlib.import_module(name)
    found = local_modules_state(lambda name: name == withheld)
    return json.loads(json.dumps({name: found[name] for name in names}))


def forget(*names: str) -> None:
    """As in a process of another machine."""
    for name in names:
        del sys.modules[name]
    del sys.path[0]
    importlib.invalidate_caches()


def test_a_module_is_imported_from_its_text(tmp_path: Path) -> None:
    (tmp_path / "beside_a.py").write_text("def f():\n    return __name__, __file__\n")
    state = brought(tmp_path, "beside_a")
    forget("beside_a")
    assert install_local_modules(state) is None
    module = importlib.import_module("beside_a")
    assert module.f() == ("beside_a", str(tmp_path / "beside_a.py"))
    assert local_modules_state(lambda name: False)["beside_a"] == state["beside_a"]  # and can be compiled again


def test_a_package_and_its_modules(tmp_path: Path) -> None:
    (tmp_path / "beside_p").mkdir()
    (tmp_path / "beside_p" / "__init__.py").write_text("from .sub import x\n")
    (tmp_path / "beside_p" / "sub.py").write_text("x = [1]\n")
    state = brought(tmp_path, "beside_p", "beside_p.sub")
    forget("beside_p", "beside_p.sub")
    install_local_modules(state)
    assert importlib.import_module("beside_p").x is sys.modules["beside_p.sub"].x


def test_values_come_back_and_lists_keep_their_identity(tmp_path: Path) -> None:
    (tmp_path / "beside_v.py").write_text("xs = [1]\nn = 0\nd = {}\nuntouched = object()\n")
    sys.path.insert(0, str(tmp_path))
    module: Any = importlib.import_module("beside_v")
    module.xs.append(2)
    module.n, module.new = 5, (1, "a")
    state = brought(tmp_path, "beside_v")
    forget("beside_v")
    install_local_modules(state)
    module = importlib.import_module("beside_v")
    xs = module.xs
    assert (xs, module.n) == ([1], 0)
    settle_local_modules(state)
    assert module.xs is xs and (xs, module.n, module.d, module.new) == ([1, 2], 5, {}, (1, "a"))


def test_a_module_imported_after_the_restoration_begins_where_the_session_was(tmp_path: Path) -> None:
    (tmp_path / "beside_l.py").write_text("n = 0\n")
    sys.path.insert(0, str(tmp_path))
    importlib.import_module("beside_l").n = 3
    state = brought(tmp_path, "beside_l")
    forget("beside_l")
    install_local_modules(state)
    settle_local_modules(state)
    assert importlib.import_module("beside_l").n == 3


def test_the_targets_own_module_is_taken_if_it_is_the_same(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, text in ((here, "x = 1\n"), (there, "x = 1\n")):
        folder.mkdir()
        (folder / "beside_s.py").write_text(text)
    state = brought(here, "beside_s")
    forget("beside_s")
    install_local_modules(state)
    sys.path.insert(0, str(there))
    importlib.invalidate_caches()
    assert importlib.import_module("beside_s").__file__ == str(there / "beside_s.py")


def test_another_module_of_the_name_is_not_taken(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, text in ((here, "x = 1\n"), (there, "x = 'other'\n")):
        folder.mkdir()
        (folder / "beside_o.py").write_text(text)
    state = brought(here, "beside_o")
    forget("beside_o")
    sys.path.insert(0, str(there))
    importlib.invalidate_caches()
    install_local_modules(state)
    assert importlib.import_module("beside_o").x == 1


def test_another_module_that_is_loaded_is_named(tmp_path: Path) -> None:
    (tmp_path / "beside_w.py").write_text("x = 1\n")
    state = brought(tmp_path, "beside_w")
    state["beside_w"][2] = "x = 2\n"
    assert "beside_w" in (install_local_modules(state) or "")


def test_secrets_and_large_values_stay(tmp_path: Path) -> None:
    (tmp_path / "beside_k.py").write_text("import os\nhidden = 'h'\nbig = list(range(1000))\nn = 1\n")
    state = brought(tmp_path, "beside_k", withheld="hidden")
    assert state["beside_k"][3] == "{'n': 1}"


def test_libraries_are_not_local() -> None:
    found = local_modules_state(lambda name: False)
    assert not {name.partition(".")[0] for name in found} & {"json", "pytest", "numpy", "nbdag"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, True), (float("nan"), False), ("x" * 20_000, False), (10**4000, False), (set(), False), ({1}, True),
     ([[[[[1]]]]], False), ({"a": (1, None)}, True), (frozenset([1]), False), (object(), False)],
)  # fmt: skip
def test_what_is_written_as_a_literal(value: Any, expected: bool) -> None:
    assert is_small_and_plain(value, 4) is expected


def test_the_finder_leaves_other_imports_alone() -> None:
    finder = LocalModules({})
    assert finder.find_spec("json") is None
    code = "import sys; from nbdag.portable.local_modules import *; install_local_modules({}); import csv; print(csv)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout.startswith(b"<module")
