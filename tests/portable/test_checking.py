"""What restore.py finds out before anything runs, what it says while it runs, and what stays after Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nbdag.model.trace import FileUse
from nbdag.portable import progress_line
from nbdag.portable.capacity import memory_free, room_problems
from nbdag.portable.environment import installed_versions, number_pair, python_problems, version_notes
from nbdag.portable.places import BundlePlace
from nbdag.portable.progress_line import ProgressLine
from nbdag.portable.steps import Load, Replay, ready_first
from nbdag.portable.telling import bytes_needed
from tests.portable.session import Session
from tests.restoring import bundle_of, replay, restore

# ------------------------------------------------------------------------------------------------ Python and packages


def test_all_problems_are_said_at_once_and_nothing_has_run(tmp_path: Path) -> None:
    step = replay(
        "print(open('wine.csv').read()); open('ran', 'w')",
        "n",
        cell="cell 3",
        files=(FileUse("wine.csv", "/elsewhere/wine.csv", "r", 5, ""),),
    )
    requirements = [("frobnicate", "1.0"), ("twiddle", "")]
    bundle_of(tmp_path, Session().run("x = [1]"), "x", step, requirements=requirements)
    for arguments, status in (((), 4), (("--dry-run",), 4), (("--list",), 0), (("--only", "x"), 0)):
        done = restore(tmp_path / "bundle", *arguments, cwd=tmp_path)
        assert done.returncode == status, done.stderr
        if status:
            assert "pip install frobnicate==1.0 twiddle" in done.stderr
            assert "wine.csv is missing (read by cell 3)" in done.stderr
    said = json.loads(restore(tmp_path / "bundle", "--json").stdout)
    assert said["status"] == 4 and "frobnicate" in said["problems"][0]
    planned = json.loads(restore(tmp_path / "bundle", "--dry-run", "--json").stdout)
    assert len(planned["problems"]) == 2 and planned["steps"][0] == {
        "load": ["x"],
        "bytes": planned["steps"][0]["bytes"],
    }
    assert not (tmp_path / "ran").exists()


def test_code_that_is_newer_than_this_python_is_named_before_anything_runs() -> None:
    newer = Replay("y = 1\nmatch x := = 1", "cell 4", 3, ("y",))
    fine = Replay("z = await f()", "cell 5", 1, ("z",))
    (problem,), notes = python_problems([newer, fine], "3.99.1", "CPython")
    assert problem.startswith("cell 4, line 4 is written for Python 3.99") and problem.endswith("without it: y")
    assert "Python 3.99" in notes[0]
    assert python_problems([newer], "3.5.0", "CPython")[0] == []  # what is older than this one did run
    assert python_problems([newer], ".".join(map(str, sys.version_info[:3])), "CPython") == ([], [])
    assert "PyPy" in python_problems([], "", "PyPy")[1][0]
    assert number_pair("3.12.1") == (3, 12) and number_pair("x") == (0, 0)


def test_other_versions_of_packages_are_noted_as_far_as_they_matter() -> None:
    here = installed_versions()
    assert here["pytest"] == pytest.__version__
    same = ".".join(pytest.__version__.split(".")[:2]) + ".99"
    assert version_notes([("pytest", same), ("nowhere", "1.0"), ("numpy", "")]) == []
    (note,) = version_notes([("PyTest", "1.0"), ("hypothesis", "2.0")])
    assert f"PyTest {pytest.__version__} (the session had 1.0), hypothesis" in note


# ------------------------------------------------------------------------------------------------ room

GIGABYTE = 10**9


def system_of(root: Path, **files: str) -> str:
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return str(root)


def test_the_smallest_limit_of_memory_counts(tmp_path: Path) -> None:
    root = system_of(tmp_path, proc__meminfo="MemTotal: 9 kB\nMemAvailable:    4000000 kB\n")
    assert memory_free(root) == (4_096_000_000, "")
    system_of(tmp_path, proc__self__cgroup="0::/box/inner\n")
    system_of(
        tmp_path,
        sys__fs__cgroup__box__inner__memory_DOT_max="max\n",
        sys__fs__cgroup__box__inner__memory_DOT_current="100\n",
        sys__fs__cgroup__box__memory_DOT_max="1000000000\n",
        sys__fs__cgroup__box__memory_DOT_current="700000000\n",
        sys__fs__cgroup__box__memory_DOT_stat="anon 1\ninactive_file 200000000\n",
    )
    assert memory_free(root) == (500_000_000, " (the limit of the container)")


def test_limits_of_older_control_groups_are_read_and_nonsense_is_not(tmp_path: Path) -> None:
    root = system_of(
        tmp_path,
        proc__self__cgroup="5:cpu,memory:/box\n3:devices:/\nnonsense\n",
        sys__fs__cgroup__memory__box__memory_DOT_limit_in_bytes="300000000",
        sys__fs__cgroup__memory__box__memory_DOT_usage_in_bytes="100000000",
        sys__fs__cgroup__memory__memory_DOT_limit_in_bytes="9223372036854771712",
    )
    assert memory_free(root)[0] == 200_000_000
    assert memory_free(str(tmp_path / "nowhere")) == (None, "")


def test_what_is_mapped_needs_no_memory_and_what_is_copied_does(tmp_path: Path) -> None:
    big, packed = {"blob": "f" * 64, "size": GIGABYTE}, {"blob": "e" * 64, "size": GIGABYTE, "codec": "zlib"}
    data: dict[str, Any] = {"groups": [{"head": b"x", "regions": [big, b"y"]}, {"head": big, "regions": [packed]}]}
    assert bytes_needed(data, [0], False) == (0, GIGABYTE)
    assert bytes_needed(data, [0], True) == (GIGABYTE, 0)
    assert bytes_needed(data, [1], False) == (2 * GIGABYTE, 0)
    root = system_of(tmp_path / "system", proc__meminfo="MemAvailable: 500000 kB\n")
    place = BundlePlace(str(tmp_path))
    assert room_problems(data, [0], False, place, root) == []
    (said,) = room_problems(data, [0], True, place, root)
    assert "1.0 GB of memory" in said and "512.0 MB" in said and "without --eager 0 bytes will do" in said


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of address space is not kept elsewhere")
def test_too_little_address_space_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("import numpy; x = numpy.zeros(40_000_000)"), "x")  # 320 MB, one blob
    command = f"ulimit -v 300000; exec {sys.executable} -I {tmp_path / 'bundle' / 'restore.py'}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 4 and "of address space are needed" in done.stderr, done.stderr


# ------------------------------------------------------------------------------------------------ order


GROUPS: list[dict[str, Any]] = [
    {"modules": []},
    {"modules": ["numpy"]},
    {"modules": ["datetime"], "needs": ["Wine"]},
    {"modules": ["decimal"]},
    {"modules": [], "restorers": ["handle"]},
]


def order(*steps: Any) -> str:
    return " ".join(name for step in ready_first(steps, GROUPS) for name in step.names)


def code(text: str, *names: str) -> Replay:
    return Replay(text, "cell 1", 1, names)


def test_what_needs_no_library_is_there_first() -> None:
    numpy = code("import numpy as np", "np")
    assert order(numpy, Load("a", group=1), Load("b", group=0), Load("c", group=3)) == "b c np a"


@pytest.mark.parametrize(
    "steps",
    [
        (code("class Wine: pass", "Wine"), Load("w", group=2)),
        (code("f = open('x'); w = 1", "f"), Load("w", group=0)),
        (code("print(w)", "n"), Load("w", group=0)),
        (code("exec('w' + '=1')", "n"), Load("w", group=0)),
        (code("from wine import *", "n"), Load("w", group=0)),
        (code("import os", "os"), Load("w", group=4)),
    ],
    ids=["needs a class", "binds the name", "reads the name", "any name", "a star import", "an open file"],
)
def test_what_the_code_before_it_may_touch_keeps_its_place(steps: tuple[Any, ...]) -> None:
    assert ready_first(steps, GROUPS) == list(steps)


# ------------------------------------------------------------------------------------------------ meanwhile


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_one_line_on_a_terminal_and_seldom_a_line_elsewhere(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    now = [0.0]
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress_line.time, "monotonic", lambda: now[0])
    line = ProgressLine(40.0, 40)
    for _ in range(40):
        line.begin("replaying cell 3")
        now[0] += 1.0
        line.end_of(1.0)
    line.end()
    said = stream.getvalue()
    assert "replaying cell 3" in said and "1 of 40" not in said.replace("11 of", "").replace("21 of", "").replace(
        "31 of", ""
    )
    if terminal:
        assert "\n" not in said and said.endswith("\r") and "[#####" in said
    else:
        assert 6 <= said.count("\n") <= 8 and "\r" not in said


def test_what_will_take_long_is_said_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    ProgressLine(90.0, 2).begin("replaying cell 7, which took 90 s in the session", 90.0)
    assert "1 of 2, 0 s: replaying cell 7" in stream.getvalue()


def test_a_session_that_takes_no_time_is_silent_about_progress(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("x = [1]"), "x", replay("y = 2", "y"))
    assert " of 2, " not in restore(tmp_path / "bundle").stderr


def test_after_ctrl_c_what_is_complete_is_there_and_nothing_half_done(tmp_path: Path) -> None:
    slow = replay("helper = 1\nopen('running', 'w')\nimport time\ntime.sleep(60)\nz = 1", "z", "helper", cell="cell 2")
    bundle_of(tmp_path, Session().run("x = [1]; y = 2"), "x", slow, "y")
    process = subprocess.Popen(
        [sys.executable, "-I", "-i", str(tmp_path / "bundle" / "restore.py")],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "running").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    said, errors = process.communicate("print([n for n in ('x', 'y', 'z', 'helper') if n in globals()])\n", timeout=60)
    assert "interrupted" in errors and "Traceback" not in errors
    assert said.strip() == "['x', 'y']", "y needs no library and was there first"


def test_after_ctrl_c_no_name_has_an_earlier_value(tmp_path: Path) -> None:
    first = replay("x = [1]", "x", cell="cell 1")
    second = replay("raise KeyboardInterrupt", "x", cell="cell 2")
    bundle_of(tmp_path, Session(), first, replay("y = 2", "y"), second)
    done = restore(tmp_path / "bundle", then="print([n for n in ('x', 'y') if n in globals()])")
    assert done.stdout.strip() == "['y']" and "interrupted" in done.stderr
    assert restore(tmp_path / "bundle").returncode == 130


def test_eager_and_verify_say_what_they_did(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("import numpy; x = numpy.arange(50_000)"), "x")
    done = restore(tmp_path / "bundle", "--eager", "--verify", flags=())
    assert done.returncode == 0
    assert "read 400.0 kB into private memory" in done.stderr and "every byte" in done.stderr


def test_verbose_shows_the_traceback_of_what_failed_from_its_cell_on(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("x = 1"), replay("def f():\n    return 1 / 0\ny = f()", "y", cell="cell 2"), "x")
    done = restore(tmp_path / "bundle", "--verbose")
    assert done.returncode == 1
    assert 'File "<cell 2>", line 3' in done.stderr and 'File "<cell 2>", line 2, in f' in done.stderr
    assert "restore.py" not in done.stderr.split("Traceback")[1]


def test_names_for_only_may_stand_with_commas(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("x = 1; y = 2; z = 3"), "x", "y", "z")
    said = json.loads(restore(tmp_path / "bundle", "--only", "x,z", "--json").stdout)
    assert said["loaded"] == ["x", "z"]
    assert restore(tmp_path / "bundle", "--only", "x,nope").returncode == 2


def test_seconds_stand_in_the_plan_where_a_step_took_long(tmp_path: Path) -> None:
    from nbdag.model.plan import Replay as PlannedReplay

    long = PlannedReplay(0, "cell 1", 1, "y = 2", ("y",), 63.456)
    bundle_of(tmp_path, Session().run("x = 1"), "x", long, replay("z = 1", "z"))
    script = (tmp_path / "bundle" / "restore.py").read_text()
    assert script.count("seconds=63") == 1
    done = restore(tmp_path / "bundle")
    assert "replaying cell 1, line 1, which took 63 s in the session" in done.stderr
