"""A notebook without a kernel process: IPython in the test's own process, with nbdag loaded."""

from __future__ import annotations

import sys
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbdag.analysis.agent_client import LocalAgent
from nbdag.remote.model import CellRequest, Needs, RemoteRun, Target
from nbdag.remote.running import Outcome, RemoteSession


class Ears:
    """A ``Watcher`` that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stages: list[str] = []
        self.needed: list[Needs] = []

    def needs(self, target: str, needs: Needs) -> None:
        self.needed.append(needs)

    def begin(self, stage: str, total: float | None) -> None:
        self.stages.append(stage)

    def advance(self, amount: float) -> None:
        pass

    def say(self, message: str) -> None:
        self.said.append(message)


class Notebook:
    """``runs`` a cell here, ``sends`` one there, ``[name]`` is a variable here."""

    def __init__(self) -> None:
        self._main = sys.modules["__main__"]
        InteractiveShell.clear_instance()
        self.shell: Any = InteractiveShell.instance(
            config=Config({"HistoryManager": {"enabled": False}}), colors="NoColor", xmode="Minimal"
        )
        LocalAgent().command("start", {"late": True, "share": None})
        self.ears = Ears()
        self.remote: RemoteSession | None = None

    def connect(self, url: str, token: str, **more: str) -> RemoteSession:
        if self.remote is not None:
            self.remote.close()
        self.remote = RemoteSession(self.shell, Target("gpu", url, **more), token, self.ears)
        return self.remote

    def runs(self, source: str) -> None:
        """Run a cell here; it must not fail."""
        result = self.shell.run_cell(source, store_history=True)
        result.raise_error()

    def sends(self, source: str, whole: bool = False) -> RemoteRun:
        """Run a cell there; it must not fail."""
        outcome = self.sends_anyway(source, whole)
        if outcome.error is not None:
            raise outcome.error
        return outcome.run

    def sends_anyway(self, source: str, whole: bool = False) -> Outcome:
        """Run a cell there, whatever it does."""
        assert self.remote is not None
        return self.remote.run(CellRequest(source), whole=whole)

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.shell.user_ns

    def state(self) -> dict[str, Any]:
        """The variables here: the same objects as long as nothing was touched."""
        from nbdag.portable.namespace import session_items

        return dict(session_items(self.shell, self.shell.user_ns))

    def clear(self) -> None:
        """Nothing is left of the variables here."""
        for name in self.state():
            del self.shell.user_ns[name]

    def close(self) -> None:
        if self.remote is not None:
            self.remote.close()
        LocalAgent().command("stop", {})
        InteractiveShell.clear_instance()
        sys.modules["__main__"] = self._main
