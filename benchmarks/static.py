"""How long the static analysis takes, against libcst's parser alone: ``python benchmarks/static.py [NOTEBOOK ...]``.

Goals: a cell in at most 1.5 times the time of ``libcst.parse_module`` (median), 1,000 cells of 8 lines in under 3 s
of CPU, 10,000 in under 30 s, and a second analysis after one edit in the time of that cell and the evaluation.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import libcst

from nbdag.analysis import cell_code
from nbdag.analysis.cells import analyze_cell
from nbdag.analysis.notebook import read_notebook
from nbdag.analysis.resolve import analyze_session

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


def best(work: Callable[[], object], repeats: int = 5, times: int = 10) -> float:
    """CPU seconds of doing ``work`` so many ``times``, the least of ``repeats``."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(times):
            work()
        taken.append(time.process_time() - start)
    return min(taken)


def forget() -> None:
    cell_code._lower_cached.cache_clear()


def ratio(source: str) -> float:
    """Analysis over parse alone."""

    def analyze() -> None:
        forget()
        analyze_cell(source)

    return best(analyze) / best(lambda: libcst.parse_module(source))


def parses(source: str) -> bool:
    try:
        libcst.parse_module(source)
    except libcst.ParserSyntaxError:
        return False
    return True


def session(count: int) -> list[str]:
    made = [f"df{n} = pd.read_csv('{n}.csv')\n" for n in range(10)]
    return [IMPORTS, *made, *[CELL.format(n=n % 10) + f"done{n} = {n}\n" for n in range(count)]]


def main(paths: list[str]) -> None:
    sources = [CELL.format(n=0), IMPORTS + CELL.format(n=0)]
    for path in paths:
        sources.extend(cell.source for cell in read_notebook(Path(path)).cells)
    analyze_cell(CELL.format(n=0))
    ratios = [ratio(source) for source in sources if source.strip() and parses(source)]
    median = statistics.median(ratios)
    print(f"analysis / parse alone  median {median:.2f}  worst {max(ratios):.2f}  {len(ratios)} cells")
    for count in (1_000, 10_000):
        forget()
        texts = session(count)
        start = time.process_time()
        analyze_session(texts)
        first = time.process_time() - start
        start = time.process_time()
        for text in texts:
            libcst.parse_module(text)
        alone = time.process_time() - start
        texts[count // 2] += "edited = 1\n"
        start = time.process_time()
        analyze_session(texts)
        again = time.process_time() - start
        print(f"{count:6} cells  {first:6.2f} s ({first / alone:.2f} of the parse)  after one edit {again:6.2f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
