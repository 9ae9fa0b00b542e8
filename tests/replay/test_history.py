"""The past of a session in a bundle: what of it travels, and what is struck out of it first."""

from __future__ import annotations

import ast
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdag.model.trace import Execution, Outcome, StatementRun, Trace, ValueKind, Variable
from nbdag.portable.msgpack import unpack
from nbdag.replay.history import STRUCK, WITHHELD, History, struck_out

HEAD, FOOT = (f"-----{word} RSA PRIVATE KEY-----" for word in ("BEGIN", "END"))
TOKEN = "ghp_" + "a1B2c3D4e5" * 4


@pytest.mark.parametrize(
    ("source", "clean", "lines"),
    [
        ("x = 1", "x = 1", ()),
        (f"token = '{TOKEN}'", f"token = '{STRUCK}'", (1,)),
        (f"x = 1\nlog(in_ := '{TOKEN}')  # π", f"x = 1\nlog(in_ := '{STRUCK}')  # π", (2,)),
        (
            "db = connect(\n    user='ada',\n    password='hunter2')",
            f"db = connect(\n    user='ada',\n    password='{STRUCK}')",
            (3,),
        ),
        ("é = 'ü'; password = 'hunter2'", f"é = 'ü'; password = '{STRUCK}'", (1,)),
        ("conf = {'password': 'hunter2', 'n': 1}", f"conf = {{'password': '{STRUCK}', 'n': 1}}", (1,)),
        (
            f"key = '''{HEAD}\nMIIabc\n{FOOT}'''",
            f"key = '''{STRUCK}\n\n'''",
            (1, 2, 3),
        ),
        ("%env PASSWORD=hunter2\nx = 1", f"%env PASSWORD={STRUCK}\nx = 1", (1,)),
        (f"!curl -H 'Authorization: {TOKEN}' url", f"!curl -H 'Authorization: {STRUCK}' url", (1,)),
        (f"for x in (\n  password = '{TOKEN}'", f"for x in (\n  password = '{STRUCK}'", (2,)),
    ],
)
def test_what_looks_like_a_credential_is_struck_out_in_its_place(
    source: str, clean: str, lines: tuple[int, ...]
) -> None:
    found, places = struck_out(source)
    assert (found, places) == (clean, frozenset(lines))
    assert "hunter2" not in found and TOKEN not in found
    assert found.count("\n") == source.count("\n")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_python_does(end: str) -> None:
    # x = "é"      password = "hunter2"      the carriage return ends a line for Python, wherever it stands
    clean, _ = struck_out(f'x = "é"{end}y = {{"é": "é", "password": "hunter2"}}\nz = 1')
    assert "hunter2" not in clean and clean.count('"é"') == 3


@given(st.text(), st.sampled_from(["x = 1", "password = 'hunter2'", "f(password='hunter2')", "%env A=b"]))
def test_any_text_keeps_its_lines(before: str, code: str) -> None:
    clean, lines = struck_out(f"{before}\n{code}")
    assert clean.count("\n") == before.count("\n") + 1
    assert all(0 < line <= clean.count("\n") + 1 for line in lines)


def execution(source: str, known: bool = True) -> Execution:
    lines = source.count("\n") + 1
    runs = tuple(
        StatementRun(n, n + 1, n + 1, 0.1, bound=("x",), random_state=(("random", b"s"),)) for n in range(lines)
    )
    return Execution(0, source, Outcome.OK, count=1, known=known, statements=runs if known else ())


def unpacked(history: History) -> dict[str, object]:
    found: dict[str, object] = unpack(zlib.decompress(history.packed()))
    return found


def test_a_statement_that_held_one_is_marked_and_its_neighbours_are_not() -> None:
    trace = Trace("3.11", "cpython", "", "/", (execution(f"x = 1\npassword = '{TOKEN}'"),))
    (record,) = unpacked(History(trace))["executions"]  # type: ignore[misc]
    assert [WITHHELD in run["effects"] for run in record["statements"]] == [False, True]
    assert ast.parse(record["source"]) and TOKEN not in record["source"]
    (record,) = unpacked(History(trace, with_credentials=True))["executions"]  # type: ignore[misc]
    assert TOKEN in record["source"]


def test_what_nobody_recorded_has_no_marks_and_so_no_text_to_replay() -> None:
    trace = Trace("3.11", "cpython", "", "/", (execution(f"x = 1\npassword = '{TOKEN}'", known=False),))
    history = unpacked(History(trace, past={"inputs": [[1, trace.executions[0].source]], "count": 2}))
    (record,) = history["executions"]  # type: ignore[misc]
    assert record["source"] == "x = 1\n"
    assert history["inputs"] == [[1, f"x = 1\npassword = '{STRUCK}'"]]


def test_the_same_session_gives_the_same_bytes_and_a_state_is_kept_once() -> None:
    trace = Trace("3.11", "cpython", "", "/", (execution("x = 1\nx = 2"),))
    assert History(trace).packed() == History(trace).packed()
    assert unpacked(History(trace))["states"] == [b"s"]


def test_values_that_their_statements_would_not_make_are_named() -> None:
    variables = (Variable("x", "int", ValueKind.DATA, 0, altered=True), Variable("y", "int", ValueKind.DATA, 1))
    trace = Trace("3.11", "cpython", "", "/", (), variables)
    assert unpack(zlib.decompress(History(trace).packed(["y"])))["altered"] == ["x", "y"]
