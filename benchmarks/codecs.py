"""What taking values apart costs, against pickle: ``python -m benchmarks.codecs [--only TEXT]``.

CPU time of encoding and of loading, each as a ratio to ``pickle`` with protocol 5 and buffers out of band, on the same
values in the same process, by turns; the median of several rounds. Above 1.5 a codec owes a reason. Values of libraries
that are not installed are left out.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import io
import pickle
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle

from nbdag.portable.decode import Loading
from nbdag.portable.encode import measure_group, write_group

ROUNDS = 7
VALUES = {
    "one array, 80 MB": "import numpy; v = numpy.zeros(10_000_000)",
    "2,000 small arrays": "import numpy; v = [numpy.arange(20.0) + n for n in range(2000)]",
    "2,000 views": "import numpy; a = numpy.zeros((2000, 50)); v = [a[n] for n in range(2000)]",
    "objects in an array": "import numpy; v = numpy.array([str(n) for n in range(200_000)], object)",
    "records": "import numpy; v = numpy.zeros(500_000, [('a', 'i4'), ('b', 'f8')])",
    "20,000 scalars": "import numpy; v = [numpy.float64(n) for n in range(20_000)]",
    "numbers in a frame": "import numpy, pandas; v = pandas.DataFrame(numpy.zeros((100_000, 20)))",
    "200 frames": "import pandas; v = [pandas.DataFrame({'a': [1.0, 2], 'b': ['x', 'y']}) for n in range(200)]",
    "text in a frame": "import pandas; v = pandas.DataFrame({'s': [str(n) for n in range(200_000)]})",
    "text as objects": "import pandas; v = pandas.DataFrame({'s': pandas.Series([str(n) for n in range(200_000)], dtype=object)})",
    "a frame of 300 mixed columns": "import pandas; v = pandas.DataFrame({n: pandas.Series([1, 2], dtype=d) for n, d in enumerate(['Int64', 'f8', 'category'] * 100)})",
    "5,000 timestamps": "import pandas; v = list(pandas.date_range('2020', periods=5000, freq='h'))",
    "sparse matrices": "import scipy.sparse; v = [scipy.sparse.eye(100, format='csr') for n in range(300)]",
    "an Arrow table": "import pyarrow; v = pyarrow.table({'n': list(range(500_000)), 's': ['abc'] * 500_000})",
    "a polars frame": "import polars; v = polars.DataFrame({'n': range(500_000), 's': ['abc'] * 500_000})",
    "a model of torch": "import torch; v = torch.nn.Sequential(*[torch.nn.Linear(100, 100) for n in range(100)])",
    "2,000 tensors": "import torch; v = [torch.zeros(20) for n in range(2000)]",
    "100,000 instances": "import types; v = [types.SimpleNamespace(a=n, b=[n]) for n in range(100_000)]",
    "lists and dicts": "v = [{'a': n, 'b': [n, str(n)]} for n in range(100_000)]",
    "paths": "import pathlib; v = [pathlib.Path('a', str(n)) for n in range(20_000)]",
    "2,000 closures": "def make(n):\n    return lambda x: x + n\nv = [make(n) for n in range(2000)]",
}  # fmt: skip


def timed(call: Callable[[], Any]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def ratio(ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[float, float]:
    """(our CPU seconds, ratio to theirs), medians of alternating rounds."""
    pairs = [(timed(ours), timed(theirs)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return mine, mine / max(other, 1e-6)


def measured(make: str) -> tuple[float, float, float, float]:
    """Seconds and ratio of encoding, seconds and ratio of loading."""
    import linecache

    namespace: dict[str, Any] = {"__name__": "__main__"}
    linecache.cache["<values>"] = (len(make), None, make.splitlines(True), "<values>")
    exec(compile(make, "<values>", "exec"), namespace)
    value = namespace["v"]
    buffers: list[Any] = []
    plain = pickle if "lambda" not in make else cloudpickle
    payload = plain.dumps(value, 5, buffer_callback=buffers.append)
    encode = ratio(lambda: measure_group({"v": value}, {}, namespace),
                   lambda: plain.dumps(value, 5, buffer_callback=[].append))  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        index = write_group({"v": value}, {}, namespace, folder)

        def part(found: dict[str, Any]) -> Any:
            return base64.b64decode(found["inline"]) if "inline" in found else found

        group = {**index, "head": part(index["head"]), "regions": [part(region) for region in index["regions"]]}
        memory = [bytearray(buffer.raw()) for buffer in buffers]
        load = ratio(lambda: Loading(str(Path(folder)), namespace).load(group),
                     lambda: pickle.load(io.BytesIO(payload), buffers=memory))  # fmt: skip
    return *encode, *load


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="values whose name contains this")
    wanted = parser.parse_args().only
    print("| values | encode | x pickle | load | x pickle |\n|---|---|---|---|---|")
    for name, make in VALUES.items():
        if wanted not in name:
            continue
        try:
            for word in make.partition(";")[0].removeprefix("import ").split(", "):
                if make.startswith("import "):
                    importlib.import_module(word)
        except ImportError:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            encode, by_encode, load, by_load = measured(make)
        print(
            f"| {name} | {1000 * encode:.1f} ms | {by_encode:.2f} | {1000 * load:.1f} ms | {by_load:.2f} |", flush=True
        )


if __name__ == "__main__":
    main()
