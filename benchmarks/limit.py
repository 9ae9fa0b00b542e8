"""``python benchmarks/limit.py``: is the plan of a session the same whether looking had a limit or not?

    python benchmarks/limit.py [--only TEXT] [--notebooks N] [--sessions N] [--twice] [--out FILE]

Every notebook of the corpus and every session of tests/fidelity runs twice in real kernels, back to back as "run all"
sends the cells: once as ``%load_ext nbdag`` records it, with a limit on what looking may take, and once as
``nbdag analyze`` does, without. Both are planned with the same costs (statements' times and variables' sizes of the run
without a limit): the usual ones, and such that everything is replayed that can be.

A plan made under the limit may store more, or run more statements, than it must: that is its price. It is *wrong* where
the graph made without a limit says that it would not restore the session (:func:`faults` has the list). That graph says
too much now and then (what has no fingerprint counts as changed whenever it was reached): each fault needs a look.
Two runs of one notebook differ by themselves, too: ``--twice`` also compares two runs without a limit.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from corpus import CACHE, HERE, environment, tomllib
from jupyter_client.manager import KernelManager
from overhead import notebooks

from nbdag.analysis.agent_client import KernelAgent
from nbdag.model.graph import Covariable, SessionGraph, Step
from nbdag.model.plan import Action, Load, Plan, Replay
from nbdag.pipeline import understand
from nbdag.replay.cost import CostModel
from nbdag.replay.demands import UNRECORDED, Demands, demand, impossible_steps
from nbdag.replay.planner import make_plan

CELL_SECONDS = 300.0
BANDWIDTH = 500e6
DEAR = 10**13  # bytes: nothing of this size is stored that can be replayed
WORLDS = ("usual", "replay")


@dataclass(frozen=True, slots=True)
class Case:
    """Cells, the directory they expect around them (None: an empty one), and the Python that runs them."""

    name: str
    cells: Sequence[str]
    folder: Path | None
    python: Path


def cases(only: str, books: int, small: int) -> Iterator[Case]:
    """The notebooks of the corpus, then the sessions of tests/fidelity whose packages are there."""
    if books:
        environment(tomllib.loads((HERE / "corpus.toml").read_text(encoding="utf-8"))["install"])
        for name, cells, folder in islice(notebooks(only), books):
            yield Case(name, cells, folder, CACHE / "venv" / "bin" / "python")
    if small:
        from tests.fidelity.sessions import SESSIONS

        fitting = (
            session
            for session in SESSIONS
            if only in session.name and all(importlib.util.find_spec(package) for package in session.needs)
        )
        for session in islice(fitting, small):
            yield Case(session.name, session.cells, None, Path(sys.executable))


# ------------------------------------------------------------------------------------------------ recording


@contextmanager
def kernel(python: Path, directory: Path) -> Iterator[tuple[Any, Path]]:
    """A kernel on sockets of its own: its client and its connection file."""
    home = Path(tempfile.mkdtemp(prefix="k"))
    manager = KernelManager(connection_file=str(home / "connection.json"), transport="ipc", ip=str(home / "s"))
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager._kernel_spec = manager.kernel_spec_manager.kernel_spec_class(argv=argv, language="python")
    hidden = {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg", "IPYTHONDIR": str(home / "ipython")}
    silent = subprocess.DEVNULL
    manager.start_kernel(cwd=str(directory), env=dict(os.environ, **hidden), stdout=silent, stderr=silent)
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield client, Path(manager.connection_file)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        shutil.rmtree(home, ignore_errors=True)


def recorded(case: Case, limited: bool) -> SessionGraph:
    """The session's graph, recorded with or without a limit."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "work"
        if case.folder is None:
            directory.mkdir()
        else:
            shutil.copytree(case.folder, directory)
        with kernel(case.python, directory) as (client, connection), KernelAgent(connection) as agent:
            agent.command("start", {"late": False} if limited else {"late": False, "share": None})
            for text in case.cells:
                client.execute_interactive(text, timeout=CELL_SECONDS, output_hook=lambda _: None, allow_stdin=False)
            return understand(agent, Path(scratch) / "trace.json", None).graph


