"""The plan as one HTML page: no network, no script, light and dark; every variable opens to its explanation.

What comes from the notebook is text everywhere, escaped; the page's own policy forbids anything to be loaded.
"""

from __future__ import annotations

import math
from html import escape
from importlib.resources import files
from pathlib import Path

from nbdag.model.plan import Action, Alternative, Decision, Explanation
from nbdag.model.results import Planned
from nbdag.report.explained import INEXACT, words_of
from nbdag.report.plan import (
    WAYS,
    is_definition,
    say_conditions,
    say_cost,
    say_exceptions,
    say_replay,
    say_store,
    say_totals,
    say_why,
    sorted_decisions,
)
from nbdag.report.units import say_bytes, say_count, say_seconds

_WORDS = {Action.STORE: "stored", Action.REPLAY: "replayed", Action.LOSE: "lost"}


def plan_as_html(planned: Planned, nbdag: str) -> str:
    """The whole page; ``nbdag`` is the version that made it."""
    title = f"plan of {Path(planned.notebook).name or 'a session'}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{_text(title)} - nbdag</title><style>{_style()}</style></head><body><main>"
        f"<h1>{_text(title)}</h1><p class=dim>{_text(say_conditions(planned))}</p>"
        f"<p>{_text(say_totals(planned.plan))}</p>"
        f"{_comparison(planned)}{_variables(planned)}{_definitions(planned)}{_findings(planned)}"
        f"</main><footer>nbdag {_text(nbdag)}; nothing was written yet: "
        "<code>nbdag compile --out DIR</code> does it</footer>"
        "</body></html>\n"
    )


def _style() -> str:
    return files("nbdag.report").joinpath("plan_page.css").read_text(encoding="utf-8")


def _comparison(planned: Planned) -> str:
    if not planned.alternatives:
        return ""
    size = planned.objective == "size"
    values = [_length(way, size) for way in planned.alternatives]
    longest = max((value for value in values if not math.isinf(value)), default=0.0) or 1.0
    rows = []
    for way, value in zip(planned.alternatives, values, strict=True):
        share = 0.0 if math.isinf(value) else 100 * value / longest
        what = say_bytes(way.stored_bytes) if size else say_cost(way.cost)
        details = f"{say_bytes(way.stored_bytes)} stored, {say_count(way.replayed_statements, 'statement')} replayed"
        rows.append(
            f"<tr{' class=chosen' if way.name == 'plan' else ''}><th>{_text(WAYS.get(way.name, way.name))}</th>"
            f'<td class=bar><i style="width:{share:.1f}%"></i></td><td class=number>{_text(what)}</td>'
            f"<td>{_text(details)} ({_text(say_seconds(way.replay_seconds))})"
            f"<span class=dim> {_text(say_exceptions(way, planned.max_bytes))}</span></td></tr>"
        )
    heading = "stored bytes" if size else "cost of writing, loading and replaying"
    return f"<h2>In comparison: {heading}</h2><table class=ways>{''.join(rows)}</table>"


def _length(way: Alternative, size: bool) -> float:
    if size:
        return float(way.stored_bytes)
    return math.inf if math.isinf(way.cost) else way.cost % (10 * INEXACT)  # what is not exact is counted apart


def _variables(planned: Planned) -> str:
    types = {variable.name: variable.type for variable in planned.variables}
    explained = {explanation.name: explanation for explanation in planned.explanations}
    rows = [
        _variable(decision, types, explained, planned)
        for decision in sorted_decisions(planned.plan)
        if not _is_given(decision, planned)
    ]
    if not rows:
        return ""
    return (
        "<h2>Variables</h2><div class=rows><div class=head><span>variable</span><span>type</span><span>action</span>"
        "<span class=number>size</span><span class=number>store + load</span><span class=number>replay</span>"
        f"<span>why</span></div>{''.join(rows)}</div>"
    )


def _variable(decision: Decision, types: dict[str, str], explained: dict[str, Explanation], planned: Planned) -> str:
    kinds = ", ".join(dict.fromkeys(types[name] for name in decision.names if name in types))
    size = "" if math.isinf(decision.store_cost) else say_bytes(decision.size)
    explanation = explained.get(decision.names[0])
    cells = (
        f"<span class=name>{_text(', '.join(decision.names))}</span><span class=dim>{_text(kinds)}</span>"
        f'<span class="{decision.action.value}">{_WORDS[decision.action]}</span><span class=number>{_text(size)}</span>'
        f"<span class=number>{_text(say_store(decision, planned.objective))}</span>"
        f"<span class=number>{_text(say_replay(decision, explanation))}</span>"
        f"<span>{_text(say_why(decision, explanation, planned))}</span>"
    )
    if explanation is None:
        return f"<div class=row>{cells}</div>"
    opened = " open" if set(decision.names) & set(planned.asked) else ""
    return f"<details{opened}><summary class=row>{cells}</summary>{_explanation(explanation, planned)}</details>"


def _explanation(explanation: Explanation, planned: Planned) -> str:
    words = words_of(explanation, planned)
    parts = []
    for count, sentence in enumerate(words.sentences, 1):
        parts.append(f"<p>{_text(sentence)}</p>")
        if count == words.listed_after:
            lines = "".join(
                f"<tr><td class=dim>{_text(place)}</td><td><code>{_text(code)}</code></td></tr>"
                for place, code in words.listing
            )
            parts.append(f"<table class=code>{lines}</table>")
    return f"<div class=why>{''.join(parts)}</div>"


def _is_given(decision: Decision, planned: Planned) -> bool:
    kinds = {variable.name: variable.kind for variable in planned.variables}
    explained = {explanation.name: explanation for explanation in planned.explanations}
    return decision.action is Action.REPLAY and is_definition(decision, kinds, explained)


def _definitions(planned: Planned) -> str:
    names = [name for d in planned.plan.decisions if _is_given(d, planned) for name in d.names]
    if not names:
        return ""
    return f"<p class=dim>Replayed from source in any case: {_text(', '.join(names))}</p>"


def _findings(planned: Planned) -> str:
    if not planned.diagnostics:
        return ""
    rows = []
    for finding in planned.diagnostics:
        place = "" if finding.cell is None else f"cell {finding.cell + 1}: "
        hint = f" <span class=dim>{_text(finding.hint)}</span>" if finding.hint else ""
        rows.append(
            f"<li class={finding.severity.value}>{_text(place + finding.message)} "
            f"<code>{_text(finding.code)}</code>{hint}</li>"
        )
    return f"<h2>Findings</h2><ul>{''.join(rows)}</ul>"


def _text(text: str) -> str:
    # A lone surrogate has no UTF-8, and a control character has no place in a page.
    kept = "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)
    return escape(kept.encode("utf-8", "replace").decode("utf-8"))
