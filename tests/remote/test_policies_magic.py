"""``%nbdag migrate``: in a session whose other side is a fake, and once with a real server."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import nbdag.magics.on
import nbdag.remote.sessions
from nbdag.errors import ConnectionLost
from nbdag.magics.migrate import migration_of
from nbdag.magics.migration import rough_size
from nbdag.remote.config import keep_target
from nbdag.remote.decisions import read_log
from nbdag.remote.model import Link, Needs, RemoteRun, Target, Transfer
from nbdag.remote.needs import Sizes
from tests.remote.servers import TOKEN, Server

SLOW = "import time\ntime.sleep(1.0)\nanswer = len(xs)"


@pytest.fixture
def shell(scratch: Path) -> Iterator[Any]:
    main = sys.modules["__main__"]
    InteractiveShell.clear_instance()
    shell: Any = InteractiveShell.instance(
        config=Config({"HistoryManager": {"enabled": False}}), colors="NoColor", xmode="Minimal"
    )
    shell.run_cell("%load_ext nbdag").raise_error()
    yield shell
    shell.run_cell("%nbdag migrate off")
    shell.run_cell("%unload_ext nbdag")
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = main


class FakeRemote:
    """A target that is quick, far away in name only: its cells run in this process."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.sizes = Sizes()
        self.ledger = SimpleNamespace(held=lambda names, survey: frozenset())
        self.cells: list[str] = []
        self.fault: Exception | None = None

    def warm(self) -> None:
        pass

    def test(self) -> Any:
        return SimpleNamespace(link=Link(0.001, 1e9, 20.0))

    def run_there(self, shell: Any, name: str, cell: str, whole: bool = False, lazy: bool = False) -> RemoteRun:
        if self.fault is not None:
            raise self.fault
        self.cells.append(cell)
        exec(cell.replace("sleep(1.0)", "sleep(0.03)"), shell.user_ns)
        needs = Needs(("xs",), ("xs",), 100, 1000)
        return RemoteRun(name, "ok", 0.03, needs, Transfer(100, 0.001), Transfer(10, 0.001), changed=("answer",))


@pytest.fixture
def remote(shell: Any, monkeypatch: pytest.MonkeyPatch) -> FakeRemote:
    fake = FakeRemote(shell)
    keep_target(Target("gpu", "http://127.0.0.1:1"))
    monkeypatch.setattr(nbdag.remote.sessions, "session_on", lambda shell, name, watcher: fake)
    monkeypatch.setattr(nbdag.magics.on, "run_there", fake.run_there)
    return fake


Run = Callable[[str], None]


@pytest.fixture
def run(shell: Any) -> Run:
    return lambda source: shell.run_cell(source, store_history=True).raise_error()