# ------------------------------------------------------------------------------------------------ comparing


def with_costs_of(other: SessionGraph, graph: SessionGraph) -> SessionGraph:
    """``graph`` as if its statements had taken as long, and its variables were as large, as in ``other``."""
    sizes = {covariable.names: covariable for covariable in other.covariables}

    def sized(covariable: Covariable) -> Covariable:
        known = sizes.get(covariable.names)
        return replace(covariable, size=known.size, store_seconds=known.store_seconds) if known else covariable

    steps = tuple(replace(step, seconds=known.seconds) for step, known in zip(graph.steps, other.steps, strict=True))
    return replace(graph, steps=steps, covariables=tuple(map(sized, graph.covariables)))


def same_statements(first: SessionGraph, second: SessionGraph) -> bool:
    """Whether the same statements ran: only then can the two be compared step by step."""
    return [(step.execution, step.code) for step in first.steps] == [(s.execution, s.code) for s in second.steps]


def actions(plan: Plan) -> dict[str, Action]:
    return {name: decision.action for decision in plan.decisions for name in decision.names}


def faults(plan: Plan, graph: SessionGraph) -> list[str]:
    """Why ``plan`` would not restore the session, were everything as ``graph`` says; nothing where it would.

    split       names share state, and the plan stores some and replays others
    missing     a replayed statement needs one that is not replayed
    forbidden   a statement is replayed that cannot or must not run again
    twice       a statement is replayed that changed a variable which is already loaded with that change
    """
    demands = demand(graph)
    ways = actions(plan)
    runs = {step.position for step in plan.steps if isinstance(step, Replay)}
    loaded = {name: step.after for step in plan.steps if isinstance(step, Load) for name in step.names}
    lost = [n for n, c in enumerate(graph.covariables) if any(ways.get(name) is Action.LOSE for name in c.names)]
    forbidden = impossible_steps(graph, demands, lost)
    found = []
    for covariable, makers in zip(graph.covariables, demands.makers, strict=True):
        how = {ways.get(name) for name in covariable.names}
        if len(how) > 1 and not all(graph.steps[maker].definition for maker in makers if maker != UNRECORDED):
            found.append("split " + " ".join(covariable.names))
        if Action.REPLAY in how:
            found += [missing(graph.steps[maker], covariable.names[0]) for maker in makers if maker not in runs | {-1}]
    found += [f"forbidden {told(graph.steps[run])}: {forbidden[run]}" for run in sorted(runs) if run in forbidden]
    for run in sorted(runs):
        found += [missing(graph.steps[need], told(graph.steps[run])) for need in demands.needs[run] if need not in runs]
        found += twice(graph.steps[run], loaded, demands)
    return sorted(set(found))


def twice(step: Step, loaded: dict[str, int], demands: Demands) -> list[str]:
    """What a replayed step changes that was loaded before it."""
    changed = [version.name for version in step.outputs if version.name not in step.binds]
    return [f"twice {told(step)} changes {name}" for name in changed if loaded.get(name, step.position) < step.position]


def missing(step: Step, for_whom: str) -> str:
    return f"missing {told(step)} for {for_whom}"


def told(step: Step) -> str:
    return f"{step.position}:{(step.code or '').strip().splitlines()[0][:50] if step.code else '?'}"


def compared(limited: SessionGraph, full: SessionGraph) -> dict[str, Any]:
    """What the plans of one session do differently."""
    if not same_statements(limited, full):
        return {"problem": "other statements ran: the notebook does not do the same twice"}
    limited = with_costs_of(full, limited)
    return {
        "names": sum(len(covariable.names) for covariable in full.covariables),
        "steps_differ": sum(a.outputs != b.outputs for a, b in zip(limited.steps, full.steps, strict=True)),
        "parted": parted(limited, full),
        "usual": differences(limited, full),
        "replay": differences(dear_to_store(limited), dear_to_store(full)),
    }


def parted(limited: SessionGraph, full: SessionGraph) -> list[list[str]]:
    """Names that share state by the recording without a limit and not by the other. Either may be right: what a library
    keeps for all its objects counts as shared by two of them until it is known to be the library's."""
    groups = [set(covariable.names) for covariable in limited.covariables]
    return [sorted(c.names) for c in full.covariables if not any(group.issuperset(c.names) for group in groups)]


