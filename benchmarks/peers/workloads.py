"""What is saved and restored: notebooks of other people, the same kind of work on larger data, wild little sessions.

- `corpus`: the notebooks of benchmarks/corpus.toml, each in a copy of its own directory;
- `sizes`: notebooks of the corpus on 10 and 100 times their data, one analysis (load, clean, group, fit, score) on
  1, 10 and 100 times, and synthetic states;
- `sessions`: the fidelity sessions of tests/fidelity, which hold what usually does not survive.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpus import HERE, fetch, tomllib
from benchmarks.peers.kernels import cells_of


@dataclass(frozen=True, slots=True)
class Workload:
    """A session: what runs, and a function that fills the directory it runs in."""

    kind: str
    name: str
    cells: tuple[str, ...]
    furnish: Callable[[Path], None]
    probes: tuple[str, ...] = ()  # expressions that must say the same on both sides, instead of the judge


def nothing(directory: Path) -> None:
    directory.mkdir(parents=True)


def corpus() -> Iterator[Workload]:
    for name, file in notebooks().items():
        yield Workload("corpus", name, tuple(cells_of(file)), lambda d, f=file.parent: _copy(f, d))


def notebooks() -> dict[str, Path]:
    """The notebooks of the corpus by name, fetched."""
    found = {}
    for source in tomllib.loads((HERE / "corpus.toml").read_text(encoding="utf-8"))["source"]:
        package = source["sdist"].partition("=")[0]
        found |= {f"{package} {Path(p).stem}": fetch(source["sdist"]) / p for p in source["notebooks"]}
    return found


def _copy(source: Path, directory: Path) -> None:
    shutil.copytree(source, directory)


DRAWN = ".sample(frac={factor}, replace=True, random_state=0, ignore_index=True)"
"""So many times the rows of a frame, drawn from it."""

SCALED: tuple[tuple[str, str, str, tuple[int, ...]], ...] = (
    # notebook, the text in its cells that decides how much data there is, what stands there instead, factors.
    # Where there is no 100, one system after the other took longer than a minute.
    ("statsmodels quantile_regression", "sm.datasets.engel.load_pandas().data", "sm.datasets.engel.load_pandas().data" + DRAWN, (10, 100)),
    ("statsmodels glm_weights", "sm.datasets.fair.load_pandas().data", "sm.datasets.fair.load_pandas().data" + DRAWN, (10, 100)),
    ("statsmodels distributed_estimation", "size=(1000, 25)", "size=({factor}_000, 25)", (10,)),
    ("xarray weather-data", '"2001-12-31"', '"{last_year}-12-31"', (10, 100)),
    ("emcee line", "N = 50", "N = 50 * {factor}", (10,)),
    ("boost_histogram SimpleExample", "size=(2, 1_000_000)", "size=(2, {factor}_000_000)", (10,)),
)  # fmt: skip


def scaled(cells: tuple[str, ...], text: str, instead: str, factor: int) -> tuple[str, ...]:
    """The cells with ``text`` replaced. Raises ValueError unless it stands in exactly one place."""
    if sum(cell.count(text) for cell in cells) != 1:
        raise ValueError(f"{text!r} does not stand in exactly one place of the notebook")
    words = instead.format(factor=factor, last_year=1999 + 2 * factor)
    return tuple(cell.replace(text, words) for cell in cells)


ANALYSIS = (
    "import numpy as np, pandas as pd\nfrom sklearn.linear_model import LogisticRegression\n"
    "from sklearn.preprocessing import StandardScaler\nrows = {rows}",
    "rng = np.random.default_rng(0)\n"
    "raw = pd.DataFrame({{'shop': rng.integers(0, 50, rows), 'price': rng.gamma(2.0, 10.0, rows),\n"
    "                    'day': pd.Timestamp('2026-01-01') + pd.to_timedelta(rng.integers(0, 365, rows), unit='D'),\n"
    "                    'label': rng.choice(['new', 'used', 'broken'], rows)}})",
    "def clean(frame):\n    frame = frame[frame['price'] < 80].copy()\n    frame['month'] = frame['day'].dt.month\n    return frame\n"
    "tidy = clean(raw)\nby_shop = tidy.groupby('shop')['price'].agg(['mean', 'std', 'count'])",
    "X = np.column_stack([tidy['price'], tidy['month'], tidy['shop']]).astype(float)\n"
    "y = (tidy['label'] == 'new').to_numpy()\nscaler = StandardScaler().fit(X)\nscaled = scaler.transform(X)",
    "model = LogisticRegression(max_iter=50).fit(scaled[:100_000], y[:100_000])\nhead = scaled[:1000]\n"
    "scores = model.predict_proba(head)[:, 1]",
    "print(by_shop.head(), scores.mean())",
)
STATES = {
    "one array 400 MB": ("import numpy as np\nhouse = np.random.default_rng(0).normal(size=(50_000, 1000))",),
    "numeric 200 MB": ("import numpy as np\narrays = [np.random.default_rng(i).normal(size=2_500_000) for i in range(10)]",),
    "views and duplicates 200 MB": (
        "import numpy as np\nbase = np.random.default_rng(0).normal(size=(5000, 5000))",
        "left, right, turned, copy = base[:, :2500], base[:, 2500:], base.T, base.copy()",
    ),
    "strings 1,000,000": ("words = ['word %d' % (i * 7919 % 1000003) for i in range(1_000_000)]",),
    "objects 200,000": (
        "class Point:\n    def __init__(self, x, y): self.x, self.y = x, y",
        "points = [Point(i, str(i)) for i in range(200_000)]\nindex = {p.x: p for p in points}",
    ),
    "wide frame, half strings": (
        "import numpy as np, pandas as pd\nrng = np.random.default_rng(0)\nwords = np.array(['word %d' % i for i in range(5000)], dtype=object)",
        "wide = pd.DataFrame({'c%d' % i: rng.choice(words, 1000) if i % 2 else rng.normal(size=1000) for i in range(1000)})",
        "few = wide[['c0', 'c1', 'c2']].copy()\ncounts = wide['c1'].value_counts()",
    ),
    "nested dicts": (
        "def tree(depth, path='root'):\n    if not depth: return {'path': path, 'weights': [len(path)] * 3}\n"
        "    return {'%s/%d' % (path, i): tree(depth - 1, '%s/%d' % (path, i)) for i in range(12)}",
        "settings = tree(4)\nchosen = settings['root/3']['root/3/4']\nby_name = {'chosen': chosen, 'all': settings}",
    ),
    "pipelines and boosting": (
        "import numpy as np, pandas as pd\nfrom sklearn.compose import ColumnTransformer\nfrom sklearn.ensemble import HistGradientBoostingRegressor\n"
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import OneHotEncoder, StandardScaler\nrng = np.random.default_rng(0)",
        "frame = pd.DataFrame({'a': rng.normal(size=10_000), 'b': rng.gamma(2, 1, 10_000), 'kind': rng.choice(['x', 'y', 'z'], 10_000)})\n"
        "target = frame['a'] * frame['b'] + (frame['kind'] == 'x')",
        "prepare = ColumnTransformer([('n', StandardScaler(), ['a', 'b']), ('k', OneHotEncoder(sparse_output=False), ['kind'])])\n"
        "models = {depth: make_pipeline(prepare, HistGradientBoostingRegressor(max_depth=depth, max_iter=30, random_state=0)).fit(frame, target) for depth in (2, 4, 6)}",
        "best = models[max(models, key=lambda d: models[d].score(frame, target))]\nresidual = target - best.predict(frame)",
    ),
    "forest of 200 trees": (
        "import numpy as np\nfrom sklearn.ensemble import RandomForestClassifier\nrng = np.random.default_rng(0)\n"
        "X = rng.normal(size=(4000, 20)); y = (X[:, 0] + X[:, 1] > 0).astype(int)",
        "forest = RandomForestClassifier(200, random_state=0).fit(X, y)",
    ),
    "dear and small": ("total = 0\nfor i in range(30_000_000): total += i * i % 7",),
}  # fmt: skip


def sizes() -> Iterator[Workload]:
    found = notebooks()
    for name, text, instead, factors in SCALED:
        for factor in factors:
            cells = scaled(tuple(cells_of(found[name])), text, instead, factor)
            yield Workload("sizes", f"{name} x{factor}", cells, lambda d, f=found[name].parent: _copy(f, d))
    for factor, rows in ((1, 20_000), (10, 200_000), (100, 2_000_000)):
        yield Workload("sizes", f"shop analysis x{factor}", tuple(c.format(rows=rows) for c in ANALYSIS), nothing)
    for name, cells in STATES.items():
        yield Workload("sizes", name, cells, nothing)


def sessions() -> Iterator[Workload]:
    from tests.fidelity.sessions import SESSIONS

    for session in SESSIONS:
        yield Workload("sessions", session.name, session.cells, nothing, session.probes)


WORKLOADS: dict[str, Callable[[], Iterator[Workload]]] = {"corpus": corpus, "sizes": sizes, "sessions": sessions}
