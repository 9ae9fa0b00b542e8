"""What ``nbdag doctor`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nbdag.analysis.checkup import Check, State
from nbdag.report.tables import Column, Page, Value

_STYLES = {State.OK: "good", State.INFO: "faint", State.WARNING: "warn", State.PROBLEM: "bad"}


def print_checkup(shown: Mapping[str, Sequence[Check]], page: Page, conclusion: tuple[str, str]) -> None:
    """One row per check that is shown, by area; below, what to do about what is not right, and the conclusion."""
    rows: list[list[str | Value]] = [
        [Value(check.state.value, _STYLES[check.state]), check.what, check.says]
        for checks in shown.values()
        for check in checks
    ]
    if rows:
        page.table((Column("state", whole=True), Column("what", least=14), Column("is", least=24)), rows)
    told = [check for checks in shown.values() for check in checks if check.remedy]
    if told:
        page.title("what to do")
        for check in told:
            page.line(f"  {check.what}: {check.remedy}", "faint" if check.state is State.INFO else "")
    if rows:
        page.line()
    page.line(*conclusion)


def verdict(found: Mapping[str, Sequence[Check]]) -> tuple[str, str]:
    """All of it in one line, and the style of that line."""
    states = [check.state for checks in found.values() for check in checks]
    problems, warnings = states.count(State.PROBLEM), states.count(State.WARNING)
    if problems:
        return f"{_count(problems, 'problem')}: nbdag cannot work like this", "bad"
    if warnings:
        return f"{_count(warnings, 'warning')}; nbdag works", "warn"
    return f"{len(states)} checks, nothing is wrong", "good"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
