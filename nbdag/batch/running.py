"""``nbdag run``: a notebook from top to bottom, its outputs into a notebook, its session into a bundle."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdag.analysis.kernelspecs import choose_kernelspec
from nbdag.analysis.notebook import read_notebook
from nbdag.batch.notebooks import fill_outputs, keep_outputs, plain, write_json
from nbdag.batch.saving import Saving
from nbdag.errors import CellFailed, EnvironmentRefused, KernelDied, UsageError

INJECTED = "injected-parameters"  # papermill's tag for the cell that it puts in
PARAMETERS = "parameters"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended: cells that ran now, cells that a save spared, and where the outputs are."""

    ran: int
    spared: int
    output: Path
    failed: str = ""  # "Name: message" of the cell that ended it


def run(
    path: Path,
    output: Path,
    saving: Saving,
    *,
    parameters: Sequence[tuple[str, str]] = (),
    kernel_name: str = "",
    allow_errors: bool = False,
    cell_timeout: float | None = None,
    say: Callable[[str], None] = lambda sentence: None,
    on_cell: Callable[[int, int], None] = lambda done, total: None,
) -> Ran:
    """Run the notebook at ``path`` and write it with its outputs to ``output``.

    Raises NotebookError, UsageError, EnvironmentRefused, CellFailed, KernelDied; ``output`` then holds what ran.
    """
    try:
        from nbclient.exceptions import CellExecutionError

        from nbdag.batch.client import RecordedClient
    except ImportError as error:
        raise EnvironmentRefused(
            f"nbdag run needs nbclient, which is not installed ({error})", "pip install 'nbdag[batch]'"
        ) from None
    text = read_notebook(path)
    notebook = document_of(path)
    inject(notebook, parameters)
    name = choose_kernelspec(text, kernel_name)
    client = RecordedClient(
        notebook,
        kernel_name=name,
        allow_errors=allow_errors,
        timeout=cell_timeout,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.absolute().parent)}},
    )
    client.keep(saving, path, say)
    fill_outputs(notebook, saving.directory, client.finished)
    counted = [0]

    def note(cell: Any, cell_index: int, execute_reply: Any) -> None:
        counted[0] += 1
        on_cell(cell_index, len(notebook.cells))

    client.on_cell_executed = note
    try:
        client.execute()
    except CellExecutionError as error:
        failed = f"{error.ename}: {error.evalue}"
        where = next((place for place, cell in enumerate(_code(notebook)) if _raised(cell)), 0)
        kept = f"{saving.directory} keeps its session: --resume goes on from there" if client.keeper.saved else ""
        raise CellFailed(f"cell {where + 1} failed: {failed.splitlines()[0][:200]}", kept) from None
    except KernelDied:
        raise
    except Exception as error:
        if type(error).__name__ == "CellTimeoutError":
            raise CellFailed(
                f"a cell took longer than {cell_timeout:g} s", "a longer --cell-timeout lets it end"
            ) from None
        raise
    finally:
        write_json(output, plain(notebook))
        if saving.directory is not None and client.keeper.saved:
            keep_outputs(notebook, saving.directory)
    return Ran(counted[0], len(client.finished), output)


def document_of(path: Path) -> Any:
    """The notebook at ``path`` as nbformat has it; one that is a script is made of its cells."""
    import nbformat

    if path.suffix == ".ipynb":
        library: Any = nbformat
        return library.read(str(path), as_version=4)
    from nbformat import v4

    make: Any = v4
    text = read_notebook(path)
    cells = [
        make.new_code_cell(cell.source, metadata={"tags": sorted(cell.tags)} if cell.tags else {})
        for cell in text.cells
    ]
    return make.new_notebook(cells=cells)


def inject(notebook: Any, parameters: Sequence[tuple[str, str]]) -> None:
    """Put a cell with ``parameters`` behind the one tagged so, or first; one that is there already is replaced."""
    if not parameters:
        return
    from nbformat import v4

    make: Any = v4
    for name, _ in parameters:
        if not name.isidentifier():
            raise UsageError(f"-p {name}: not the name of a variable")
    source = "# Parameters\n" + "\n".join(f"{name} = {parsed(value)!r}" for name, value in parameters)
    cell = make.new_code_cell(source, metadata={"tags": [INJECTED]})
    tags = [one.metadata.get("tags", []) for one in notebook.cells]
    for position, of in enumerate(tags):
        if INJECTED in of:
            notebook.cells[position] = cell
            return
    place = next((position + 1 for position, of in enumerate(tags) if PARAMETERS in of), 0)
    notebook.cells.insert(place, cell)


def parsed(value: str) -> object:
    """A value of the command line: JSON where it is JSON (5, 0.1, true, null, [1, 2]), else the text."""
    try:
        return json.loads(value)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(value, value)


def _code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _raised(cell: Any) -> bool:
    return any(
        output.output_type == "error" for output in cell.outputs
    ) and "raises-exception" not in cell.metadata.get("tags", [])
