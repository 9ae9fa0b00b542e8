"""Linked scripts: complete, refused where they would be wrong, and syntax that Python 3.8 reads."""

from __future__ import annotations

import ast
import subprocess
import types
from pathlib import Path
from typing import Any

import pytest

from nbdag import link as linker
from nbdag.link import LATER_MODULES, LinkError, in_order_of_imports, link, runtime_source, with_later_parts
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


# ------------------------------------------------------------------------------------------------ parts that wait

LATER = """\
LATER_PARTS = {}

def later(part, name):
    text = LATER_PARTS.pop(part, None)
    if text is not None:
        exec(compile(text, part, "exec"), globals())
    return globals()[name]
"""


def with_parts(sections: dict[str, str], *later: str) -> str:
    """A linked script of these modules, the ones named as text."""
    pieces = [f"# {'-' * 100}\n# nbdag.portable.{name}\n\n{text}\n" for name, text in sections.items()]
    return with_later_parts("".join(pieces), frozenset(f"nbdag.portable.{name}" for name in later))


def test_a_part_that_waits_is_compiled_when_one_of_its_functions_is_called() -> None:
    rare = '"""Seldom."""\nimport zlib\n\nBASE = 40\n\n\ndef deep(n):\n    return zlib.crc32(b"") + BASE + n\n'
    rare += "\n\nclass Box:\n    def __init__(self, n):\n        self.n = deep(n)\n"
    text = with_parts(
        {"parts": LATER, "rare": rare, "main": "TABLE = (deep,)\n\ndef main():\n    return Box(2).n\n"}, "rare"
    )
    names: dict[str, object] = {}
    exec(text, names)
    assert "zlib" not in names and "BASE" not in names
    assert names["main"]() == 42 and names["TABLE"][0](1) == 41  # type: ignore[operator, index]
    assert names["deep"](0) == 40 and not names["LATER_PARTS"]  # type: ignore[operator]


def test_an_import_goes_where_it_is_needed() -> None:
    first = "import zlib\nimport struct\n\ndef f():\n    return struct.calcsize('i')\n"
    rare = "def g():\n    return zlib.crc32(b'')\n"
    names: dict[str, object] = {}
    exec(
        with_parts({"parts": LATER, "first": first, "rare": rare, "main": "def main():\n    return g()\n"}, "rare"),
        names,
    )
    assert "zlib" not in names and "struct" in names
    assert names["main"]() == 0 and "zlib" in names  # type: ignore[operator]


@pytest.mark.parametrize(
    ("rare", "main", "why"),
    [
        ("LIMIT = 5", "def main():\n    return LIMIT", "LIMIT is used elsewhere"),
        (
            "class Odd(Exception):\n    pass",
            "def main():\n    try:\n        pass\n    except Odd:\n        pass",
            "Odd",
        ),
        ("def f():\n    return '''x'''", "def main():\n    return f()", "cannot stand as text"),
    ],
)
def test_what_cannot_wait_is_refused(rare: str, main: str, why: str) -> None:
    with pytest.raises(LinkError, match=why):
        with_parts({"parts": LATER, "rare": rare, "main": main}, "rare")


def test_in_the_runtime_every_part_waits_and_all_of_it_is_python_38() -> None:
    text = runtime_source()
    names: dict[str, Any] = {}
    exec(text, names)
    parts = names["LATER_PARTS"]
    assert parts.keys() == LATER_MODULES
    for part in parts.values():
        ast.parse(part, feature_version=(3, 8))
