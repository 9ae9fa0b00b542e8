"""Objects to try the purity tables on: receivers by the type of the tables, arguments by library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbdag.analysis.wordlist import words


class Either(tuple[Any, ...]):
    """Several receivers that the tables call by one type."""


def _arrays() -> list[Any]:
    import numpy as np

    positive = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
    return [
        positive,
        np.array([3.0, 1.0, 2.0]),
        1,
        np.array([2, 0, 1]),
        [np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])],
        "a",
        np.array([True, False, True]),
        (3, 3),
        lambda *values: values[0] if values else 0.0,
        [0.5, 0.25, 0.75],
        0.5,
        "float64",
        np.array([1.5, np.nan, np.inf]),
    ]


def _frame() -> Any:
    import pandas as pd

    return pd.DataFrame({"a": [3.0, 1.0, 2.0], "b": [1, 2, 2], "c": ["x", "y", "x"]})


def _tables() -> list[Any]:
    import numpy as np
    import pandas as pd

    frame = _frame()
    return [
        frame,
        "a",
        pd.Series([1.0, 2.0, 3.0], name="s"),
        1,
        [frame, _frame()],
        ["a", "b"],
        {"a": [1, 2, 3]},
        np.array([1.0, 2.0, 3.0]),
        lambda *values: values[0] if values else 0,
        pd.Index([0, 1, 2]),
        "sum",
        frame[["a", "b"]],
        {"a": "z"},
        "2024-01-01",
        pd.Series([True, False, True]),
        frame[["a", "b"]] > 1,
        float,
    ]


def _learning() -> list[Any]:
    import numpy as np

    rows = np.random.default_rng(0).random((24, 3))
    return [rows, np.arange(24) % 2, 2, rows[:, 0].copy(), [0, 1] * 12, "linear", _model(), 0.5]


def _model() -> Any:
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def _estimators() -> Either:
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.mixture import GaussianMixture
    from sklearn.model_selection import KFold
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    rows = np.random.default_rng(0).random((24, 3))
    kinds = np.arange(24) % 2
    made = [
        LinearRegression(), LogisticRegression(), RandomForestClassifier(3), KNeighborsClassifier(2), PCA(2),
        KMeans(2, n_init=1), StandardScaler(), MinMaxScaler(), DecisionTreeClassifier(),
        make_pipeline(StandardScaler(), PCA(2)), GaussianMixture(2), GradientBoostingClassifier(n_estimators=3),
    ]  # fmt: skip
    return Either((*(model.fit(rows, kinds) for model in made), KFold(2)))


def _drawn() -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([1, 3, 2], label="line")
    return figure, axes


def _axes() -> Any:
    import matplotlib.pyplot as plt

    return plt.subplots(2)[1]


def _drawings() -> list[Any]:
    import matplotlib.pyplot as plt
    import numpy as np
    from matplotlib.colors import Normalize
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    figure, axes = _drawn()
    return [
        [1.0, 2.0, 3.0], np.array([3.0, 1.0, 2.0]), 1, "a",
        np.array([[0.0, 1.0, 2.0], [1.0, 3.0, 4.0], [2.0, 1.0, 5.0]]), 0.5,
        Rectangle((0, 0), 1, 1), Line2D([0, 1], [0, 1]), axes.contour([[0.0, 1.0], [1.0, 3.0]]), Normalize(),
        plt.subplots()[1].imshow(np.eye(2)), axes, figure,
    ]  # fmt: skip


def _tensors() -> list[Any]:
    import torch

    torch.set_num_threads(1)
    return [
        torch.tensor([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]]),
        1,
        torch.tensor([3.0, 1.0, 2.0]),
        0,
        [torch.ones(3), torch.zeros(3)],
        torch.tensor([2, 0, 1]),
        (3, 3),
        torch.tensor([True, False, True]),
        0.5,
        torch.float64,
        "cpu",
        torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]),
    ]


def _polars() -> list[Any]:
    import polars as pl

    frame = pl.DataFrame({"a": [3.0, 1.0, 2.0], "b": [1, 2, 2], "c": ["x", "y", "x"]})
    return [
        frame, "a", pl.col("a"), 1, ["a", "b"], pl.Series("s", [1.0, 2.0, 3.0]), [frame, frame.clone()],
        {"a": [1, 2, 3]}, lambda *values: values[0], pl.Float64, {"a": "z"}, [1.0, 2.0], True,
    ]  # fmt: skip


POOLS: dict[str, Callable[[], list[Any]]] = {
    "numpy": _arrays,
    "scipy": _arrays,
    "pandas": _tables,
    "polars": _polars,
    "sklearn": _learning,
    "matplotlib": _drawings,
    "seaborn": lambda: [*_tables(), _drawn()[1]],
    "torch": _tensors,
}


def _of(library: str, make: Callable[[Any], Any]) -> Callable[[], Any]:
    def receiver() -> Any:
        import importlib

        return make(importlib.import_module(library))

    return receiver


RECEIVERS: dict[str, Callable[[], Any]] = {
    "list": lambda: [1, 2],
    "dict": lambda: Either(({1: 2}, __import__("collections").Counter("a"), __import__("collections").OrderedDict())),
    "set": lambda: {1, 2},
    "tuple": lambda: (1, 2),
    "str": lambda: "text",
    "bytes": lambda: b"text",
    "file": lambda: __import__("io").StringIO("text"),
    "generator": lambda: (one for one in [1]),
    "exception": lambda: ValueError("x"),
    "numpy.ndarray": _of("numpy", lambda np: Either((
        np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]]), np.array([3, 1, 2]),
        np.array(["b", "a"], object),
        np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])))),
    "numpy.random.Generator": _of("numpy.random", lambda random: random.default_rng(1)),
    "numpy.random.RandomState": _of("numpy.random", lambda random: random.RandomState(1)),
    "numpy.poly1d": _of("numpy", lambda np: np.poly1d([1.0, 2.0])),
    "scipy.sparse.matrix": _of("scipy.sparse", lambda sparse: Either((
        sparse.csr_matrix([[1.0, 0.0], [0.0, 2.0]]), sparse.coo_matrix([[1.0, 0.0], [0.0, 2.0]]),
        sparse.lil_matrix([[1.0, 0.0], [0.0, 2.0]]), sparse.csc_matrix([[1.0, 0.0], [3.0, 2.0]]),
        sparse.csr_array([[1.0, 0.0], [0.0, 2.0]])))),
    "pandas.DataFrame": lambda: Either((_frame(), _frame()[["a", "b"]], _frame().set_index("c"))),
    "pandas.Series": lambda: Either((_frame()["a"], _frame()["c"], _frame()["b"])),
    "pandas.Index": _of("pandas", lambda pd: Either((
        pd.Index([3, 1, 2]), pd.Index(["b", "a"]), pd.date_range("2024", periods=3),
        pd.MultiIndex.from_product([[1, 2], ["x", "y"]])))),
    "pandas.GroupBy": lambda: Either((_frame().groupby("c"), _frame().groupby("c")["a"], _frame()["a"].rolling(2))),
    "pandas.Timestamp": _of("pandas", lambda pd: pd.Timestamp("2024")),
    "pandas.Timedelta": _of("pandas", lambda pd: pd.Timedelta("1D")),
    "polars.DataFrame": lambda: _polars()[0],
    "polars.Series": lambda: Either((_polars()[5], _polars()[0]["c"])),
    "polars.LazyFrame": lambda: _polars()[0].lazy(),
    "polars.Expr": lambda: _polars()[2],
    "polars.GroupBy": lambda: _polars()[0].group_by("c"),
    "sklearn.Estimator": _estimators,
    "matplotlib.Axes": lambda: Either((_drawn()[1], _axes(), _drawn()[0], _drawn()[1].lines[0])),
    "torch.Tensor": lambda: Either((_tensors()[0], _tensors()[2], _tensors()[5], _tensors()[7])),
    "torch.nn.Module": _of("torch", lambda torch: torch.nn.Linear(3, 2)),
    "torch.Generator": _of("torch", lambda torch: torch.Generator()),
}  # fmt: skip

SPECIAL: dict[str, Callable[[], list[Any]]] = {}

# Asks the network, the user, the screen or the clipboard, or ends the process.
UNTRIED = words(
    "to_clipboard show pause waitforbuttonpress ginput pandas.read_clipboard matplotlib.pyplot.show "
    "matplotlib.pyplot.pause matplotlib.pyplot.ginput matplotlib.pyplot.waitforbuttonpress seaborn.load_dataset "
    "seaborn.get_dataset_names seaborn.get_data_home torch.hub.load to_gbq pandas.test numpy.test show_config"
)
UNTRIED_ROOTS = (
    "sklearn.datasets.fetch_",
    "scipy.datasets.",
    "numpy.testing.",
    "pandas.testing.",
    "torch.hub.",
    "pandas.util.",
    "matplotlib.cm.",
    "matplotlib.animation.",
)  # and what starts programs

# (name, what) that the check finds and that harms nobody: the reason stands beside it.
HARMLESS: frozenset[tuple[str, str]] = frozenset(
    (
        ("matplotlib.pyplot.xlabel", "changes argument 0"),  # an Axes as a label: nobody does that
        ("matplotlib.pyplot.xlabel", "its result (matplotlib.Text) shares with argument 0"),
        ("matplotlib.Axes.set_frame_on", "its receiver holds argument 0"),  # it is a truth value
        # The trees of KNeighborsClassifier count how often they were asked.
        ("sklearn.Estimator.kneighbors", "changes its receiver"),
        ("sklearn.Estimator.kneighbors_graph", "changes its receiver"),
        ("sklearn.Estimator.predict", "changes its receiver"),
        ("sklearn.Estimator.predict_proba", "changes its receiver"),
        ("sklearn.Estimator.score", "changes its receiver"),
        # It keeps its rows, and the recorder sees that. Said of every fit, a refit would change the data of the first.
        ("sklearn.Estimator.fit", "its receiver holds argument 0"),
        ("matplotlib.Axes.fill", "its receiver holds argument 0"),  # an array of Axes, filled with something else
        ("matplotlib.Axes.put", "its receiver holds argument 1"),
    )
)
