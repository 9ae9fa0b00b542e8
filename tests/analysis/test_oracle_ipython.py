"""IPython's own transformer as the oracle: as many nodes as it runs, and the same code where there is no magic."""

from __future__ import annotations

import ast

import pytest

from nbdag.analysis.cells import analyze_cell
from nbdag.model.facts import StatementKind

TransformerManager = pytest.importorskip("IPython.core.inputtransformer2").TransformerManager

CELLS = [
    "x = 1\ny = 2",
    "x = 1; y = 2",
    "",
    "\n\n# only a comment\n",
    "%matplotlib inline\nx = 1",
    "!ls -l\nx = 1",
    "!!ls",
    "files = !ls *.py\nn = len(files)",
    "a = %timeit -o f(x)",
    "%time x = f(y)",
    "%time a = 1; b = 2\nc = 3",
    "%%time\nx = 1\ny = 2",
    "%%capture out\nprint(1)",
    "%%capture\n%%time\nx = 1\ny = 2",
    "%%bash\necho hello",
    "\n\n%%bash\necho hello",
    "%%html\n<b>x</b>",
    "%%writefile f.py\nx = 1",
    "%%javascript\nalert(1)",
    "%%timeit\nxs.append(1)",
    "df?\nx = 1",
    "?df",
    "??df.head",
    "df.head??",
    "%time?",
    "x = 1  # really?",
    "x = 'what?'",
    "if c:\n    %time x = f()\n    !ls\nelse:\n    y = 1",
    "for i in range(3):\n    !echo {i}\n",
    "    x = 1\n    y = 2",
    "  if c:\n      x = 1\n  y = 2",
    ",f a b",
    ";f a b",
    "/f a b",
    "x = (1 +\n2\n)",
    "x = (7\n%s\n)",
    "x = '''\n%time not a magic\n!ls\n'''",
    "x = [\n    '%s' % 1,\n    2]",
    "x = 5 %3",
    "x %= 3",
    "x = y != z",
    "!ls \\\n  -l\nx = 1",
    "%run script.py\nx = 1",
    "%load_ext autoreload\n%autoreload 2\nimport a",
    "%cd sub",
    "%env A=b",
    ">>> x = 1\n>>> y = 2",
    "In [1]: x = 1\nIn [2]: y = 2",
    "@decorator\ndef f():\n    return 1\n\nclass C: pass",
    "x = await f()",
    "async with a as b:\n    pass",
    "def f():\n    %time x = 1\n    return x",
    "a.b[0] = !ls",
    "x, y = !ls",
    "%timeit f(x)",
    "%%prun -s cumulative\nf()\ng()",
    "print(1)  ;",
    "x = 1;\ny = 2;",
    "# comment\n%time f()",
    "!pip install x\nimport x\nx.y",
    "d = {'a': 1,\n     'b': 2}\nd?",
    "try:\n    %time f()\nexcept E:\n    pass",
    "import a\\\n  .b\nx = 1",
]


def nodes_of(source: str) -> list[ast.stmt]:
    return ast.parse(TransformerManager().transform_cell(source)).body


def is_magic(node: ast.AST) -> bool:
    return "get_ipython" in ast.dump(node)


@pytest.mark.parametrize("source", CELLS)
def test_statements_are_the_nodes_that_ipython_runs(source: str) -> None:
    nodes = nodes_of(source)
    facts = analyze_cell(source)
    assert not facts.diagnostics
    assert sorted({statement.node for statement in facts.statements}) == list(range(len(nodes)))
    for statement in facts.statements:
        node = nodes[statement.node]
        if not is_magic(node):
            assert statement.python is not None
            assert ast.dump(ast.parse(statement.python).body[0]) == ast.dump(node)


@pytest.mark.parametrize("source", [cell for cell in CELLS if "%%" not in cell and cell[:1] not in (",", ";", "/")])
def test_text_at_the_place_of_an_ordinary_statement_is_its_text(source: str) -> None:
    lines = source.split("\n")
    for statement in analyze_cell(source).statements:
        if statement.python is None or statement.kind is StatementKind.MAGIC or "\n" in statement.python:
            continue
        place = statement.place
        written = lines[place.line - 1][place.column : place.end_column]
        if "%" not in written and "!" not in written:
            behind = statement.python.removeprefix(written)
            assert statement.python == written + behind
            assert not behind or (behind.lstrip().startswith("#") and lines[place.line - 1].endswith(behind))


COMMENTS_BEHIND = [
    ("def f(x):\n    return x  # why", ["def f(x):\n    return x  # why"]),
    ("x = 1  # one\ny = 2; z = 3 # both", ["x = 1  # one", "y = 2", "z = 3 # both"]),
    ("s = '# no'", ["s = '# no'"]),
]


@pytest.mark.parametrize(("source", "texts"), COMMENTS_BEHIND)
def test_a_comment_behind_a_statement_travels_with_it(source: str, texts: list[str]) -> None:
    # inspect.getsource shows it as part of a function
    assert [statement.python for statement in analyze_cell(source).statements] == texts