def test_a_cell_whose_time_is_known_is_sent_where_it_is_faster(
    remote: FakeRemote, run: Run, shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run("%nbdag migrate auto --policy single --allowance 60")
    assert "the single policy decides from the next cell on what runs on gpu" in capsys.readouterr().out
    run("xs = [1, 2, 3]")
    run(SLOW)
    assert remote.cells == []
    run("xs.append(4)")
    run(SLOW)
    assert [cell.strip() for cell in remote.cells] == [SLOW]
    assert shell.user_ns["answer"] == 4
    assert "nbdag: on gpu:" in capsys.readouterr().err
    run("%nbdag migrate log")
    shown = capsys.readouterr().out
    assert "1 for another machine" in shown and "time is not known" in shown
    run("%nbdag migrate status")
    assert "1 cell ran there" in capsys.readouterr().out
    run("%nbdag migrate off")
    run(SLOW)
    assert len(remote.cells) == 1
    assert [entry.where for entry in read_log(Path(".nbdag/migration"))].count("there") == 1


def test_a_connection_that_is_lost_costs_no_result(
    remote: FakeRemote, run: Run, shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run("%nbdag migrate auto --policy single --allowance 60")
    run("xs = [1]")
    run(SLOW)
    remote.fault = ConnectionLost("the server went away", "start it again")
    run("xs = [1, 2]")
    run(SLOW)
    assert shell.user_ns["answer"] == 2
    assert "it runs here after all: the server went away (start it again)" in capsys.readouterr().err
    migration = migration_of(shell)
    assert migration is not None
    migration.catch_up()
    last = read_log(Path(".nbdag/migration"))[-1]
    assert (last.where, last.failed) == ("here", "the server went away (start it again)")


def test_what_the_cell_raises_there_is_raised_and_not_run_again(remote: FakeRemote, run: Run, shell: Any) -> None:
    run("%nbdag migrate auto --policy single --allowance 60")
    run("xs = [1]; runs = []")
    source = "import time\ntime.sleep(1.0)\nruns.append(1)\n1 / len(xs)"
    run(source)
    run("xs.clear()")
    with pytest.raises(ZeroDivisionError):
        run(source)
    assert shell.user_ns["runs"] == [1, 1]
    migration = migration_of(shell)
    assert migration is not None
    migration.catch_up()
    assert [entry.outcome for entry in read_log(Path(".nbdag/migration"))][-1] == "error"


def test_a_fault_in_deciding_does_not_stop_the_cell(
    remote: FakeRemote, run: Run, shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run("%nbdag migrate auto")
    migration = migration_of(shell)
    assert migration is not None
    migration.driver.session = None
    run("y = 5")
    assert shell.user_ns["y"] == 5
    assert "this cell stays here, deciding about it failed" in capsys.readouterr().err


def test_the_history_of_a_session_can_be_simulated(
    remote: FakeRemote, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    from nbdag import cli

    run("%nbdag migrate auto --policy single --allowance 60")
    run("xs = [1, 2, 3]")
    run(SLOW)
    run(SLOW)
    run("%nbdag migrate off")
    capsys.readouterr()
    assert cli.run(["simulate", ".nbdag/migration/history"]) == 0
    assert "1 session (1 recorded), 3 cell runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("%nbdag migrate auto --policy clever", "--policy clever: no such policy"),
        ("%nbdag migrate auto --target moon", "no remote is called moon"),
        ("%nbdag migrate auto moon", "no remote is called moon"),
        ("%nbdag migrate auto", "no machine is named yet"),
        ("%nbdag migrate go", "belongs above a cell"),
        ("%%nbdag migrate go\nx = 1", "no policy decides in this session"),
        ("%%nbdag migrate auto\nx = 1", "takes no cell below it"),
        ("%nbdag migrate auto --allowance much", "argument --allowance"),
    ],
)
def test_a_mistake_is_one_line(shell: Any, line: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = shell.run_cell(line)
    assert not result.success
    assert complaint in str(result.error_in_exec)


def test_off_and_status_and_log_say_when_there_is_nothing(
    shell: Any, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("off", "status", "log"):
        run(f"%nbdag migrate {command}")
    shown = capsys.readouterr().out
    assert shown.count("no policy decides") == 2 and "no decision was made yet" in shown


def test_rough_sizes_run_no_code_of_the_session() -> None:
    class Trap:
        def __sizeof__(self) -> int:
            raise AssertionError

        nbytes = property(lambda self: 1 / 0)

    import numpy

    assert rough_size(numpy.zeros(1000)) == 8000
    assert rough_size(["x" * 100] * 1000) == 100_016
    assert rough_size({"a": b"12345"}) == 21
    assert rough_size(Trap()) > 0


@pytest.mark.slow
def test_with_a_real_server(shell: Any, run: Run, jupyter: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbdag.remote.measure

    calibrated = nbdag.remote.measure.benchmark_seconds
    monkeypatch.setattr(nbdag.remote.measure, "benchmark_seconds", lambda: 20 * calibrated())
    monkeypatch.setenv("JUPYTER_THERE", TOKEN)
    keep_target(Target("gpu", jupyter.url, "JUPYTER_THERE", "elsewhere"))
    run("%nbdag migrate auto --policy block --allowance 600")
    source = "import os, time\nbegun = time.time()\nwhile time.time() - begun < 3: pass\nwhere.append(os.getpid())"
    run("where = []")
    run(source)
    run("import os")
    run(source)
    first, second = shell.user_ns["where"]
    assert first != second
    begun = time.time()
    run("%nbdag migrate off")
    assert time.time() - begun < 30
    assert [entry.where for entry in read_log(Path(".nbdag/migration"))].count("there") == 1
    nbdag.remote.sessions.close_session(shell, "gpu")


@pytest.mark.slow
def test_a_block_leaves_large_results_there_until_a_cell_here_reads_them(
    shell: Any, run: Run, jupyter: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import nbdag.remote.measure

    calibrated = nbdag.remote.measure.benchmark_seconds
    monkeypatch.setattr(nbdag.remote.measure, "benchmark_seconds", lambda: 20 * calibrated())
    monkeypatch.setenv("JUPYTER_THERE", TOKEN)
    keep_target(Target("gpu", jupyter.url, "JUPYTER_THERE", "elsewhere"))
    run("%nbdag migrate auto --policy block --allowance 600 --lazy")
    make = "import time\nbegun = time.time()\nwhile time.time() - begun < 2: pass\nbig = bytearray(20_000_000)"
    use = "import time\nbegun = time.time()\nwhile time.time() - begun < 2: pass\nbig[1] = n = len(big) // 10**6"
    for source in (make, use, make, use, make):
        run(source)
    places = [entry.where for entry in read_log(Path(".nbdag/migration"))]  # the last is entered with the next cell
    assert places == ["here", "here", "there", "there"]
    assert type(shell.user_ns["big"]).__name__ == "RemoteValue"
    run("second = big[1]")  # a cell that was never seen runs here, and fetches what it reads
    assert shell.user_ns["second"] == 0 and type(shell.user_ns["big"]) is bytearray
    assert capsys.readouterr().err.count("fetching big") == 1  # the cells there used it where it was
    run("%nbdag migrate off")
    nbdag.remote.sessions.close_session(shell, "gpu")
