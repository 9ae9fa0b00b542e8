"""Kernels that save themselves, for tests: what they run, what they are asked, and what is restored afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbdag.analysis.agent_client import KernelAgent
from nbdag.analysis.live import start_recording
from nbdag.saving import autosave
from nbdag.saving.directory import locked
from tests.portable.agent_kernel import Kernel


class SavingKernel(Kernel):
    """A kernel that a shell beside it attached to, and that saves itself into ``saves`` below its directory."""

    def __init__(self, directory: Path, every: float = 0.2, python: str = sys.executable, **options: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(python, directory)
        self.saves = directory / "saves"
        self.every, self.options = every, options
        self.agent = KernelAgent(Path(self.manager.connection_file))
        start_recording(self.agent)

    def begin(self) -> dict[str, Any]:
        """From now on."""
        return autosave.begin(self.agent, self.saves, every=self.every, **self.options)

    def save_once(self, source: str) -> None:
        """Run ``source`` and have it saved; what comes after that is not saved by itself for an hour."""
        self.every = 3600.0
        self.cell(source)
        self.begin()
        self.wait(lambda status: status["saves"] == 1)

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.process.pid)

    def status(self) -> dict[str, Any]:
        status = autosave.status_of(self.agent)
        assert status is not None
        return status

    def wait_until_saved(self, seconds: float = 60.0) -> dict[str, Any]:
        """The status once everything that ran is saved."""
        return self.wait(
            lambda status: status["saved_executions"] == status["executions"] and not status["saving"], seconds
        )

    def wait(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 60.0) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        status = self.status()
        while not condition(status):
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
            status = self.status()
        return status

    def kill(self) -> None:
        """kill -9, and wait until a save that is on its way has come to its end without the kernel."""
        self.manager.provisioner.process.kill()
        self.manager.provisioner.process.wait()
        self.leave()

    def leave(self) -> None:
        self.agent.close()
        self.client.stop_channels()
        wait_for_savers(self.saves)

    def end(self) -> None:
        """Whatever state it is in."""
        self.agent.close()
        self.close()
        if self.saves.is_dir():
            wait_for_savers(self.saves)


def wait_for_savers(saves: Path) -> None:
    """Until no process saves into this directory any more."""
    deadline = time.monotonic() + 60
    while any(str(saves) in line for line in saver_lines()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if saves.is_dir():
        with locked(saves, 60.0):
            pass


def children_of(pid: int) -> list[int]:
    """The processes that this one started and that run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text(errors="replace")
            except OSError:
                continue
            fields = text[text.rfind(")") + 1 :].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return sorted(found)


def saver_lines() -> list[str]:
    """The working directories, as one line each, that running savers have open."""
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if b"nbdag.commands.save" in (entry / "cmdline").read_bytes():
                    lines += [os.readlink(file) for file in (entry / "fd").iterdir()]
            except OSError:
                continue
    return lines


def restored(saves: Path, expression: str, python: str = sys.executable) -> tuple[Any, str]:
    """What an expression is in the restored session, by way of JSON; and what restore.py said."""
    answer = saves.parent / "answer.json"
    answer.unlink(missing_ok=True)
    text = f"__import__('json').dump({expression}, __import__('builtins').open({str(answer)!r}, 'w'))\n"
    done = subprocess.run(
        [python, "-I", "-i", str(saves / "restore.py")],
        input=text, cwd=saves.parent, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert answer.exists(), done.stderr
    return json.loads(answer.read_text()), done.stderr
