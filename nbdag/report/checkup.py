"""What ``nbdag doctor`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nbdag.analysis.checkup import Check, State
from nbdag.report.tables import Column, Page, Value

_STYLES = {State.OK: "good", State.INFO: "faint", State.WARNING: "warn", State.PROBLEM: "bad"}


def print_checkup(found: Mapping[str, Sequence[Check]], page: Page) -> None:
    """One row per check, by area; below, what to do about what is not right."""
    page.table(
        (Column("state", whole=True), Column("what", least=14), Column("is", least=24)),
        [
            [Value(check.state.value, _STYLES[check.state]), check.what, check.says]
            for checks in found.values()
            for check in checks
        ],
    )
    told = [check for checks in found.values() for check in checks if check.remedy]
    if told:
        page.title("what to do")
        for check in told:
            page.line(f"  {check.what}: {check.remedy}", "faint" if check.state is State.INFO else "")
    page.line()
    page.line(*verdict(found))


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
