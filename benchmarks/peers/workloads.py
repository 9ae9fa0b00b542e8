"""What is saved and restored: notebooks of other people, the same kind of work on larger data, wild little sessions.

- `corpus`: the notebooks of benchmarks/corpus.toml, each in a copy of its own directory;
- `sizes`: one analysis (load, clean, group, fit, score) on 1, 10 and 100 times the data, and synthetic states;
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
    for source in tomllib.loads((HERE / "corpus.toml").read_text(encoding="utf-8"))["source"]:
        for path in source["notebooks"]:
            file = fetch(source["sdist"]) / path
            package = source["sdist"].partition("=")[0]
            yield Workload(
                "corpus", f"{package} {file.stem}", tuple(cells_of(file)), lambda d, f=file.parent: _copy(f, d)
            )


def _copy(source: Path, directory: Path) -> None:
    shutil.copytree(source, directory)


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
    "forest of 200 trees": (
        "import numpy as np\nfrom sklearn.ensemble import RandomForestClassifier\nrng = np.random.default_rng(0)\n"
        "X = rng.normal(size=(4000, 20)); y = (X[:, 0] + X[:, 1] > 0).astype(int)",
        "forest = RandomForestClassifier(200, random_state=0).fit(X, y)",
    ),
    "dear and small": ("total = 0\nfor i in range(30_000_000): total += i * i % 7",),
}  # fmt: skip


def sizes() -> Iterator[Workload]:
    for factor, rows in ((1, 20_000), (10, 200_000), (100, 2_000_000)):
        yield Workload("sizes", f"shop analysis x{factor}", tuple(c.format(rows=rows) for c in ANALYSIS), nothing)
    for name, cells in STATES.items():
        yield Workload("sizes", name, cells, nothing)


def sessions() -> Iterator[Workload]:
    from tests.fidelity.sessions import SESSIONS

    for session in SESSIONS:
        yield Workload("sessions", session.name, session.cells, nothing, session.probes)


WORKLOADS: dict[str, Callable[[], Iterator[Workload]]] = {"corpus": corpus, "sizes": sizes, "sessions": sessions}
