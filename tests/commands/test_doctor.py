"""``nbdag doctor``: what it finds in environments that are broken on purpose, and that it changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from nbdag.analysis.checkup import AREAS, Check, State, check_up
from nbdag.analysis.checkup.here import look_here
from nbdag.analysis.checkup.kernels import look_at_kernelspecs
from nbdag.analysis.checkup.machine import available_memory
from nbdag.analysis.checkup.python import unmet
from nbdag.cli import run

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in, and no kernelspecs but those that a test makes in ``home/jupyter``."""
    monkeypatch.chdir(tmp_path)
    for variable in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    return tmp_path


def kernelspec(home: Path, name: str, argv: list[str] | str, language: str = "python") -> None:
    folder = home / "jupyter" / "kernels" / name
    folder.mkdir(parents=True)
    text = argv if isinstance(argv, str) else json.dumps({"argv": argv, "display_name": name, "language": language})
    (folder / "kernel.json").write_text(text, encoding="utf-8")


def of(checks: list[Check], what: str) -> Check:
    return next(check for check in checks if check.what == what)


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_a_kernelspec_whose_environment_is_gone_is_named_with_the_way_to_remove_it(home: Path) -> None:
    kernelspec(home, "gone", [str(home / "venv" / "bin" / "python"), "-m", "ipykernel_launcher"])
    check = of(look_at_kernelspecs(home), "kernel gone")
    assert (check.state, check.says) == (State.WARNING, f"{home}/venv/bin/python is not there")
    assert "jupyter kernelspec remove gone" in check.remedy


def test_a_python_without_ipykernel_is_named_with_the_line_that_installs_it(home: Path) -> None:
    program = script(
        home / "python3-bare", """echo '[[3, 11, 7], null, "ModuleNotFoundError: No module named '"'ipykernel'"'"]'"""
    )
    kernelspec(home, "bare", [program, "-m", "ipykernel_launcher"])
    check = of(look_at_kernelspecs(home), "kernel bare")
    assert check.state is State.WARNING
    assert "ipykernel is not installed" in check.says
    assert check.remedy == f"{program} -m pip install ipykernel"


def test_a_python_that_does_not_run_shows_its_last_words(home: Path) -> None:
    kernelspec(home, "broken", [script(home / "python-broken", "echo 'no libpython.so' >&2; exit 127")])
    check = of(look_at_kernelspecs(home), "kernel broken")
    assert check.state is State.WARNING
    assert "no libpython.so" in check.says


def test_a_python_too_old_to_be_recorded_is_named(home: Path) -> None:
    kernelspec(home, "old", [script(home / "python3.7", 'echo \'[[3, 7, 1], "6.0", ""]\'')])
    check = of(look_at_kernelspecs(home), "kernel old")
    assert (check.state, check.remedy) == (State.WARNING, "nbdag records sessions of Python 3.8 and later")


@pytest.mark.parametrize("text", ["{", "{}", '{"argv": []}', '{"argv": 3}', "[]"])
def test_a_damaged_kernelspec_is_a_finding_and_hides_no_other(home: Path, text: str) -> None:
    kernelspec(home, "damaged", text)
    kernelspec(home, "good", [sys.executable, "-m", "ipykernel_launcher"])
    checks = look_at_kernelspecs(home)
    assert of(checks, "kernel damaged").state is State.WARNING
    assert of(checks, "kernel good").state is State.OK


def test_other_languages_are_no_problem(home: Path) -> None:
    kernelspec(home, "ir", ["R"], language="R")
    assert of(look_at_kernelspecs(home), "other languages").state is State.INFO


def test_requirements_that_are_not_met_are_told_apart() -> None:
    wanted = [
        Requirement("packaging>=1"),
        Requirement("packaging>=9999"),
        Requirement("no-such-distribution-here>=1"),
        Requirement("no-such-extra-here; extra == 'demo'"),
        Requirement("never-here; python_version < '3'"),
    ]
    found = unmet(wanted)
    assert len(found) == 2
    assert found[0].startswith("packaging is ")
    assert found[1] == "no-such-distribution-here is not there"
    assert unmet(wanted, "demo") == ["no-such-extra-here is not there"]
    assert unmet(wanted, "dem") == []