def dear_to_store(graph: SessionGraph) -> SessionGraph:
    return replace(graph, covariables=tuple(replace(covariable, size=DEAR) for covariable in graph.covariables))


def differences(limited: SessionGraph, full: SessionGraph) -> dict[str, Any]:
    """The plan made of each graph: names that go other ways, statements replayed, what is wrong with it."""
    costs = CostModel(BANDWIDTH)
    mine, best = make_plan(limited, costs), make_plan(full, costs)
    ways, wanted = actions(mine), actions(best)
    return {
        "wanted": {action.value: sum(way is action for way in wanted.values()) for action in Action},
        "differ": {
            name: f"{wanted[name].value}->{way.value}" if name in wanted else "absent"
            for name, way in ways.items()
            if wanted.get(name) is not way
        },
        "statements": [sum(isinstance(step, Replay) for step in plan.steps) for plan in (best, mine)],
        "faults": faults(mine, full),
        "faults_without": faults(best, full),  # none, or the list is at fault
    }


def line(name: str, found: dict[str, Any]) -> str:
    if "problem" in found:
        return f"{name[:42]:42} {found['problem'][:70]}"
    text = f"{name[:42]:42} {found['names']:5} {found['steps_differ']:5}"
    for world in WORLDS:
        one = found[world]
        wanted, (fewest, runs), moves = one["wanted"], one["statements"], list(one["differ"].values())
        how = " ".join(f"{moves.count(way)} {way}" for way in sorted(set(moves))) or (
            "same" if fewest == runs else "more"
        )
        ways = f"{wanted['store']}/{wanted['replay']}/{wanted['lose']}"
        text += f" | {ways:>9} {fewest:4} {runs:4} {how:16}{' WRONG' if one['faults'] else ''}"
    return text + (
        " | not linked: " + "; ".join(" ".join(names) for names in found["parted"]) if found["parted"] else ""
    )


def is_same(found: dict[str, Any], world: str) -> bool:
    one = found[world]
    return not one["differ"] and one["statements"][0] == one["statements"][1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    parser.add_argument("--notebooks", type=int, default=1000, help="at most so many of the corpus")
    parser.add_argument("--sessions", type=int, default=1000, help="at most so many of tests/fidelity")
    parser.add_argument("--twice", action="store_true", help="compare two runs without a limit, too")
    parser.add_argument("--out", type=Path, default=CACHE / "limit.json")
    options = parser.parse_args()
    print(
        "names by their way without a limit; steps whose changes differ; statements replayed without and with the limit"
    )
    print(f"{'case':44} {'store':>5} {'replay':>6} {'lose':>4} {'steps':>6} {'free':>5} {'lim':>5}  names differ")
    results: dict[str, Any] = {}
    for case in cases(options.only, options.notebooks, options.sessions):
        try:
            full = recorded(case, limited=False)
            results[case.name] = compared(recorded(case, limited=True), full)
            if options.twice:
                results[case.name]["again"] = compared(recorded(case, limited=False), full)
        except Exception as fault:
            results[case.name] = {"problem": f"{type(fault).__name__}: {fault}"}
        print(line(case.name, results[case.name]), flush=True)
        if "again" in results[case.name]:
            print(line("  without a limit, once more", results[case.name]["again"]), flush=True)
        options.out.write_text(json.dumps(results, indent=1))
    told_all = [found for found in results.values() if "problem" not in found]
    wrong = [name for name, found in results.items() for world in WORLDS if found.get(world, {}).get("faults")]
    for world in WORLDS:
        print(f"{world}: {sum(is_same(found, world) for found in told_all)} of {len(told_all)} plans are the same")
    for name in sorted(set(wrong)):
        for world in WORLDS:
            for wrongly in results[name][world]["faults"]:
                print(f"WRONG {name}, {world}: {wrongly}")
    print(f"{len(results)} cases, {len(told_all)} compared, {len(set(wrong))} wrong")
    return 1 if wrong or not told_all else 0


if __name__ == "__main__":
    sys.exit(main())
