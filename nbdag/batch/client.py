"""nbclient with a memory: the notebook's session is recorded and saved, and a run goes on where the last one stopped.

``Remembering`` is put in front of an nbclient client, nbclient's own or papermill's::

    class Client(Remembering, NotebookClient): ...
    client = Client(nb); client.keep(Saving(Path("save"), every=5, resume=True)); client.execute()
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from nbdag.batch.resuming import Resumption, where_to_go_on
from nbdag.batch.saving import Keeper, Saving, read_resumable
from nbdag.errors import KernelDied
from nbdag.portable.serving import kernel_command
from nbdag.replay.saved import Saved


class Remembering:
    """Mixed into an nbclient ``NotebookClient``: needs ``nb``, ``km`` and its coroutines."""

    keeper: Keeper
    finished: frozenset[int] = frozenset()  # positions of cells that need not run
    saved: Saved | None = None
    resumption: Resumption | None = None

    def keep(self, saving: Saving, notebook: Path | None = None, say: Callable[[str], None] = print) -> None:
        """Record and save what runs; with ``saving.resume``, go on where the save left off. Raises NbdagError."""
        self.keeper = Keeper(saving, notebook, say)
        if not saving.resume or saving.directory is None:
            return
        saved = read_resumable(saving.directory)
        if saved is None:
            say(f"{saving.directory} holds no save yet: running everything")
            return
        positions = self._running_cells()
        cells = self.nb.cells  # type: ignore[attr-defined]
        found = where_to_go_on(saved, [cells[position].source for position in positions])
        if not found.done:
            say(f"running everything again: {found.why}")
            return
        self.saved, self.resumption = saved, found
        self.finished = frozenset(positions[: found.done])
        rest = len(positions) - found.done
        say(f"{found.why}: going on with {'nothing, it is complete' if not rest else f'the {rest} left'}")

    def _running_cells(self) -> list[int]:
        """Positions of the cells that run."""
        skip = self.skip_cells_with_tag  # type: ignore[attr-defined]
        return [
            position
            for position, cell in enumerate(self.nb.cells)  # type: ignore[attr-defined]
            if cell.cell_type == "code" and cell.source.strip() and skip not in cell.metadata.get("tags", [])
        ]

    def create_kernel_manager(self) -> Any:
        """A manager whose kernel holds the saved session, where there is one to go on from."""
        manager = super().create_kernel_manager()  # type: ignore[misc]
        if self.resumption is not None and self.saved is not None:
            spec = manager.kernel_spec
            command = kernel_command(str(self.saved.script), "{connection_file}")
            python = spec.argv[0] if len(spec.argv) > 1 and "ipykernel" in " ".join(spec.argv) else command[0]
            spec.argv = [python, *command[1:]]
        return manager

    async def async_start_new_kernel_client(self, **arguments: Any) -> Any:
        """The kernel is there: from here on it is recorded."""
        client = await super().async_start_new_kernel_client(**arguments)  # type: ignore[misc]
        self.keeper.begin(Path(self.km.connection_file), self.resumption)  # type: ignore[attr-defined]
        return client

    async def async_execute_cell(self, cell: Any, cell_index: int, *rest: Any, **arguments: Any) -> Any:
        """Run a cell that has not run, and save behind it as was asked for."""
        if cell_index in self.finished:
            return cell
        runs = cell.cell_type == "code" and bool(cell.source.strip())
        try:
            done = await super().async_execute_cell(cell, cell_index, *rest, **arguments)  # type: ignore[misc]
        except CellExecutionError:
            self.keeper.cell_failed()
            raise
        except DeadKernelError:
            keeps = f"{self.keeper.saving.directory} keeps what was saved before" if self.keeper.saved else ""
            raise KernelDied(
                f"the kernel died in cell {cell_index + 1}", keeps or "--save-every N saves while a notebook runs"
            ) from None
        if runs:
            self.keeper.cell_done()
            if cell_index == self._running_cells()[-1]:  # the kernel ends with the run
                self.keeper.ended()
        return done

    # The base binds its own coroutines under these names, and papermill calls them.
    def execute_cell(self, *positional: Any, **arguments: Any) -> Any:
        """``async_execute_cell``, awaited."""
        return run_sync(self.async_execute_cell)(*positional, **arguments)

    def start_new_kernel_client(self, **arguments: Any) -> Any:
        """``async_start_new_kernel_client``, awaited."""
        return run_sync(self.async_start_new_kernel_client)(**arguments)


class RecordedClient(Remembering, NotebookClient):  # type: ignore[misc,unused-ignore]
    """nbclient's client, recorded."""


def record(client: NotebookClient, saving: Saving, say: Callable[[str], None] = print) -> Keeper:
    """Record and save what an nbclient client of somebody else's runs, by its hooks; it cannot go on with a save.

    client = NotebookClient(nb); record(client, Saving(Path("save"), every=5)); client.execute()
    """
    keeper = Keeper(saving, None, say)

    def on_notebook_start(notebook: Any) -> None:
        keeper.begin(Path(str(client.km.connection_file)), None)  # type: ignore[union-attr,unused-ignore]

    def on_cell_executed(cell: Any, cell_index: int, execute_reply: Any) -> None:
        if execute_reply.get("content", {}).get("status") == "ok":
            keeper.cell_done()

    def on_cell_error(cell: Any, cell_index: int, execute_reply: Any) -> None:
        keeper.cell_failed()

    client.on_notebook_start = on_notebook_start
    client.on_cell_executed = on_cell_executed
    client.on_cell_error = on_cell_error
    return keeper
