"""Linked scripts: complete, refused where they would be wrong, and syntax that Python 3.8 reads."""

from __future__ import annotations

import ast
import subprocess
import types
from pathlib import Path

import pytest

from nbdag import link as linker
from nbdag.link import LinkError, in_order_of_imports, link, runtime_source
from tests.interpreters import interpreters


def linked(monkeypatch: pytest.MonkeyPatch, sources: dict[str, str], root: str, annotations: bool = True) -> str:
    monkeypatch.setattr(linker, "source_of", lambda module: sources[module.removeprefix("nbdag.portable.")])
    return link([f"nbdag.portable.{root}"], annotations)


A = '''"""A."""

from __future__ import annotations

import os

from nbdag.portable.b import (
    two,
)


def one() -> int:
    return two() + len(os.sep)
'''

B = '''"""B."""

from __future__ import annotations

import os


def two() -> int:
    return 2
'''

TWO = {"a": A, "b": B}


def test_modules_stand_in_the_order_of_their_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    text = linked(monkeypatch, TWO, "a")
    module = types.ModuleType("linked")
    exec(text, module.__dict__)
    assert module.one() == 3
    assert text.index("def two") < text.index("def one")
    assert text.count("from __future__") == 1 and text.count("import os") == 1 and "from nbdag" not in text


REFUSED = {
    "defined in": {"a": "from nbdag.portable.b import g\nx = 1\n", "b": "x = 2\ng = 3\n"},
    "by their names": {"a": "from nbdag.portable.b import g as h\n", "b": "g = 3\n"},
    "circular": {"a": "from nbdag.portable.b import g\n", "b": "from nbdag.portable.a import x\n"},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_stand_in_one_script_is_refused(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LinkError, match=reason):
        linked(monkeypatch, REFUSED[reason], "a")


ANNOTATED = '''\
from typing import Any, Dict

x: Dict[str, int] = {}


class A:
    n: int

    def f(
        self, a: int, *rest: "äöü", k: Any = lambda v: v, **more: Dict[str,
        int]
    ) -> Dict[str, "->"]:
        """Ä."""; y: int = a
        return y


def g(a: int = 1) -> None: x["ä"]: int = a
'''


def test_annotations_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    text = linked(monkeypatch, {"a": ANNOTATED}, "a", annotations=False)
    tree = ast.parse(text)
    assert not any(isinstance(node, ast.AnnAssign) for node in ast.walk(tree))
    assert all(node.annotation is None for node in ast.walk(tree) if isinstance(node, ast.arg))
    module = types.ModuleType("linked")
    exec(text, module.__dict__)
    module.g(5)
    assert module.x == {"ä": 5} and module.A().f(3) == 3


def test_the_runtime_is_plain_python_38_and_imports_little(tmp_path: Path) -> None:
    path = tmp_path / "runtime.py"
    path.write_text(runtime_source(), encoding="utf-8")
    ast.parse(runtime_source(), feature_version=(3, 8))
    code = (
        "import sys; before = set(sys.modules)\n"
        f"exec(compile(open({str(path)!r}).read(), 'r', 'exec'), {{'__name__': 'x'}})\n"
        "print(sorted(set(sys.modules) - before))"
    )
    for python in interpreters().values():
        done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        slow = {
            "typing",
            "dataclasses",
            "argparse",
            "json",
            "inspect",
            "pathlib",
            "subprocess",
            "numpy",
            "pickle",
            "ast",
        }
        if "pypy" not in python:
            assert not slow & set(ast.literal_eval(done.stdout)), python


def test_every_portable_module_is_python_38() -> None:
    for module in in_order_of_imports(["nbdag.portable.agent", "nbdag.portable.restore"]):
        ast.parse(linker.source_of(module), feature_version=(3, 8))


def test_the_agent_links() -> None:
    compile(linker.agent_source(), "agent", "exec")
