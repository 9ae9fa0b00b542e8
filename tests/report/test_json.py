"""Reports for machines: the schema of docs/schema.md, and nothing that is not JSON."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

from nbdag.model.trace import FileUse
from nbdag.report.json import VERSION, analysis_as_json, compiled_as_json, planned_as_json, sessions_as_json
from tests.report.samples import ANALYSIS, COMPILED, PLANNED

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schema.md"


def test_an_analysis() -> None:
    document = json.loads(analysis_as_json(ANALYSIS, "0.1.0"))
    assert {key: document[key] for key in ("format", "version", "nbdag", "notebook", "session")} == {
        "format": "nbdag-analysis",
        "version": VERSION,
        "nbdag": "0.1.0",
        "notebook": "wine [red].ipynb",
        "session": "wine-123abc",
    }
    assert document["edges"][1] == {"from": 1, "to": 2, "names": ["df"], "evidence": "observed"}
    cell = document["cells"][2]
    assert (cell["index"], cell["position"], cell["deferred_uses"], cell["deletes"]) == (2, 4, ["np"], ["old"])
    assert (cell["outcome"], cell["opaque"], cell["seconds"]) == ("error", True, 75.0)
    assert document["variables"][2]["storable"] is False
    assert document["diagnostics"][1]["place"] == {"line": 1, "column": 4, "end_line": 1, "end_column": 5}


def test_a_static_analysis_has_no_session() -> None:
    assert json.loads(analysis_as_json(replace(ANALYSIS, session=""), "0.1.0"))["session"] is None


def test_a_compilation() -> None:
    document = json.loads(compiled_as_json(COMPILED, "0.1.0", lost=("gen",)))
    assert (document["format"], document["version"], document["lost"]) == ("nbdag-compilation", VERSION, ["gen"])
    plan = document["plan"]
    assert plan["store_all_cost"] is None  # JSON has no infinity
    assert [decision["action"] for decision in plan["decisions"]] == ["store", "replay", "replay", "lose"]
    assert [step["kind"] for step in plan["steps"]] == ["replay", "load"]
    assert plan["steps"][0]["random_state"] == ["numpy"]
    assert document["verdict"]["comparisons"][3]["result"] == "missing"


def test_a_plan() -> None:
    document = json.loads(planned_as_json(PLANNED, "0.1.0"))
    assert (document["format"], document["lost"], document["max_bytes"]) == ("nbdag-plan", ["gen"], 2_000_000_000)
    assert [way["name"] for way in document["alternatives"]] == ["plan", "store-all", "replay-all", "per-cell"]
    assert document["alternatives"][1]["cost"] is None
    df, np, gen = document["explanations"]
    assert df["statements"][1] == {
        "position": 4,
        "cell": "cell 3",
        "line": 1,
        "code": "part = df['[/]'] < 3 & df['<b>']",
        "seconds": 75.0,
    }
    assert (df["other_way"], df["turning_point"], np["given"]) == (105.2, 60e3, True)
    assert gen["against_replaying"][1] == {
        "reason": "it depends on the moment it runs (time.time)",
        "at": "cell 3, line 4",
        "grade": "last-resort",
    }
    assert gen["words"][0] == "It cannot be stored: at gen.lock, a lock belongs to its process."


def test_sessions() -> None:
    document = json.loads(sessions_as_json([{"id": "a"}], "0.1.0"))
    assert document == {"format": "nbdag-sessions", "version": VERSION, "nbdag": "0.1.0", "sessions": [{"id": "a"}]}


def test_names_that_are_no_utf_8_do_not_break_it() -> None:
    cell = replace(ANALYSIS.cells[0], first_line="s = '\ud800'")
    text = analysis_as_json(replace(ANALYSIS, cells=(cell,)), "0.1.0")
    assert json.loads(text.encode("utf-8"))["cells"][0]["first_line"] == "s = '?'"


def test_every_key_is_in_the_documentation() -> None:
    documented = set(re.findall(r"`([a-z_]+)`", SCHEMA.read_text(encoding="utf-8")))
    keys: set[str] = set()

    def collect(value: object) -> None:
        if isinstance(value, dict):
            keys.update(value)
            for item in value.values():
                collect(item)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    collect(json.loads(analysis_as_json(ANALYSIS, "")))
    collect(json.loads(compiled_as_json(COMPILED, "", lost=())))
    collect(json.loads(planned_as_json(PLANNED, "")))
    keys |= {field.name for field in fields(FileUse)}
    assert keys - documented == set()
