"""Saves the session of a running notebook: after every n cells, and when a cell fails."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nbdag import pipeline
from nbdag.analysis.agent_client import KernelAgent
from nbdag.analysis.trace import read_trace
from nbdag.batch.resuming import Resumption
from nbdag.errors import NbdagError, UsageError
from nbdag.portable.bundlefile import BundleDamaged
from nbdag.replay.saved import Saved, read_saved


@dataclass(frozen=True, slots=True)
class Saving:
    """What a user wants saved. ``directory`` None: nothing. ``every``: cells between saves, 0: only when one fails."""

    directory: Path | None = None
    every: int = 0
    verify: bool = True
    resume: bool = False
    at_end: bool = False  # also when the notebook has run to its end


class Keeper:
    """Records one kernel and saves its session as ``saving`` says. ``say`` is told what happens, in sentences."""

    def __init__(self, saving: Saving, notebook: Path | None, say: Callable[[str], None]) -> None:
        self.saving = saving
        self.notebook = notebook
        self.say = say
        self.connection_file: Path | None = None
        self.cells = 0  # that ran since the last save
        self.saved = False  # this run, or what it goes on from, is in the directory

    def begin(self, connection_file: Path, resumption: Resumption | None) -> None:
        """The kernel is there: record it, and take it back to before what is stale. Raises NbdagError."""
        import base64

        self.connection_file = connection_file
        with KernelAgent(connection_file) as agent:
            agent.command("start", {"late": True, "share": None})
            if resumption is not None and resumption.done:
                self.saved = True
                random = {name: base64.b64encode(state).decode() for name, state in resumption.random}
                answer = agent.command("settle", {"forget": list(resumption.forget), "random": random})
                if answer.get("failed"):
                    self.say(f"the random generator of {', '.join(answer['failed'])} could not be set back")

    def present(self) -> frozenset[str]:
        """The names of the session."""
        assert self.connection_file is not None
        with KernelAgent(self.connection_file) as agent:
            return frozenset(agent.command("settle", {})["names"])

    def cell_done(self) -> None:
        """A cell has ended well."""
        self.cells += 1
        if self.saving.directory is not None and self.saving.every and self.cells >= self.saving.every:
            self.save()

    def cell_failed(self) -> None:
        """A cell has raised: keep the session, unless an older save is worth more.

        A cell that changed half of what was there before it cannot run again on that: the save from before it can.
        """
        if self.saving.directory is None:
            return
        spoiled = self._spoiled()
        if spoiled and self.saved:
            self.say(
                f"the cell that failed had changed {', '.join(spoiled[:5])}: {self.saving.directory} keeps the session "
                "from before"
            )
            return
        self.save()

    def ended(self) -> None:
        """The last cell has ended."""
        if self.saving.directory is not None and self.saving.at_end and (self.cells or not self.saved):
            self.save()

    def save(self) -> None:
        """Write the session. A save that does not succeed is said, and the run goes on."""
        assert self.connection_file is not None and self.saving.directory is not None
        begun = time.perf_counter()
        try:
            compiled = pipeline.compile_bundle(
                self.saving.directory,
                notebook=self.notebook,
                connection_file=self.connection_file,
                verify=self.saving.verify,
            )
        except NbdagError as error:
            self.say(f"not saved: {error.message}")
            return
        self.cells = 0
        self.saved = True
        from nbdag.report.compiled import lost_names
        from nbdag.report.units import say_seconds

        lost = lost_names(compiled)
        without = f", without {', '.join(lost)}" if lost else ""
        self.say(f"saved to {self.saving.directory} in {say_seconds(time.perf_counter() - begun)}{without}")

    def _spoiled(self) -> list[str]:
        """Names that the last execution touched and that others had made."""
        assert self.connection_file is not None
        try:
            with tempfile.TemporaryDirectory(prefix="nbdag-") as folder, KernelAgent(self.connection_file) as agent:
                path = Path(folder) / "trace.json"
                agent.command("trace", {"path": str(path)})
                executions = read_trace(path).executions
        except NbdagError:
            return []
        own = [execution for execution in executions if not execution.silent and execution.parent is None]
        if not own:
            return []

        def touched(statements: object) -> set[str]:
            runs = statements if isinstance(statements, tuple) else ()
            return {name for run in runs for name in (*run.bound, *run.deleted, *run.changed)}

        before = {name for execution in own[:-1] for name in touched(execution.statements)}
        return sorted(before & touched(own[-1].statements))


def read_resumable(directory: Path) -> Saved | None:
    """The save to go on from; None where there is none yet. Raises IntegrityError, UsageError."""
    if not directory.exists():
        return None
    try:
        return read_saved(directory)
    except BundleDamaged as error:
        raise UsageError(f"{directory}: {error}", "run without --resume, or name another --save") from error
