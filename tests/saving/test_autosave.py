"""Real kernels that save themselves: when, what, and what is left whatever ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdag.errors import OutputError
from nbdag.saving import autosave
from nbdag.saving.directory import last_save
from tests.saving.kernels import SavingKernel, children_of, restored, wait_for_savers

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a session is copied by fork on Linux only")


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[SavingKernel]:
    running = SavingKernel(tmp_path)
    yield running
    running.end()


@linux
def test_a_session_saves_itself_and_survives_a_kill(kernel: SavingKernel) -> None:
    kernel.cell("import random\nrandom.seed(5)\ndrawn = [random.random() for _ in range(3)]")
    kernel.cell("numbers = (i * i for i in range(100))\nfirst = [next(numbers), next(numbers)]")
    numbers_before = kernel.expression("len(__import__('IPython').get_ipython().user_ns['In'])")
    status = kernel.begin()
    assert status["saves"] == 0 and not status["without_snapshot"]
    status = kernel.wait_until_saved()
    assert status["last"]["lost"] == [] and status["last"]["proven"] and not status["failed"]
    expected = kernel.expression("__import__('random').getstate()[1][:3]")

    # Nothing has changed: nothing is saved.
    time.sleep(3 * kernel.every)
    assert kernel.status()["saves"] == status["saves"] and not children_of(kernel.pid)

    kernel.every = 3600.0  # what comes now stays unsaved
    kernel.begin()
    kernel.wait(lambda now: now["saves"] == 1)
    kernel.cell("late = 'lost'")
    kernel.client.execute("import time; time.sleep(60)")
    time.sleep(0.5)
    kernel.kill()

    save = last_save(kernel.saves)
    assert [(cell.source.split(";")[0], cell.outcome) for cell in save.cells_after] == [
        ("late = 'lost'", "ok"),
        ("import time", "running"),
    ]
    assert not save.lives and 0 <= save.age < 300 and save.proven
    answer, said = restored(
        kernel.saves, "[drawn, first, next(numbers), 'late' in dir(), __import__('random').getstate()[1][:3]]"
    )
    assert answer[1:4] == [[0, 1], 4, False]
    assert answer[4] == list(expected)  # Python would give a forked process a new seed
    assert "2 cells were run after that" in said and "(had not ended): import time" in said
    assert numbers_before == 3  # In as it was: nothing of ours


@linux
def test_only_what_changed_is_encoded_and_proven_again(kernel: SavingKernel) -> None:
    kernel.cell("import numpy as np\nlarge = np.arange(3e5)\nlarge += np.random.rand(300_000)\nsmall = [1]")
    kernel.begin()
    first = kernel.wait_until_saved()
    names = [blob.name for blob in (kernel.saves / "latest" / "blobs").iterdir()]
    before = {name: (kernel.saves / "latest" / "blobs" / name).stat().st_ino for name in names}
    kernel.cell("small.append(2)")
    second = kernel.wait_until_saved()
    assert second["saves"] == first["saves"] + 1
    assert second["last"]["reused"] == first["last"]["blobs"] == 1
    assert {name: (kernel.saves / "latest" / "blobs" / name).stat().st_ino for name in names} == before
    kernel.cell("large[7] = 7")
    kernel.wait_until_saved()
    answer, _ = restored(kernel.saves, "[small, large[7], len(large)]")
    assert answer == [[1, 2], 7.0, 300_000]


@linux
def test_a_name_that_is_defined_anew_is_not_taken_from_the_save_before(kernel: SavingKernel) -> None:
    kernel.cell("def f():\n    return 1\nheld = {'f': f, 'n': [1] * 30_000}\nother = open('/dev/null')")
    kernel.begin()
    kernel.wait_until_saved()
    kernel.cell("def f():\n    return 2")  # `held` is what it was, but its f is no longer the session's
    kernel.wait_until_saved()
    answer, _ = restored(kernel.saves, "[f(), held['f'](), held['f'] is f]")
    assert answer == [2, 1, False]


@linux
def test_a_kernel_that_is_told_to_end_saves_once_more(kernel: SavingKernel) -> None:
    kernel.save_once("x = 1")
    kernel.cell("x = 2\nys = [x]")
    os.kill(kernel.pid, signal.SIGTERM)
    assert kernel.manager.provisioner.process.wait(timeout=60) == -signal.SIGTERM
    kernel.leave()
    save = last_save(kernel.saves)
    assert save.cells_after == () and not save.running
    answer, said = restored(kernel.saves, "[x, ys]")
    assert answer == [2, [2]] and "no cell was run after that" in said


@linux
def test_a_kernel_that_is_told_to_end_in_the_middle_of_a_cell_says_so(kernel: SavingKernel) -> None:
    kernel.save_once("x = 1")
    kernel.client.execute("x = 2\nimport time\nfor i in range(1000): time.sleep(0.05)")
    time.sleep(1.0)
    os.kill(kernel.pid, signal.SIGTERM)
    kernel.manager.provisioner.process.wait(timeout=60)
    kernel.leave()
    assert last_save(kernel.saves).running
    answer, said = restored(kernel.saves, "x")
    assert answer == 2 and "a cell was running when it was saved" in said


@linux
def test_workers_that_the_session_forks_end_as_ever(kernel: SavingKernel) -> None:
    kernel.cell("import os, signal")
    kernel.begin()
    pid = kernel.cell("pid = os.fork()\nif not pid:\n    signal.pause()\npid")
    kernel.cell("os.kill(pid, signal.SIGTERM)")
    assert kernel.cell("os.WTERMSIG(os.waitpid(pid, 0)[1])") == str(int(signal.SIGTERM)), pid
    kernel.wait_until_saved()


@linux
def test_a_kernel_that_is_shut_down_saves_once_more(kernel: SavingKernel) -> None:
    kernel.save_once("x = 1")
    kernel.cell("x = 2")
    kernel.manager.shutdown_kernel(now=False)
    kernel.leave()
    assert restored(kernel.saves, "x")[0] == 2


@linux
@pytest.mark.parametrize(("victim", "reason"), [("snapshot", "the copy of the process"), ("saver", "the saver ended")])
def test_a_save_that_is_killed_is_said_below_the_next_cell_and_tried_again(
    kernel: SavingKernel, victim: str, reason: str
) -> None:
    kernel.cell("x = 1")
    kernel.begin()
    kernel.wait_until_saved()
    kernel.every = 1.0
    kernel.begin()
    kernel.wait_until_saved()
    time.sleep(1.0)
    kernel.cell("x = 2")
    deadline = time.monotonic() + 20
    while not (found := children_of(kernel.pid)) or (victim == "saver" and not (found := children_of(found[0]))):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(found[0], signal.SIGKILL)
    kernel.wait(lambda status: bool(status["failed"]))
    assert "this session is not saved: " + reason in kernel.cell("1")
    assert "not saved" not in kernel.cell("1")  # once
    kernel.wait_until_saved()
    assert restored(kernel.saves, "x")[0] == 2


@linux
def test_a_directory_that_is_gone_is_an_error_of_the_save(kernel: SavingKernel) -> None:
    kernel.cell("x = 1")
    kernel.begin()
    kernel.wait_until_saved()
    kernel.saves.rename(kernel.saves.with_name("elsewhere"))
    kernel.cell("x = 2")
    status = kernel.wait(lambda status: bool(status["failed"]))
    assert "is gone" in status["failed"]
    assert restored(kernel.saves.with_name("elsewhere"), "x")[0] == 1


@linux
def test_off_ends_it_and_leaves_what_is_saved(kernel: SavingKernel) -> None:
    kernel.cell("x = 1")
    kernel.begin()
    kernel.wait_until_saved()
    assert autosave.end(kernel.agent) is not None
    assert autosave.status_of(kernel.agent) is None and autosave.end(kernel.agent) is None
    kernel.cell("x = 2")
    time.sleep(1.0)
    assert not children_of(kernel.pid)
    assert restored(kernel.saves, "x")[0] == 1
    hooks = "[len(c) for c in __import__('IPython').get_ipython().events.callbacks.values()]"
    with_recorder = kernel.expression(hooks)
    kernel.begin()
    assert kernel.expression(hooks) != with_recorder
    kernel.agent.command("stop", {})
    assert "nbdag_agent" in kernel.expression("[m for m in __import__('sys').modules if m.startswith('nbdag')]")
    assert sum(kernel.expression(hooks)) < sum(with_recorder)


@linux
def test_a_second_kernel_may_not_save_where_the_first_does_or_did(kernel: SavingKernel, tmp_path: Path) -> None:
    kernel.cell("x = 1")
    kernel.begin()
    kernel.wait_until_saved()
    second = SavingKernel(tmp_path / "second")
    try:
        second.saves = kernel.saves
        second.cell("y = 2")
        with pytest.raises(OutputError, match="another session saves itself there"):
            second.begin()
        kernel.kill()
        with pytest.raises(OutputError, match="holds what another session saved"):
            second.begin()
        # Restored there, the session goes on where it was.
        second.cell(f"%run -i {kernel.saves}/restore.py")
        second.begin()
        second.wait_until_saved()
        assert restored(kernel.saves, "[x, y]")[0] == [1, 2]
    finally:
        second.end()


@linux
def test_where_the_process_must_not_be_copied_it_is_saved_in_pauses(kernel: SavingKernel) -> None:
    kernel.cell("x = [1]\nimport os\ngpu = os.open('/dev/null', os.O_RDONLY)")
    # A descriptor of a GPU, as far as anybody can see.
    kernel.expression("setattr(__import__('sys').modules['nbdag_agent'], 'DEVICES', ('/dev/null',)) or ''")
    assert "GPU" in kernel.begin()["without_snapshot"]
    status = kernel.wait_until_saved()
    assert status["saves"] == 1 and status["pauses"] == []
    kernel.cell("os.close(gpu)")
    assert len(kernel.wait_until_saved()["pauses"]) == 1  # copied again, as soon as that is safe
    kernel.cell("gpu = os.open('/dev/null', os.O_RDONLY)")
    kernel.wait_until_saved()
    assert len(kernel.status()["pauses"]) == 1
    kernel.cell("x.append(2)")
    time.sleep(0.8)  # a save has begun, and a cell comes in between
    kernel.cell("x.append(3)")
    kernel.wait_until_saved()
    kernel.kill()
    assert restored(kernel.saves, "x")[0] == [1, 2, 3]


@linux
def test_savers_do_not_hold_the_kernels_ports(kernel: SavingKernel) -> None:
    kernel.cell("x = 1")
    kernel.begin()
    deadline = time.monotonic() + 20
    while not (snapshots := children_of(kernel.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(0.2)
    links = []
    for file in Path(f"/proc/{snapshots[0]}/fd").iterdir():
        try:
            links.append(os.readlink(file))
        except OSError:
            continue
    assert sum(link.startswith("socket:") for link in links) <= 1  # the one to its saver
    wait_for_savers(kernel.saves)


@linux
def test_a_disk_that_fills_leaves_the_save_before(kernel: SavingKernel, tmp_path: Path) -> None:
    kernel.saves = tmp_path / "disk" / "saves"
    kernel.saves.parent.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(kernel.saves.parent)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk can only be made by root")
    try:
        kernel.cell("import os\nx = os.urandom(1_000_000)")
        kernel.begin()
        kernel.wait_until_saved()
        kernel.cell("y = os.urandom(30_000_000)")
        status = kernel.wait(lambda status: bool(status["failed"]))
        assert "No space left" in status["failed"]
        assert "No space left" in kernel.cell("1")
        assert restored(kernel.saves, "[len(x), 'y' in dir()]")[0] == [1_000_000, False]
        kernel.cell("del y")
        kernel.wait_until_saved()  # and goes on when there is room
        assert not kernel.status()["failed"]
    finally:
        kernel.agent.command("autosave_off", {})
        wait_for_savers(kernel.saves)
        kernel.cell("os.chdir('/')")
        subprocess.run(["umount", "-l", str(kernel.saves.parent)], check=False)