def test_files_that_shadow_modules_are_named(home: Path) -> None:
    (home / "random.py").write_text("")
    (home / "numpy").mkdir()
    (home / "numpy" / "__init__.py").write_text("")
    (home / "mine.py").write_text("")
    check = of(look_here(home / ".nbdag"), "shadowed modules")
    assert check.state is State.WARNING
    assert check.says.startswith(f"numpy{os.sep}, random.py:")


def test_crash_logs_and_sizes_of_leftovers_are_named(home: Path) -> None:
    state = home / ".nbdag"
    (state / "sessions" / "session-1").mkdir(parents=True)
    (state / "crash-20240101-000000-1.log").write_text("x" * 500_000)
    checks = look_here(state)
    assert of(checks, "crash logs").state is State.WARNING
    assert "0.5 MB in 1 files; 1 kernels kept" in of(checks, str(state)).says


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_the_right_to_write_is_a_finding(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o500)
    assert of(look_here(closed / ".nbdag"), "files here").state is State.WARNING


def test_the_limit_of_a_container_counts_where_it_is_lower(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n")
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    assert available_memory(tmp_path) == (8_192_000_000, None)
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("5\n")
    assert available_memory(tmp_path) == (8_192_000_000, None)
    (group / "memory.max").write_text("1000\n")
    (group / "memory.current").write_text("400\n")
    assert available_memory(tmp_path) == (600, 1000)


def test_a_check_that_fails_is_a_finding_and_the_others_go_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> list[Check]:
        raise RuntimeError("no such thing")

    monkeypatch.setattr("nbdag.analysis.checkup.AREAS", (("first", broken), AREAS[-1]))
    found = check_up(home)
    assert found["first"] == [Check("the check itself", State.WARNING, "it failed: RuntimeError: no such thing")]
    assert of(found[AREAS[-1][0]], "POSIX")


def test_the_command_says_what_to_do_and_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernelspec(home, "gone", [str(home / "nowhere" / "python")])
    before = sorted(home.rglob("*"))
    assert run(["doctor"]) in (1, 4)
    said = capsys.readouterr().out
    assert "kernel gone" in said
    assert "what to do" in said
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize(
    ("states", "status"), [(["ok", "info"], 0), (["ok", "warning"], 1), (["warning", "problem"], 4)]
)
def test_the_exit_status_is_that_of_the_gravest_finding(
    states: list[str], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"here": [Check(f"thing {state}", State(state), "so it is", "do this") for state in states]}
    monkeypatch.setattr("nbdag.analysis.checkup.check_up", lambda _: found)
    assert run(["doctor", "--format", "json"]) == status
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["format"] == "nbdag-checkup"
    assert [check["state"] for check in document["checks"]] == states
    assert document["checks"][0].keys() == {"area", "what", "state", "says", "remedy"}
    assert run(["doctor", "--problems"]) == status
    assert "thing ok" not in capsys.readouterr().out


def test_problems_alone_still_says_of_how_many_checks_none_found_anything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"here": [Check("one", State.OK, "so it is", ""), Check("other", State.INFO, "so it is", "")]}
    monkeypatch.setattr("nbdag.analysis.checkup.check_up", lambda _: found)
    assert run(["doctor", "--problems"]) == 0
    assert capsys.readouterr().out == "2 checks, nothing is wrong\n"


@pytest.mark.skipif(os.name != "posix", reason="the first lines of scripts are POSIX")
@pytest.mark.parametrize(
    ("head", "state"),
    [
        (f"#!{sys.executable}", "ok"),
        ("#!/elsewhere/bin/python3.11", "warning"),
        ('#!/bin/sh\n\'\'\'exec\' "/a place/bin/python3" "$0" "$@"', "warning"),
        ("#!/usr/bin/env bash", "ok"),
    ],
)
def test_another_nbdag_on_path_is_named(tmp_path: Path, head: str, state: str) -> None:
    program = tmp_path / "nbdag"
    program.write_text(head + "\n")
    program.chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "cli.py"), "doctor", "--format", "json"],
        cwd=tmp_path,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    check = next(one for one in json.loads(done.stdout)["checks"] if one["what"] == "nbdag on PATH")
    assert check["state"] == state, check


def test_extras_for_developers_of_nbdag_are_not_missed() -> None:
    from nbdag.analysis.checkup.python import FOR_DEVELOPERS, look_at_python

    found = [check for check in look_at_python(Path(".nbdag")) if check.what == "extras"]
    for check in found:
        lacking = check.says.partition("not installed: ")[2].split(", ")
        assert not FOR_DEVELOPERS.intersection(lacking)
