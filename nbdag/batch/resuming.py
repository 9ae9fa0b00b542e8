"""Where a notebook that did not run to its end can go on, given the session that was saved of it.

What the saved session ran is compared with the cells as they are now, from the top. The first that differs, failed or
never ran is where it goes on. What ran there and behind is *stale*: it left its marks in the saved session.

    cell 1  df = load()         ran, the same       done
    cell 2  model = fit(df)     ran, edited since   goes on here; `model` was made by stale code and is forgotten
    cell 3  model.save()        ran                 stale

That is right only if forgetting takes the session back to what it was: stale code must not have touched what was there
before it (``df.drop(..., inplace=True)``), nor the process. Otherwise everything runs again, and the user is told why.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nbdag.analysis.resolve import analyze_session
from nbdag.model.facts import CellFacts, EffectKind
from nbdag.replay.saved import Saved, SavedRun


@dataclass(frozen=True, slots=True)
class Resumption:
    """``done`` cells need not run; 0 where everything has to, and ``why``. ``forget`` and ``random`` take the session
    back to before what was stale in it."""

    done: int
    why: str
    forget: tuple[str, ...] = ()
    random: tuple[tuple[str, bytes], ...] = ()


def where_to_go_on(saved: Saved, sources: Sequence[str]) -> Resumption:
    """How to go on with the cells ``sources`` (those that run: neither empty nor skipped)."""
    runs = [run for run in saved.runs if not run.silent and not run.nested and run.source.strip()]
    done = 0
    while done < min(len(runs), len(sources)) and _is_same(runs[done], sources[done]):
        done += 1
    earlier, stale = runs[:done], runs[done:]
    if not done:
        return Resumption(0, "its first cell has been edited since" if runs else "nothing of it ran")
    what = _what_happened(done, stale, len(sources))
    unknown = next((run for run in runs if not run.known), None)
    if unknown is not None and stale:
        return Resumption(0, f"{what}, and nobody recorded what ran before nbdag came")
    before = {name for run in earlier for name in run.touched}
    for run in stale:
        spoiled = sorted(run.touched & before)
        if spoiled:
            return Resumption(
                0, f"{what}, but {_quote(run.source)} had changed {', '.join(spoiled[:5])}, which cells before it made"
            )
    facts = analyze_session([run.source for run in runs], saved.names) if stale else ()
    for run, fact in zip(stale, facts[done:], strict=False):
        effect = _process_effect(fact)
        if effect:
            return Resumption(0, f"{what}, but {_quote(run.source)} {effect}")
    present = {name for run in earlier for name in run.bound}
    missing = sorted(
        name for name in present - saved.names if _mentioned(name, sources[done:]) and _bound_last(earlier, name)
    )
    if missing:
        return Resumption(0, f"{', '.join(missing[:5])} could not be saved, and the cells that are left mention it")
    random: dict[str, bytes] = {}
    for run in stale:
        for generator, state in run.random_states:
            random.setdefault(generator, state)
    return Resumption(
        done,
        what,
        tuple(sorted({name for run in stale for name in run.touched})),
        tuple(sorted(random.items())),
    )


def _is_same(run: SavedRun, source: str) -> bool:
    return run.outcome == "ok" and run.source.strip() == source.strip()


def _what_happened(done: int, stale: Sequence[SavedRun], cells: int) -> str:
    if not stale:
        return "all cells ran" if done == cells else f"{done} of {cells} cells ran"
    if stale[0].outcome != "ok":
        return f"{done} of {cells} cells ran, and the next one failed"
    return f"{done} of {cells} cells are as they ran, and the next one has been edited since"


def _process_effect(facts: CellFacts) -> str:
    """What a cell did to the process that nothing takes back, "" if nothing."""
    for statement in facts.statements:
        if statement.opaque:
            return "runs code that nobody can see through"
        for effect in statement.effects:
            if effect.kind in (EffectKind.ENVIRONMENT, EffectKind.CONFIG) and not effect.deferred:
                return f"changed the process ({effect.detail or effect.kind.value})"
    return ""


def _bound_last(runs: Sequence[SavedRun], name: str) -> bool:
    """Whether ``name`` was still there when ``runs`` had ended."""
    last = next((run for run in reversed(runs) if name in run.touched), None)
    return last is not None and name in last.bound


def _mentioned(name: str, sources: Sequence[str]) -> bool:
    word = re.compile(rf"\b{re.escape(name)}\b")
    return any(word.search(source) for source in sources)


def _quote(source: str) -> str:
    """The cell by its first line of code."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    line = next((line for line in lines if not line.startswith("#")), lines[0] if lines else "")
    return f"`{line if len(line) <= 50 else line[:49] + '…'}`"
