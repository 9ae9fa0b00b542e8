"""What ``nbdag analyze`` prints for several notebooks: a row for each, and below what was found in them."""

from __future__ import annotations

from collections.abc import Sequence

from nbdag.model.findings import Severity
from nbdag.model.results import Analysis, Failed
from nbdag.report.analysis import print_diagnostics
from nbdag.report.tables import Column, Page, Value
from nbdag.report.units import say_count, say_seconds


def print_analyses(results: Sequence[Analysis | Failed], page: Page) -> None:
    """A table of the notebooks in their order, then the findings of each that has some, then the failures."""
    done = [result for result in results if isinstance(result, Analysis)]
    failed = [result for result in results if not isinstance(result, Analysis)]
    cells = sum(len(analysis.cells) for analysis in done)
    told = f"{say_count(len(done), 'notebook')}, {say_count(cells, 'code cell')}"
    page.line(told + (f", {len(failed)} failed" if failed else ""), "strong")
    page.line()
    page.table(
        (
            Column("notebook", least=12),
            Column("cells", right=True, whole=True),
            Column("defines", right=True, whole=True),
            Column("edges", right=True, whole=True),
            Column("opaque", right=True, whole=True),
            Column("ran", right=True, whole=True),
            Column("time", right=True, whole=True),
            Column("findings", least=8),
        ),
        [_row(result) if isinstance(result, Analysis) else _failed_row(result) for result in results],
    )
    for analysis in done:
        if analysis.diagnostics:
            page.line()
            page.line(analysis.notebook, "strong")
            print_diagnostics(analysis.diagnostics, page)
    if failed:
        page.title(say_count(len(failed), "failure"))
    for failure in failed:
        page.line(f"{failure.message} [{failure.code}]", "bad")
        if failure.hint:
            page.line(f"    {failure.hint}", "faint")


def _row(analysis: Analysis) -> list[str | Value]:
    names = {name for cell in analysis.cells for name in cell.defs}
    runs = sum(cell.runs > 0 for cell in analysis.cells)
    return [
        analysis.notebook,
        str(len(analysis.cells)),
        str(len(names)),
        str(len(analysis.edges)),
        str(sum(cell.opaque for cell in analysis.cells) or ""),
        str(runs or ""),
        say_seconds(analysis.seconds),
        _findings(analysis),
    ]


def _findings(analysis: Analysis) -> Value:
    words = ((Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.INFO, "note"))
    counts = [(sum(one.severity is severity for one in analysis.diagnostics), word) for severity, word in words]
    return Value(
        ", ".join(say_count(count, word) for count, word in counts if count), "bad" if counts[0][0] else "warn"
    )


def _failed_row(failed: Failed) -> list[str | Value]:
    return [failed.notebook, "", "", "", "", "", "", Value("failed", "bad")]
