"""Kept kernels, with real ones: they stay for compile, and end whatever happens to those who hold them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nbdag.analysis import kernels, processes
from nbdag.analysis.keeper import _Keeper
from nbdag.analysis.kernels import Session
from nbdag.analysis.runner import run_notebook
from nbdag.analysis.session_files import read_session, write_session
from nbdag.errors import CellFailed, EnvironmentRefused, KernelDied, NotebookError, OutputError
from nbdag.model.notebook import Cell, Notebook
from nbdag.model.trace import Outcome


def notebook(folder: Path, *sources: str, kernel: str = "", language: str = "python", tags: str = "") -> Notebook:
    path = folder / "note book.ipynb"
    path.touch()
    cells = tuple(
        Cell(index, index, f"id{index}", source, frozenset(tags.split())) for index, source in enumerate(sources)
    )
    return Notebook(str(path), cells, kernel, language)


def eventually(condition: Callable[[], bool], seconds: float = 8.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def ended(session: Session) -> bool:
    """Neither keeper nor kernel nor folder is left."""
    return not (
        processes.is_running(session.keeper) or processes.is_running(session.kernel) or Path(session.directory).exists()
    )


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / ".nbdag"
    yield directory
    for session in kernels.sessions(directory):
        kernels.stop_session(session)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[[str], tuple[subprocess.Popen[str], Session]]]:
    """A command in a process of its own that opens a session, prints it and then does what it is told."""
    started: list[subprocess.Popen[str]] = []

    def start(then: str) -> tuple[subprocess.Popen[str], Session]:
        script = (
            "import sys, time\nfrom pathlib import Path\nfrom nbdag.analysis import kernels\n"
            "from nbdag.analysis.runner import run_notebook\nfrom nbdag.model.notebook import Cell, Notebook\n"
            f"nb = Notebook({str(tmp_path / 'a.ipynb')!r}, (Cell(0, 0, 'a', 'import time; time.sleep(60)'),))\n"
            f"s = kernels.open_session(nb, Path({str(tmp_path / '.nbdag')!r}), '', 60.0)\n"
            f"print(s.directory, flush=True)\n{then}\n"
        )
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        session = read_session(Path(process.stdout.readline().strip()))
        assert session is not None
        return process, session

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_a_session_lives_in_its_folder_and_stop_leaves_nothing(tmp_path: Path, state: Path) -> None:
    session = kernels.open_session(notebook(tmp_path, "1"), state)
    folder = Path(session.directory)
    assert session.state == "running" and kernels.is_alive(session)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert session.connection_file.stat().st_mode & 0o077 == 0
    assert [found.id for found in kernels.sessions(state)] == [session.id]
    kernels.stop_session(session)
    assert ended(session) and kernels.sessions(state) == []


def test_a_kept_kernel_is_found_until_it_was_idle_for_its_time(tmp_path: Path, state: Path) -> None:
    cells = notebook(tmp_path, "import time; time.sleep(1.5)")
    session = kernels.open_session(cells, state, "", 1.0)
    run_notebook(session, cells)  # longer than the idle time: a busy kernel is not idle
    kept = kernels.keep_session(session)
    found = kernels.find_session(state)
    assert found is not None and (found.id, found.state) == (kept.id, "kept") and kernels.is_alive(found)
    assert eventually(lambda: ended(session))
    found = kernels.find_session(state, Path(cells.path))
    assert found is not None and (found.notebook, found.state) == (cells.path, "gone")
    assert kernels.why_gone(found) == ": it was idle for 1 s"


def test_nothing_is_found_where_nothing_was_analyzed(tmp_path: Path, state: Path) -> None:
    assert kernels.find_session(state) is None
    assert kernels.sessions(state) == []
    assert not state.exists()


def test_kill_9_of_the_command_leaves_no_orphan(
    command: Callable[[str], tuple[subprocess.Popen[str], Session]],
) -> None:
    process, session = command("time.sleep(60)")
    process.kill()
    assert eventually(lambda: ended(session))


def test_kill_9_of_the_command_in_a_running_cell_leaves_no_orphan(
    command: Callable[[str], tuple[subprocess.Popen[str], Session]],
) -> None:
    process, session = command("run_notebook(s, nb)")
    time.sleep(0.3)
    process.kill()
    assert eventually(lambda: ended(session))


def test_ctrl_c_ends_the_kernel_with_the_command(
    command: Callable[[str], tuple[subprocess.Popen[str], Session]],
) -> None:
    process, session = command("run_notebook(s, nb)")
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.wait(10)
    assert ended(session)


def test_a_command_that_hands_over_may_end(command: Callable[[str], tuple[subprocess.Popen[str], Session]]) -> None:
    process, session = command("kernels.keep_session(s)")
    assert process.wait(10) == 0
    time.sleep(0.6)
    assert kernels.is_alive(session) and processes.is_running(session.keeper)
    kernels.stop_session(session)
    assert ended(session)


def test_kill_9_of_the_keeper_ends_the_kernel_too(tmp_path: Path, state: Path) -> None:
    session = kernels.keep_session(kernels.open_session(notebook(tmp_path, "1"), state))
    os.kill(session.keeper.pid, signal.SIGKILL)
    assert eventually(lambda: not processes.is_running(session.kernel))
    assert Path(session.directory).exists()  # nobody was left to remove it
    found = kernels.find_session(state)
    assert found is not None and found.state == "gone" and ended(session)


def test_a_keeper_in_doubt_asks_what_leaves_the_session_as_it_is(tmp_path: Path) -> None:
    # kernel_info_request would draw a number from the session's `random`.
    class Client:
        def __init__(self) -> None:
            self.asked: list[str] = []

        def __getattr__(self, request: str) -> Callable[[], None]:
            return lambda: self.asked.append(request)

    keeper = _Keeper(Session("busy-1", "x.ipynb", "", str(tmp_path), "python3", ".", 1.0, "running", 1.0))
    client = Client()
    keeper.doubt_silence(client)
    assert client.asked == []
    keeper.busy, keeper.active, keeper.asked = True, -1e9, -1e9
    keeper.doubt_silence(client)
    assert client.asked == ["comm_info"]


def test_sigterm_of_the_keeper_is_an_orderly_end(tmp_path: Path, state: Path) -> None:
    cells = notebook(tmp_path, "import atexit\natexit.register(lambda: open('said goodbye', 'w').close())")
    session = kernels.open_session(cells, state)
    run_notebook(session, cells)
    os.kill(session.keeper.pid, signal.SIGTERM)
    assert eventually(lambda: ended(session))
    assert (tmp_path / "said goodbye").exists()


def test_two_analyses_of_one_notebook_have_kernels_of_their_own(tmp_path: Path, state: Path) -> None:
    cells = notebook(tmp_path, "x = 1")
    first, second = kernels.open_session(cells, state), kernels.open_session(cells, state)
    assert first.id != second.id and first.kernel != second.kernel
    kernels.keep_session(second)
    kernels.keep_session(first)
    found = kernels.find_session(state, Path(cells.path))
    assert found is not None and found.id == first.id  # the one that ended last
    kernels.stop_session(first)
    assert kernels.is_alive(second)


def test_the_state_directory_is_all_that_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    cells = notebook(work, "%history\nx = 1")
    session = kernels.open_session(cells, work / ".nbdag")
    run_notebook(session, cells)
    assert sorted(home.rglob("*")) == []
    kernels.stop_session(session)
    assert sorted(path.name for path in work.rglob("*")) == [".gitignore", ".nbdag", "note book.ipynb", "sessions"]


def test_the_kernel_works_where_the_notebook_is(tmp_path: Path, state: Path) -> None:
    cells = notebook(tmp_path, "import os; open('here', 'w').write(os.environ['JPY_SESSION_NAME'])")
    session = kernels.open_session(cells, state)
    run_notebook(session, cells)
    assert (tmp_path / "here").read_text() == cells.path


# ------------------------------------------------------------------------------------------------ what goes wrong


def test_a_reused_pid_is_never_taken_for_the_process_that_had_it() -> None:
    mine = processes.this_process()
    other = replace(mine, born=mine.born + "0")
    assert processes.is_running(mine) and not processes.is_running(other)
    assert not processes.send_signal(other, signal.SIGKILL)


def test_what_a_crash_left_behind_is_cleaned_up_but_nobody_is_signalled(tmp_path: Path, state: Path) -> None:
    mine = processes.this_process()
    folder = state / "sessions" / "crashed-1"
    folder.mkdir(parents=True)
    reused = replace(mine, born="1")
    session = Session("crashed-1", "x.ipynb", "", str(folder), "python3", ".", 1.0, "running", 1.0)
    write_session(replace(session, host=processes.this_host(), keeper=reused, kernel=reused, owner=reused))
    foreign = state / "sessions" / "elsewhere-1"
    foreign.mkdir()
    write_session(replace(session, id="elsewhere-1", directory=str(foreign), host="elsewhere", kernel=reused))
    assert [found.id for found in kernels.sessions(state)] == ["elsewhere-1"]
    assert not folder.exists() and foreign.exists()
    with pytest.raises(EnvironmentRefused, match="runs on elsewhere"):
        kernels.stop_session(kernels.sessions(state)[0])
    (foreign / "session.json").unlink()


def test_damaged_files_of_the_state_directory_are_as_good_as_none(tmp_path: Path, state: Path) -> None:
    (state / "sessions").mkdir(parents=True)
    for text in ("{", "[]", '{"last": 3, "notebooks": []}', '{"last": "x", "notebooks": {"x": {"id": 1}}}'):
        (state / "last.json").write_text(text)
        assert kernels.find_session(state) is None


def test_a_kernelspec_that_is_missing_is_named_with_those_that_are_there(tmp_path: Path, state: Path) -> None:
    with pytest.raises(EnvironmentRefused, match=r"no kernel named 'conda-x' that .* asks for; .*python3") as caught:
        kernels.open_session(notebook(tmp_path, "1", kernel="conda-x"), state)
    assert "--kernel-name" in caught.value.hint
    assert not state.exists()


def kernelspec(folder: Path, name: str, argv: list[str], language: str) -> None:
    spec = folder / "kernels" / name
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": name, "language": language}))


def test_a_kernel_of_another_language_is_refused(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernelspec(tmp_path, "ir", ["R"], "R")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    with pytest.raises(NotebookError, match="'ir' speaks R"):
        kernels.open_session(notebook(tmp_path, "1", kernel="ir"), state)
    with pytest.raises(NotebookError, match="a julia notebook"):
        kernels.open_session(notebook(tmp_path, "1", language="julia"), state)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["no such program"], "does not start"),
        ([sys.executable, "-c", "import sys; sys.exit('no ipykernel here')"], "ended while it started"),
    ],
)
def test_a_kernel_that_does_not_start_says_why(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], message: str
) -> None:
    kernelspec(tmp_path, "broken", argv, "python")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    with pytest.raises(EnvironmentRefused, match=message):
        kernels.open_session(notebook(tmp_path, "1", kernel="broken"), state)
    assert eventually(lambda: list((state / "sessions").iterdir()) == [])


# What another program does that happens to be given the port that was chosen for this kernel.
_TAKES_A_PORT = """
import json, os, socket, sys
marker, name, connection, *others = sys.argv[1:]
if not os.path.exists(marker):
    open(marker, "w").close()
    taken = socket.socket()
    taken.bind(("127.0.0.1", json.load(open(connection))[name]))
    taken.set_inheritable(True)
