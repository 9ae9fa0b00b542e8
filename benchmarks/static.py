"""How long the static analysis takes, against libcst's parser alone: ``python -m benchmarks.static [NOTEBOOK ...]``.

Without arguments it takes the notebooks under ``.corpus`` (``make corpus`` fetches them) and the cells below. Goals: a
cell in at most 1.5 times the time of ``libcst.parse_module`` (median), 1,000 cells of 8 lines in under 3 s of CPU,
10,000 in under 30 s, a second analysis after one edit in the time of that cell, and time in proportion to the cells
whatever they do. CPU seconds; where a ratio is given both sides were measured by turns. The figures of one run are in
``docs/speed.md``.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import libcst

from nbdag.analysis.cell_code import forget_cells
from nbdag.analysis.cells import analyze_cell
from nbdag.analysis.dataflow import static_edges
from nbdag.analysis.memory import Memory
from nbdag.analysis.notebook import read_notebook
from nbdag.analysis.resolve import analyze_session
from nbdag.errors import NbdagError

CORPUS = Path(__file__).resolve().parent.parent / ".corpus" / "sdists"
CELLS, NOTEBOOKS = 100, 30  # measured one by one; drawn from all
CELL = """\
values{n} = df{n}['price'].astype(float)
mask = values{n} > values{n}.mean() + {n}
selected{n} = df{n}[mask].sort_values('price')
for column in ['a', 'b']:
    selected{n}[column] = np.log(selected{n}[column])
