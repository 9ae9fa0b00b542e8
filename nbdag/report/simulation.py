"""What ``nbdag simulate`` found: a table, JSON, and a picture of the waiting under each policy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from nbdag.report.tables import Column, Page, Value
from nbdag.report.units import say_bytes, say_count, say_seconds

if TYPE_CHECKING:
    from nbdag.remote.simulate import Course
    from nbdag.remote.trial import Trial

WORDS = {
    "here": "all here",
    "there": "all there",
    "single": "single cell",
    "block": "block",
    "performance": "performance aware",
    "knowledge": "knowledge aware",
    "oracle": "oracle",
}
TOLERATED = 1.05


def print_trial(trial: Trial, page: Page, *, each: bool = False, explain: bool = False) -> None:
    """The table of policies over all sessions; ``each`` session by itself and ``explain``: every decision, if asked."""
    page.line(_headline(trial), "strong")
    page.line(_conditions(trial))
    guessed = _guessed(trial)
    if guessed:
        page.line(guessed, "warn")
    columns = [
        Column("policy", whole=True),
        Column("waiting", right=True),
        Column("against all here", right=True),
        Column("above the oracle", right=True),
        Column("worst session", right=True),
        Column("cells there", right=True),
        Column("moved", right=True),
    ]
    page.table(columns, [_row(trial, name) for name in trial.courses])
    if each:
        page.title("each session, seconds of waiting")
        names = list(trial.courses)
        rows = []
        for index, session in enumerate(trial.sessions):
            waits = [say_seconds(trial.courses[name][index].waited) for name in names]
            rows.append([session.name, session.origin, str(len(session.runs)), *waits])
        head = [Column("session", whole=True), Column("origin"), Column("cells", right=True)]
        page.table([*head, *(Column(WORDS[name], right=True) for name in names)], rows)
    if explain:
        for name, courses in trial.courses.items():
            if courses[0].visits and courses[0].visits[0].decision is not None and name not in {"here", "there"}:
                for course in courses:
                    _explain(course, page)


def _explain(course: Course, page: Page) -> None:
    page.title(f"{WORDS[course.policy]}, {course.session}")
    rows = []
    for visit in course.visits:
        reason = visit.decision.reason if visit.decision is not None else ""
        place = visit.where.value + (" (given up there)" if visit.given_up else "")
        rows.append([visit.label, place, say_seconds(visit.waited), say_seconds(visit.here_seconds), reason])
    columns = [Column("cell", least=16), Column("ran"), Column("waiting", right=True), Column("here", right=True)]
    page.table([*columns, Column("why", least=24)], rows)


def _headline(trial: Trial) -> str:
    runs = sum(len(session.runs) for session in trial.sessions)
    origins = {origin: sum(s.origin == origin for s in trial.sessions) for origin in ("recorded", "trace", "generated")}
    kinds = ", ".join(f"{count} {origin}" for origin, count in origins.items() if count)
    kinds = kinds.replace("trace", "from a trace")
    said = f"{say_count(len(trial.sessions), 'session')} ({kinds}), {say_count(runs, 'cell run')}"
    both = {session.name for session in trial.sessions}.intersection(trial.learned_from)
    if both:
        return (
            f"{said}; the policies had learned from {'all' if len(both) == len(trial.sessions) else len(both)} of them"
        )
    if trial.learned_from:
        return f"{said}; the policies had learned from {say_count(len(trial.learned_from), 'other session')}"
    return f"{said}; each learned from before the next"


def _conditions(trial: Trial) -> str:
    link = trial.conditions.link
    spread = f", single cells differ from that by {trial.conditions.spread:.0%}" if trial.conditions.spread else ""
    return (
        f"there is {link.speedup:g} times as fast{spread}; {say_bytes(link.bytes_per_second)}/s, "
        f"latency {say_seconds(link.latency_seconds)}, {say_seconds(trial.conditions.overhead)} beside every run there"
    )


def _guessed(trial: Trial) -> str:
    pieces = [piece for session in trial.sessions for piece in session.pieces]
    guessed = sum(piece.guessed for piece in pieces)
    if not guessed:
        return ""
    return (
        f"the sizes of {guessed} of {len(pieces)} versions of variables are guesses, from what the session held "
        "when it was last surveyed"
    )


def _row(trial: Trial, name: str) -> Sequence[str | Value]:
    against, worst = trial.against(name, "here"), trial.worst(name)
    above = trial.against(name, "oracle") - 1
    courses = trial.courses[name]
    style = "bad" if against > TOLERATED else "good" if against < 1 / TOLERATED else ""
    return (
        WORDS[name],
        say_seconds(trial.waited(name)),
        Value(_times(against), style),
        f"+{above:.0%}" if name != "oracle" else "",
        Value(_times(worst), "bad" if worst > TOLERATED else ""),
        str(sum(course.there for course in courses)),
        say_bytes(sum(course.moved for course in courses)),
    )


def _times(ratio: float) -> str:
    return f"{1 / ratio:.2f}x faster" if ratio < 0.995 else f"{ratio - 1:.1%} slower" if ratio > 1.0005 else "the same"


# ------------------------------------------------------------------------------------------------ JSON


def trial_as_json(trial: Trial, version: str) -> str:
    """The whole trial: totals, and every session's every cell."""
    link = trial.conditions.link
    document: dict[str, Any] = {
        "format": "nbdag-simulation",
        "version": 1,
        "nbdag": version,
        "conditions": {
            "speedup": link.speedup,
            "bytes_per_second": link.bytes_per_second,
            "latency_seconds": link.latency_seconds,
            "overhead_seconds": trial.conditions.overhead,
            "spread": trial.conditions.spread,
        },
        "learned_from": list(trial.learned_from),
        "sessions": [{"name": s.name, "origin": s.origin, "runs": len(s.runs)} for s in trial.sessions],
        "policies": {
            name: {
                "waited_seconds": trial.waited(name),
                "against_here": trial.against(name, "here"),
                "against_oracle": trial.against(name, "oracle"),
                "worst_against_here": trial.worst(name),
                "courses": [_course(course) for course in courses],
            }
            for name, courses in trial.courses.items()
        },
    }
    return json.dumps(document, indent=1)


