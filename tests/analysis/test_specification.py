"""The specification in ``specification/*.txt``, written from RULES.md, issue 3, and the references of the languages.

It was written without looking at what the tool says. A row that turned out wrong says at its place why it was mended.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbdag import cli
from nbdag.analysis.cells import analyze_cell
from nbdag.analysis.dataflow import static_edges, summarize_cell
from nbdag.analysis.resolve import analyze_session, resolve
from nbdag.model.notebook import Cell
from nbdag.model.results import Analysis
from nbdag.report.json import analysis_as_json
from tests.analysis.rows import ROWS, Facts, Row, complaints

RULES = range(1, 35)
BULLETS = {"scopes", "statements", "calls", "mutation", "opaque", "ipython", "effects", "bad-input"}


def by_library(row: Row) -> tuple[Facts, list[Facts], list[Facts]]:
    """The facts of the last cell of ``row``, its findings, and the edges between all cells, as the JSON says them."""
    return by_library_of(row.cells)


def by_library_of(sources: tuple[str, ...]) -> tuple[Facts, list[Facts], list[Facts]]:
    facts = analyze_session(sources)
    cells = [Cell(index, index, str(index), source) for index, source in enumerate(sources)]
    analysis = Analysis(
        notebook="",
        cells=tuple(summarize_cell(cell, each) for cell, each in zip(cells, facts, strict=True)),
        edges=static_edges(facts),
        diagnostics=facts[-1].diagnostics,
    )
    document: dict[str, Any] = json.loads(analysis_as_json(analysis, "0"))
    return document["cells"][-1], document["diagnostics"], document["edges"]


PARAMETERS = [
    pytest.param(row, id=row.id, marks=[pytest.mark.xfail(strict=True, reason="a known gap")] if row.gap else [])
    for row in ROWS
]


@pytest.mark.parametrize("row", PARAMETERS)
def test_row(row: Row) -> None:
    assert not complaints(row, *by_library(row))


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_resolving_facts_is_analyzing_the_session(row: Row) -> None:
    if "automagic" in row.idea:
        pytest.skip(
            "whether a lone word is a magic depends on the names there are, which a cell by itself does not know"
        )
    assert resolve([analyze_cell(cell) for cell in row.cells]) == analyze_session(row.cells)


def test_every_rule_and_every_bullet_has_rows() -> None:
    assert {rule for row in ROWS for rule in row.rules} == set(RULES)
    assert {bullet for row in ROWS for bullet in row.bullets} >= BULLETS
    assert len(ROWS) >= 300


def test_no_two_rows_are_about_the_same_idea() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS)


# ---------------------------------------------------------------------------------------------- from outside

COLLECTABLE = [row for row in ROWS if not any(part in cell for cell in row.cells for part in ("\r", "\0"))]
SAMPLE = COLLECTABLE[::7]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command line says of a sample of the rows, each a notebook: by the row's id."""
    folder = tmp_path_factory.mktemp("rows")
    documents = {}
    for number, row in enumerate(SAMPLE):
        cells: list[dict[str, Any]] = [
            {
                "cell_type": "code",
                "id": f"c{index}",
                "metadata": {},
                "outputs": [],
                "execution_count": None,
                "source": source,
            }
            for index, source in enumerate(row.cells)
        ]
        path = folder / f"{number}.ipynb"
        path.write_text(
            json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}), encoding="utf-8"
        )
        out = folder / f"{number}.json"
        cli.run(["analyze", "--static", "--format", "json", "--quiet", "-o", str(out), str(path)])
        documents[row.id] = json.loads(out.read_text(encoding="utf-8"))
    return documents


@pytest.mark.parametrize("row", [p for p in PARAMETERS if p.values[0] in SAMPLE])
def test_the_command_line_says_the_same(row: Row, printed: dict[str, Any]) -> None:
    document = printed[row.id]
    cell = document["cells"][-1]
    findings = [finding for finding in document["diagnostics"] if finding["cell"] == cell["index"]]
    assert not complaints(row, cell, findings, document["edges"])
