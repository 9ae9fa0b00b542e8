"""How long planning takes: from the session graph to the plan, CPU time, on histories of every shape.

    python benchmarks/planner.py [--cells 2000 10000] [--profile SHAPE] [--out FILE]

Ten statements to a cell. "to cut" is what is left for the minimum cut after the rules of ``replay/closures.py``.

ElasticNotebook (VLDB 2024) reports 40 to 130 ms for 2,000 cell executions, with whole cells as nodes.
Its published planner, on one core before this project began: 0.15 s on the growing shape, 2.9 s with deletions,
3.4 s with all variables linked, and a RecursionError where every cell changes one object in place.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from nbdag.model.graph import Covariable, Hazard, Reluctance, SessionGraph, Step, Version
from nbdag.model.trace import ValueKind
from nbdag.replay.cost import CostModel
from nbdag.replay.planner import make_plan

STATEMENTS = 10

DRAW = Hazard(Reluctance.RISK, "it reads data.csv, which the target may lack")


class History:
    """A session as it grows, statement by statement; seeded, so that every run measures the same graph."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.current: dict[str, Version] = {}
        self.chance = random.Random(1)
        self.cell = 0

    def run(self, reads: Sequence[str], binds: Sequence[str] = (), changes: Sequence[str] = ()) -> None:
        """One statement."""
        position = len(self.steps)
        inputs = tuple(self.current[name] for name in sorted({*reads, *changes}) if name in self.current)
        outputs = tuple(Version(name, position) for name in sorted({*binds, *changes}))
        self.steps.append(
            Step(
                position,
                self.cell,
                "x",
                1,
                10 ** self.chance.uniform(-4, 1),
                inputs,
                outputs,
                tuple(binds),
                hazards=(DRAW,) if not inputs and self.chance.random() < 0.1 else (),
            )
        )
        for version in outputs:
            self.current[version.name] = version

    def delete(self, name: str) -> None:
        """``del name``."""
        self.current.pop(name, None)

    def graph(self, linked: bool = False) -> SessionGraph:
        """The graph at its end; ``linked``: all variables are one co-variable."""
        names = sorted(self.current)
        groups = [names] if linked else [[name] for name in names]
        covariables = tuple(
            Covariable(
                tuple(group),
                tuple(self.current[name] for name in group),
                int(10 ** self.chance.uniform(2, 9)),
                0.0,
                self.chance.random() > 0.02,
                "",
                ValueKind.DATA,
            )
            for group in groups
        )
        return SessionGraph(tuple(self.steps), covariables)


def growing(cells: int, delete: float = 0.0, linked: bool = False) -> SessionGraph:
    """Every cell makes a variable of two earlier ones, by way of temporaries, and shows it."""
    history = History()
    alive: list[str] = []
    for cell in range(cells):
        history.cell = cell
        sources = [history.chance.choice(alive[-50:]) for _ in range(2)] if alive else []
        history.run(sources, ["tmp"])
        for statement in range(STATEMENTS - 3):
            history.run(["tmp"], ["tmp" if statement % 2 else "part"])
        history.run(["tmp", "part"], [f"v{cell}"])
        history.run([f"v{cell}"])
        alive.append(f"v{cell}")
        if len(alive) > 5 and history.chance.random() < delete:
            gone = alive.pop(history.chance.randrange(len(alive)))
            history.delete(gone)
    return history.graph(linked)


def every_statement(cells: int) -> SessionGraph:
    """Every statement makes a variable that stays, of an earlier one."""
    history = History()
    for number in range(cells * STATEMENTS):
        history.cell = number // STATEMENTS
        history.run([f"v{history.chance.randrange(max(0, number - 50), number)}"] if number else [], [f"v{number}"])
    return history.graph()


def in_place(cells: int, summaries: bool = False) -> SessionGraph:
    """Every statement changes one object; with ``summaries`` every cell also makes a variable of it as it is then."""
    history = History()
    history.run([], ["x"])
    for cell in range(cells):
        history.cell = cell
        for _ in range(STATEMENTS - 1):
            history.run(["x"], changes=["x"])
        history.run(["x"], [f"v{cell}"] if summaries else [])
    return history.graph()


def tangled(cells: int) -> SessionGraph:
    """No structure at all: every statement reads two recent values that nobody has any more, every other one stays."""
    history = History()
    for number in range(cells * STATEMENTS):
        history.cell = number // STATEMENTS
        recent = [f"t{(number - history.chance.randint(1, 20)) % 40}" for _ in range(2)]
        history.run(recent, [f"t{number % 40}", f"v{number}"] if number % 2 else [f"t{number % 40}"])
    return history.graph()


SHAPES: dict[str, Callable[[int], SessionGraph]] = {
    "growing": growing,
    "growing, half deleted": lambda cells: growing(cells, delete=0.5),
    "growing, nine of ten deleted": lambda cells: growing(cells, delete=0.9),
    "one object changed in place": in_place,
    "the same, with summaries": lambda cells: in_place(cells, summaries=True),
    "all variables linked": lambda cells: growing(cells, linked=True),
    "every statement a variable": every_statement,
    "tangled": tangled,
}


def measure(graph: SessionGraph, repeats: int = 5) -> float:
    """The median CPU seconds of planning."""
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        make_plan(graph, CostModel(256e6))
        times.append(time.process_time() - begun)
    return sorted(times)[len(times) // 2]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[2000, 10000])
    parser.add_argument("--profile", default="", metavar="SHAPE")
    parser.add_argument("--out", type=Path, default=None, help="for the figures as JSON, a line for each shape")
    options = parser.parse_args()
    if options.profile:
        import cProfile

        graph = SHAPES[options.profile](options.cells[0])
        cProfile.runctx("make_plan(graph, CostModel(256e6))", globals(), {"graph": graph}, sort="tottime")
        return 0
    print(f"{'shape':30}" + "".join(f"{cells:>9} cells" for cells in options.cells) + "    (CPU ms, median of 5)")
    rows: list[str] = []
    for shape, make in SHAPES.items():
        figures = [measure(make(cells)) for cells in options.cells]
        if options.out:
            seconds = {str(cells): float(f"{taken:.4g}") for cells, taken in zip(options.cells, figures, strict=True)}
            rows.append(json.dumps({"shape": shape, "cpu_seconds": seconds}))
        print(f"{shape:30}" + "".join(f"{seconds * 1000:12.0f} ms" for seconds in figures), flush=True)
    if options.out:
        options.out.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
