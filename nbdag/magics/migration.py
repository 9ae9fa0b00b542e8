"""A policy between the user and the cells of a shell: asked before each cell, told afterwards what became of it."""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbdag.errors import NbdagError

if TYPE_CHECKING:
    from nbdag.remote.driving import Driver

GO = "go"
"""``%%nbdag migrate go``: what stands above a cell that is sent away."""


class Migration:
    """Decides for the cells of a shell, as an input transformer of it."""

    def __init__(self, shell: Any, driver: Driver) -> None:
        self.shell = shell
        self.driver = driver
        self._working = False
        self._seen = self._executions()
        self.there = self.here = 0

    def __call__(self, lines: list[str]) -> list[str]:
        first = next((line.strip() for line in lines if line.strip()), "")
        if self._working or not first or first.startswith(("%", "!", "?")):
            return lines
        self._working = True
        try:
            self.catch_up()
            decision = self.driver.decide("".join(lines), int(self.shell.execution_count))
            if decision.where.value == "here":
                self.driver.session.warm()  # while the cell runs
        except Exception as fault:  # whatever goes wrong in deciding, the user's cell runs
            print(f"nbdag: this cell stays here, deciding about it failed: {fault}", file=sys.stderr)
            return lines
        finally:
            self._working = False
        return [f"%%nbdag migrate {GO}\n", *lines] if decision.where.value == "there" else lines

    def run_there(self, cell: str) -> None:
        """Run a cell there; if that is not possible, here."""
        from nbdag.magics.on import run_there

        pending = self.driver.pending
        target = self.driver.target
        self._working = True
        begun = time.perf_counter()
        try:
            if pending is not None:
                print(f"nbdag: on {target}: {pending.decision.reason}", file=sys.stderr, flush=True)
            # Alone it would be fetched at once by whatever reads it; in a block the next cells there use it.
            lazy = self.driver.policy.lazy and pending is not None and pending.decision.block > 1
            run = run_there(self.shell, target, cell, lazy=lazy)
            self.driver.ran_there(run, time.perf_counter() - begun)
            return
        except NbdagError as error:
            failed = f"{error.message}" + (f" ({error.hint})" if error.hint else "")
            self.driver.ran_there(None, time.perf_counter() - begun, failed=failed)
        except BaseException:
            self.driver.ran_there(None, time.perf_counter() - begun, raised=True)
            raise
        finally:
            self._working = False
        print(f"nbdag: it runs here after all: {failed}", file=sys.stderr, flush=True)
        self._working = True
        try:
            result = self.shell.run_cell(cell, store_history=False)
        finally:
            self._working = False
        result.raise_error()

    def catch_up(self) -> None:
        """Take note of the cells that have ended since the last time."""
        from nbdag.portable.agent import recorder_of
        from nbdag.remote.driving import Ran
        from nbdag.remote.recording import tied_to_machine

        recorder = recorder_of(self.shell)
        if recorder is None:
            return
        records = [record for record in recorder.executions[self._seen :] if "source" in record]
        self._seen = len(recorder.executions)
        for record in records:
            if record.get("parent") is not None:
                continue
            statements = record["statements"]
            source = str(record["source"])
            if source.startswith("%%nbdag on "):
                source = source.partition("\n")[2]
            gone = {name for one in statements for name in one["deleted"]}
            made = {name for one in statements for name in (*one["bound"], *one["changed"])} - gone
            files = [(str(use["absolute"]), str(use["mode"])) for one in statements for use in one["files"]]
            effects = [effect for one in statements for effect in one["effects"]]
            asks = "it asks the user" if "input(" in source else ""
            entry = self.driver.settle(
                Ran(
                    source=source,
                    seconds=float(record["seconds"]),
                    outcome=str(record["outcome"]),
                    reached=tuple(sorted({name for one in statements for name in one["reached"]})),
                    made=tuple(sorted(made)),
                    stays=asks or tied_to_machine(files, effects),
                    started=float(record["started"]),
                )
            )
            if entry is not None:
                self.there += entry.where == "there"
                self.here += entry.where == "here"

    def start(self) -> None:
        """Decide from the next cell on."""
        self.shell.input_transformers_cleanup.append(self)
        atexit.register(self.close)

    def close(self) -> None:
        """Decide no more; what was learned is written."""
        atexit.unregister(self.close)
        if self in self.shell.input_transformers_cleanup:
            self.shell.input_transformers_cleanup.remove(self)
        self.catch_up()
        self.driver.close()

    def _executions(self) -> int:
        from nbdag.portable.agent import recorder_of

        recorder = recorder_of(self.shell)
        return len(recorder.executions) if recorder is not None else 0


