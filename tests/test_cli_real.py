"""The command line with real notebooks and real kernels: what a newcomer can do wrong, and what may be left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbdag.analysis import kernels, processes
from nbdag.analysis.session_files import Session, read_session


def write_notebook(path: Path, *sources: str, **metadata: Any) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def nbdag(folder: Path, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nbdag", *words], cwd=folder, capture_output=True, text=True, timeout=120, **options
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for session in kernels.sessions(tmp_path / ".nbdag"):
        kernels.stop_session(session)


def kept(folder: Path) -> list[Session]:
    return kernels.sessions(folder / ".nbdag")


# ------------------------------------------------------------------------------------------------ the way through


def test_analyze_keeps_a_kernel_that_sessions_names_and_stop_ends(folder: Path) -> None:
    write_notebook(folder / "n.ipynb", "x = [1, 2]\nprint('not in the report')", "y = x[0]")
    told = nbdag(folder, "analyze", "n.ipynb")
    assert told.returncode == 0, told.stderr
    assert "2 code cells, 2 ran" in told.stdout and "not in the report" not in told.stdout
    assert "\x1b" not in told.stdout + told.stderr
    (session,) = kept(folder)
    assert told.stderr.splitlines()[-1].startswith(f"nbdag: kernel {session.id} is kept; next: nbdag compile")
    listed = json.loads(nbdag(folder, "sessions", "--format", "json").stdout)["sessions"]
    assert [(row["id"], row["state"]) for row in listed] == [(session.id, "kept")]
    assert session.id in nbdag(folder, "sessions").stdout
    assert nbdag(folder, "stop", session.id[:-2]).returncode == 0
    assert not processes.is_running(session.kernel) and kept(folder) == []
    assert sorted(path.name for path in (folder / ".nbdag").iterdir()) == [
        ".gitignore",
        "last.json",
        "lock",
        "sessions",
    ]


def test_an_idle_timeout_of_0_keeps_nothing(folder: Path) -> None:
    write_notebook(folder / "n.ipynb", "x = 1")
    assert nbdag(folder, "analyze", "n.ipynb", "--idle-timeout", "0").returncode == 0
    deadline = time.monotonic() + 5
    while kept(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert kept(folder) == []


def test_a_static_analysis_starts_nothing(folder: Path) -> None:
    write_notebook(folder / "n.ipynb", "import os; os._exit(1)", "y = x")
    told = nbdag(folder, "analyze", "--static", "n.ipynb", "--format", "json")
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    assert document["session"] is None and document["cells"][1]["uses"] == ["x"]
    assert not (folder / ".nbdag").exists()


# ------------------------------------------------------------------------------------------------ what goes wrong

BAD_INPUT = {
    "missing": (None, 2, "no such file"),
    "not JSON": ("nonsense {", 2, "JSON"),
    "not a notebook": ('{"a": 1}', 2, "notebook"),
    "no cells": ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}', 2, "cell"),
    "another language": (
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": "R"}, "kernelspec": '
        '{"name": "ir", "display_name": "R", "language": "R"}}, "cells": [{"cell_type": "code", "id": "a", '
        '"metadata": {}, "outputs": [], "execution_count": null, "source": "x <- 1"}]}',
        2,
        "R",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_line_and_a_hint(folder: Path, case: str) -> None:
    text, status, message = BAD_INPUT[case]
    if text is not None:
        (folder / "n.ipynb").write_text(text)
    told = nbdag(folder, "analyze", "n.ipynb")
    assert told.returncode == status, told.stderr
    assert told.stdout == ""
    lines = told.stderr.splitlines()
    assert lines[0].startswith("nbdag: n.ipynb") and message in lines[0]
    assert len(lines) <= 2 and "Traceback" not in told.stderr
    assert not (folder / ".nbdag").exists()


def test_a_notebook_of_format_3_is_read_and_said_to_be_old(folder: Path) -> None:
    cell = {"cell_type": "code", "input": "x = 1", "language": "python", "metadata": {}, "outputs": []}
    document = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell], "metadata": {}}]}
    (folder / "n.ipynb").write_text(json.dumps(document))
    told = nbdag(folder, "analyze", "--static", "n.ipynb")
    assert told.returncode == 0, told.stderr
    assert "format 3" in told.stdout


def test_a_missing_kernelspec(folder: Path) -> None:
    write_notebook(folder / "n.ipynb", "1", kernelspec={"name": "gone", "display_name": "x", "language": "python"})
    told = nbdag(folder, "analyze", "n.ipynb")
    assert told.returncode == 4
    assert told.stderr.startswith("nbdag: no kernel named 'gone'") and "--kernel-name" in told.stderr
    assert nbdag(folder, "analyze", "n.ipynb", "--kernel-name", "python3").returncode == 0


def test_a_cell_that_raises(folder: Path) -> None:
    write_notebook(folder / "n.ipynb", "x = 1", "# divide\nx / 0", "y = 2")
    told = nbdag(folder, "analyze", "n.ipynb")
    assert told.returncode == 1
    assert told.stderr.splitlines()[0] == "nbdag: cell 2 (x / 0) failed: ZeroDivisionError: division by zero"
    assert [session.state for session in kept(folder)] == ["kept"]  # to look at, or to compile
    told = nbdag(folder, "analyze", "n.ipynb", "--allow-errors")
    assert told.returncode == 0, told.stderr
    assert "cell 2 failed: ZeroDivisionError" in told.stdout


def test_a_cell_that_does_not_parse_is_left_out_and_the_others_go_on(folder: Path) -> None:
    write_notebook(folder / "n.ipynb", "x = 1", "y = (1 +", "z = x")
    told = nbdag(folder, "analyze", "n.ipynb", "--format", "json")
    assert told.returncode == 1
    document = json.loads(told.stdout)
    assert [cell["outcome"] for cell in document["cells"]] == ["ok", "refused", "ok"]
    (finding,) = [finding for finding in document["diagnostics"] if finding["severity"] == "error"]
    assert finding["cell"] == 1 and finding["place"]["line"] == 1


def test_a_kernel_that_dies(folder: Path) -> None:
    write_notebook(folder / "n.ipynb", "x = 1", "import os; os._exit(3)")
    told = nbdag(folder, "analyze", "n.ipynb")
    assert told.returncode == 138
    assert told.stderr.startswith("nbdag: the kernel died in cell 2 (import os; os._exit(3)): ended with exit status 3")
    assert kept(folder) == []


def test_a_cell_that_asks(folder: Path) -> None:
    write_notebook(folder / "n.ipynb", "name = input('who? ')")
    told = nbdag(folder, "analyze", "n.ipynb")
    assert told.returncode == 1 and "it asks for input" in told.stderr


@pytest.mark.parametrize("moment", [0.02, 0.15, 0.5, 1.0, 2.5])
def test_ctrl_c_at_any_moment_leaves_nothing(folder: Path, moment: float) -> None:
    write_notebook(folder / "n.ipynb", "import time; time.sleep(60)")
    command = subprocess.Popen(
        [sys.executable, "-m", "nbdag", "analyze", "n.ipynb"], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    assert command.stderr is not None
    time.sleep(moment)
    held = [read_session(path) for path in (folder / ".nbdag" / "sessions").glob("*")]
    command.send_signal(signal.SIGINT)
    _, told = command.communicate(timeout=20)
    # Until Python has started, which a busy machine takes its time for, the signal's default is what ends it: killed by
    # SIGINT, which a shell reports as 130 too. While Python itself still imports, it answers with a status of its own.
    assert command.returncode in ({130, -signal.SIGINT} if moment > 0.1 else {130, 1, -signal.SIGINT})
    assert "Traceback" not in told or moment <= 0.1
    deadline = time.monotonic() + 8
    while kept(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert kept(folder) == []
    assert not any(session and processes.is_running(session.kernel) for session in held)


def test_kill_9_leaves_nothing(folder: Path) -> None:
    write_notebook(folder / "n.ipynb", "import time; time.sleep(60)")
    command = subprocess.Popen([sys.executable, "-m", "nbdag", "analyze", "n.ipynb", "-q"], cwd=folder)
    deadline = time.monotonic() + 20
    while not [session for session in kept(folder) if session.kernel] and time.monotonic() < deadline:
        time.sleep(0.1)
    (session,) = kept(folder)
    command.kill()
    command.wait()
    assert processes.wait_until_ended(session.kernel, 8) and processes.wait_until_ended(session.keeper, 8)
    assert not os.path.exists(session.directory)


def test_two_at_once(folder: Path) -> None:
    write_notebook(folder / "n.ipynb", "import time, os\ntime.sleep(0.5)\npid = os.getpid()")
    words = [sys.executable, "-m", "nbdag", "analyze", "n.ipynb", "-q", "--format", "json"]
    both = [subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ids = {json.loads(command.communicate(timeout=60)[0])["session"] for command in both}
    assert [command.returncode for command in both] == [0, 0]
    assert {session.id for session in kept(folder)} == ids and len(ids) == 2
