"""Linked scripts: complete, refused where they would be wrong, and syntax that Python 3.8 reads."""

from __future__ import annotations

import ast
import builtins
import dis
import io
import os
import subprocess
import sys
import tokenize
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbdag import link as linker
from nbdag.link import LinkError, in_order_of_imports, link
from nbdag.portable.parts import PART_BEGINS, sealed
from nbdag.runtime import (
    LATER_MODULES,
    as_parts,
    leave_out,
    packed_parts,
    runtime_source,
    statements_of,
    without_remarks,
)
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
            "re",
            "hashlib",
            "contextlib",
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


def with_text(sections: dict[str, str], *waiting: str) -> dict[str, Any]:
    """What a linked script of these modules defines, the ones named waiting; compiled by the real ``parts.py``."""
    core = link(["nbdag.portable.parts"], annotations=False)
    pieces = [f"\n# {'-' * 100}\n# nbdag.portable.{name}\n\n{text}\n" for name, text in sections.items()]
    names: dict[str, Any] = {"__name__": "script"}
    wait = frozenset(f"nbdag.portable.{name}" for name in waiting)
    exec(as_parts(statements_of(core + "".join(pieces), wait), wait), names)
    return names


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBDAG_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "compiled"


def test_a_part_that_waits_is_compiled_when_one_of_its_functions_is_called() -> None:
    rare = '"""Seldom."""\nimport zlib\n\nBASE = 40\n\n\ndef deep(n):\n    return zlib.crc32(b"") + BASE + n\n'
    rare += "\n\nclass Box:\n    def __init__(self, n):\n        self.n = deep(n)\n"
    names = with_text({"rare": rare, "main": "TABLE = (deep,)\n\ndef main():\n    return Box(2).n\n"}, "rare")
    assert "zlib" not in names and "BASE" not in names
    assert names["main"]() == 42 and names["TABLE"][0](1) == 41
    assert names["deep"](0) == 40 and not names["WAITING"]


def test_a_part_whose_compilation_was_interrupted_is_compiled_the_next_time(kept: Path) -> None:
    names = with_text({"rare": "def deep(n):\n    return n + 1\n", "main": "def main():\n    return deep(1)\n"}, "rare")

    def interrupted(part: str) -> Any:
        raise KeyboardInterrupt

    real, names["compiled"] = names["compiled"], interrupted
    with pytest.raises(KeyboardInterrupt):
        names["main"]()
    names["compiled"] = real
    assert names["main"]() == 2 and not names["WAITING"]


def test_an_import_goes_where_it_is_needed() -> None:
    first = "import zlib\nimport struct\n\ndef f():\n    return struct.calcsize('i')\n"
    rare = "def g():\n    return zlib.crc32(b'')\n"
    names = with_text({"first": first, "rare": rare, "main": "def main():\n    return g()\n"}, "rare")
    assert "zlib" not in names and "struct" in names
    assert names["main"]() == 0 and "zlib" in names


@pytest.mark.parametrize(
    ("rare", "main", "why"),
    [
        ("LIMIT = 5", "def main():\n    return LIMIT", "LIMIT is used elsewhere"),
        (
            "class Odd(Exception):\n    pass",
            "def main():\n    try:\n        pass\n    except Odd:\n        pass",
            "Odd",
        ),
    ],
)
def test_what_cannot_wait_is_refused(rare: str, main: str, why: str) -> None:
    with pytest.raises(LinkError, match=why):
        with_text({"rare": rare, "main": main}, "rare")


def test_in_the_runtime_every_part_is_python_38_and_what_is_rare_waits() -> None:
    names: dict[str, Any] = {"__name__": "script"}
    exec(runtime_source(), names)
    source = names["source_of_parts"]()
    parts = source.split(PART_BEGINS)[1:]
    for part in parts:
        ast.parse(part.partition("\n")[2], feature_version=(3, 8))
    assert names["WAITING"].keys() == LATER_MODULES and len(parts) > len(LATER_MODULES) + 15
    remarks = [
        token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type == tokenize.COMMENT
    ]
    assert len(remarks) == len(parts) and ast.get_docstring(ast.parse(source)) is None


REMARKS = '''\
# above
def f(a):  # beside
    """Said
    # no comment
    """
    # inside
    return "# kept" + a


class Empty(Exception):
    """Nothing else."""


class C:
    "Short."
    x = 1

    def g(self):
        """One."""
        return """two
    # kept as well"""
'''


def test_remarks_are_taken_out_and_nothing_else() -> None:
    text = without_remarks(REMARKS)
    names: dict[str, Any] = {}
    exec(text, names)
    assert names["f"]("b") == "# keptb" and names["f"].__doc__ is None and issubclass(names["Empty"], Exception)
    assert names["C"].x == 1 and names["C"]().g() == "two\n    # kept as well" and names["C"].g.__doc__ is None
    assert not any(word in text for word in ("above", "beside", "Said", "inside", "Nothing", "Short", "One"))


