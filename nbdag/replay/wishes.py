"""What the user asked for: names on the command line, tags on cells. What contradicts itself is refused here.

--store NAME, --replay NAME, --exclude NAME, --only NAME         on nbdag plan and nbdag compile
nbdag-never-rerun, nbdag-always-store, nbdag-recompute           in a cell's metadata, or "# %% tags=[...]"
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nbdag.errors import UsageError
from nbdag.model.findings import Diagnostic, Severity
from nbdag.model.graph import SessionGraph
from nbdag.model.notebook import Cell
from nbdag.model.plan import Action, Plan
from nbdag.model.trace import Execution
from nbdag.replay.cost import CostModel
from nbdag.replay.preferences import Preferences
from nbdag.replay.problem import pose, select

NEVER_RERUN, ALWAYS_STORE, RECOMPUTE = "nbdag-never-rerun", "nbdag-always-store", "nbdag-recompute"
TAGS = (NEVER_RERUN, ALWAYS_STORE, RECOMPUTE)
"""Never run the cell's code again; store what the cell made; make it again rather than store it."""

CONTRADICTIONS = (
    ("store", "replay", "a variable goes one way"),
    ("only", "exclude", "it cannot be taken and left behind"),
    ("store", "exclude", "it cannot be stored and left behind"),
    ("replay", "exclude", "it cannot be replayed and left behind"),
)


@dataclass(frozen=True, slots=True)
class CellWishes:
    """The executions that tags speak of, by tag, and what is wrong with the tags."""

    executions: Mapping[str, frozenset[int]] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()

    def of(self, tag: str) -> frozenset[int]:
        """The ordinals of the executions of cells that carry ``tag``."""
        return self.executions.get(tag, frozenset())


# ------------------------------------------------------------------------------------------------ names


def check_consistent(preferences: Preferences) -> None:
    """Refuse what contradicts itself whatever the session holds. Raises UsageError."""
    sides = {
        "store": preferences.store,
        "replay": preferences.replay,
        "exclude": preferences.exclude,
        "only": preferences.only,
    }
    for one, other, why in CONTRADICTIONS:
        for name in sorted(sides[one] & sides[other]):
            raise UsageError(f"--{one} {name} and --{other} {name}: {why}", "leave one of them out")
    for side in ("store", "replay"):
        for name in sorted(sides[side] - preferences.only) if preferences.only else ():
            raise UsageError(
                f"--{side} {name}: --only does not name it, so it is left behind",
                f"add --only {name}, or leave --{side} {name} out",
            )


def check_explained(names: Iterable[str], preferences: Preferences) -> None:
    """Refuse to explain what is left behind on purpose. Raises UsageError."""
    for name in names:
        if not preferences.keeps(name):
            option = f"--exclude {name}" if name in preferences.exclude else "--only, which does not name it"
            raise UsageError(f"--explain {name}: it is left behind because of {option}", "there is no more to explain")


def check_names(asked: Iterable[str], there: Collection[str]) -> None:
    """Refuse names that the session does not have: a misspelled --store must not pass in silence. Raises UsageError."""
    unknown = sorted(set(asked) - set(there))
    if not unknown:
        return
    close = [match for name in unknown for match in nearest(name, there)]
    hint = f"did you mean {', '.join(dict.fromkeys(close))}?" if close else "nbdag plan lists the variables"
    raise UsageError(f"the session has no variable {', '.join(unknown)}", hint)


def nearest(word: str, words: Collection[str]) -> list[str]:
    """The word of ``words`` that ``word`` was probably meant to be, if there is one."""
    # A wrong case is the commonest slip of all, and difflib takes it for a wrong letter.
    folded = [other for other in sorted(words) if other.casefold() == word.casefold()]
    return folded[:1] or difflib.get_close_matches(word, sorted(words), n=1)


def check_linked(graph: SessionGraph, preferences: Preferences) -> None:
    """Refuse to part names that share state. Raises UsageError."""
    for covariable in graph.covariables:
        stored = [name for name in covariable.names if name in preferences.store]
        replayed = [name for name in covariable.names if name in preferences.replay]
        if stored and replayed:
            raise UsageError(
                f"--store {stored[0]} and --replay {replayed[0]}: {stored[0]} and {replayed[0]} share state",
                "they can only go the same way: leave one of them out",
            )


def check_possible(graph: SessionGraph, costs: CostModel, preferences: Preferences) -> None:
    """Refuse --store of what cannot be stored, and --replay of what cannot be replayed. Raises UsageError."""
    for covariable in graph.covariables:
        name = next((name for name in covariable.names if name in preferences.store), "")
        if name and not covariable.storable:
            raise UsageError(
                f"--store {name}: it cannot be stored: {covariable.obstacle.removeprefix(f'{name}: ')}",
                f"leave it out; nbdag plan --explain {name} says how it can be moved",
            )
    if not preferences.replay:
        return
    problem = pose(select(graph, preferences), costs, preferences)
    for number, covariable in enumerate(problem.graph.covariables):
        name = next((name for name in covariable.names if name in preferences.replay), "")
        if name and number not in problem.must_replay and not problem.given(number):
            makers = problem.demands.makers[number]
            closed = [problem.impossible[maker] for maker in makers if maker in problem.impossible]
            reason = closed[0] if closed else "nothing that was recorded made it"
            if covariable.altered:
                reason = "it changed while no cell ran"
            raise UsageError(
                f"--replay {name}: it cannot be replayed: {reason}",
                f"leave it out; nbdag plan --explain {name} says where",
            )


