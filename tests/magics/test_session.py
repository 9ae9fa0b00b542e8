"""``%load_ext nbdag`` in a live kernel: it records, ``%nbdag`` answers, a mistake is one line, unloading ends it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdag.magics.registry import COMMANDS
from tests.magics.users import User, kernel


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("session")


@pytest.fixture(scope="module")
def shared(directory: Path) -> Iterator[User]:
    """A user whose kernel several tests share; nbdag is loaded, and there are some variables."""
    with kernel(directory) as somebody:
        somebody.runs("before = 1")
        somebody.runs("%load_ext nbdag")
        somebody.runs("after = [before, 2]")
        yield somebody


def test_from_loading_to_unloading(tmp_path: Path) -> None:
    with kernel(tmp_path) as user:
        user.runs("before = 1")
        assert "nbdag records this session" in user.runs("%load_ext nbdag")
        user.runs("after = [before, 2]")
        status = user.runs("%nbdag")
        assert "nbdag records this session: " in status and f"--kernel {tmp_path}" in status
        names = user.runs("sorted(name for name in globals() if 'nbdag' in name)")
        assert names == "[]"
        assert "no longer records" in user.runs("%unload_ext nbdag")
        assert "UsageError" in user.runs("%nbdag status") or "not found" in user.runs("%nbdag status")
        assert not any(word.startswith("stat") for word in user.completes("%nbdag stat"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%nbdag nonsense", "nbdag: %nbdag nonsense: no such command"),
        ("%nbdag complie b", "did you mean %nbdag compile?"),
        ("%nbdag compile", "nbdag: %nbdag compile: the following arguments are required: DIR"),
        ("%nbdag compile b --objective speed", "invalid choice: 'speed'"),
        ("%nbdag compile b --bandwidth fast", "--bandwidth fast: not a speed"),
        ("%nbdag compile 'b", "No closing quotation"),
        ("%nbdag compile b --store nobody", "no variable nobody"),
        ("%nbdag explain nobody", "no variable nobody"),
        ("%nbdag explain nobody", "hint: %nbdag plan lists the variables"),
        ("%nbdag restore nowhere", "nowhere: no such bundle"),
        ("%nbdag restore nowhere", "hint: %nbdag compile DIR writes one"),
        ("%nbdag graph -o dag.pdf", "no format goes by .pdf"),
        ("%%nbdag status\nx = 1", "%%nbdag status takes no cell below it"),
    ],
)
def test_a_mistake_is_one_error_without_a_traceback(shared: User, line: str, message: str) -> None:
    shown = shared.runs(line)
    assert message in shown and "UsageError" in shown and "Traceback" not in shown


def test_a_result_is_html_for_a_notebook_and_the_same_in_text(shared: User) -> None:
    explained = shared.runs("%nbdag explain after")
    assert "after: stored (list, " in explained and "after = [before, 2]" in explained
    planned = shared.runs("%nbdag plan --bandwidth 50MB/s")
    assert "in comparison" in planned and "%nbdag explain NAME says why" in planned
    (bundle,) = shared.bundles
    assert "<table" in bundle["text/html"] and "after" in bundle["text/html"]
    assert "<script" not in bundle["text/html"] and "<style" not in bundle["text/html"]


def test_what_is_named_on_the_line_is_not_touched_by_it(shared: User) -> None:
    shared.runs("numbers = (n for n in range(9)); next(numbers)")
    for _ in range(2):
        assert "numbers: replayed (generator)" in shared.runs("%nbdag explain numbers")
    shared.runs("del numbers")


def test_a_graph_is_a_picture_with_a_description(shared: User, directory: Path) -> None:
    said = shared.runs("%nbdag graph")
    (bundle,) = shared.bundles
    assert bundle["image/svg+xml"].startswith("<svg")
    assert "after = [before, 2]" in said and "needs" in said
    assert "wrote dag.html" in shared.runs("%nbdag graph -o dag.html")
    assert (directory / "dag.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_says_what_it_does(shared: User, command: str) -> None:
    assert f"usage: %nbdag {command}" in shared.runs(f"%nbdag {command} --help")
    assert f"%nbdag {command}" in shared.runs("%nbdag help")
    assert shared.runs(f"%nbdag help {command}").startswith(f"usage: %nbdag {command}")


@pytest.mark.parametrize(
    ("line", "offered", "not_offered"),
    [
        ("%nbdag pl", "plan", "explain"),
        ("%nbdag explain af", "after", "before"),
        ("%nbdag compile --obj", "--objective", "--bandwidth"),
        ("%nbdag compile bundle --objective re", "restore", "migrate"),
        ("%nbdag plan --store=be", "before", "after"),
        ("%nbdag compile fold", "folder/", "file"),
        ("%nbdag help com", "compile", "plan"),
    ],
)
def test_the_tab_key(shared: User, directory: Path, line: str, offered: str, not_offered: str) -> None:
    (directory / "folder").mkdir(exist_ok=True)
    (directory / "fold.txt").touch()
    words = shared.completes(line)
    assert any(word.endswith(offered) for word in words), words
    assert not any(word.endswith(not_offered) for word in words), words


def test_restoring_asks_before_it_overwrites(shared: User, directory: Path) -> None:
    shared.runs("kept = [1]; linked = kept")
    shared.runs("%nbdag compile small --only kept --only linked --no-verify")
    shared.runs("kept.append(2)")
    refused = shared.runs("%nbdag restore small")
    assert "would overwrite kept, linked" in refused and "--replace" in refused
    assert shared.runs("kept") == "[1, 2]"
    assert "restored 2 of 2" in shared.runs("%nbdag restore small --replace")
    assert shared.runs("kept, kept is linked, before") == "([1], True, 1)"
    assert "has no nobody" in shared.runs("%nbdag restore small --only nobody")


def test_restoring_into_an_empty_recorded_session_brings_its_past(tmp_path: Path) -> None:
    with kernel(tmp_path) as user:
        for cell in ["%load_ext nbdag", "gen = (n for n in range(9)); next(gen)", "%nbdag compile b --no-verify"]:
            user.runs(cell)
    with kernel(tmp_path) as user:
        user.runs("%load_ext nbdag")
        assert "restored 1 of 1" in user.runs("%nbdag restore b")
        assert user.runs("next(gen)") == "1"
        assert "gen = (n for n in range(9))" in user.runs("%nbdag explain gen")


def test_a_terminal_gets_text(tmp_path: Path) -> None:
    typed = "xs = [1]\n%load_ext nbdag\n%nbdag status\n%nbdag explain xs\n%nbdag nonsense\n"
    (tmp_path / "ipython").mkdir()
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "--simple-prompt"]
    done = subprocess.run(
        [*command, f"--ipython-dir={tmp_path / 'ipython'}"],
        input=typed,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert "nbdag records this session: " in said and "xs: stored (list" in said
    assert "UsageError: nbdag: %nbdag nonsense: no such command" in said
    assert "Traceback" not in said and "<table" not in said


@pytest.mark.slow
def test_compile_from_inside_and_from_a_shell(tmp_path: Path) -> None:
    with kernel(tmp_path) as user:
        user.runs("%load_ext nbdag")
        user.runs("import math\nroots = [math.sqrt(n) for n in range(4)]")
        shown = user.runs("%nbdag compile inside")
        assert "restore it with: python inside/restore.py" in shown, shown
        (connection_file,) = tmp_path.glob("kernel-*.json")
        words = ["compile", "--kernel", str(connection_file), "--out", "outside"]
        told = subprocess.run([sys.executable, "-m", "nbdag", *words], cwd=tmp_path, capture_output=True, text=True)
        assert told.returncode == 0, told.stderr
    check = "assert roots == [math.sqrt(n) for n in range(4)]; print('same')"
    for bundle in ("inside", "outside"):
        restored = subprocess.run(
            [sys.executable, "-i", f"{bundle}/restore.py"], cwd=tmp_path, input=check, capture_output=True, text=True
        )
        assert "same" in restored.stdout, restored.stderr
