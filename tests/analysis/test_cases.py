"""What the specification's notation cannot hold: exact places, the plain Python of a statement, odd texts."""

from __future__ import annotations

import pytest

from nbdag.analysis.cells import analyze_cell
from tests.analysis.rows import described
from tests.analysis.test_specification import by_library_of

# Text that the table cannot hold.
TEXTS = [
    ("CRLF", "x = 1\r\ny = x", "B x, R x, B y"),
    ("old Mac line ends", "x = 1\ry = x", "B x, R x, B y"),
    ("BOM", "\ufeffx = 1", "B x"),
    ("null byte", "x = 1\0", "error null-byte"),
    ("no-break space", "x =\xa01", "error syntax-error"),
    ("only a comment", "# nothing", ""),
    ("nothing", "", ""),
    ("form feed", "\fx = 1", "B x"),
    ("other alphabets", "größe = 1; 変数 = größe", "B größe, R größe, B 変数"),
    ("trailing blanks", "x = 1   \n\n\n   ", "B x"),
]


@pytest.mark.parametrize(("idea", "source", "expected"), TEXTS, ids=[row[0] for row in TEXTS])
def test_text(idea: str, source: str, expected: str) -> None:
    cell, findings, _ = by_library_of((source,))
    assert [described(cell), *(f"error {finding['code']}" for finding in findings)] == [
        "" if expected.startswith("error") else expected,
        *([expected] if expected.startswith("error") else []),
    ]


PLACES = [
    ("a name", "x = yy", "yy", (1, 4, 1, 6)),
    ("second line", "x = 1\nz = yy", "yy", (2, 4, 2, 6)),
    ("not the attribute of the same name", "x = b.a + a", "a", (1, 10, 1, 11)),
    ("not the keyword of the same name", "f(a=a)", "a", (1, 4, 1, 5)),
    ("not in a comment or string", "# a\nx = 'a' + a", "a", (2, 10, 2, 11)),
    ("in an f-string", 'x = f"aa {aa}"', "aa", (1, 10, 1, 12)),
    ("behind an f-string", 'x = f"{b:>{c}} a", a', "a", (1, 19, 1, 20)),
    ("behind a %time", "%time x = a", "a", (1, 10, 1, 11)),
    ("behind an assigned %time", "x = %time f(a)", "a", (1, 12, 1, 13)),
    ("in a cell magic", "%%time\nx = a", "a", (2, 4, 2, 5)),
    ("in an indented cell", "    x = a", "a", (1, 8, 1, 9)),
    ("behind a BOM", "\ufeffx = a", "a", (1, 5, 1, 6)),
    ("behind CRLF", "x = 1\r\ny = a", "a", (2, 4, 2, 5)),
    ("behind wide characters", "größe = a", "a", (1, 8, 1, 9)),
    ("behind a prompt", ">>> x = a", "a", (1, 8, 1, 9)),
    ("in a block's magic", "if c:\n    %time x = a", "a", (2, 14, 2, 15)),
    ("lambda in a call", "f(lambda q: q + a, a)", "a", (1, 19, 1, 20)),
]


@pytest.mark.parametrize(("idea", "source", "name", "expected"), PLACES, ids=[row[0] for row in PLACES])
def test_place(idea: str, source: str, name: str, expected: tuple[int, int, int, int]) -> None:
    places = [
        access.place
        for statement in analyze_cell(source).statements
        for access in statement.accesses
        if access.name == name and not access.deferred
    ]
    place = places[0]
    assert (place.line, place.column, place.end_line, place.end_column) == expected


PYTHON = [
    ("ordinary text with its comments", "f(1,  # one\n  2)", ["f(1,  # one\n  2)"]),
    ("two on a line", "a = 1; b = 2", ["a = 1", "b = 2"]),
    ("time", "%time x = f()", ["x = f()"]),
    ("time cell", "%%time\nx = 1\ny = 2", ["x = 1", "y = 2"]),
    ("assigned time", "x = %time f()", ["x = f()"]),
    ("cd", "%cd sub", ["__import__('os').chdir('sub')"]),
    ("cd with a variable", "%cd {d}/x", ["__import__('os').chdir(f'{d}/x')"]),
    ("env", "%env A=b", ["__import__('os').environ['A'] = 'b'"]),
    ("matplotlib", "%matplotlib inline", [""]),
    ("load_ext", "%load_ext autoreload", [""]),
    ("shell", "!pip install x", [None]),
    ("shell assignment", "x = !ls", [None]),
    ("help", "x?", [""]),
    ("in a block", "if c:\n    %time x = f()\n    %matplotlib inline", ["if c:\n    x = f()\n    pass"]),
    ("shell in a block", "if c:\n    !ls", [None]),
    ("timeit of something pure", "%timeit len(x)", [""]),
    ("timeit of something else", "xs = []\n%timeit xs.append(1)", ["xs = []", None]),
    ("bash", "%%bash\nls", [None]),
    ("html", "%%html\n<b/>", [""]),
    ("run with options", "%run -i a.py", [None]),
    ("run with a variable", "%run {script}", [None]),
    ("auto-call", "/f a b", ["f(a, b)"]),
    ("comma call", ",f a b", ["f('a', 'b')"]),
    ("xdel", "%xdel x", ["del x"]),
    ("decorated", "@d\ndef f():\n    pass", ["@d\ndef f():\n    pass"]),
    ("indented cell", "    x = 1\n    y = 2", ["x = 1", "y = 2"]),
    ("pwd", "d = %pwd", ["d = __import__('os').getcwd()"]),
    ("capture with a name", "%%capture out\nx = 1", ["x = 1", None]),
    ("async", "x = await f()", ["x = await f()"]),
]


@pytest.mark.parametrize(("idea", "source", "expected"), PYTHON, ids=[row[0] for row in PYTHON])
def test_plain_python(idea: str, source: str, expected: list[str | None]) -> None:
    assert [statement.python for statement in analyze_cell(source).statements] == expected
