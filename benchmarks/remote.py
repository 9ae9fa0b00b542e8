"""What running cells elsewhere saves: state that is not sent, seconds that are not waited.

    python -m benchmarks.remote                 # simulated and live, tables as Markdown on stdout; some ten minutes
    python -m benchmarks.remote --part sessions # recorded and generated sessions under every policy; a minute

*live*: the three notebooks in ``remote_notebooks/`` in an IPython of this process, with a real Jupyter server on
loopback behind ``tests/remote/proxy.py`` (a line of 100 Mbit/s and 50 ms). One machine cannot be faster than itself, so
*here is slowed*: after each of its statements, ``factor - 1`` times the statement's seconds are slept. The other side
computes at its real speed; what is sent, encoded, compared and applied takes its real time, on both sides of the line.

*sessions*: recorded ones (``tests/fixtures/remote``), a part of them unseen by the policies, and generated ones.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.remote_sessions import KERNEL_THREADS, NOTEBOOKS, generate_all
from nbdag.remote.decisions import read_log
from nbdag.remote.history import History
from nbdag.remote.model import Link, RemoteRun
from nbdag.remote.policies import POLICIES
from nbdag.remote.simulate import Conditions
from nbdag.remote.trial import Trial, read_sessions, run_trial

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures" / "remote"
BYTES_PER_SECOND, ROUND_TRIP = 12.5e6, 0.05
DOMAINS = {"rasters": "remote sensing", "images": "image recognition", "digits": "handwritten digits"}
HEAVY = 1.0
"""Seconds here, slowed, from which on a cell counts as one that is worth sending away."""


# ------------------------------------------------------------------------------------------------ sessions


def sessions_part(generated: int) -> None:
    """The tables of simulated sessions."""
    recorded = read_sessions([FIXTURES], Path("nowhere"))
    unseen = tuple(one for one in recorded if one.name.endswith(("-back", "-blocks")))
    seen = tuple(one for one in recorded if one not in unseen)
    print("\n### Recorded sessions that the policies had not seen, of notebooks that they had\n")
    for speedup in (2.0, 4.0, 8.0, 16.0):
        _policies(f"speedup {speedup:g}", run_trial(unseen, _line(speedup), list(POLICIES), learn_from=seen))
    print("\n### The same with single cells 30 % off the speedup, and over other lines, speedup 4\n")
    names = list(POLICIES)
    _policies("30 % off", run_trial(unseen, _line(4.0, spread=0.3), names, learn_from=seen))
    _policies("1 s beside", run_trial(unseen, _line(4.0, overhead=1.0), names, learn_from=seen))
    _policies("10 Mbit/s", run_trial(unseen, _line(4.0, rate=1.25e6), names, learn_from=seen))
    _policies("1 Gbit/s", run_trial(unseen, _line(4.0, rate=125e6), names, learn_from=seen))
    print("\n### Recorded sessions from nothing, each learned from before the next, speedup 4\n")
    _policies("from nothing", run_trial(recorded, _line(4.0), names))
    print("\n### A notebook that the policies had never seen, speedup 4: they know the other two\n")
    for notebook in DOMAINS:
        new = tuple(one for one in recorded if one.name.startswith(notebook))
        others = tuple(one for one in recorded if one not in new)
        _policies(notebook, run_trial(new, _line(4.0), names, learn_from=others))
    with tempfile.TemporaryDirectory() as folder:
        generate_all(FIXTURES, Path(folder), generated)
        made = read_sessions([Path(folder)], Path("nowhere"))
    # By turns: of every notebook as many to learn from as to be measured on.
    half = len(made[::2])
    for speedup in (2.0, 4.0):
        told = f"{len(made) - half} generated sessions, speedup {speedup:g}"
        print(f"\n### {told}; learned from {half} other generated ones\n")
        _policies("generated", run_trial(made[1::2], _line(speedup), names, learn_from=made[::2]))
    print("\n### A target that is slower than here: what trying costs\n")
    for speedup in (0.25, 1.0):
        _policies(
            f"speedup {speedup:g}, said to be 4", run_trial(recorded, Lying(_line(4.0).link, real=speedup), names)
        )
    _reduction_in(recorded)


@dataclass(frozen=True)
class Lying(Conditions):
    """A target that is not as fast as its benchmark said."""

    real: float = 1.0

    def there(self, run: Any) -> float:
        return float(run.seconds) / self.real


def _line(speedup: float, rate: float = BYTES_PER_SECOND, spread: float = 0.0, overhead: float = 0.3) -> Conditions:
    return Conditions(Link(ROUND_TRIP, rate, speedup), overhead, spread)


def _policies(what: str, trial: Trial) -> None:
    print(f"| {what} | waiting | against all here | above the oracle | worst to best session | cells there | moved |")
    print("|---|---|---|---|---|---|---|")
    for name, courses in trial.courses.items():
        against = trial.against(name, "here")
        gains = [here.waited / mine.waited for mine, here in zip(courses, trial.courses["here"], strict=True)]
        above = f"+{trial.against(name, 'oracle') - 1:.1%}" if name != "oracle" else ""
        moved = sum(course.moved for course in courses) / 1e6
        there = sum(course.there for course in courses)
        print(
            f"| {name} | {trial.waited(name):.0f} s | {1 / against:.2f}x | {above} "
            f"| {min(gains):.2f}x to {max(gains):.2f}x | {there} "
            f"| {moved:.0f} MB |"
        )
    print()


UNUSED = "noisy"
"""A variable of the notebook on digits that no other cell reads: it would make any tool look good."""


def _reduction_in(sessions: Sequence[History]) -> None:
    """How much less than the session each cell needs, by what the recorder saw."""
    print("\n### State that a cell needs, against the session before it (recorded sessions)\n")
    print("| cells | number | median | mean | best | least |")
    print("|---|---|---|---|---|---|")
    for least, what in ((0.0, "all that need something"), (1.0, "of 1 s and more")):
        _reduction_row(what, sessions, least)
        _reduction_row(f"{what}, without `{UNUSED}`", sessions, least, UNUSED)
        for notebook, domain in DOMAINS.items():
            own = [one for one in sessions if one.name.startswith(notebook)]
            _reduction_row(f"{what}: {domain}", own, least)


def _reduction_row(what: str, sessions: Sequence[History], least: float, without: str = "") -> None:
    factors = []
    for history in sessions:
        dropped = 0
        for run in history.runs:
            needed, whole = history.needed_bytes(run), run.session_bytes - dropped
            if needed and run.session_bytes > 1e6 and run.seconds >= least:
                factors.append(whole / needed)
            for piece in run.makes:
                if without in history.pieces[piece].names:
                    dropped = history.pieces[piece].bytes
    print(
        f"| {what} | {len(factors)} | {statistics.median(factors):.1f}x "
        f"| {statistics.geometric_mean(factors):.1f}x | {max(factors):,.0f}x | {min(factors):.2f}x |"
    )


# ------------------------------------------------------------------------------------------------ live


@dataclass
class CellTimes:
    """One cell of a notebook: seconds by phase, what it needs of how much, and what was sent for it."""

    label: str
    here: float = 0.0
    auto: tuple[float, ...] = ()
    places: tuple[str, ...] = ()
    refused: str = ""  # why it could not run there
    why: str = ""  # of the decision in the last round
    there: float = 0.0
    needed: int = 0
    whole: int = 0
    sent: int = 0
    sent_of: int = 0


def live_part(factor: float, rounds: int, only: Sequence[str]) -> None:
    """The tables of notebooks that really ran."""
    os.environ.update(KERNEL_THREADS)
    warnings.simplefilter("ignore")
    all_cells: list[CellTimes] = []
    print(f"\n### Live: 100 Mbit/s, 50 ms, here slowed {factor:g} times; {rounds} rounds under the block policy\n")
    print("| notebook | all here | all there | block policy, median (from - to) | gain | best cell |")
    print("|---|---|---|---|---|---|")
    for name in only:
        cells = run_notebook(name, factor, rounds)
        all_cells += cells
        here, there = sum(cell.here for cell in cells), sum(cell.there for cell in cells)
        totals = [sum(cell.auto[index] for cell in cells) for index in range(rounds)]
        middle = statistics.median(totals)
        best = max(cells, key=lambda cell: cell.here / statistics.median(cell.auto) if cell.here > HEAVY else 0.0)
        gain = best.here / statistics.median(best.auto)
        print(
            f"| {DOMAINS[name]} | {here:.1f} s | {there:.1f} s "
            f"| {middle:.1f} s ({min(totals):.1f} - {max(totals):.1f}) "
            f"| {here / middle:.2f}x | {gain:.2f}x `{best.label[:40]}` |",
            flush=True,
        )
    _live_reduction(all_cells)
    print("\n| cell | here | under the policy | ran | all there | needs | of | less | sent |")
    print("|---|---|---|---|---|---|---|---|---|")
    for cell in all_cells:
        print(
            f"| `{cell.label[:44]}` | {cell.here:.2f} s | {statistics.median(cell.auto):.2f} s | {cell.places[-1]} "
            f"| {cell.there:.2f} s | {cell.needed / 1e6:.2f} MB | {cell.whole / 1e6:.1f} MB "
            f"| {cell.whole / max(cell.needed, 1):,.1f}x | {cell.sent / 1e6:.2f} MB |"
        )
    print(*(f"\n- `{cell.label[:44]}` could not run there: {cell.refused}" for cell in all_cells if cell.refused))
    stayed = [cell for cell in all_cells if cell.here >= HEAVY and cell.places[-1] == "here"]
    print(*(f"\n- `{cell.label[:44]}` stayed: {cell.why}" for cell in stayed))


def _live_reduction(cells: Sequence[CellTimes]) -> None:
    print("\n| state | cells | median | best | least |")
    print("|---|---|---|---|---|")
    told = {
        "needed, of the whole session": [(cell.whole, cell.needed) for cell in cells if cell.needed],
        "needed, cells of a second and more": [(c.whole, c.needed) for c in cells if c.needed and c.here >= HEAVY],
        "sent, of the whole session (not what is there already)": [
            (c.sent_of, c.sent) for c in cells if c.sent_of > 1e6
        ],
    }
    for what, pairs in told.items():
        factors = [whole / max(part, 1) for whole, part in pairs]
        if factors:
            best = max(whole / part for whole, part in pairs if part) if any(part for _, part in pairs) else 0.0
            none = sum(not part for _, part in pairs)
            note = f" ({none} sent nothing)" if none else ""
            print(
                f"| {what} | {len(pairs)}{note} | {statistics.median(factors):,.1f}x "
                f"| {best:,.0f}x | {min(factors):.2f}x |"
            )


def run_notebook(name: str, factor: float, rounds: int) -> list[CellTimes]:
    """One notebook: once all here, some rounds under the policy, once all there, in one session."""
    from nbdag.analysis.notebook import read_notebook
    from nbdag.remote.sessions import close_session, session_on

    notebook = read_notebook(NOTEBOOKS / f"{name}.ipynb")
    first, *sources = [cell.source for cell in notebook.cells]
    cells = [CellTimes(source.strip().splitlines()[0]) for source in sources]
    with session_of(factor) as (shell, runs):

        def run(source: str) -> float:
            begun = time.perf_counter()
            shell.run_cell(source, store_history=True).raise_error()
            return time.perf_counter() - begun

        run(first)  # imports: once, on either side, and no policy can change that
        run("%nbdag migrate auto --policy block --allowance 600")
        remote = session_on(shell, "bench", _Silent())
        for cell, source in zip(cells, sources, strict=True):
            needs = remote.needs(source)
            cell.needed, cell.whole = needs.bytes, needs.whole_bytes
            cell.here = run(source)
        for _ in range(rounds):
            for cell, source in zip(cells, sources, strict=True):
                before = len(runs)
                cell.auto = (*cell.auto, run(source))
                cell.places = (*cell.places, "there" if len(runs) > before else "here")
        run("%nbdag migrate off")
        for cell, entry in zip(cells, read_log(Path(".nbdag", "migration"))[-len(cells) :], strict=False):
            cell.why = entry.reason
        close_session(shell, "bench")
        for cell, source in zip(cells, sources, strict=True):
            before = len(runs)
            try:
                cell.there = run(f"%%nbdag on bench\n{source}")
            except Exception as error:  # refused: it runs here, as the user would do
                cell.refused, cell.there = str(error).splitlines()[0], run(source)
            if len(runs) > before:
                cell.sent, cell.sent_of = runs[-1].sent.bytes, runs[-1].needs.whole_bytes
        close_session(shell, "bench")
    return cells


class _Silent:
    """A watcher that says nothing."""

    def needs(self, target: str, needs: Any) -> None: ...
    def begin(self, stage: str, total: float | None) -> None: ...
    def advance(self, amount: float) -> None: ...
    def say(self, message: str) -> None: ...


@contextmanager
def session_of(factor: float) -> Iterator[tuple[Any, list[RemoteRun]]]:
    """An IPython of this process that is ``factor`` times slower than it is, and a server behind the proxy."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    import nbdag.magics.on
    import nbdag.remote.measure
    from tests.remote.proxy import Line, Proxy
    from tests.remote.servers import TOKEN, start_jupyter

    main, directory = sys.modules["__main__"], Path.cwd()
    runs: list[RemoteRun] = []
    run_there, calibrate = nbdag.magics.on.run_there, nbdag.remote.measure.benchmark_seconds

    def noted(*arguments: Any, **options: Any) -> RemoteRun:
        found: RemoteRun = run_there(*arguments, **options)
        runs.append(found)
        return found

    with tempfile.TemporaryDirectory(prefix="nbdag-bench-") as folder:
        os.chdir(folder)
        os.environ.update(NBDAG_CONFIG_DIR=str(Path(folder, "config")), BENCH_TOKEN=TOKEN)
        server = start_jupyter(Path(folder, "server"))
        InteractiveShell.clear_instance()
        shell: Any = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
        slow_down(shell, factor)
        nbdag.magics.on.run_there = noted
        nbdag.remote.measure.benchmark_seconds = lambda: factor * calibrate()
        shown = (sys.stdout, sys.stderr)
        sys.stdout = sys.stderr = io.StringIO()
        try:
            line = Line(BYTES_PER_SECOND, ROUND_TRIP / 2)
            with Proxy(server.port, link=line) as proxy:
                shell.run_cell("%load_ext nbdag").raise_error()
                url = f"http://127.0.0.1:{proxy.port} --token-env BENCH_TOKEN --kernel elsewhere"
                shell.run_cell(f"%nbdag remote add bench {url}").raise_error()
                yield shell, runs
                shell.run_cell("%unload_ext nbdag")
        finally:
            sys.stdout, sys.stderr = shown
            nbdag.magics.on.run_there, nbdag.remote.measure.benchmark_seconds = run_there, calibrate
            server.stop()
            InteractiveShell.clear_instance()
            sys.modules["__main__"] = main
            os.chdir(directory)


def slow_down(shell: Any, factor: float) -> None:
    """After each statement of a cell, sleep until it took ``factor`` times as long; not after a magic of nbdag."""
    run_code = shell.run_code

    async def slowed(code: Any, result: Any = None, *, async_: bool = False) -> Any:
        begun = time.perf_counter()
        try:
            return await run_code(code, result, async_=async_)
        finally:
            if not {"run_cell_magic", "run_line_magic"} & set(code.co_names):
                time.sleep((factor - 1) * (time.perf_counter() - begun))

    shell.run_code = slowed


def main() -> None:
    parser = argparse.ArgumentParser(description="State and seconds saved by running cells elsewhere.")
    parser.add_argument("--part", choices=("all", "sessions", "live"), default="all")
    parser.add_argument("--factor", type=float, default=5.0, help="how much here is slowed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--notebook", action="append", choices=list(DOMAINS))
    parser.add_argument("--generated", type=int, default=60)
    options = parser.parse_args()
    if options.part in {"all", "sessions"}:
        sessions_part(options.generated)
    if options.part in {"all", "live"}:
        live_part(options.factor, options.rounds, options.notebook or list(DOMAINS))


if __name__ == "__main__":
    main()