def _course(course: Course) -> dict[str, Any]:
    return {
        "session": course.session,
        "waited_seconds": course.waited,
        "homecoming_seconds": course.homecoming,
        "cells": [
            {
                "label": visit.label,
                "where": visit.where.value,
                "waited_seconds": visit.waited,
                "here_seconds": visit.here_seconds,
                "sent_bytes": visit.sent,
                "fetched_bytes": visit.fetched,
                "given_up": visit.given_up,
                "reason": visit.decision.reason if visit.decision is not None else "",
            }
            for visit in course.visits
        ],
    }


# ------------------------------------------------------------------------------------------------ SVG

_WIDTH, _LEFT, _BAR, _GAP, _TOP = 760, 150, 22, 10, 56
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f; stroke: #ffffff; stroke-width: 4px; paint-order: stroke }
  .faint { fill: #57606a; font-size: 12px }
  .here, .there { fill: #8c959f } .policy { fill: #2f6feb } .oracle { fill: #1a7f37 }
  .mark { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 4 3 }
  .ground { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; stroke: #0d1117 } .faint { fill: #8b949e } .ground { fill: #0d1117 }
    .here, .there { fill: #6e7681 } .policy { fill: #58a6ff } .oracle { fill: #3fb950 }
  }"""


def draw_trial(trial: Trial) -> str:
    """One bar per policy: the waiting of all sessions together; a line where staying here would be."""
    longest = max(trial.waited(name) for name in trial.courses) or 1.0
    room = _WIDTH - _LEFT - 170
    height = _TOP + len(trial.courses) * (_BAR + _GAP) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" aria-label="waiting under each policy">',
        f"<style>{_STYLE}\n</style>",
        f'<rect class="ground" width="{_WIDTH}" height="{height}"/>',
        f'<text x="12" y="22">{escape(_headline(trial))}</text>',
        f'<text x="12" y="41" class="faint">{escape(_conditions(trial))}</text>',
    ]
    mark = _LEFT + trial.waited("here") / longest * room
    parts.append(f'<line class="mark" x1="{mark:.1f}" x2="{mark:.1f}" y1="{_TOP - 6}" y2="{height - 12}"/>')
    for number, name in enumerate(trial.courses):
        top = _TOP + number * (_BAR + _GAP)
        seconds = trial.waited(name)
        width = max(1.0, seconds / longest * room)
        kind = name if name in {"here", "there", "oracle"} else "policy"
        note = f"{say_seconds(seconds)}" + ("" if name == "here" else f"  {_times(trial.against(name, 'here'))}")
        parts.append(f'<text x="{_LEFT - 10}" y="{top + 16}" text-anchor="end">{escape(WORDS[name])}</text>')
        parts.append(f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="3"/>')
        parts.append(f'<text x="{_LEFT + width + 8:.1f}" y="{top + 16}">{escape(note)}</text>')
    return "\n".join([*parts, "</svg>"])
