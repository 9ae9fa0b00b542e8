"""Reads ``specification/*.txt``: what the static analysis has to say, one idea per row, and judges facts by it.

    # [24 calls] a call reads what the body reads         rows of RULES.md, bullets of issue 3, the idea
    def f(): return a
    ---                                                   the cells of the notebook; the last one is judged
    y = f()
    => R f, R a, B y; clock display?; opaque              what it does; effects; whether it may touch anything
    edges: 1->2 f                                         all edges between the cells, where given
    at R a 1:4                                            where the access stands in the user's text: line, column

R read, B bind, M mutate, D delete; ``?`` may happen, ``~`` deferred: happens when a function made there is called.
Order means nothing. Without ``...`` nothing but the listed accesses may be there; ``no x``, ``no B x`` forbid one;
``+uses x``, ``-defs x`` are about the cell as a whole. Where an access is expected to be possible (``M? x``) beside
``...``, a certain one is as good. Effects and opacity are exact too, unless the part says ``...``.
``=> error CODE at 1:4`` expects a finding instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "specification"
LETTERS = {"R": "read", "B": "bind", "M": "mutate", "D": "delete"}
_ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "f": "\f", "0": "\0"}
_HEADING = re.compile(r"^# \[([^\]\n]+)\] (.*)$", re.MULTILINE)
_ACCESS = re.compile(r"(~?)([RBMD])(\??) (\S+)")


@dataclass(frozen=True)
class Row:
    """One row of the specification. ``cells`` as the user wrote them, ``expected`` in the notation above."""

    topic: str
    rules: tuple[int, ...]
    bullets: tuple[str, ...]
    idea: str
    cells: tuple[str, ...]
    expected: str
    edges: str | None
    places: tuple[str, ...]

    @property
    def gap(self) -> bool:
        """Whether the tool is known to be wrong here; such a row fails when it is mended, so that somebody notices."""
        return self.idea.startswith("gap: ")

    @property
    def id(self) -> str:
        return f"{self.topic}-{'-'.join(map(str, self.rules))}-{self.idea}"


def _unescaped(text: str) -> str:
    return re.sub(
        r"\\(?:u([0-9a-f]{4})|([rntf0]))", lambda m: chr(int(m[1], 16)) if m[1] else _ESCAPES[m[2]], text
    )  # fmt: skip


def read_rows(path: Path) -> list[Row]:
    rows = []
    parts = _HEADING.split(path.read_text(encoding="utf-8"))[1:]
    for tags, idea, body in zip(parts[0::3], parts[1::3], parts[2::3], strict=True):
        code, arrow, said = body[1:].rpartition("\n=>") if not body.startswith("\n=>") else ("", "=>", body[3:])
        assert arrow, f"{path.name}: {idea}: no expectation"
        lines = said.strip().split("\n")
        rules = tuple(int(tag) for tag in tags.split() if tag.isdigit())
        bullets = tuple(tag for tag in tags.split() if not tag.isdigit())
        if 33 in rules:
            code = _unescaped(code)
        edges = [line.removeprefix("edges:") for line in lines if line.startswith("edges:")]
        rows.append(
            Row(path.stem, rules, bullets, idea, tuple(code.split("\n---\n")), lines[0].strip(),
                edges[0].strip() if edges else None, tuple(line[3:] for line in lines if line.startswith("at ")))
        )  # fmt: skip
    return rows


ROWS = [row for path in sorted(FOLDER.glob("*.txt")) for row in read_rows(path)]


# The facts of one cell, in the shape of ``nbdag analyze --static --format json``: an object of "cells".
Facts = dict[str, Any]


def _said(access: Facts) -> str:
    letter = next(letter for letter, kind in LETTERS.items() if kind == access["kind"])
    doubt = "" if access["certainty"] == "must" else "?"
    return f"{'~' if access['deferred'] else ''}{letter}{doubt} {access['name']}"


def _effect(effect: Facts) -> str:
    return f"{'~' if effect['deferred'] else ''}{effect['kind']}{'' if effect['certainty'] == 'must' else '?'}"


def _strongest(found: set[str]) -> set[str]:
    """Without what is said more weakly beside what is certain."""
    return {said for said in found if "?" not in said or said.replace("?", "", 1) not in found}


def described(cell: Facts) -> str:
    """All that a cell's facts say, in the notation of the table."""
    accesses = dict.fromkeys(_said(access) for statement in cell["statements"] for access in statement["accesses"])
    effects = dict.fromkeys(_effect(effect) for statement in cell["statements"] for effect in statement["effects"])
    return "; ".join([", ".join(accesses), " ".join(effects), "opaque" * cell["opaque"]]).rstrip("; ")


