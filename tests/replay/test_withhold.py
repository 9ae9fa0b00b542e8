"""Credentials stay behind unless they are asked for, in values, in the text of statements, and in what is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbdag.model.graph import Reluctance, SessionGraph
from nbdag.model.trace import ValueKind, Variable
from nbdag.portable.bundlefile import read_data
from nbdag.replay.bundle import Form
from nbdag.replay.compression import Packing
from nbdag.replay.withhold import credential_in_code, credentials_in_bundle, withhold, withhold_modules
from tests.portable.session import Session
from tests.replay.test_planner import session
from tests.restoring import bundle_of, restore

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


def test_asked_for_by_its_code_it_is_replayed_and_never_stored() -> None:
    graph = session("-> token", "-> n")
    found = withhold(graph, variables("token", "n", secret="token"), (), ("token",))
    assert not found.names and not found.diagnostics
    (token,) = (one for one in found.graph.covariables if "token" in one.names)
    assert not token.storable and "--replay" in token.obstacle


def test_a_module_beside_the_notebook_stays_behind_where_its_text_holds_a_key() -> None:
    modules = {
        "helper": [False, "/home/me/helper.py", "def f(): return 1\n", "{}"],
        "client": [False, "/home/me/client.py", f"KEY = {TOKEN!r}\n", "{}"],
        "later": [False, "/home/me/later.py", "password = None\n", "{'password': 'hunter2'}"],
    }
    state = withhold_modules({"cwd": "/home/me", "modules": modules})
    assert list(state["modules"]) == ["helper"] and state["cwd"] == "/home/me"
    assert list(state["withheld_modules"]) == ["client", "later"]
    assert TOKEN not in repr(state) and "hunter2" not in repr(state)


def findings(tmp_path: Path, cell: str, *names: str, **options: Any) -> list[str]:
    bundle_of(tmp_path, Session().run(cell), *names, **options)
    said = credentials_in_bundle(tmp_path / "bundle")
    assert not [one for one in said if TOKEN in one.message]
    return [f"{one.code} {one.message.split()[0].partition('/')[0]}" for one in said]


HIDDEN = {
    "in a small object": (f"import types\nx = types.SimpleNamespace(key={TOKEN!r})", "data.msgpack"),
    "in a large pickle": (f"x = ['%d' % i for i in range(20_000)] + [{TOKEN!r}]", "blobs"),
    "at the end of a large text": (f"x = 'a' * 9_000_000 + ' ' + {TOKEN!r}", "blobs"),
    "in memory that holds text": (
        f"import numpy\nx = numpy.frombuffer(b'some text, ' * 10_000 + {TOKEN!r}.encode(), 'u1').copy()",
        "blobs",
    ),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_the_last_net_names_the_file_of_the_bundle_and_not_the_value(case: str, tmp_path: Path) -> None:
    cell, file = HIDDEN[case]
    assert findings(tmp_path, cell, "x") == [f"credential-in-bundle {file}"]


def test_the_last_net_looks_into_what_is_packed(tmp_path: Path) -> None:
    form = Form(Packing("auto"))
    small = f"x = [{TOKEN!r}] + [0] * 20_000"
    assert findings(tmp_path, small, "x", form=form) == ["credential-in-bundle data.msgpack"]
    assert read_data(str(tmp_path / "bundle"), "")["version"] == 2
    large = f"x = ['%d' % i for i in range(20_000)] + [{TOKEN!r}]"
    assert findings(tmp_path, large, "x", form=form) == ["credential-in-bundle blobs"]


def test_the_last_net_looks_at_the_code_below_the_runtime(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("x = 1"), "x")
    script = tmp_path / "bundle" / "restore.py"
    script.write_text(f"{script.read_text()}\n    # {TOKEN}\n")
    assert [one.message.split()[0] for one in credentials_in_bundle(tmp_path / "bundle")] == ["restore.py"]


def test_the_last_net_looks_into_input_files_and_says_which_modules_stayed_behind(tmp_path: Path) -> None:
    (tmp_path / "settings.ini").write_text(f"[api]\nkey = {TOKEN}\n")
    state = {"withheld_modules": {"client": "what looks like a GitHub token"}}
    carried = (("settings.ini", tmp_path / "settings.ini"),)
    said = findings(tmp_path, "x = 1", "x", process_state=state, carried=carried)
    assert said == ["credential the", "credential-in-bundle files"]
    done = restore(tmp_path / "bundle")
    assert done.returncode == 0 and "were left behind" in done.stderr and "client" in done.stderr


def test_the_last_net_does_not_read_numbers(tmp_path: Path) -> None:
    # It would be found if they were read.
    cell = f"import numpy\nx = numpy.frombuffer(bytes(range(256)) * 4000 + {TOKEN!r}.encode(), 'u1').copy()"
    assert findings(tmp_path, cell, "x") == []
    assert credentials_in_bundle(tmp_path / "nowhere") == ()
