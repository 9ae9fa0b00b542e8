"""Plan -> bundle, proven: encode what is stored, write, restore in a fresh process, compare, repair, publish.

    plan -> encode -> write candidate -> verify --clean--> publish
      ^                                    |
      +------- store instead of replay, replay instead of store, or keep and name what differs

The candidate is a hidden directory beside the place it will have, so that an older bundle there stays whole until the
new one is proven.
"""

from __future__ import annotations

import base64
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbdag.errors import OutputError
from nbdag.model import (
    Action,
    Bundle,
    Comparison,
    Decision,
    Execution,
    Load,
    Plan,
    Reluctance,
    Replay,
    SessionGraph,
    Trace,
    ValueKind,
    Verdict,
)
from nbdag.replay.bundle import FULL_DISK, check_destination, publish, write_bundle
from nbdag.replay.cost import LAST_RESORT_SECONDS, CostModel
from nbdag.replay.planner import Preferences, make_plan
from nbdag.replay.requirements import distributions_of, modules_of_code
from nbdag.replay.verify import GOOD, Commands, Testimony, badness, compare, restore_and_testify

MOST_ROUNDS = 5
"""Compilations until what still differs is only named: each round changes sides of what the last one found."""


UNCHECKED = -1
"""The size of an input file that restore.py does not check (``portable/environment.py``)."""


LARGEST_CARRIED = 1024 * 1024
MOST_CARRIED = 16 * 1024 * 1024
"""Bytes of one input file, and of all, that travel in the bundle."""


@dataclass(frozen=True, slots=True)
class Labels:
    """How steps are called in restore.py: by cell where the notebook is known, by ``In [n]`` otherwise."""

    cell_of: Mapping[int, int]
    executions: Sequence[Execution]

    def of(self, execution: int) -> str:
        if execution in self.cell_of:
            return f"cell {self.cell_of[execution] + 1}"
        count = self.executions[execution].count
        return f"In [{count}]" if count is not None else f"run {execution + 1}"


@dataclass(slots=True)
class Staging:
    """The directory the kernel writes heads and blobs into, and what is there already."""

    directory: Path
    encoded: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    def encode(self, agent: Commands, plan: Plan, by_name: Sequence[str]) -> dict[str, Any]:
        """Have the kernel encode the groups of ``plan`` that are not encoded yet; the index of all of them."""
        loads = [step for step in plan.steps if isinstance(step, Load)]
        missing = [list(load.names) for load in loads if load.names not in self.encoded]
        if missing:
            index_path = self.directory / "index.json"
            answer = agent.command(
                "encode",
                {
                    "path": str(index_path),
                    "directory": str(self.directory),
                    "groups": missing,
                    "by_name": list(by_name),
                },
            )
            if "refused" in answer:
                place = self.directory.parent.parent
                raise OutputError(f"cannot write in {place}: {answer['refused']}", FULL_DISK)
            index = json.loads(index_path.read_text(encoding="utf-8"))
            for names, group in zip(missing, index["groups"], strict=True):
                self.encoded[tuple(names)] = group
        ordered = sorted(loads, key=lambda load: load.group)
        return {"groups": [self.encoded[load.names] for load in ordered]}


