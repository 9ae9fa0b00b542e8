"""``symtable`` as the oracle for scopes: which names the top level binds, and which it or a function reads.

What the compiler leaves out (``if 0:``, code behind a ``return``) need not be read: the byte code says what is left.
"""

from __future__ import annotations

import ast
import builtins
import dis
import random
import re
import symtable
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbdag.analysis.cells import analyze_cell
from nbdag.model.facts import AccessKind

ALL_NAMES = frozenset(dir(builtins)) | {"__file__", "__path__", "__annotations__", "WindowsError"}


def module_names(source: str) -> tuple[set[str], set[str], set[str]]:
    """Names that the module's top level binds, and global names read anywhere in it, and names that may be read too."""
    bound: set[str] = set()
    read: set[str] = set()

    allowed: set[str] = set()

    def visit(table: symtable.SymbolTable) -> None:
        top = table.get_type() == "module"
        for symbol in table.get_symbols():
            name = symbol.get_name()
            is_global = top or symbol.is_global()
            if not is_global:
                if table.get_type() == "class":
                    allowed.add(name)  # read before it is bound, it is the global one
                continue
            if symbol.is_assigned() or symbol.is_imported() or (top and symbol.is_namespace()):
                bound.add(name)
            if symbol.is_referenced():
                read.add(name)
        for child in table.get_children():
            visit(child)

    visit(symtable.symtable(source, "<cell>", "exec"))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            allowed.update(re.findall(r"\w+", node.value))  # may be code
    return bound, read, allowed


