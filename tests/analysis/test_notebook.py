"""Reading notebook files: what is read, and one clear line for what cannot be."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nbdag.analysis.notebook import read_notebook
from nbdag.errors import NotebookError


def notebook(*sources: str, **extra: Any) -> dict[str, Any]:
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for source in sources
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4, **extra}


def written(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_code_cells_in_order_with_positions(tmp_path: Path) -> None:
    document = notebook("x = 1", "y = 2")
    document["cells"].insert(1, {"cell_type": "markdown", "source": "# text", "metadata": {}})
    document["cells"][0]["metadata"]["tags"] = ["parameters"]
    document["cells"][2]["source"] = ["y = 2\n", "z = 3"]
    found = read_notebook(written(tmp_path / "a.ipynb", document))
    cells = [(cell.index, cell.position, cell.source) for cell in found.cells]
    assert cells == [(0, 0, "x = 1"), (1, 2, "y = 2\nz = 3")]
    assert found.cells[0].tags == {"parameters"}
    assert not found.diagnostics


def test_cells_without_ids_get_stable_and_different_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ipynb", notebook("x = 1", "x = 1"))
    first, second = read_notebook(path), read_notebook(path)
    assert [cell.id for cell in first.cells] == [cell.id for cell in second.cells]
    assert len({cell.id for cell in first.cells}) == 2


def test_an_id_that_occurs_twice_is_used_once(tmp_path: Path) -> None:
    document = notebook("x = 1", "y = 2")
    for cell in document["cells"]:
        cell["id"] = "same"
    assert len({cell.id for cell in read_notebook(written(tmp_path / "a.ipynb", document)).cells}) == 2


def test_format_3_is_upgraded(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "input": "x = 1", "language": "python", "outputs": [], "collapsed": False}
    document = {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": [cell]}]}
    found = read_notebook(written(tmp_path / "a.ipynb", document))
    assert [cell.source for cell in found.cells] == ["x = 1"]
    assert [diagnostic.code for diagnostic in found.diagnostics] == ["old-format"]


def test_bom_is_tolerated(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(notebook("x = 1")).encode())
    assert read_notebook(path).cells[0].source == "x = 1"


def test_kernel_name(tmp_path: Path) -> None:
    document = notebook("x = 1", metadata={"kernelspec": {"name": "python3", "language": "python"}})
    assert read_notebook(written(tmp_path / "a.ipynb", document)).kernel_name == "python3"


JULIA = {"kernelspec": {"name": "julia-1.10", "display_name": "Julia 1.10", "language": "julia"}}
BAD = [
    ("not JSON", "x = 1\n", "not JSON: line 1, column 1"),
    ("truncated", json.dumps(notebook("x = 1"))[:60], "truncated"),
    ("damaged", '{"cells": [,]}', "not JSON: line 1, column"),
    ("JSON but no notebook", "{}", "JSON, but not a notebook"),
    ("a JSON list", "[1, 2]", "JSON, but not a notebook"),
    ("empty file", "", "empty"),
    ("no code cells", json.dumps(notebook()), "no code cells"),
    ("only blank cells", json.dumps(notebook("", "  ")), "no code cells"),
    ("another language", json.dumps(notebook("x", metadata=JULIA)), "julia"),
    ("newer format", json.dumps(notebook("x", nbformat=5)), "format 5"),
    ("odd format", json.dumps(notebook("x", nbformat="four")), "nbformat is 'four'"),
    ("cells are no objects", json.dumps({"cells": [1], "metadata": {}, "nbformat": 4}), "cell 0"),
    ("format 3 that is damaged", json.dumps({"worksheets": 3, "nbformat": 3}), "cannot be upgraded"),
]


@pytest.mark.parametrize(("idea", "content", "message"), BAD, ids=[row[0] for row in BAD])
def test_bad_files_get_one_clear_line(tmp_path: Path, idea: str, content: str, message: str) -> None:
    with pytest.raises(NotebookError) as caught:
        read_notebook(written(tmp_path / "a.ipynb", content))
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert "a.ipynb" in caught.value.message


def test_no_such_file_suggests_a_similar_one(tmp_path: Path) -> None:
    written(tmp_path / "analysis.ipynb", notebook("x"))
    with pytest.raises(NotebookError, match="no such file") as caught:
        read_notebook(tmp_path / "analsis.ipynb")
    assert "analysis.ipynb" in caught.value.hint


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="is a directory"):
        read_notebook(tmp_path)


def test_utf16_and_latin1(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(json.dumps(notebook("x")).encode("utf-16"))
    with pytest.raises(NotebookError, match="UTF-16"):
        read_notebook(path)
    path.write_bytes(json.dumps(notebook("é"), ensure_ascii=False).encode("latin-1"))
    with pytest.raises(NotebookError, match="not UTF-8"):
        read_notebook(path)


PERCENT = """\
# ---
# jupyter:
#   kernelspec:
#     name: python3
# ---
# %% [markdown]
# # Title
# %% tags=["a", "b"]
x = 1
# %matplotlib inline
# %% first
# %%bash
# ls
# %%
y = 2
"""


def test_py_percent(tmp_path: Path) -> None:
    found = read_notebook(written(tmp_path / "a.py", PERCENT))
    assert found.kernel_name == "python3"
    assert [cell.source for cell in found.cells] == ["x = 1\n%matplotlib inline", "%%bash\nls", "y = 2"]
    assert found.cells[0].tags == {"a", "b"}


def test_plain_python_file_is_one_cell(tmp_path: Path) -> None:
    assert [cell.source for cell in read_notebook(written(tmp_path / "a.py", "x = 1\n")).cells] == ["x = 1"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wine.md", '# Wine\n\n```python tags=["nbdag-recompute"]\nxs = [1]\n```\n\ntext\n\n```python\nys = xs\n```\n'),
        (
            "wine.py",
            "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       format_name: light\n"
            '# ---\n\n# + tags=["nbdag-recompute"]\nxs = [1]\n\n# + []\nys = xs\n',
        ),
    ],
)
def test_what_jupytext_reads_is_a_notebook_too(tmp_path: Path, name: str, text: str) -> None:
    pytest.importorskip("jupytext")
    (tmp_path / name).write_text(text, encoding="utf-8")
    notebook = read_notebook(tmp_path / name)
    assert [cell.source for cell in notebook.cells] == ["xs = [1]", "ys = xs"]
    assert notebook.cells[0].tags == {"nbdag-recompute"}
    assert read_notebook(tmp_path / name) == notebook, "the ids of its cells stay"


def test_without_jupytext_markdown_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupytext", None)
    (tmp_path / "wine.md").write_text("```python\nx = 1\n```\n", encoding="utf-8")
    with pytest.raises(NotebookError, match="takes Jupytext") as told:
        read_notebook(tmp_path / "wine.md")
    assert "pip install 'nbdag[jupytext]'" in told.value.hint