def compile_session(
    graph: SessionGraph,
    trace: Trace,
    labels: Labels,
    agent: Commands,
    out: Path,
    *,
    costs: CostModel,
    preferences: Preferences,
    provenance: Mapping[str, Any],
    verify: bool = True,
    say: Callable[[str], None] = lambda message: None,
) -> tuple[Plan, Bundle, Verdict]:
    """Write the bundle of the session at ``out`` and prove it in a fresh process of the kernel's own interpreter.

    Raises PlanError, OutputError, KernelDied, KernelProtocolError; ``out`` is then as it was before.
    """
    check_destination(out)
    with _workspace(out) as work:
        staging = Staging(work / "staging")
        staging.directory.mkdir()
        world = _world(agent, work)
        modules = frozenset(module[1] for module in world["process_state"].get("modules", {}).values())
        witness = Testimony.of_kernel(agent, work / "live.json") if verify else None
        tried: set[tuple[str, Action]] = set()
        rounds, candidate = 0, work / "bundle"
        best, best_preferences = -1, preferences
        while True:
            rounds += 1
            plan = _label(make_plan(graph, costs, preferences), graph, labels, trace, modules)
            by_name = _definitions(graph, plan)
            say(f"writing {_count(plan, Load)} stored and {_count(plan, Replay)} replayed steps")
            encoded = staging.encode(agent, plan, by_name)
            refused = {tuple(group["names"]): group["error"] for group in encoded["groups"] if "error" in group}
            if refused:
                graph = without_storage(graph, refused)
                continue
            bundle = write_bundle(
                plan,
                encoded,
                staging.directory,
                candidate,
                reuse=out,
                process_state=world["process_state"],
                random_states=world["random_states"],
                provenance=provenance,
                requirements=_requirements(plan, encoded, trace.executable),
                carried=small_inputs(plan),
            )
            if witness is None:
                verdict = Verdict(verified=False)
                break
            say("restoring it in a fresh process and comparing every variable")
            restored = restore_and_testify(candidate, trace.executable, work, _names(plan))
            comparisons = compare(witness, restored, _names(plan))
            verdict = replace(restored.verdict, comparisons=comparisons, rounds=rounds)
            found = badness(comparisons)
            if best < 0 or found < best:
                best, best_preferences = found, preferences
            repaired = repair(plan, graph, comparisons, preferences, tried)
            if repaired is not None and rounds < MOST_ROUNDS:
                bad = [comparison.name for comparison in comparisons if comparison.result not in GOOD]
                say(f"not restored as they were: {', '.join(sorted(bad)[:8])}; trying the other way")
                preferences = repaired
            elif found > best and rounds <= MOST_ROUNDS:
                say("an earlier plan restored more: back to that")
                preferences = best_preferences
                tried.update((name, action) for name in _names(plan) for action in (Action.STORE, Action.REPLAY))
            else:
                break
        bundle = publish(candidate, out, bundle)
    return plan, bundle, verdict


def without_storage(graph: SessionGraph, refused: Mapping[tuple[str, ...], str]) -> SessionGraph:
    """``graph`` with the co-variables of ``refused`` marked as not storable, each for its reason."""
    return replace(
        graph,
        covariables=tuple(
            replace(covariable, storable=False, obstacle=refused[covariable.names])
            if covariable.names in refused
            else covariable
            for covariable in graph.covariables
        ),
    )


def repair(
    plan: Plan,
    graph: SessionGraph,
    comparisons: Sequence[Comparison],
    preferences: Preferences,
    tried: set[tuple[str, Action]],
) -> Preferences | None:
    """Preferences under which what differed goes the other way; None when all is well or everything was tried.

    ``tried`` is added to.
    """
    decision_by_name: dict[str, Decision] = {name: d for d in plan.decisions for name in d.names}
    store, replayed, learned = set(preferences.store), set(preferences.replay), dict(preferences.learned)
    changed = False
    for comparison in comparisons:
        decision = decision_by_name.get(comparison.name)
        if comparison.result in GOOD or decision is None:
            continue
        tried.add((comparison.name, decision.action))
        for names, action, other in ((store, Action.STORE, replayed), (replayed, Action.REPLAY, store)):
            possible = decision.store_cost if action is Action.STORE else decision.replay_cost
            if decision.action is action or (comparison.name, action) in tried or possible >= LAST_RESORT_SECONDS:
                continue  # neither what is impossible, nor a replay that may come out different anyway
            names.update(decision.names)
            form = "replayed" if action is Action.STORE else "stored"
            learned.update(dict.fromkeys(decision.names, f"{form}, {comparison.name} came back {comparison.result}"))
            other.difference_update(decision.names)
            changed = True
    if not changed:
        return None
    return replace(
        preferences, store=frozenset(store), replay=frozenset(replayed), learned=tuple(sorted(learned.items()))
    )


