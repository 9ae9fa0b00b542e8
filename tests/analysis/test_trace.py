"""A Trace goes to its file and back; a file that is not as it was written is refused with the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdag.analysis.trace import read_trace, trace_document, trace_from_document, write_trace
from nbdag.errors import IntegrityError
from nbdag.model.findings import Diagnostic, Place, Severity
from nbdag.model.trace import Execution, FileUse, Outcome, StatementRun, Trace, ValueKind, Variable

TRACE = Trace(
    python="3.11.7",
    implementation="cpython",
    executable="python3",
    cwd="/home/user",
    executions=(
        Execution(0, "x = 1", Outcome.OK, known=False, count=1),
        Execution(
            1,
            "y = f(x)\n1 / 0",
            Outcome.ERROR,
            cell_id="abc",
            count=2,
            started=12.5,
            seconds=0.25,
            error="ZeroDivisionError: division by zero",
            cwd="/home/user",
            statements=(
                StatementRun(
                    0, 1, 1, 0.125, bound=("y",), reached=("f", "x"), changed=("x",), unseen=("f",), drew=("random",),
                    random_state=(("random", b"MT\x00\xff"),), files=(FileUse("a.csv", "/a.csv", "r", 3, "ab"),),
                    effects=("file-read",),
                ),
                StatementRun(1, 2, 2, 0.0, completed=False, deleted=("z",)),
            ),
            covariables=(("x", "y"),),
        ),
        Execution(2, "inner", Outcome.INTERRUPTED, parent=1, silent=True),
    ),
    variables=(
        Variable("x", "int", ValueKind.DATA, 0, 10, 0.5),
        Variable("f", "function", ValueKind.FUNCTION, 1, storable=False, obstacle="f: no", altered=True),
    ),
    diagnostics=(Diagnostic("behind", Severity.WARNING, "text", 3, Place(1, 2, 3, 4), "hint"),),
)  # fmt: skip


def test_a_trace_comes_back_as_it_was(tmp_path: Path) -> None:
    write_trace(TRACE, tmp_path / "trace.json")
    assert read_trace(tmp_path / "trace.json") == TRACE
    first = (tmp_path / "trace.json").read_bytes()
    write_trace(TRACE, tmp_path / "trace.json")
    assert (tmp_path / "trace.json").read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]


# What a cell, a name, a path or an error message may hold.
HOSTILE = [
    "", "\0", "\ud800", "a\udcff.csv", '"', "\\", "\\u0041", "\u2028\r\n", "</script>", "\u202e", "e\u0301",
    "\U0001f600",
    '{"format": "nbdag-trace"}', "NaN", "x" * 100_000,
]  # fmt: skip
TEXT = st.text(max_size=5) | st.sampled_from(HOSTILE[:-1])
NAMES = st.lists(TEXT, max_size=3).map(tuple)
SECONDS = st.floats(0, 1e9)
STATEMENTS = st.builds(
    StatementRun,
    node=st.integers(0, 2**70),
    line=st.integers(1, 9),
    end_line=st.integers(1, 9),
    seconds=SECONDS,
    completed=st.booleans(),
    bound=NAMES,
    deleted=NAMES,
    reached=NAMES,
    changed=NAMES,
    unseen=NAMES,
    drew=NAMES,
    random_state=st.dictionaries(TEXT, st.binary(max_size=9), max_size=2).map(
        lambda states: tuple(sorted(states.items()))
    ),
    files=st.lists(st.builds(FileUse, TEXT, TEXT, TEXT, st.integers(0, 2**64), TEXT), max_size=2).map(tuple),
    effects=NAMES,
)
EXECUTIONS = st.builds(
    Execution,
    ordinal=st.just(0),
    source=TEXT,
    outcome=st.sampled_from(Outcome),
    cell_id=TEXT,
    count=st.none() | st.integers(0, 9),
    started=SECONDS,
    seconds=SECONDS,
    error=TEXT,
    silent=st.booleans(),
    known=st.booleans(),
    cwd=TEXT,
    statements=st.lists(STATEMENTS, max_size=3).map(tuple),
    covariables=st.lists(NAMES, max_size=2).map(tuple),
)
VARIABLES = st.builds(
    Variable,
    name=TEXT,
    type=TEXT,
    kind=st.sampled_from(ValueKind),
    group=st.integers(0, 9),
    size=st.integers(0, 2**64),
    store_seconds=SECONDS,
    storable=st.booleans(),
    obstacle=TEXT,
    altered=st.booleans(),
)
DIAGNOSTICS = st.builds(
    Diagnostic,
    TEXT,
    st.sampled_from(Severity),
    TEXT,
    st.none() | st.integers(0, 9),
    st.none() | st.builds(Place, *[st.integers(0, 9)] * 4),
    TEXT,
)


@given(EXECUTIONS, st.lists(VARIABLES, max_size=2), st.lists(DIAGNOSTICS, max_size=2))
def test_every_trace_comes_back(execution: Execution, variables: list[Variable], found: list[Diagnostic]) -> None:
    trace = Trace("3.12.0", "cpython", "", "", (execution,), tuple(variables), tuple(found))
    assert trace_from_document(json.loads(json.dumps(trace_document(trace)))) == trace


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: ascii(text[:30]))
def test_hostile_text_comes_back_from_the_file(tmp_path: Path, hostile: str) -> None:
    run = StatementRun(0, 1, 1, 0.0, bound=(hostile,), files=(FileUse(hostile, hostile, "r", 0, ""),))
    execution = Execution(0, hostile, Outcome.ERROR, error=hostile, cell_id=hostile, statements=(run,))
    trace = Trace("3", "cpython", hostile, hostile, (execution,), (Variable(hostile, hostile, ValueKind.DATA, 0),))
    write_trace(trace, tmp_path / "trace.json")
    assert read_trace(tmp_path / "trace.json") == trace


def test_a_session_of_thousands_of_cells_comes_back(tmp_path: Path) -> None:
    run = StatementRun(0, 1, 1, 0.0, bound=("x",), reached=tuple(f"name{n}" for n in range(50)))
    executions = tuple(Execution(n, f"x = {n}", Outcome.OK, count=n, statements=(run, run)) for n in range(2_000))
    variables = tuple(Variable(f"name{n}", "int", ValueKind.DATA, n) for n in range(5_000))
    trace = Trace("3", "cpython", "", "", executions, variables)
    write_trace(trace, tmp_path / "trace.json")
    assert read_trace(tmp_path / "trace.json") == trace


def test_a_trace_from_before_looks_could_be_put_off_is_read() -> None:
    document = trace_document(TRACE)
    for execution in document["executions"]:
        for statement in execution["statements"]:
            del statement["put_off"]
    assert trace_from_document(document) == TRACE


def test_a_file_that_nests_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text('{"format": "nbdag-trace", "version": 1, "states": ' + "[" * 100_000)
    with pytest.raises(IntegrityError):
        read_trace(tmp_path / "trace.json")


def test_equal_random_states_stand_once() -> None:
    run = StatementRun(0, 1, 1, 0.0, random_state=(("numpy", b"same"),))
    execution = Execution(0, "", Outcome.OK, statements=(run, run, run))
    assert len(trace_document(Trace("3", "cpython", "", "", (execution,)))["states"]) == 1


def put(path: str, value: Any) -> Any:
    """A change of a document: ``put("a.0.b", 1)`` sets item 0 of a, field b."""

    def change(document: Any) -> None:
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in way:
            document = document[part]
        if value is DROP:
            del document[last]
        else:
            document[last] = value

    return change


DROP = object()

DAMAGES = [
    (put("format", "other"), "format is 'other'"),
    (put("version", 2), "version is 2"),
    (put("executions", DROP), "the document.executions is not a list"),
    (put("executions.0.outcome", "fine"), "executions[0].outcome is 'fine', which is no Outcome"),
    (put("executions.0.source", None), "executions[0].source is not text"),
    (put("executions.1.ordinal", 0), "execution 0 stands after execution 0"),
    (put("executions.2.parent", 9), "execution 2 runs inside 9, which is not there"),
    (put("executions.1.statements.0.bound", ["y", 1]), "statements[0].bound is not a list of names"),
    (put("executions.1.statements.0.seconds", "long"), "statements[0].seconds is not a number"),
    (put("executions.1.statements.0.random_state", {"random": "no"}), "names state 'no', which is not in the table"),
    (put("executions.1.statements.0.files.0.size", 1.5), "files[0].size is not a whole number"),
    (put("executions.1.known", 1), "executions[1].known is not true or false"),
    (put("variables.1.kind", "thing"), "variables[1].kind is 'thing', which is no ValueKind"),
    (put("states", {"0" * 16: "AAAA"}), "does not have this digest"),
    (put("states", {"x": "?"}), "random state x is not base64"),
    (put("states", []), "states is not an object"),
    (put("diagnostics.0.place", 5), "diagnostics[0].place is not an object"),
]


@pytest.mark.parametrize(("change", "message"), DAMAGES, ids=[row[1] for row in DAMAGES])
def test_damage_is_refused_with_its_place(tmp_path: Path, change: Any, message: str) -> None:
    document = json.loads(json.dumps(trace_document(TRACE)))
    change(document)
    (tmp_path / "trace.json").write_text(json.dumps(document))
    with pytest.raises(IntegrityError) as caught:
        read_trace(tmp_path / "trace.json")
    assert message in caught.value.message and "trace.json is damaged" in caught.value.message


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": "nbdag-trace"}'])
def test_a_file_that_is_no_trace_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "trace.json").write_bytes(content)
    with pytest.raises(IntegrityError):
        read_trace(tmp_path / "trace.json")


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    write_trace(TRACE, tmp_path / "trace.json")
    whole = (tmp_path / "trace.json").read_bytes()
    for end in range(0, len(whole) - 1, 97):
        (tmp_path / "trace.json").write_bytes(whole[:end])
        with pytest.raises(IntegrityError):
            read_trace(tmp_path / "trace.json")


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_trace(tmp_path / "none.json")
