"""Round trips of a cell that runs elsewhere, counted by their delay, and the seconds it takes beside its own.

    python -m benchmarks.remote_trips [--rounds 5]

The same small cells run there over a line without delay and over one that delays every byte by a set time, in turns.
What the delayed ones take longer, divided by the delay of a round trip, is the number of round trips they wait for.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbdag.remote.model import CellRequest
from tests.remote.notebook import Notebook
from tests.remote.proxy import Line, Proxy
from tests.remote.servers import TOKEN, start_jupyter

ROUND_TRIP = 0.2  # seconds: long against what the two sides compute, so that the quotient is a count
CELLS = {
    "sends nothing, makes nothing": ("", "pass"),
    "sends and changes a small list": ("log = list(range(50))", "log.append(1)"),
    "uses what is there, makes 1 kB": ("", "made = bytes(log[-1] % 256 for _ in range(1000))"),
    "sends 1 MB": ("import os\nlarge = os.urandom(1_000_000)", "total = sum(large)"),
    "makes 1 MB": ("", "import os\nback = os.urandom(1_000_000)"),
    "sends 30 MB in parts": ("parts = os.urandom(30_000_000)", "size = len(parts)"),
    "makes 30 MB in parts": ("", "import os\nmany = os.urandom(30_000_000)"),
}


@contextmanager
def notebook_on_proxy() -> Iterator[tuple[Notebook, Proxy]]:
    with tempfile.TemporaryDirectory(prefix="nbdag-trips-") as folder:
        server = start_jupyter(Path(folder, "server"))
        notebook = Notebook()
        try:
            with Proxy(server.port) as proxy:
                notebook.connect(f"http://127.0.0.1:{proxy.port}", TOKEN, kernel="elsewhere")
                yield notebook, proxy
                notebook.close()
        finally:
            server.stop()


def measure(rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds of each cell beside its own, without delay and with it."""
    found: dict[str, tuple[list[float], list[float]]] = {"opens": ([], []), **{name: ([], []) for name in CELLS}}
    with notebook_on_proxy() as (notebook, proxy):
        assert notebook.remote is not None
        for _ in range(rounds):
            for index, delay in enumerate((0.0, ROUND_TRIP / 2)):
                notebook.remote.close()
                notebook.clear()
                proxy.link = Line(delay_seconds=delay)
                begun = time.perf_counter()
                notebook.remote.open()
                found["opens"][index].append(time.perf_counter() - begun)
                notebook.sends("first = 1")
                for name, (before, cell) in CELLS.items():
                    notebook.runs(before)
                    begun = time.perf_counter()
                    outcome = notebook.remote.run(CellRequest(cell))
                    found[name][index].append(time.perf_counter() - begun - outcome.run.seconds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Round trips of a cell that runs elsewhere.")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| cell | beside its own seconds, no delay | round trips waited for (from - to) |")
    print("|---|---|---|")
    for name, (near, far) in measure(options.rounds).items():
        trips = [(late - soon) / ROUND_TRIP for soon, late in zip(near, far, strict=True)]
        print(
            f"| {name} | {statistics.median(near) * 1000:.0f} ms ({min(near) * 1000:.0f} - {max(near) * 1000:.0f}) "
            f"| {statistics.median(trips):.1f} ({min(trips):.1f} - {max(trips):.1f}) |"
        )


if __name__ == "__main__":
    main()
