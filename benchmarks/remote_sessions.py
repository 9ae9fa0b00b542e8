"""Sessions for ``nbdag simulate``: recorded ones, by running notebooks as people work in them, and generated ones.

    python -m benchmarks.remote_sessions record tests/fixtures/remote      # a dozen, really run; takes some minutes
    python -m benchmarks.remote_sessions generate FROM TO --count 60       # by the habits of the recorded ones

A *habit* is an order of cells with variants of their parameters: once through, tuning a parameter, repeating a block,
going back. Every recorded session is a real run of real cells in such an order, each cell surveyed; the order is drawn.
Generated sessions take cells, needs and sizes from recorded ones and draw order and times; they say so (``origin``).
"""

from __future__ import annotations

import argparse
import os
import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nbdag.analysis.notebook import read_notebook
from nbdag.model.notebook import Cell, Notebook
from nbdag.remote.history import History, Piece, Run, read_history, write_history
from nbdag.remote.recording import record

NOTEBOOKS = Path(__file__).parent / "remote_notebooks"
KERNEL_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Knob:
    """A number of one cell (counted from 0) that people turn, and the values they try."""

    cell: int
    pattern: str
    values: tuple[str, ...]

    def turned(self, source: str, value: str) -> str:
        """The cell with this value."""
        changed = re.sub(self.pattern, lambda match: match[0].replace(match[1], value), source, count=1)
        assert changed != source or value in source, f"{self.pattern} is not in the cell"
        return changed


@dataclass(frozen=True)
class Work:
    """How people work in one notebook: blocks that they repeat, and what they tune in them."""

    notebook: str
    cells: int
    blocks: tuple[tuple[int, ...], ...]
    knobs: tuple[Knob, ...]


WORKS = (
    Work(
        "rasters",
        14,
        ((8, 10, 11), (9, 10, 11), (12, 13), (3, 4, 5, 7), (7, 8, 9, 10)),
        (
            Knob(8, r"n_init=(\d+)", ("20", "40", "80")),
            Knob(9, r"n_estimators=(\d+)", ("100", "200", "400")),
            Knob(12, r"range\((\d+)\)", ("500", "1000", "2000")),
        ),
    ),
    Work(
        "images",
        14,
        ((7, 8, 13), (9, 10, 11), (10, 11), (4, 5, 6, 7, 8), (12, 13)),
        (
            Knob(4, r"max_patches=(\d+)", ("1000", "2000")),
            Knob(7, r"C=(\d+)", ("10", "1000")),
            Knob(10, r"max_iter=(\d+)", ("200", "400", "800")),
            Knob(10, r"n_components=(\d+)", ("60", "150")),
        ),
    ),
    Work(
        "digits",
        13,
        ((6, 7, 12), (8, 9, 12), (5, 6, 7), (10, 12), (11,)),
        (
            Knob(5, r"n_components=(\d+)", ("15", "25")),
            Knob(6, r"C=(\d+)", ("1", "20")),
            Knob(8, r"epochs = (\d+)", ("40", "80", "160")),
            Knob(10, r"cv=(\d+)", ("3", "8")),
            Knob(11, r"max_iter=(\d+)", ("300", "400")),
        ),
    ),
)

HABITS = ("through", "tune", "blocks", "back")


def order_of(work: Work, habit: str, rng: random.Random) -> Iterator[tuple[int, Knob | None, str]]:
    """Cells as they are run: index, and a knob with its value where one was turned."""
    for cell in range(work.cells):
        yield cell, None, ""
        if habit == "back" and cell and rng.random() < 0.15:  # run again what was just run, or the one before
            yield rng.choice([cell, cell - 1]), None, ""
    if habit == "through":
        return
    for _ in range({"tune": 3, "blocks": 3, "back": 2}[habit]):
        block = rng.choice(work.blocks)
        tried = [knob for knob in work.knobs if knob.cell in block]
        knob = rng.choice(tried) if tried and habit != "back" else None
        rounds = rng.sample(knob.values, k=min(len(knob.values), 2)) if knob else [""]
        for value in rounds if habit == "tune" else rounds[:1]:
            for cell in block:
                turned = knob if knob is not None and knob.cell == cell else None
                yield cell, turned, value if turned else ""


# ------------------------------------------------------------------------------------------------ recorded