# ------------------------------------------------------------------------------------------------ cells


def wishes_of_cells(cells: Sequence[Cell], cell_of: Mapping[int, int], executions: Sequence[Execution]) -> CellWishes:
    """What the tags of ``cells`` ask for; ``cell_of`` says which cell an execution was a run of.

    A text that stands in several cells carries the tags of all of them where nobody knows which of them ran.
    """
    tagged = [cell for cell in cells if any(is_ours(tag) for tag in cell.tags)]
    if not tagged:
        return CellWishes()
    found: dict[str, set[int]] = {tag: set() for tag in TAGS}
    matched: set[int] = set()
    tags_of_source: dict[str, set[str]] = {}
    for cell in tagged:
        tags_of_source.setdefault(cell.source, set()).update(cell.tags)
    by_index = {cell.index: cell for cell in cells}
    ids = {cell.id for cell in cells}
    for execution in executions:
        tags: set[str] = set()
        cell_index = cell_of.get(execution.ordinal)
        if cell_index is not None and cell_index in by_index:
            tags |= by_index[cell_index].tags
            matched.add(cell_index)
        if execution.cell_id not in ids:
            tags |= tags_of_source.get(execution.source, set())
            matched.update(cell.index for cell in tagged if cell.source == execution.source)
        for tag in tags & found.keys():
            found[tag].add(execution.ordinal)
    executed = any(execution.ordinal in cell_of for execution in executions)
    diagnostics = [*_tag_findings(tagged)]
    if executed:
        diagnostics += [_without_run(cell) for cell in tagged if cell.index not in matched and cell.tags & set(TAGS)]
    return CellWishes({tag: frozenset(ordinals) for tag, ordinals in found.items()}, tuple(diagnostics))


def unmet_tags(graph: SessionGraph, preferences: Preferences, plan: Plan) -> tuple[Diagnostic, ...]:
    """What tags asked for in vain: a value that cannot be stored, or code that cannot run again."""
    decision_of = {name: decision for decision in plan.decisions for name in decision.names}
    found = []
    for covariable in graph.covariables:
        name = covariable.names[0]
        decision = decision_of.get(name)
        if decision is None or not preferences.store.union(preferences.replay).isdisjoint(covariable.names):
            continue
        made = (graph.steps[version.made_by] for version in covariable.versions if version.made_by >= 0)
        executions = {step.execution for step in made if not step.definition}
        names = ", ".join(covariable.names)
        if decision.action is Action.REPLAY and executions & preferences.always_store:
            tag, why = ALWAYS_STORE, f"it cannot be stored: {covariable.obstacle.removeprefix(f'{name}: ')}"
        elif decision.action is Action.STORE and executions & preferences.recompute - preferences.always_store:
            other = f"{ALWAYS_STORE} on another of its cells wins"
            why = other if executions & preferences.always_store else f"it cannot be replayed: {decision.reason}"
            tag = RECOMPUTE
        else:
            continue
        hint = f"nbdag plan --explain {name} says more"
        found.append(Diagnostic("tag-unmet", Severity.WARNING, f"{tag} has no effect on {names}: {why}", hint=hint))
    return tuple(found)


def is_ours(tag: str) -> bool:
    """Whether a tag is meant for nbdag, however it goes on."""
    return tag.casefold().replace("_", "-").startswith("nbdag-")


def _tag_findings(cells: Iterable[Cell]) -> Iterable[Diagnostic]:
    for cell in cells:
        for tag in sorted(cell.tags):
            if is_ours(tag) and tag not in TAGS:
                close = nearest(tag.casefold().replace("_", "-"), TAGS) or nearest(tag, TAGS)
                hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(TAGS)}"
                yield Diagnostic(
                    "unknown-tag", Severity.WARNING, f"{tag} is no tag that nbdag knows", cell.index, hint=hint
                )
        if {NEVER_RERUN, RECOMPUTE} <= cell.tags or {ALWAYS_STORE, RECOMPUTE} <= cell.tags:
            other = NEVER_RERUN if NEVER_RERUN in cell.tags else ALWAYS_STORE
            yield Diagnostic(
                "tags-contradict",
                Severity.WARNING,
                f"{other} and {RECOMPUTE} contradict each other; {other} wins",
                cell.index,
                hint="remove one of them",
            )


def _without_run(cell: Cell) -> Diagnostic:
    tags = ", ".join(sorted(cell.tags & set(TAGS)))
    return Diagnostic(
        "tag-without-run",
        Severity.WARNING,
        f"{tags} has no effect: what ran in the session is no longer the text of this cell",
        cell.index,
        hint="run the cell once more, or name its variables: --store NAME",
    )
