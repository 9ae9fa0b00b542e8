"""Where text and recorder contradict each other, both sides are told; one row for each row of the table."""

from __future__ import annotations

import pytest

from nbdag.analysis.reconcile import reconcile
from nbdag.model.facts import Access, AccessKind, CellFacts, Certainty, Statement, StatementKind
from nbdag.model.findings import Place, Severity
from nbdag.model.trace import Execution, Outcome, StatementRun, Trace, ValueKind, Variable

HERE = Place(1, 0, 1, 1)
KINDS = {"r": AccessKind.READ, "b": AccessKind.BIND, "m": AccessKind.MUTATE}


def says(
    python: str, text: str, node: int = 0, opaque: bool = False, kind: StatementKind = StatementKind.OTHER
) -> Statement:
    """A statement whose text says "b:x r:y m:z": it binds x, reads y and may change z in place."""
    accesses = tuple(
        Access(word[2:], KINDS[word[0]], Certainty.MAY if word[0] == "m" else Certainty.MUST, HERE)
        for word in text.split()
    )
    return Statement(node, node, kind, HERE, python=python, accesses=accesses, opaque=opaque)


def ran(node: int = 0, bound: str = "", reached: str = "", changed: str = "") -> StatementRun:
    return StatementRun(
        node, 1, 1, 0.1, bound=tuple(bound.split()), reached=tuple(reached.split()), changed=tuple(changed.split())
    )


def told(facts: list[Statement], runs: list[StatementRun], kind: str = "list", linked: str = "") -> list[str]:
    groups = (tuple(linked.split()),) if linked else ()
    execution = Execution(0, "", Outcome.OK, count=3, statements=tuple(runs), covariables=groups)
    variables = (Variable("xs", kind, ValueKind.DATA, 0), Variable("x", "int", ValueKind.DATA, 1))
    trace = Trace("3.11", "cpython", "", "", (execution,), variables)
    found = reconcile([CellFacts(tuple(facts))], trace).diagnostics
    assert all(finding.severity is Severity.INFO for finding in found)
    return [f"{finding.code}: {finding.message}" for finding in found]


ROWS = [
    (
        "a name that exec binds",
        [says("exec(code)", "r:code", opaque=True)],
        [ran(bound="x")],
        ["bound-unsaid: In [3], 'exec(code)': the recorder saw x bound; the text binds nothing"],
    ),
    (
        "a callback that binds beside what the text binds",
        [says("y = f()", "b:y r:f")],
        [ran(bound="x y")],
        ["bound-unsaid: In [3], 'y = f()': the recorder saw x bound; the text binds y"],
    ),
    ("what the text binds", [says("x = 1", "b:x")], [ran(bound="x")], []),
    ("a star import", [says("from m import *", "", kind=StatementKind.IMPORT)], [ran(bound="x")], []),
    ("a branch that did not bind", [says("if c: x = 1", "b:x")], [ran()], []),
    (
        "a change that no text admits",
        [says("f()", "r:f")],
        [ran(reached="f xs", changed="xs")],
        ["changed-unsaid: In [3], 'f()': the recorder saw xs change in place; no statement's text says that it may"],
    ),
    ("a change that the text admits", [says("xs.sort()", "m:xs")], [ran(reached="xs", changed="xs")], []),
    ("a change that the text promises and nobody saw", [says("xs.sort()", "m:xs")], [ran(reached="xs")], []),
    (
        "a change that an earlier statement's text admits, seen at the end",
        [says("xs.sort()", "m:xs"), says("y = 1", "b:y", 1)],
        [ran(0, reached="xs"), ran(1, bound="y", changed="xs")],
        [],
    ),
    ("a change by opaque code", [says("exec(code)", "r:code", opaque=True)], [ran(reached="xs", changed="xs")], []),
    (
        "text and runs that do not fit together",
        [says("x = 1", "b:x"), says("y = 2", "b:y", 1)],
        [ran(0, bound="x"), ran(1, bound="y"), ran(2)],
        ["not-aligned: In [3]: its text has 2 statements, the recorder saw 3 runs: it counts as one step"],
    ),
]


@pytest.mark.parametrize(("sentence", "facts", "runs", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_both_sides_are_told_of(
    sentence: str, facts: list[Statement], runs: list[StatementRun], expected: list[str]
) -> None:
    assert told(facts, runs) == expected


def test_where_something_changed_that_cannot_be_seen_nothing_is_told_of_the_rest() -> None:
    facts = [says("plt.legend()", "r:plt")]
    assert told(facts, [ran(reached="plt xs model", changed="xs model")]) == []
    assert len(told(facts, [ran(reached="plt xs", changed="xs")])) == 1


def test_what_changes_in_every_statement_that_reaches_it_was_never_looked_at() -> None:
    facts = [says("print(n)", "r:n", node) for node in range(3)]
    runs = [ran(node, reached="n xs", changed="xs") for node in range(3)]
    assert told(facts, runs) == []
    assert len(told(facts, [*runs[:2], ran(2, reached="xs")])) == 2


def test_an_alias_admits_the_change_of_what_it_is_linked_to() -> None:
    assert told([says("ys.append(1)", "m:ys")], [ran(reached="xs ys", changed="xs ys")], linked="xs ys") == []


def test_a_generator_counts_as_changed_by_whoever_reaches_it_and_nobody_is_told() -> None:
    assert told([says("print(xs)", "r:xs")], [ran(reached="xs", changed="xs")], kind="generator") == []


def test_of_many_names_the_first_are_listed() -> None:
    names = "a b c d e f g"
    (message,) = told([says("load_all()", "r:load_all")], [ran(bound=names)])
    assert message.endswith("the recorder saw a, b, c, d, e and 2 more bound; the text binds nothing")
