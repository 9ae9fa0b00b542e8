"""Plan -> bundle, proven: encode what is stored, write, restore in a fresh process, compare, repair, publish.

    plan -> encode -> write candidate -> verify --clean--> publish
      ^                                    |
      +------- store instead of replay, replay instead of store, or keep and name what differs

The candidate is a hidden directory beside the place it will have, so that an older bundle there stays whole until the
new one is proven.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbdag.errors import IntegrityError, PlanError
from nbdag.model.bundle import Bundle, Comparison, Verdict
from nbdag.model.graph import Reluctance, SessionGraph
from nbdag.model.plan import Action, Decision, Load, Plan, Replay
from nbdag.model.trace import Execution, Trace, ValueKind
from nbdag.progress import Progress, Silent
from nbdag.replay.bundle import Form, publish, write_bundle
from nbdag.replay.compression import LITTLE_IN_ALL
from nbdag.replay.cost import LAST_RESORT_SECONDS, CostModel
from nbdag.replay.fallback import fallbacks
from nbdag.replay.inputs import AUTO, carried_inputs, files_left
from nbdag.replay.manifests import earlier_choices
from nbdag.replay.planner import Preferences, make_plan
from nbdag.replay.publishing import check_destination, is_archive, workspace
from nbdag.replay.requirements import Installed, modules_of_code
from nbdag.replay.room import Room
from nbdag.replay.staging import Earlier, Staging, counting
from nbdag.replay.verify import GOOD, Commands, Testimony, badness, compare_with_kernel, restore_and_testify
from nbdag.replay.withhold import withhold_modules

MOST_ROUNDS = 5
"""Compilations until what still differs is only named: each round changes sides of what the last one found."""


UNCHECKED = -1
"""The size of an input file that restore.py does not check (``portable/environment.py``)."""


HistoryOf = Callable[[Collection[str]], bytes]


def no_history(mistrusted: Collection[str]) -> bytes:
    """A bundle without a past."""
    return b""


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


@dataclass(frozen=True, slots=True)
class Proven:
    """A bundle on disk, and how well it restored."""

    directory: Path
    plan: Plan
    bundle: Bundle
    verdict: Verdict
    badness: int

    def kept_in(self, place: Path) -> Proven:
        """This one, moved to ``place``; what was there is gone."""
        shutil.rmtree(place, ignore_errors=True)
        self.directory.replace(place)
        return replace(self, directory=place)


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
    include_files: str = AUTO,
    form: Form = Form(),
    progress: Progress = Silent(),
    history: HistoryOf = no_history,
    with_credentials: bool = False,
    unchanged: frozenset[str] = frozenset(),
    installed: Installed | None = None,
) -> tuple[Plan, Bundle, Verdict]:
    """Write the bundle of the session at ``out`` and prove it in a fresh process of the kernel's own interpreter.

    ``form`` says how blobs are packed and where they are shared, ``include_files`` which input files travel
    (``inputs.py``). With ``preferences.max_bytes`` the whole bundle takes no more. The fallback slices of stored values
    are not part of the proof. ``history`` packs the session's past, given the names whose replay gave something else.
    Names that are ``unchanged`` since an earlier proof of the same stored bytes are not compared once more.
    ``installed`` is being looked up already, for the kernel's interpreter. Raises PlanError, OutputError, KernelDied,
    KernelProtocolError; ``out`` is then as before.
    """
    check_destination(out)
    if verify:
        form.packing.check_reader(trace.executable)
    in_use = form.store.in_use() if form.store is not None else nullcontext()
    looking_up = Installed(trace.executable) if installed is None else nullcontext(installed)
    with in_use, workspace(out) as work, looking_up as installed:
        world = _world(agent, work, with_credentials)
        witness = Testimony.of_kernel(agent, work / "live.json") if verify else None
        stored_before, replayed_before = earlier_choices(out)
        preferences = replace(preferences, stored_before=stored_before, replayed_before=replayed_before)
        writing = _Writing(
            graph, trace, labels, agent, out, work, costs, world, provenance, include_files, form, progress
        )
        writing.history = history
        writing.installed = installed
        tried = {(name, Action.STORE) for name in imported(graph, trace)}
        rounds = 0
        proven: Proven | None = None
        while True:
            try:
                plan, bundle = writing.write(preferences)
                if witness is None:
                    proven = Proven(writing.candidate, plan, bundle, Verdict(verified=False), 0)
                    break
                progress.say("restoring it in a fresh process and comparing every variable")
                rounds += 1
                names = _names(plan, unchanged)
                restored = restore_and_testify(writing.candidate, trace.executable, work, names)
            except (PlanError, IntegrityError):
                if proven is None:
                    raise
                progress.say("the other way is none: back to the plan before")
                break
            witness, comparisons = compare_with_kernel(witness, restored, names, agent, work / "live.json")
            found = badness(comparisons)
            if proven is None or found < proven.badness:
                # Kept as it is on disk: going back to it later needs no second proof.
                verdict = replace(restored.verdict, comparisons=comparisons)
                proven = Proven(writing.candidate, plan, bundle, verdict, found).kept_in(work / f"best{out.suffix}")
            repaired = repair(plan, writing.graph, comparisons, preferences, tried)
            if repaired is None or rounds == MOST_ROUNDS:
                if found > proven.badness:
                    progress.say("an earlier plan restored more: back to that")
                break
            bad = [comparison.name for comparison in comparisons if comparison.result not in GOOD]
            progress.say(f"not restored as they were: {', '.join(sorted(bad)[:8])}; trying the other way")
            preferences = repaired
        bundle = publish(proven.directory, out, proven.bundle, form.store)
    return proven.plan, bundle, replace(proven.verdict, rounds=max(rounds, 1))


@dataclass(slots=True)
class _Writing:
    """Writes one candidate after another; ``graph`` learns on the way what cannot be stored after all."""

    graph: SessionGraph
    trace: Trace
    labels: Labels
    agent: Commands
    out: Path
    work: Path
    costs: CostModel
    world: Mapping[str, Any]
    provenance: Mapping[str, Any]
    include_files: str
    form: Form
    progress: Progress
    history: HistoryOf = no_history
    installed: Installed = field(init=False)
    staging: Staging = field(init=False)

    def __post_init__(self) -> None:
        earlier = Earlier(self.out, self.work)
        self.staging = Staging(self.work / "staging", earlier, self.form, self.progress)
        self.staging.directory.mkdir()

    @property
    def candidate(self) -> Path:
        """Where the bundle is written."""
        return self.work / f"bundle{self.out.suffix}"

    def write(self, preferences: Preferences) -> tuple[Plan, Bundle]:
        """Plan, encode and write until everything could be encoded and it all fits."""
        room = Room(preferences.max_bytes)
        little = sum(one.size for one in self.graph.covariables if one.storable) <= LITTLE_IN_ALL
        if little and self.form.packing.codec != "none":  # it is packed: how small it gets is known when it is written
            preferences = replace(preferences, max_bytes=None)
        modules = frozenset(module[1] for module in self.world["process_state"].get("modules", {}).values())
        while True:
            wishes = room.applied_to(preferences)
            with room.explained():
                made = make_plan(self.graph, self.costs, wishes)
            plan = _label(made, self.graph, self.labels, self.trace, modules)
            spare = fallbacks(self.graph, self.costs, wishes, made)
            spare = replace(
                spare,
                steps=tuple(_label_step(step, self.graph, self.labels, self.trace, modules) for step in spare.steps),
            )
            self.progress.say(f"writing {_count(plan, Load)} stored and {_count(plan, Replay)} replayed steps")
            encoded = self.staging.encode(self.agent, plan, _definitions(self.graph, plan))
            refused = {tuple(group["names"]): group["error"] for group in encoded["groups"] if "error" in group}
            if refused:
                self.graph = without_storage(self.graph, refused)
                continue
            with counting(self.progress, "packing", self._bytes_again(plan)) as advance:
                bundle = write_bundle(
                    plan,
                    encoded,
                    self.staging.directory,
                    self.candidate,
                    reuse=self.staging.earlier.path if self.staging.earlier else None,
                    form=self.form,
                    advance=advance,
                    process_state=self.world["process_state"],
                    random_states=self.world["random_states"],
                    provenance=self.provenance,
                    requirements=_requirements(plan, encoded, self.installed),
                    carried=carried_inputs(plan.steps, spare.steps, self.include_files),
                    fallbacks=spare,
                    history=self.history(_mistrusted(preferences)),
                )
            if room.suffices_for(self.candidate, plan, bundle):
                return replace(plan, diagnostics=(*plan.diagnostics, *files_left(encoded["groups"]))), bundle

    def _bytes_again(self, plan: Plan) -> int:
        """Bytes gone through once more when everything is encoded: to be packed, or copied into one file."""
        stored = sum(step.size for step in plan.steps if isinstance(step, Load))
        in_archive = is_archive(self.out) and self.form.store is None
        return stored * (self.form.packing.may_pay() + in_archive)


def _mistrusted(preferences: Preferences) -> frozenset[str]:
    """Names that are stored because their replay was proven to give something else."""
    return frozenset(name for name, lesson in preferences.learned if lesson.startswith("stored,"))


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


def imported(graph: SessionGraph, trace: Trace) -> frozenset[str]:
    """Names of functions and classes that an import gives: a bundle can only refer to them, and to no other ones.

    ``from tqdm.auto import tqdm`` is another class where there is no notebook, as in the proof: not lost for that.
    """
    last = {name: step for step in graph.steps for name in step.binds}
    return frozenset(
        variable.name
        for variable in trace.variables
        if variable.type in ("type", "function", "builtin_function_or_method")
        and (step := last.get(variable.name)) is not None
        and step.definition
        and (step.code or "").startswith(("import ", "from "))
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
        if isinstance(step, Load):
            steps.append(step)
        elif step.code:
            steps.append(_label_step(step, graph, labels, trace, modules))
    return replace(plan, steps=tuple(steps))


def _label_step(step: Replay, graph: SessionGraph, labels: Labels, trace: Trace, modules: frozenset[str]) -> Replay:
    execution = graph.steps[step.position].execution
    cwd = trace.executions[execution].cwd
    files = tuple(use for use in step.files if use.absolute not in modules)
    if any(hazard.reluctance is Reluctance.LAST_RESORT for hazard in graph.steps[step.position].hazards):
        # Its files have changed already: they are looked for, but are no reason to refuse all the rest.
        files = tuple(replace(use, size=UNCHECKED, digest="") for use in files)
    return replace(
        step,
        cell=labels.of(execution),
        cwd=cwd if files or cwd != trace.cwd else "",
        why=_why(step),
        files=files,
    )


def _why(step: Replay) -> str:
    return f"makes {', '.join(step.names)}" if step.names else ""


def _names(plan: Plan, unchanged: frozenset[str]) -> tuple[str, ...]:
    """What a restored session is asked for: all it should have but what is stored, and ``unchanged`` since a proof."""
    wanted = (d for d in plan.decisions if d.action is not Action.LOSE)
    return tuple(
        sorted(name for d in wanted for name in d.names if d.action is not Action.STORE or name not in unchanged)
    )


def _count(plan: Plan, kind: type) -> int:
    return sum(isinstance(step, kind) for step in plan.steps)


def _world(agent: Commands, work: Path, with_credentials: bool) -> dict[str, Any]:
    """Process state and random states of the session, as the bundle carries them."""
    path = work / "world.json"
    agent.command("world", {"path": str(path)})
    found = json.loads(path.read_text(encoding="utf-8"))
    states = {key: base64.b64decode(state) for key, state in found["states"].items()}
    return {
        "process_state": found["difference"] if with_credentials else withhold_modules(found["difference"]),
        "random_states": {generator: states[key] for generator, key in found["random_state"].items()},
    }


def _requirements(plan: Plan, encoded: Mapping[str, Any], installed: Installed) -> tuple[tuple[str, str], ...]:
    modules: set[str] = set()
    for group in encoded["groups"]:
        modules.update(group["modules"])
    for step in plan.steps:
        if isinstance(step, Replay):
            modules.update(modules_of_code(step.code))
    return installed.distributions_of(modules)
