"""Credentials stay behind unless they are asked for, in values, in the text of statements, and in what is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nbdag.model import Reluctance, SessionGraph, ValueKind, Variable
from nbdag.replay.withhold import credential_in_code, credentials_in_bundle, withhold
from tests.replay.test_planner import session

TOKEN = "ghp_" + "q7Zk2Lm9Xw4Rt8Vb1Nc6Yd3Fg5Hj0PsAeUiOq7"


def variables(*names: str, secret: str = "") -> list[Variable]:
    return [
        Variable(name, "str", ValueKind.DATA, number, credential="it looks like one" if name in secret.split() else "")
        for number, name in enumerate(names)
    ]


def with_code(graph: SessionGraph, *codes: str) -> SessionGraph:
    return replace(graph, steps=tuple(replace(s, code=c) for s, c in zip(graph.steps, codes, strict=True)))


def test_a_variable_is_left_out_with_what_shares_its_state() -> None:
    graph = session("-> config", "config -> db", "-> x", linked=[("config", "db")])
    found = withhold(graph, variables("config", "db", "x", secret="config"), ())
    assert found.names == {"config", "db"}
    (said,) = found.diagnostics
    assert said.message == "config stays behind: it looks like one, and so does what shares its state: db"
    assert "--store config" in said.hint and "--with-credentials" in said.hint


def test_a_variable_that_was_asked_for_travels() -> None:
    graph = session("-> config", "config -> db", linked=[("config", "db")])
    assert not withhold(graph, variables("config", "db", secret="config"), {"config"}).names
    assert not withhold(graph, variables("config", "db", secret="config"), {"db"}).names


def test_a_statement_with_a_credential_is_not_replayed_and_the_rest_is() -> None:
    graph = with_code(session("-> rows", "-> n"), "rows = read(password='hunter2')", "n = len('password')")
    guarded, plain = withhold(graph, variables("rows", "n"), ()).graph.steps
    (hazard,) = guarded.hazards
    assert hazard.reluctance is Reluctance.NEVER
    assert hazard.reason == "its code holds the value of 'password'; --with-credentials replays it"
    assert not plain.hazards


HOLDING = [
    f"token = {TOKEN!r}",
    "password = 'hunter2'",
    "self.password = 'hunter2'",
    "config['password'] = 'hunter2'",
    "connect(user='me', password='hunter2')",
    "config = {'user': 'me', 'password': 'hunter2'}",
    "(secret := 'hunter2')",
    "password: str = 'hunter2'",
    "def connect():\n    password = 'hunter2'\n    return password",
    "engine = create_engine('postgresql://me:hunter22@db.example.org/wine')",
    f"# was {TOKEN}\nx = 1",
]

HOLDING_NONE = [
    "password = getpass()",
    "password = os.environ['PASSWORD']",
    "connect(password=password)",
    "token = tokens[0]",
    "token = 'the'",
    "d = {**other, 'key': 'alcohol'}",
    "password = ''",
    "if password == 'hunter2': pass",
    "not python (",
    "x = 1\0",
]


@pytest.mark.parametrize("code", HOLDING)
def test_a_credential_in_code_is_seen(code: str) -> None:
    assert credential_in_code(code)


@pytest.mark.parametrize("code", HOLDING_NONE)
def test_code_without_one_is_left_alone(code: str) -> None:
    assert credential_in_code(code) is None


def test_the_last_net_names_the_file_of_the_bundle_and_not_the_value(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "restore.py").write_text("x = 1\n")
    (tmp_path / "blobs" / "0f").write_bytes(b"\x80\x05" + TOKEN.encode() + b"\x00")
    (said,) = credentials_in_bundle(tmp_path)
    assert said.code == "credential-in-bundle"
    assert "blobs/0f" in said.message.replace("\\", "/")
    assert TOKEN not in said.message