def _definitions(graph: SessionGraph, plan: Plan) -> tuple[str, ...]:
    """Names of functions and classes that replayed definitions bind: values may refer to them by name."""
    last: dict[str, int] = {name: step.position for step in graph.steps for name in step.binds}
    replayed = {step.position for step in plan.steps if isinstance(step, Replay)}
    kinds = {name: covariable.kind for covariable in graph.covariables for name in covariable.names}
    return tuple(
        sorted(
            name
            for name, position in last.items()
            if position in replayed
            and graph.steps[position].definition
            and kinds.get(name) in (ValueKind.FUNCTION, ValueKind.CLASS, ValueKind.DATA)
        )
    )


def _label(plan: Plan, graph: SessionGraph, labels: Labels, trace: Trace, modules: frozenset[str]) -> Plan:
    """``plan`` with its replays named by cell, and without those that have nothing to run.

    ``modules`` are the files of modules that the bundle brings: no target needs to have them.
    """
    steps: list[Load | Replay] = []
    for step in plan.steps:
        if isinstance(step, Replay):
            if not step.code:
                continue
            execution = graph.steps[step.position].execution
            cwd = trace.executions[execution].cwd
            files = tuple(use for use in step.files if use.absolute not in modules)
            if any(hazard.reluctance is Reluctance.LAST_RESORT for hazard in graph.steps[step.position].hazards):
                # Its files have changed already: they are looked for, but are no reason to refuse all the rest.
                files = tuple(replace(use, size=UNCHECKED, digest="") for use in files)
            step = replace(
                step,
                cell=labels.of(execution),
                cwd=cwd if files or cwd != trace.cwd else "",
                why=_why(step),
                files=files,
            )
        steps.append(step)
    return replace(plan, steps=tuple(steps))


def small_inputs(plan: Plan) -> tuple[tuple[str, Path], ...]:
    """The input files of replayed steps that travel in the bundle: small ones below the working directory.

    Hidden files stay, and what was there under this name is read first on the target (``portable/replaying.py``).
    """
    found: dict[str, Path] = {}
    room = MOST_CARRIED
    for step in plan.steps:
        for use in step.files if isinstance(step, Replay) else ():
            parts = Path(use.path).parts
            hidden = Path(use.path).is_absolute() or any(part.startswith(".") for part in parts)
            if use.mode != "r" or hidden or use.path in found or not 0 <= use.size <= min(LARGEST_CARRIED, room):
                continue
            source = Path(use.absolute)
            if source.is_file():
                found[use.path] = source
                room -= use.size
    return tuple(sorted(found.items()))


def _why(step: Replay) -> str:
    return f"makes {', '.join(step.names)}" if step.names else ""


def _names(plan: Plan) -> tuple[str, ...]:
    return tuple(sorted(name for d in plan.decisions if d.action is not Action.LOSE for name in d.names))


def _count(plan: Plan, kind: type) -> int:
    return sum(isinstance(step, kind) for step in plan.steps)


def _world(agent: Commands, work: Path) -> dict[str, Any]:
    """Process state and random states of the session, as the bundle carries them."""
    path = work / "world.json"
    agent.command("world", {"path": str(path)})
    found = json.loads(path.read_text(encoding="utf-8"))
    states = {key: base64.b64decode(state) for key, state in found["states"].items()}
    return {
        "process_state": found["difference"],
        "random_states": {generator: states[key] for generator, key in found["random_state"].items()},
    }


def _requirements(plan: Plan, encoded: Mapping[str, Any], executable: str) -> tuple[tuple[str, str], ...]:
    modules: set[str] = set()
    for group in encoded["groups"]:
        modules.update(group["modules"])
    for step in plan.steps:
        if isinstance(step, Replay):
            modules.update(modules_of_code(step.code))
    return distributions_of(modules, executable)


@contextmanager
def _workspace(out: Path) -> Iterator[Path]:
    """A hidden directory beside ``out``, on the same file system, gone afterwards whatever happens.

    Those of earlier compilations that were killed are removed on the way: their names carry the process they belong to.
    """
    parent = out.absolute().parent
    prefix = f".{out.name}.nbdag-"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for left_over in parent.glob(f"{glob.escape(prefix)}*"):
            owner = left_over.name.removeprefix(prefix).split("-")[0]
            if owner.isdigit() and not _is_running(int(owner)):
                shutil.rmtree(left_over, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent))
    except OSError as error:
        raise OutputError(f"cannot write beside {out}: {error.strerror}", "choose another --out") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
