"""The picture of a session: lanes that do not collide, text that cannot become markup, notations that parse."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdag.model.graph import Edge, Evidence
from nbdag.model.plan import Action, Decision
from nbdag.model.results import Analysis, CellSummary, VariableSummary
from nbdag.model.trace import Outcome, ValueKind
from nbdag.report.graph.drawing import draw
from nbdag.report.graph.notations import as_dot, as_json, as_mermaid
from nbdag.report.graph.page import as_html
from nbdag.report.graph.scene import Scene, make_scene
from tests.report.samples import ANALYSIS, COMPILED

HOSTILE = "</script><script>alert(1)</script> ]]> & \"quoted\" 'x' \x00\x1b \ud800 \u2028 `m` [b](c) \\"


def static(cells: int, *edges: tuple[int, int, str]) -> Analysis:
    return Analysis(
        "n.ipynb",
        tuple(CellSummary(n, n, f"id{n}", (f"v{n}",), first_line=f"v{n} = {n}") for n in range(cells)),
        tuple(Edge(source, target, (name,), Evidence.STATIC) for source, target, name in edges),
    )


def hostile() -> Analysis:
    cell = CellSummary(
        0, 0, "a", (HOSTILE,), mutates=(HOSTILE,), effects=(HOSTILE,), first_line=HOSTILE, error=HOSTILE, seconds=1.0
    )
    variable = VariableSummary(HOSTILE, HOSTILE, ValueKind.DATA, 10, True, "", 0)
    other = CellSummary(1, 1, "b", uses=(HOSTILE,), first_line=HOSTILE)
    return Analysis(HOSTILE, (cell, other), (Edge(0, 1, (HOSTILE,), Evidence.BOTH),), (variable,))


def spans(scene: Scene) -> list[tuple[int, int, int]]:
    return [
        (
            lane.slot,
            min(lane.source, *(b.target for b in lane.branches)),
            max(lane.source, *(b.target for b in lane.branches)),
        )
        for lane in scene.lanes
    ]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40))
def test_lanes_in_one_slot_never_share_a_row(pairs: list[tuple[int, int]]) -> None:
    scene = make_scene(static(13, *((source, target, "x") for source, target in pairs if source != target)))
    for position, (slot, first, last) in enumerate(spans(scene)):
        for other, start, end in spans(scene)[position + 1 :]:
            assert slot != other or last < start or end < first


def test_short_lanes_run_next_to_the_rows_and_long_ones_outside() -> None:
    scene = make_scene(static(4, (0, 3, "np"), (1, 2, "x")))
    assert {lane.source: lane.slot for lane in scene.lanes} == {0: 1, 1: 0}


def test_a_need_that_the_trace_refutes_is_not_drawn() -> None:
    # cell 1: df = load()      cell 2: show(df)      cell 3: df.head()
    # The text cannot say that show() leaves df alone; the recorder saw that it does.
    ran = tuple(replace(cell, outcome=Outcome.OK, seconds=0.1) for cell in static(3).cells)
    edges = (Edge(0, 2, ("df",), Evidence.BOTH), Edge(1, 2, ("df",), Evidence.STATIC))
    assert [lane.source for lane in make_scene(Analysis("n", ran, edges)).lanes] == [0]
    unknown = (ran[0], replace(ran[1], outcome=Outcome.ERROR), ran[2])
    assert [lane.source for lane in make_scene(Analysis("n", unknown, edges)).lanes] == [0, 1]


def test_a_name_is_current_only_where_the_value_of_the_session_was_made() -> None:
    # cell 1: x = 1      cell 2: x = 2
    cells = (CellSummary(0, 0, "a", ("x",)), CellSummary(1, 1, "b", ("x",)))
    x = VariableSummary("x", "int", ValueKind.DATA, 28, True, "", 1)
    decision = Decision(("x",), Action.STORE, "cheaper", 0.1, 0.2, 28)
    first, second = make_scene(Analysis("n", cells, (), (x,)), decisions=(decision,)).rows
    assert (first.chips[0].current, first.size) == (False, 0)
    assert (second.chips[0].action, second.chips[0].reason, second.size) == (Action.STORE, "cheaper", 28)


def test_what_several_names_share_is_held_once() -> None:
    # cell 1: df = load(); part = df[:3]      cell 2: view = df[1:]
    cells = (CellSummary(0, 0, "a", ("df", "part")), CellSummary(1, 1, "b", ("view",)))
    variables = tuple(
        VariableSummary(name, "ndarray", ValueKind.DATA, 1000, True, "", made, tuple({"df", "part", "view"} - {name}))
        for name, made in (("view", 1), ("part", 0), ("df", 0))
    )
    scene = make_scene(Analysis("n.ipynb", cells, (), variables))
    assert [row.size for row in scene.rows] == [1000, 0]
    assert [chip.size for row in scene.rows for chip in row.chips] == [1000, 1000, 1000]


def test_a_name_that_only_the_recorder_saw_is_shown_with_the_cell_that_made_it() -> None:
    # cell 1: exec("x = 1")
    x = VariableSummary("x", "int", ValueKind.DATA, 28, True, "", 0)
    scene = make_scene(Analysis("n", (CellSummary(0, 0, "a", opaque=True),), (), (x,)))
    assert [chip.name for chip in scene.rows[0].chips] == ["x"]


def test_a_time_below_the_measurable_is_well_formed() -> None:
    """It is written "<1 ms"."""
    cell = CellSummary(0, 0, "a", defs=("x",), outcome=Outcome.OK, seconds=0.0002)
    text = draw(make_scene(Analysis("n.ipynb", (cell,), (), (), (), "", 0.0)))
    assert "&lt;1 ms" in text
    ElementTree.fromstring(text)


@pytest.mark.parametrize(
    "analysis", [ANALYSIS, hostile(), static(0), static(1)], ids=["rich", "hostile", "none", "one"]
)
def test_the_drawing_is_well_formed_and_has_every_cell(analysis: Analysis) -> None:
    root = ElementTree.fromstring(draw(make_scene(analysis, decisions=COMPILED.plan.decisions)))
    rows = [group for group in root.iter("{http://www.w3.org/2000/svg}g") if group.get("class") == "row"]
    assert len(rows) == len(analysis.cells)


class Elements(HTMLParser):
    """What a browser would make of a page: the elements, and the text of the graph's island."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.island = ""
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]
        self.inside = ("id", "graph") in attrs

    def handle_data(self, data: str) -> None:
        self.island += data if self.inside else ""