os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", "-f", connection, *others])
"""


@pytest.mark.parametrize("name", ["shell_port", "iopub_port", "hb_port"])
def test_a_port_that_was_taken_in_between_is_another_try(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    marker = tmp_path / "was taken"
    kernelspec(
        tmp_path, "late", [sys.executable, "-c", _TAKES_A_PORT, str(marker), name, "{connection_file}"], "python"
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    session = kernels.open_session(notebook(tmp_path, "1", kernel="late"), state)
    assert marker.exists() and kernels.is_alive(session)
    assert eventually(lambda: [entry.name for entry in (state / "sessions").iterdir()] == [session.id])


def test_a_state_directory_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot keep a kernel here"):
        kernels.open_session(notebook(tmp_path, "1"), tmp_path / "file" / ".nbdag")


# ------------------------------------------------------------------------------------------------ running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("shared")
    session = kernels.open_session(notebook(folder, "1"), folder / ".nbdag")
    yield session
    kernels.stop_session(session)


@pytest.mark.parametrize(
    ("source", "outcome", "error"),
    [
        ("1 + 1", Outcome.OK, ""),
        ("1 / 0", Outcome.ERROR, "ZeroDivisionError: division by zero"),
        ("raise ValueError", Outcome.ERROR, "ValueError"),
        ("(1 +", Outcome.REFUSED, "SyntaxError: "),
        ("exec('(1 +')", Outcome.ERROR, "SyntaxError: "),
        ("input('name? ')", Outcome.ERROR, "it asks for input"),
        ("raise KeyboardInterrupt", Outcome.INTERRUPTED, "it was interrupted"),
        ("import time; time.sleep(30)", Outcome.INTERRUPTED, "it took longer than 0.5 s"),
        ("", None, ""),
    ],
)
def test_how_a_cell_ends(shared: Session, tmp_path: Path, source: str, outcome: Outcome | None, error: str) -> None:
    (run,) = run_notebook(shared, notebook(tmp_path, source), allow_errors=True, cell_timeout=0.5)
    assert (run.outcome, run.error[: len(error)], bool(run.error)) == (outcome, error, bool(error))


def test_cells_say_who_they_are(shared: Session, tmp_path: Path) -> None:
    hook = "ids = []\nget_ipython().events.register('pre_run_cell', lambda info: ids.append(info.cell_id))"
    check = f"assert ids == ['id1', 'id2'], ids\nopen({str(tmp_path / 'ids')!r}, 'w').close()"
    run_notebook(shared, notebook(tmp_path, hook, "2", check))
    assert (tmp_path / "ids").exists()


def test_tags_of_nbclient_hold(shared: Session, tmp_path: Path) -> None:
    (run,) = run_notebook(shared, notebook(tmp_path, "1 / 0", tags="raises-exception"))
    assert run.outcome is Outcome.ERROR
    (run,) = run_notebook(shared, notebook(tmp_path, "1 / 0", tags="skip-execution"))
    assert run.outcome is None


def test_progress_is_told_before_and_after_each_cell(shared: Session, tmp_path: Path) -> None:
    told: list[object] = []
    run_notebook(
        shared,
        notebook(tmp_path, "# why\nx = 1", "y = 2"),
        on_start=lambda *start: told.append(start),
        on_cell=lambda index, total, seconds: told.append((index, total)),
    )
    assert told == [(0, 2, "x = 1"), (0, 2), (1, 2, "y = 2"), (1, 2)]


def test_a_cell_that_raises_ends_the_run_and_keeps_the_session(tmp_path: Path, state: Path) -> None:
    cells = notebook(tmp_path, "x = 1", "(1 +", "# divide\nx / 0", "y = 1")
    session = kernels.open_session(cells, state)
    with pytest.raises(CellFailed, match=r"cell 3 \(x / 0\) failed: ZeroDivisionError") as caught:
        run_notebook(session, cells)
    assert "--allow-errors" in caught.value.hint
    found = kernels.find_session(state)
    assert found is not None and found.state == "kept"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os; os._exit(7)", "ended with exit status 7"),
        ("import os; os.kill(os.getpid(), 9)", r"ended by SIGKILL \(out of memory\?\)"),
    ],
)
def test_a_kernel_that_dies_is_told_with_its_cell(tmp_path: Path, state: Path, source: str, reason: str) -> None:
    cells = notebook(tmp_path, "x = 1", source)
    session = kernels.open_session(cells, state)
    with pytest.raises(KernelDied, match=rf"died in cell 2 \(import os; .*\): {reason}"):
        run_notebook(session, cells)
    kernels.stop_session(session)
    assert ended(session)
