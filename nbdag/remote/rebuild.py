"""What a cell needs, made anew on the other side: the way where something of it cannot be pickled.

The planner that compiles bundles says which variables are loaded and which statements are run, for these names alone;
the steps then go there in one parcel, in the plan's order.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbdag.analysis.agent_client import LocalAgent
from nbdag.analysis.reconcile import reconcile
from nbdag.analysis.resolve import analyze_session
from nbdag.analysis.trace import read_trace
from nbdag.errors import PlanError, RemoteError
from nbdag.model.graph import SessionGraph
from nbdag.model.plan import Action, Load, Plan, Replay
from nbdag.model.trace import Trace
from nbdag.portable.delta import encode_states
from nbdag.portable.encode import Unstorable, write_group
from nbdag.replay.cost import CostModel
from nbdag.replay.planner import Preferences, make_plan


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """Steps for ``portable/visiting.py``: ``{"group": index}`` loads, ``{"replay": {...}}`` runs a statement."""

    steps: tuple[dict[str, Any], ...]
    statements: int

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The indices of what is loaded."""
        return [step["group"] for step in self.steps if "group" in step]


@dataclass(slots=True)
class _Refused:
    """Groups that turned out not to be storable."""

    names: dict[tuple[str, ...], str] = field(default_factory=dict)


def rebuild(shell: Any, names: Iterable[str], store: str, bandwidth: float) -> Rebuilding:
    """How to make ``names`` on the other side. Blobs are in ``store`` afterwards.

    Raises RemoteError where one of them can be neither sent nor made again, with the reason.
    """
    from nbdag.replay.compile import without_storage

    wanted = frozenset(names)
    trace, graph = _understand()
    refused = _Refused()
    while True:
        try:
            plan = make_plan(without_storage(graph, refused.names), CostModel(bandwidth), Preferences(only=wanted))
        except PlanError as fault:
            raise RemoteError(f"the cell needs what can be neither sent nor made there: {fault.message}") from None
        lost = [decision for decision in plan.decisions if decision.action is Action.LOSE]
        if lost:
            reasons = "; ".join(f"{', '.join(one.names)}: {one.reason}" for one in lost)
            raise RemoteError(
                f"the cell needs what can be neither sent nor made there: {reasons}",
                "run it here, or make that value in the cell itself",
            )
        steps = _steps(plan, graph, trace, shell, store, refused)
        if steps is not None:
            return Rebuilding(tuple(steps), sum("replay" in step for step in steps))


def _understand() -> tuple[Trace, SessionGraph]:
    """The session of this process, surveyed and reconciled."""
    with tempfile.TemporaryDirectory(prefix="nbdag-") as folder:
        path = Path(folder) / "trace.json"
        LocalAgent().command("trace", {"path": str(path)})
        trace = read_trace(path)
    names = frozenset(variable.name for variable in trace.variables)
    facts = analyze_session([execution.source for execution in trace.executions], names)
    return trace, reconcile(facts, trace)


def _steps(
    plan: Plan, graph: SessionGraph, trace: Trace, shell: Any, store: str, refused: _Refused
) -> list[dict[str, Any]] | None:
    """The steps of ``plan`` as JSON; None where a value refused to be pickled, which is noted in ``refused``."""
    namespace = shell.user_ns
    replayed = [step for step in plan.steps if isinstance(step, Replay)]
    made = {
        name for step in replayed if graph.steps[step.position].definition for name in graph.steps[step.position].binds
    }
    named = made.intersection(LocalAgent().command("definitions", {})["names"])
    by_name = {id(namespace[name]): name for name in sorted(named) if name in namespace}
    documents: list[dict[str, Any]] = []
    for step in plan.steps:
        if isinstance(step, Load):
            values = {name: namespace[name] for name in step.names}
            try:
                documents.append({"group": write_group(values, by_name, namespace, store)})
            except Unstorable as refusal:
                refused.names[step.names] = f"{refusal.path}: {refusal.reason}"
                return None
        elif step.code:
            execution = trace.executions[graph.steps[step.position].execution]
            label = f"In [{execution.count}]" if execution.count is not None else f"run {execution.ordinal + 1}"
            documents.append(
                {
                    "replay": {
                        "code": step.code,
                        "cell": label,
                        "line": step.line,
                        "names": list(step.names),
                        "states": encode_states(dict(step.random_state)),
                        "may_fail": step.may_fail,
                    }
                }
            )
    return documents