class ShellSession:
    """What the driver asks about the session of a shell."""

    def __init__(self, shell: Any, remote: Any) -> None:
        self._shell = shell
        self._remote = remote

    def numbers(self) -> Mapping[str, object]:
        from nbdag.remote.driving import plain_numbers

        return plain_numbers(self._shell.user_ns)

    def warm(self) -> None:
        self._remote.warm()

    def look(self, source: str) -> tuple[tuple[Any, ...], tuple[int, ...], int, str]:
        from nbdag.remote.experience import Held
        from nbdag.remote.lazy import RemoteValue
        from nbdag.remote.needs import names_read, survey_session

        if any(line.lstrip().startswith(("%", "!")) for line in source.splitlines()):
            return (), (), 0, "it has magics in it"
        namespace = self._shell.user_ns
        survey = survey_session(self._shell)
        reading = names_read(self._shell, source, survey)
        held = self._remote.ledger.held(survey.items, survey)
        groups = sorted({survey.group_of(name) for name in survey.items}, key=min)
        state: list[Held] = []
        needs: list[int] = []
        whole = 0
        for group in groups:
            needed = not group.isdisjoint(reading.names)
            names = tuple(sorted(group))
            if type(namespace[names[0]]) is RemoteValue:
                size = namespace[names[0]].size
            else:
                size = self._remote.sizes.total(self._shell, survey, group, exact=needed)
            if needed:
                needs.append(len(state))
            whole += size
            elsewhere = type(namespace[names[0]]) is RemoteValue
            state.append(Held(names, size, here=not elsewhere, there=elsewhere or names[0] in held))
        return tuple(state), tuple(needs), whole, ""

    def sizes(self, names: tuple[str, ...], exact: bool) -> tuple[Any, ...]:
        from nbdag.remote.experience import Held
        from nbdag.remote.lazy import RemoteValue
        from nbdag.remote.needs import survey_session

        namespace = self._shell.user_ns
        known = [name for name in names if name in namespace and not name.startswith("_")]
        elsewhere = [name for name in known if type(namespace[name]) is RemoteValue]
        there = tuple(Held((name,), namespace[name].size, here=False, there=True) for name in elsewhere)
        known = [name for name in known if name not in elsewhere]
        if not exact or not known:
            return there + tuple(Held((name,), rough_size(namespace[name])) for name in known)
        survey = survey_session(self._shell)
        groups = sorted({survey.group_of(name) for name in known if name in survey.items}, key=min)
        total = self._remote.sizes.total
        return there + tuple(
            Held(tuple(sorted(group)), total(self._shell, survey, group, exact=True)) for group in groups
        )


def rough_size(value: object, depth: int = 2) -> int:
    """Bytes that a value takes, told without a walk through it: buffers as they are, containers by their first items.

    No code of the user's runs: only types of the language, and of libraries whose answer is known, are asked.
    """
    kind = type(value)
    if kind is str or kind is bytes or kind is bytearray:
        return len(value)  # type: ignore[arg-type]
    library = kind.__module__.partition(".")[0]
    if kind.__module__ == "nbdag.remote.lazy":
        return int(value.size)  # type: ignore[attr-defined]
    if library == "numpy" and kind.__name__ == "ndarray":
        return int(value.nbytes)  # type: ignore[attr-defined]
    if library == "pandas" and kind.__name__ in {"DataFrame", "Series"}:
        used: Any = value.memory_usage()  # type: ignore[attr-defined]
        return int(used if kind.__name__ == "Series" else used.sum())
    if depth and (kind is list or kind is tuple or kind is set or kind is dict):
        items: Any = value.values() if kind is dict else value  # type: ignore[attr-defined]
        first = [rough_size(item, depth - 1) for _, item in zip(range(10), items, strict=False)]
        count = len(value)  # type: ignore[arg-type]
        return 16 + (sum(first) * count // len(first) if first else 0)
    return sys.getsizeof(None) if kind.__module__ == "__main__" else object.__sizeof__(value)