def record_all(folder: Path, seed: int = 1) -> None:
    """Run every notebook under every habit, and write a history of each."""
    os.environ.update(KERNEL_THREADS)
    folder.mkdir(parents=True, exist_ok=True)
    for work in WORKS:
        notebook = read_notebook(NOTEBOOKS / f"{work.notebook}.ipynb")
        for habit in HABITS:
            rng = random.Random(f"{seed} {work.notebook} {habit}")
            cells = tuple(order_of(work, habit, rng))
            name = f"{work.notebook}-{habit}"
            history = with_pauses(record_order(notebook, cells, name), rng)
            write_history(replace(history, notebook=f"{work.notebook}.ipynb"), folder / f"{name}.json")
            print(f"{name}: {len(history.runs)} runs, {sum(run.seconds for run in history.runs):.1f} s", flush=True)


def record_order(notebook: Notebook, order: Sequence[tuple[int, Knob | None, str]], name: str) -> History:
    """A real run of the cells in this order."""
    cells = []
    for position, (index, knob, value) in enumerate(order):
        cell = notebook.cells[index]
        source = knob.turned(cell.source, value) if knob else cell.source
        cells.append(Cell(position, position, f"{cell.id}-{position}", source))
    with tempfile.TemporaryDirectory(prefix="nbdag-") as state:
        return record(replace(notebook, cells=tuple(cells)), name, state_directory=Path(state))


def with_pauses(history: History, rng: random.Random) -> History:
    """With pauses as people make them, for nobody sat there: some seconds, now and then minutes."""
    runs = [replace(run, pause=round(rng.lognormvariate(1.5, 1.0), 1)) for run in history.runs]
    return replace(history, runs=tuple(runs))


# ------------------------------------------------------------------------------------------------ generated


def generate(recorded: Sequence[History], name: str, rng: random.Random) -> History:
    """A session in the notebook of ``recorded``: its cells under another habit, times within 20 % of recorded ones.

    The first time through is that of a recorded session; then blocks of cells are repeated as some recorded session ran
    them. A repeated cell needs the names it needed, in the versions there now, and makes pieces of the sizes it made.
    """
    base = rng.choice(recorded)
    library = [(history, start) for history in recorded for start in range(len(history.runs))]
    pieces: list[Piece] = []
    current: dict[str, int] = {}
    runs: list[Run] = []

    def add(history: History, run: Run) -> bool:
        needs = {current.get(name) for piece in run.needs for name in history.pieces[piece].names}
        if None in needs:
            return False  # it was not made in this session
        made = []
        for piece in run.makes:
            made.append(len(pieces))
            pieces.append(history.pieces[piece])
            current.update(dict.fromkeys(history.pieces[piece].names, made[-1]))
        seconds = run.seconds * rng.lognormvariate(0.0, 0.1)
        size = sum(pieces[piece].bytes for piece in set(current.values()))
        runs.append(
            replace(
                run,
                seconds=seconds,
                pause=round(rng.lognormvariate(1.5, 1.0), 1),
                needs=tuple(sorted(need for need in needs if need is not None)),
                makes=tuple(made),
                session_bytes=size,
            )
        )
        return True

    first = {run.cell: None for run in base.runs}
    through = next((index for index, run in enumerate(base.runs) if index >= len(first) - 2), len(base.runs))
    for run in base.runs[: through + 1]:
        add(base, run)
    for _ in range(rng.randint(1, 5)):
        history, start = rng.choice(library)
        length = rng.randint(2, 5)
        for _ in range(rng.randint(1, 3)):
            for run in history.runs[start : start + length]:
                if not run.stays and run.needs and not add(history, run):
                    break
    last = tuple(sorted(set(current.values())))
    return History(name, tuple(runs), tuple(pieces), last, "generated", base.notebook)


def generate_all(source: Path, folder: Path, count: int, seed: int = 2) -> None:
    """``count`` generated sessions from the recorded ones in ``source``."""
    recorded = [read_history(path) for path in sorted(source.glob("*.json"))]
    folder.mkdir(parents=True, exist_ok=True)
    notebooks = sorted({history.notebook for history in recorded})
    for number in range(count):
        notebook = notebooks[number % len(notebooks)]
        same = [history for history in recorded if history.notebook == notebook]
        name = f"generated-{Path(notebook).stem}-{number:03}"
        write_history(generate(same, name, random.Random(f"{seed} {number}")), folder / f"{name}.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("to", type=Path)
    generating = commands.add_parser("generate")
    generating.add_argument("source", type=Path, metavar="FROM")
    generating.add_argument("to", type=Path)
    generating.add_argument("--count", type=int, default=60)
    options = parser.parse_args()
    if options.command == "record":
        record_all(options.to)
    else:
        generate_all(options.source, options.to, options.count)


if __name__ == "__main__":
    main()