def test_a_script_written_without_a_module_says_so_where_it_is_used() -> None:
    names: dict[str, Any] = {"__name__": "script"}
    exec(runtime_source(None, frozenset({"history", "unpacking"})), names)
    assert "class UnpackingReader" not in names["source_of_parts"]()
    with pytest.raises(RuntimeError, match="without nbdag"):
        names["continue_history"](None)


def test_an_import_of_a_module_that_is_left_out_stays_for_the_others() -> None:
    first, second = "import zlib\n\ndef f():\n    return 1\n", "def g():\n    return zlib.crc32(b'')\n"
    pieces = [f"# {'-' * 100}\n# nbdag.portable.{name}\n\n{body}\n" for name, body in [("a", first), ("b", second)]]
    left = frozenset({"nbdag.portable.a"})
    names: dict[str, Any] = {}
    exec("".join(statement.text for statement in leave_out(statements_of("".join(pieces), left), left)), names)
    assert names["g"]() == 0 and "f" not in names


RARE = ("history", "journal", "library_state", "local_modules", "process_state", "replaying", "unpacking")


@pytest.mark.parametrize("without", [*((one,) for one in RARE), RARE, ()], ids=" ".join)
def test_no_part_uses_a_name_that_the_script_lacks(without: tuple[str, ...]) -> None:
    names: dict[str, Any] = {"__name__": "script"}
    exec(runtime_source(frozenset({"array"}), frozenset(without)), names)
    for part, functions in list(names["WAITING"].items()):
        if functions:
            names["later"](part, functions[0])
    pending = [value.__code__ for value in names.values() if isinstance(value, types.FunctionType)]
    classes = [value for value in names.values() if isinstance(value, type) and value.__module__ == "script"]
    pending += [f.__code__ for c in classes for f in vars(c).values() if isinstance(f, types.FunctionType)]
    assert len(pending) > 80
    while pending:
        code = pending.pop()
        pending += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        for step in dis.get_instructions(code):
            if step.opname == "LOAD_GLOBAL":
                assert step.argval in names or hasattr(builtins, step.argval), f"{code.co_name}: {step.argval}"


# ------------------------------------------------------------------------------------------------ what is kept


def run_part(text: str, *arguments: str, **environment: str) -> str:
    """What a process prints that runs ``text`` as a part of a script."""
    script = link(["nbdag.portable.parts"], annotations=False) + packed_parts({"a": text})
    done = subprocess.run(
        [sys.executable, *arguments, "-c", script],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_was_compiled_is_kept_for_this_user_alone(kept: Path) -> None:
    assert run_part("print(5)") == run_part("print(5)") == "5\n"
    (file,) = kept.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o700 and file.stat().st_mode & 0o777 == 0o600
    assert run_part("print(6)") == "6\n" and len(list(kept.iterdir())) == 2


def other_code(file: Path) -> None:
    """Kept code that does something else, sealed as it should be: only whose it is can give it away."""
    import marshal

    content = marshal.dumps([compile("print('evil')", "x", "exec")])
    file.write_bytes(sealed(file.name, content) + b"\n" + content)


def test_kept_code_is_what_runs(kept: Path) -> None:
    run_part("print(5)")
    other_code(next(kept.iterdir()))
    assert run_part("print(5)") == "evil\n"
    assert run_part("print(5)", "-I") == "5\n"


@pytest.mark.parametrize("place", ["file", "directory"])
def test_what_others_may_have_written_is_not_run(place: str, kept: Path) -> None:
    run_part("print(5)")
    (file,) = kept.iterdir()
    other_code(file)
    (file if place == "file" else kept).chmod(0o777)
    assert run_part("print(5)") == "5\n"


@pytest.mark.parametrize("damage", [lambda b: b[:-3], lambda b: b[:200] + b"x" + b[201:], lambda b: b""])
def test_a_damaged_file_is_not_run_and_made_anew(damage: Callable[[bytes], bytes], kept: Path) -> None:
    run_part("print(5, 'and so on' * 20)")
    (file,) = kept.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert run_part("print(5, 'and so on' * 20)").startswith("5 and so on")
    assert file.read_bytes() == whole


def test_nothing_is_kept_where_python_is_not_to_write(kept: Path, tmp_path: Path) -> None:
    assert run_part("print(5)", PYTHONDONTWRITEBYTECODE="1") == run_part("print(5)", "-I") == "5\n"
    assert not kept.exists()
    (tmp_path / "cache").write_text("a file")
    assert run_part("print(5)") == "5\n"


def test_the_oldest_go_when_there_are_many(kept: Path) -> None:
    run_part("print(5)")
    (first,) = kept.iterdir()
    os.utime(first, (0, 0))
    for number in range(70):
        (kept / str(number)).write_text("")
    run_part("print(6)")
    assert len(list(kept.iterdir())) == 64 and not first.exists()
