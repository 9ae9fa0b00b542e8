"""Cells that break tools: deep, long, damaged."""

from __future__ import annotations

import json

import pytest

from nbdag.analysis.cells import analyze_cell
from nbdag.analysis.resolve import analyze_session
from nbdag.model.facts import AccessKind
from nbdag.model.findings import EXCERPT_BEFORE

DEEP = [
    ("brackets", "x = " + "[" * 150 + "]" * 150),
    ("calls", "x = " + "f(" * 150 + "1" + ")" * 150),
    ("attributes", "x = a" + ".b" * 500),
    ("sum", "x = " + " + ".join(["a"] * 500)),
    ("not", "x = " + "not " * 500 + "a"),
    ("and", "x = " + " and ".join(["a"] * 500)),
    ("lambda", "x = " + "lambda: " * 300 + "a"),
    ("elif", "if a: pass\n" + "".join(f"elif b{i}: c = {i}\n" for i in range(500))),
    ("blocks", "".join("    " * i + "if x:\n" for i in range(90)) + "    " * 90 + "y = 1\n"),
]


@pytest.mark.parametrize(("idea", "source"), DEEP, ids=[row[0] for row in DEEP])
def test_deep(idea: str, source: str) -> None:
    facts = analyze_cell(source)
    assert not facts.diagnostics
    assert len(facts.statements) == 1


@pytest.mark.parametrize("source", ["x = " + "[" * 500 + "]" * 500, "".join(" " * i + "if x:\n" for i in range(500))])
def test_deeper_than_python_allows(source: str) -> None:
    facts = analyze_cell(source)
    assert not facts.statements
    assert facts.diagnostics[0].code == "syntax-error"


def test_a_megabyte_of_json_on_one_line() -> None:
    source = json.dumps([{"id": i, "name": "abc", "v": [1.5, None]} for i in range(25_000)])
    assert len(source) > 1_000_000
    facts = analyze_cell("data = " + source)
    assert [access.name for access in facts.statements[0].accesses] == ["null", "data"]


FOUND = [
    ("half a character", "x = 1\ny = '\ud800'", "syntax-error", (2, 5), "y = '\ud800'"),
    ("an indented cell shows the user's line", "    x = = 1", "syntax-error", (1, 8), "    x = = 1"),
    ("a magic's line", "%time x = = 1", "syntax-error", (1, 10), "%time x = = 1"),
    ("a byte order mark", "\ufeffx = = 1", "syntax-error", (1, 5), "\ufeffx = = 1"),
    ("CRLF", "x = 1\r\ny = = 2\r\n", "syntax-error", (2, 4), "y = = 2"),
    ("a null byte", "y = '\0'", "null-byte", (1, 5), "y = '\N{SYMBOL FOR NULL}'"),
    ("lambdas without end", "x = " + "lambda: " * 3000 + "1", "syntax-error", (1, 0), None),
]


@pytest.mark.parametrize(("idea", "source", "code", "place", "excerpt"), FOUND, ids=[row[0] for row in FOUND])
def test_finding(idea: str, source: str, code: str, place: tuple[int, int], excerpt: str | None) -> None:
    (finding,) = analyze_cell(source).diagnostics
    assert finding.code == code
    assert finding.place is not None
    assert (finding.place.line, finding.place.column) == place
    assert finding.excerpt == excerpt if excerpt is not None else finding.excerpt
    assert finding.hint


def test_a_megabyte_of_broken_json_shows_the_place_and_not_the_line() -> None:
    source = "data = [" + "1, " * 350_000 + "= 2]"
    (finding,) = analyze_cell(source).diagnostics
    assert finding.place is not None
    assert source[finding.place.column] == "="
    assert finding.excerpt[EXCERPT_BEFORE + 1] == "="
    assert len(finding.excerpt) < 200


def test_a_long_chain_of_unknown_calls_is_followed_to_its_end() -> None:
    # Each result may view its argument, so the last statement may change every name before it.
    source = "\n".join(f"x{i} = lib.f(x{i - 1})" for i in range(1, 400))
    last = analyze_cell(source).statements[398]
    assert {access.name for access in last.accesses if access.kind is AccessKind.MUTATE} >= {"x398", "x390", "lib"}


DAMAGED = [
    "(", "x = '", "def f(:", "\x01", "%%", "%", "!", "?", "??", "%%time", "x = %", "'''", "if x:", "\\", "@",
    "f(a=1, 2)", "é = ", "x = 1\n  y = 2", "{", "f'{'", "lambda", "del", "a b c", "🎉",
]  # fmt: skip


@pytest.mark.parametrize("source", DAMAGED)
def test_never_raises(source: str) -> None:
    facts = analyze_cell(source)
    for diagnostic in facts.diagnostics:
        assert diagnostic.place is not None
        assert diagnostic.place.line >= 1


def test_the_other_cells_go_on() -> None:
    broken, fine = analyze_session(["x = = 1", "y = 2"])
    assert broken.diagnostics[0].place is not None
    assert (broken.diagnostics[0].place.line, broken.diagnostics[0].place.column) == (1, 4)
    assert len(fine.statements) == 1


def test_exponential_call_tree_is_cut() -> None:
    functions = "\n".join(f"def f{i}(a, b):\n    f{i + 1}(a, [b]); f{i + 1}([b], a)" for i in range(30))
    assert len(analyze_session([functions + "\ndef f30(a, b): a.append(b)", "f0(x, y)"])) == 2