def complaints(row: Row, cell: Facts, findings: list[Facts], edges: list[Facts]) -> list[str]:
    """What is not as ``row`` says, in sentences; none if all is well. ``findings`` are those of the last cell."""
    if row.expected.startswith("error"):
        return _of_finding(row, findings)
    wrong = [f"it was not understood: {finding['code']}" for finding in findings if finding["severity"] == "error"]
    accesses, _, rest = row.expected.partition(";")
    effects, _, opaque = rest.partition(";")
    wrong += _of_accesses(accesses.strip(), cell)
    found = _strongest({_effect(effect) for statement in cell["statements"] for effect in statement["effects"]})
    if effects.strip() != "..." and found != set(effects.split()):
        wrong.append(f"effects are {sorted(found)}")
    if opaque.strip() != "..." and cell["opaque"] != (opaque.strip() == "opaque"):
        wrong.append(f"opaque is {cell['opaque']}")
    if row.edges is not None:
        given = ", ".join(f"{edge['from'] + 1}->{edge['to'] + 1} {' '.join(edge['names'])}" for edge in edges)
        if given != row.edges:
            wrong.append(f"edges are {given}")
    return wrong + _of_places(row, cell)


def _of_accesses(expected: str, cell: Facts) -> list[str]:
    found = _strongest({_said(access) for statement in cell["statements"] for access in statement["accesses"]})
    wrong: list[str] = []
    listed, ruled = set(), False
    items = [item.strip() for item in expected.replace("... ", "..., ").split(",") if item.strip()]
    open_ended = "..." in items or (bool(items) and all(item.startswith("no ") for item in items))
    for item in items:
        words = item.split()
        if item == "...":
            continue
        if words[0] == "no":
            kinds = [words[1]] if len(words) == 3 else list(LETTERS)
            name = words[-1]
            wrong += [said for said in found for kind in kinds if re.fullmatch(f"~?{kind}\\?? {re.escape(name)}", said)]
        elif words[0][0] in "+-":
            ruled = True
            if (words[1] in cell[words[0][1:]]) != (words[0][0] == "+"):
                wrong.append(f"{words[0][1:]} are {cell[words[0][1:]]}")
        else:
            assert _ACCESS.fullmatch(item), f"what is {item!r}?"
            listed.add(item)
            if item not in found and not (open_ended and item.replace("?", "", 1) in found):
                wrong.append(f"missing {item}")
    if not open_ended and (listed or not ruled):
        wrong += [f"surplus {said}" for said in sorted(found - listed)]
    return wrong


def _of_finding(row: Row, findings: list[Facts]) -> list[str]:
    match = re.fullmatch(r"error (\S+)(?: at (\d+)(?::(\d+))?)?", row.expected)
    assert match, row.expected
    if not findings:
        return ["no finding"]
    finding, wrong = findings[0], []
    if match[1] not in ("...", finding["code"]):
        wrong.append(f"the finding is {finding['code']}")
    place = finding["place"]
    if place is None:
        return [*wrong, "the finding has no place"]
    if [place["line"], place["column"]] != [int(match[2] or place["line"]), int(match[3] or place["column"])]:
        wrong.append(f"it stands at {place['line']}:{place['column']}")
    if not finding["excerpt"] and row.cells[-1].strip():
        wrong.append("the finding shows no line")
    return wrong


def _of_places(row: Row, cell: Facts) -> list[str]:
    wrong = []
    for wanted in row.places:
        said, _, place = wanted.rpartition(" ")
        found = {
            f"{access['place']['line']}:{access['place']['column']}"
            for statement in cell["statements"]
            for access in statement["accesses"]
            if _said(access) == said
        }
        if place not in found:
            wrong.append(f"{said} stands at {sorted(found)}")
    return wrong