def loaded(code: CodeType) -> set[str]:
    """The names that some instruction of ``code``, or of code in it, deals with."""
    names = {
        str(instruction.argval) for instruction in dis.get_instructions(code) if isinstance(instruction.argval, str)
    }
    return names.union(*(loaded(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def left_alone(source: str) -> set[str]:
    """Names in what never runs in a notebook, which is ``__main__`` and no type checker, or never runs anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, (ast.If, ast.While, ast.IfExp)):
            continue
        test = ast.unparse(node.test)
        body, orelse = ([node.body], [node.orelse]) if isinstance(node, ast.IfExp) else (node.body, node.orelse)
        dead: Sequence[ast.AST] = orelse if test in ("__name__ == '__main__'", "True", "1") else []
        if test.endswith("TYPE_CHECKING") or test in ("False", "0", "None"):
            dead = body
        for part in (inner for statement in dead for inner in ast.walk(statement)):
            if isinstance(part, ast.Name):
                found.add(part.id)
            elif isinstance(part, (ast.FunctionDef, ast.ClassDef)):
                found.add(part.name)
            elif isinstance(part, ast.alias):
                found.add((part.asname or part.name).split(".")[0])
    return found


def our_names(source: str) -> tuple[set[str], set[str]]:
    facts = analyze_cell(source, ALL_NAMES)
    assert not facts.diagnostics, facts.diagnostics
    stars = {
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    }
    # The names of a star import are not symtable's to know.
    accesses = [
        access
        for statement in facts.statements
        for access in statement.accesses
        if not (access.kind is AccessKind.BIND and access.place.line in stars)
    ]
    bound = {access.name for access in accesses if access.kind in (AccessKind.BIND, AccessKind.DELETE)}
    read = {access.name for access in accesses if access.kind is AccessKind.READ}
    return bound, read


def agree(source: str) -> None:
    """Bound names are the same; read names are those of symtable, but for what a statement has bound just before."""
    # symtable takes a function called "top" for the module.
    source = re.sub(r"\btop\b", "top_", source)
    bound, read, allowed = module_names(source)
    our_bound, our_read = our_names(source)
    dead = left_alone(source)
    needed = read & loaded(compile(source, "<cell>", "exec", dont_inherit=True))
    assert our_bound <= bound
    assert bound - our_bound <= dead
    assert our_read <= read | bound | allowed
    missing = needed - our_read - bound - dead
    assert missing <= {"super", "__class__", "__name__", "__qualname__", "__module__"}, sorted(missing)


NAMES = st.sampled_from(["a", "b", "c", "d"])


def expressions(depth: int) -> st.SearchStrategy[str]:
    if not depth:
        return st.one_of(NAMES, st.just("1"), st.just("'s'"))
    inner = expressions(depth - 1)
    return st.one_of(
        NAMES,
        st.builds("({} + {})".format, inner, inner),
        st.builds("{}({})".format, NAMES, inner),
        st.builds("{}.x".format, inner),
        st.builds("[{} for {} in {}]".format, inner, NAMES, inner),
        st.builds("{{{}: {} for {} in {} if {}}}".format, inner, inner, NAMES, inner, inner),
        st.builds("[{} for {} in {} for {} in {}]".format, inner, NAMES, inner, NAMES, inner),
        st.builds("(lambda {}, *, k={}: {})".format, NAMES, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("f'{{{}!r:>{{{}}}}}'".format, NAMES, NAMES),
        st.builds("(w := {})".format, NAMES),
        st.builds("{}[{}:{}]".format, NAMES, inner, inner),
    )


def indent(text: str) -> str:
    return "\n".join("    " + line for line in text.split("\n"))


def block(depth: int) -> st.SearchStrategy[str]:
    return st.lists(statements(depth), min_size=1, max_size=3).map("\n".join)


def statements(depth: int) -> st.SearchStrategy[str]:
    value = expressions(2)
    simple = st.one_of(
        st.builds("{} = {}".format, NAMES, value),
        st.builds("{}, *{} = {}".format, NAMES, NAMES, value),
        st.builds("{} += {}".format, NAMES, value),
        st.builds("{}.x = {}".format, NAMES, value),
        st.builds("{}[{}] = {}".format, NAMES, value, value),
        st.builds("del {}".format, NAMES),
        st.builds("{}: {} = {}".format, NAMES, NAMES, value),
        value,
        st.builds("import {}.m".format, NAMES),
        st.builds("from m import {} as {}".format, NAMES, NAMES),
        st.builds("assert {}, {}".format, value, value),
    )
    if not depth:
        return simple
    inner = block(depth - 1).map(indent)
    return st.one_of(
        simple,
        st.builds("if {}:\n{}\nelse:\n{}".format, value, inner, inner),
        st.builds("for {} in {}:\n{}".format, NAMES, value, inner),
        st.builds("while {}:\n{}".format, value, inner),
        st.builds("with {} as {}:\n{}".format, value, NAMES, inner),
        st.builds("try:\n{}\nexcept {} as {}:\n{}\nfinally:\n{}".format, inner, NAMES, NAMES, inner, inner),
        st.builds("def {}({}, k={}):\n{}".format, NAMES, NAMES, value, inner),
        st.builds("class {}({}):\n{}".format, NAMES, NAMES, inner),
        st.builds(
            "match {}:\n    case [p, *q]:\n{}\n    case {}.x:\n        pass".format, value, inner.map(indent), NAMES
        ),
        st.builds("def {}():\n    global g\n    g = {}".format, NAMES, value),
    )  # fmt: skip


def compiles(source: str) -> bool:
    try:
        compile(source, "<cell>", "exec")
    except SyntaxError:
        return False
    return True


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(block(2).filter(compiles))
def test_generated_programs(source: str) -> None:
    agree(source)


LIBRARY = sorted(
    path
    for path in Path(symtable.__file__).parent.rglob("*.py")
    if not {"test", "tests", "site-packages", "__phello__"} & set(path.parts)
    and path.stat().st_size < 150_000  # larger ones are no cells: following every call in _pydecimal takes a minute
)
SAMPLE = random.Random(7).sample(LIBRARY, 25)


@pytest.fixture
def room_to_recurse() -> Iterator[None]:
    """``symtable`` and the compiler go down expressions by recursion."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 5000))
    yield
    sys.setrecursionlimit(limit)


def check_module(path: Path) -> None:
    source = path.read_text(encoding="utf-8", errors="replace")
    if not compiles(source):
        pytest.skip("Python itself refuses it: no oracle")
    agree(source)


@pytest.mark.parametrize("path", SAMPLE, ids=lambda path: path.name)
def test_sample_of_the_standard_library(path: Path) -> None:
    check_module(path)


@pytest.mark.slow
@pytest.mark.usefixtures("room_to_recurse")
@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.name))
def test_all_of_the_standard_library(path: Path) -> None:
    check_module(path)