model{n} = LinearRegression().fit(selected{n}[['a', 'b']], selected{n}['price'])
print(f"cell {n}: {{model{n}.coef_}} of {{len(selected{n})}}")
plt.plot([x for x in selected{n}['a']], label='a')
"""
IMPORTS = "import numpy as np, pandas as pd\nimport matplotlib.pyplot as plt\n"
IMPORTS += "from sklearn.linear_model import LinearRegression\n"


def cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def by_turns(first: Callable[[], object], second: Callable[[], object], rounds: int, times: int) -> float:
    """The time of ``first`` over that of ``second``, each the least of so many ``rounds``."""

    def repeated(work: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(times):
                work()

        return run

    taken = [(cpu(repeated(first)), cpu(repeated(second))) for _ in range(rounds)]
    return min(one for one, _ in taken) / max(min(other for _, other in taken), 1e-9)


def parses(source: str) -> bool:
    try:
        libcst.parse_module(source)
    except libcst.ParserSyntaxError:
        return False
    return True


def notebooks(paths: list[Path]) -> Iterator[list[str]]:
    for path in paths:
        try:
            sources = [cell.source for cell in read_notebook(path).cells if cell.source.strip()]
        except NbdagError:
            continue
        sources = [source for source in sources if parses(source)]
        if sources:
            yield sources


def one_cell(source: str) -> float:
    def analyze() -> None:
        forget_cells()
        analyze_cell(source)

    analyze()
    return by_turns(analyze, lambda: libcst.parse_module(source), rounds=5, times=5)


def one_notebook(sources: list[str]) -> float:
    def analyze() -> None:
        forget_cells()
        analyze_session(sources, remembered=Memory())

    def parse() -> None:
        for source in sources:
            libcst.parse_module(source)

    analyze()
    return by_turns(analyze, parse, rounds=3, times=1)


def spread(ratios: list[float]) -> str:
    ratios = sorted(ratios)
    return f"median {statistics.median(ratios):.2f}  nine of ten below {ratios[len(ratios) * 9 // 10]:.2f}"


def session(count: int) -> list[str]:
    made = [f"df{n} = pd.read_csv('{n}.csv')\n" for n in range(10)]
    return [IMPORTS, *made, *[CELL.format(n=n % 10) + f"done{n} = {n}\n" for n in range(count)]]


def shapes(n: int) -> dict[str, list[str]]:
    """Notebooks of ``n`` cells (or statements) that make analyses slow."""
    many = range(n)
    return {
        "all read one name": ["a = []", *[f"b{i} = a" for i in many]],
        "all change one name": ["a = []", *[f"a.append({i})" for i in many]],
        "deletions": [*[f"d{i} = []" for i in many], *[f"del d{i}" for i in many]],
        "functions calling each other": [*[f"def f{i}(x):\n    return f{i + 1}(x)" for i in many], "f0(y)"],
        "a function and a call each": [f"def f{i}(x):\n    x.append({i})\n    f{i - 1}(x)\nf{i}(y)" for i in many],
        "definitions in one cell": ["\n".join(f"def g{i}(a):\n    return a + {i}" for i in many)],
        "20 n statements in one cell": ["\n".join(f"s{i} = {i}" for i in range(20 * n))],
        "cells of one line": [f"n{i}" for i in many],
        "opaque": [f"v{i} = {i}\nexec('x')" for i in many],
        "strings": [f"w{i} = 'some words w{i - 1} here'" for i in many],
        "chain of calls into a library": ["import lib", *[f"x{i + 1} = lib.f(x{i})" for i in many]],
        "chain of calls of an unknown": [f"x{i + 1} = lib.f(x{i})" for i in many],
        "chain of unknown methods": [f"x{i + 1} = x{i}.f()" for i in many],
    }


def report_shapes() -> None:
    print(f"\n{'':32} {'500 cells':>10} {'1,000':>8} {'growth':>7} {'accesses':>9} {'after an edit':>14}")
    for name in shapes(1):
        taken = []
        for count in (500, 1_000):
            cells = shapes(count)[name]
            for cell in cells:
                analyze_cell(cell)  # parsing is in proportion by itself
            remembered = Memory()
            start = time.process_time()
            facts = analyze_session(cells, remembered=remembered)
            static_edges(facts)
            taken.append(time.process_time() - start)
        accesses = sum(len(statement.accesses) for fact in facts for statement in fact.statements)
        cells[len(cells) // 2] += "\nedited = 1\n"
        again = cpu(lambda cells=cells, remembered=remembered: analyze_session(cells, remembered=remembered))  # type: ignore[misc]
        growth = taken[1] / max(taken[0], 1e-3)
        print(f"{name:32} {taken[0]:9.2f}s {taken[1]:7.2f}s {growth:6.1f}x {accesses:9,} {again:13.3f}s", flush=True)


def main(paths: list[str]) -> None:
    found = [Path(path) for path in paths] or sorted(CORPUS.rglob("*.ipynb"))
    corpus = list(notebooks(found)) or [[IMPORTS, CELL.format(n=0)]]
    cells = [source for sources in corpus for source in sources]
    chance = random.Random(1)
    drawn = chance.sample(cells, min(CELLS, len(cells)))
    print(f"analysis / parse, {len(drawn)} of {len(cells)} cells  {spread([one_cell(s) for s in drawn])}", flush=True)
    whole = chance.sample(corpus, min(NOTEBOOKS, len(corpus)))
    ratios = [one_notebook(sources) for sources in whole]
    print(f"analysis / parse, {len(whole)} of {len(corpus)} notebooks  {spread(ratios)}", flush=True)
    for count in (1_000, 10_000):
        texts, remembered = session(count), Memory()
        forget_cells()
        first = cpu(lambda texts=texts, remembered=remembered: analyze_session(texts, remembered=remembered))  # type: ignore[misc]
        alone = cpu(lambda texts=texts: [libcst.parse_module(text) for text in texts])  # type: ignore[misc]
        texts[count // 2] += "edited = 1\n"
        again = cpu(lambda texts=texts, remembered=remembered: analyze_session(texts, remembered=remembered))  # type: ignore[misc]
        print(
            f"{count:6} cells  {first:6.2f} s ({first / alone:.2f} of the parse)  after one edit {again:6.3f} s",
            flush=True,
        )
    report_shapes()


if __name__ == "__main__":
    main(sys.argv[1:])
