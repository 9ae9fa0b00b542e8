"""What ``nbdag compile`` prints: the plan, what it saves, the bundle, and what a fresh process made of it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from nbdag.model.plan import Action, Decision, Obstacle
from nbdag.model.results import Compiled, VariableSummary
from nbdag.model.trace import ValueKind
from nbdag.report.analysis import print_diagnostics
from nbdag.report.explained import say_obstacle
from nbdag.report.plan import ACTIONS, print_comparison, say_conditions, say_planned, say_totals
from nbdag.report.tables import Column, Page
from nbdag.report.units import say_bytes, say_count, say_fine, say_seconds

_ORDER = {Action.LOSE: 0, Action.STORE: 1, Action.REPLAY: 2}


def print_compiled(compiled: Compiled, page: Page) -> None:
    """The plan's table, its totals, the bundle, the verdict, findings, and what to do next."""
    _print_plan(compiled, page)
    _print_totals(compiled, page)
    _print_bundle(compiled, page)
    _print_verdict(compiled, page)
    print_diagnostics(compiled.diagnostics, page)
    page.line()
    page.line(f"restore it with: {restore_command(compiled.bundle.directory)}", "strong", whole=True)


def restore_command(bundle: str) -> str:
    """The command line that restores a bundle: a directory, a file, or one at a URL."""
    if "://" in bundle:
        return f"nbdag restore {shlex.quote(bundle)}"
    path = Path(bundle)
    return f"python {shlex.quote(str(path if path.suffix == '.pyz' else path / 'restore.py'))}"


def lost_names(compiled: Compiled, *, exclude: Collection[str] = (), only: Collection[str] = ()) -> tuple[str, ...]:
    """Names that do not arrive as they were: given up by the plan, or not right in the fresh process.

    What the user left behind on purpose is not lost. "incomparable" is no evidence of a loss.
    """
    names = [name for d in compiled.plan.decisions if d.action is Action.LOSE for name in d.names]
    names += [c.name for c in compiled.verdict.comparisons if c.result in {"detached", "different", "missing"}]
    left = {*exclude, *compiled.withheld}
    return tuple(sorted({name for name in names if name not in left and (not only or name in only)}))


def say_lost(compiled: Compiled, lost: Collection[str]) -> str:
    """ "1 lost: gen; 1 not as it was: model" for the :func:`lost_names` of ``compiled``."""
    gone = {name for d in compiled.plan.decisions if d.action is Action.LOSE for name in d.names}
    parts = [(sorted(gone.intersection(lost)), "lost"), (sorted(set(lost) - gone), "not as it was")]
    return "; ".join(f"{len(names)} {word}: {', '.join(names)}" for names, word in parts if names)


def _print_plan(compiled: Compiled, page: Page) -> None:
    variables = {variable.name: variable for variable in compiled.variables}
    page.line(f"plan for {say_planned(compiled)}", "strong")
    page.line()
    page.table(
        (
            Column("names", least=10),
            Column("type", least=10),
            Column("bytes", right=True, whole=True, least=5),
            Column("action", whole=True, least=8),
            Column("why", least=16),
        ),
        [
            [
                ", ".join(names),
                _types(names, variables),
                say_bytes(size) if action is Action.STORE else "",
                ACTIONS[action],
                reason,
            ]
            for names, action, reason, size in _rows(compiled, variables)
        ],
    )


def _rows(compiled: Compiled, variables: dict[str, VariableSummary]) -> list[tuple[tuple[str, ...], Action, str, int]]:
    """One row per co-variable; modules and definitions that share action and reason are one row."""
    rows: list[tuple[tuple[str, ...], Action, str, int]] = []
    merged: dict[tuple[ValueKind, Action, str], int] = {}
    for decision in sorted(compiled.plan.decisions, key=lambda decision: _ORDER[decision.action]):
        kind = _kind(decision, variables)
        reason = _reason(decision, compiled.objective)
        key = (kind, decision.action, reason)
        if kind is not ValueKind.DATA and decision.action is Action.REPLAY and key in merged:
            names, action, _, size = rows[merged[key]]
            rows[merged[key]] = ((*names, *decision.names), action, reason, size)
            continue
        merged[key] = len(rows)
        rows.append((decision.names, decision.action, reason, decision.size))
    return rows


def _reason(decision: Decision, objective: str) -> str:
    """The reason without what the row says already; bytes where bytes were minimised, not the seconds they count as."""
    said, colon, why = decision.reason.partition("cannot be stored: ")
    if colon and not said:
        return colon + say_obstacle(Obstacle(why), decision.names)
    if objective == "size":
        if decision.reason.startswith(("replaying takes ", "storing takes ")):
            more = "more" if decision.action is Action.REPLAY else "less"
            seconds = say_fine(decision.replay_cost)
            return f"{say_bytes(decision.size)} count {more} than {seconds} of replaying"
        return decision.reason.partition(", storing takes ")[0]
    return decision.reason


def _kind(decision: Decision, variables: dict[str, VariableSummary]) -> ValueKind:
    kinds = {variables[name].kind for name in decision.names if name in variables}
    return kinds.pop() if len(kinds) == 1 else ValueKind.DATA


def _types(names: tuple[str, ...], variables: dict[str, VariableSummary]) -> str:
    return ", ".join(dict.fromkeys(variables[name].type for name in names if name in variables))


def _print_totals(compiled: Compiled, page: Page) -> None:
    page.line()
    page.line(say_totals(compiled.plan))
    page.line(say_conditions(compiled), "faint")
    print_comparison(compiled, page)
    page.line()


def _print_bundle(compiled: Compiled, page: Page) -> None:
    bundle = compiled.bundle
    reused = f", {bundle.reused_blobs} of them there already" if bundle.reused_blobs else ""
    blobs = f" and {say_count(bundle.blobs, 'blob')} of {say_bytes(bundle.blobs_size)}{reused}" if bundle.blobs else ""
    page.line(
        f"wrote {bundle.directory}: {say_bytes(bundle.data_size)} of data{blobs}, in {say_seconds(compiled.seconds)}"
    )


def _print_verdict(compiled: Compiled, page: Page) -> None:
    verdict = compiled.verdict
    if not verdict.verified:
        page.line("not verified: nobody has run this bundle yet", "warn")
    else:
        counts = Counter(comparison.result for comparison in verdict.comparisons)
        same = counts.pop("identical", 0)
        others = "".join(f", {count} {result}" for result, count in sorted(counts.items()))
        rounds = f", after {verdict.rounds} rounds" if verdict.rounds > 1 else ""
        definitions = {name for d in compiled.plan.decisions if d.reason == "definition" for name in d.names}
        page.line(
            f"verified in a fresh process: {same} of {len(verdict.comparisons)} identical{others}; "
            f"restored in {say_seconds(verdict.restore_seconds)}{rounds}",
            "good" if not others else "warn",
        )
        for comparison in verdict.comparisons:
            if comparison.result != "identical":
                detail = comparison.detail if comparison.detail != "." else ""  # all of it: nothing to point at
                if comparison.name in definitions and comparison.result == "different":
                    detail = detail or "its definition gave something else in that process"
                page.line(f"    {comparison.name}: {comparison.result}{f' ({detail})' if detail else ''}", "warn")
    for note in verdict.notes:
        page.line(f"    {note}", "faint")