@pytest.mark.parametrize("analysis", [ANALYSIS, hostile(), static(0)], ids=["rich", "hostile", "none"])
def test_the_page_needs_no_network_and_takes_no_markup_from_the_notebook(analysis: Analysis) -> None:
    page = as_html(make_scene(analysis, [HOSTILE] * len(analysis.cells)), "0")
    page.encode("utf-8")
    seen = Elements()
    seen.feed(page)
    assert seen.tags.count("script") == 2
    assert not seen.links
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert len(json.loads(seen.island)["cells"]) == len(analysis.cells)


@pytest.mark.parametrize("analysis", [ANALYSIS, hostile()], ids=["rich", "hostile"])
def test_notations_keep_one_line_per_cell_and_need(analysis: Analysis) -> None:
    scene = make_scene(analysis)
    needs = sum(len(lane.branches) for lane in scene.lanes)
    assert len(as_mermaid(scene).splitlines()) == 1 + len(analysis.cells) + needs
    assert len(as_dot(scene).splitlines()) == 5 + len(analysis.cells) + needs
    for line in as_dot(scene).splitlines()[4:-1]:  # nothing left outside strings that are closed
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
        assert re.fullmatch(r"  c\d+( -> c\d+)? \[label=(, style=dashed)?\];", bare)
    document = json.loads(as_json(scene, "0"))
    assert (len(document["nodes"]), len(document["edges"])) == (len(analysis.cells), needs)
