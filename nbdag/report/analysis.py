"""What ``nbdag analyze`` prints: cells, variables, findings."""

from __future__ import annotations

from collections.abc import Sequence

from nbdag.model.findings import EXCERPT_BEFORE, Diagnostic, Severity
from nbdag.model.results import Analysis, CellSummary, VariableSummary
from nbdag.model.trace import Outcome, ValueKind
from nbdag.report.tables import Column, Page, Value
from nbdag.report.units import say_bytes, say_count, say_seconds

_SEVERITY_STYLE = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "faint"}


def print_analysis(analysis: Analysis, page: Page) -> None:
    """Cells with what they define, use and change; the variables that are there now; findings."""
    ran = sum(cell.outcome not in {None, Outcome.REFUSED} for cell in analysis.cells)
    how = f"{ran} ran in {say_seconds(analysis.seconds)}" if analysis.session else "not run (--static)"
    page.line(f"{analysis.notebook or 'session'}: {say_count(len(analysis.cells), 'code cell')}, {how}", "strong")
    if analysis.cells:
        _print_cells(analysis, page)
    if analysis.session:
        _print_variables(analysis.variables, page)
    print_diagnostics(analysis.diagnostics, page)


def _print_cells(analysis: Analysis, page: Page) -> None:
    needed: dict[int, set[int]] = {}
    for edge in analysis.edges:
        needed.setdefault(edge.target, set()).add(edge.source)
    page.line()
    page.table(
        (
            Column("cell", right=True, whole=True),
            Column("after", least=5),
            Column("defines", least=9),
            Column("uses", least=9),
            Column("changes", least=7),
            Column("effects", least=7),
            Column("time", right=True, whole=True, least=6),
            Column("" if page.narrow else "begins with"),
        ),
        [_cell_row(cell, needed.get(cell.index, set()), page) for cell in analysis.cells],
    )
    if any(cell.deferred_uses for cell in analysis.cells):
        page.line("(name): used only when a function defined there is called", "faint")
    for cell in analysis.cells:
        if cell.error:
            word = {Outcome.INTERRUPTED: "was interrupted", Outcome.REFUSED: "did not run"}.get(
                cell.outcome or Outcome.ERROR, "failed"
            )
            page.line(f"cell {cell.index + 1} {word}: {cell.error}", "bad")


def _cell_row(cell: CellSummary, needed: set[int], page: Page) -> list[str | Value]:
    deferred = [f"({name})" for name in cell.deferred_uses if name not in cell.uses]
    changes = [*cell.mutates, *(f"del {name}" for name in cell.deletes)]
    effects = [*cell.effects, *(["opaque"] if cell.opaque else [])]
    time = "" if cell.seconds is None else say_seconds(cell.seconds)
    if cell.outcome not in {None, Outcome.OK}:
        time = str(cell.outcome.value if cell.outcome else "")
    return [
        str(cell.index + 1),
        Value(", ".join(str(index + 1) for index in sorted(needed)), "faint"),
        ", ".join(cell.defs),
        ", ".join([*cell.uses, *deferred]),
        ", ".join(changes),
        ", ".join(effects),
        Value(time, "" if cell.outcome in {None, Outcome.OK} else "bad"),
        Value("" if page.narrow else _shorten(cell.first_line, 60), "faint"),
    ]


def _print_variables(variables: Sequence[VariableSummary], page: Page) -> None:
    shown = [variable for variable in variables if variable.kind is not ValueKind.MODULE]
    modules = [variable.name for variable in variables if variable.kind is ValueKind.MODULE]
    page.title(say_count(len(shown), "variable") + (f" and {say_count(len(modules), 'module')}" if modules else ""))
    if shown:
        page.table(
            (
                Column("name", least=8),
                Column("type", least=10),
                Column("bytes", right=True, whole=True, least=5),
                Column("storable", least=8),
                Column("made by", whole=True),
                Column("shares state with", least=9),
            ),
            [
                [
                    variable.name,
                    variable.type,
                    say_bytes(variable.size) if variable.storable and variable.kind is ValueKind.DATA else "",
                    _storable(variable),
                    "" if variable.made_by is None else f"cell {variable.made_by + 1}",
                    ", ".join(variable.linked),
                ]
                for variable in shown
            ],
        )
    if modules:
        page.line(f"modules: {', '.join(modules)}", "faint")
    for variable in shown:
        if not variable.storable and variable.obstacle:
            why = variable.obstacle.removeprefix(f"{variable.name}: ")  # it begins with the path to the object
            page.line(f"{variable.name} cannot be stored: {why}", "warn")


def _storable(variable: VariableSummary) -> Value:
    if variable.kind is not ValueKind.DATA:
        return Value("as source", "faint")  # definitions travel as the text that makes them
    return Value("yes", "good") if variable.storable else Value("no", "warn")


def print_diagnostics(diagnostics: Sequence[Diagnostic], page: Page) -> None:
    """Findings, the worst first, each with its place, its stable code and what to do."""
    if not diagnostics:
        return
    order = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    page.title(say_count(len(diagnostics), "finding"))
    for finding in sorted(diagnostics, key=lambda finding: order.index(finding.severity)):
        place = "" if finding.cell is None else f"cell {finding.cell + 1}"
        if finding.place is not None:
            place += f", line {finding.place.line}, column {finding.place.column + 1}"
        where = f"{place.lstrip(', ')}: " if place else ""
        first, *rest = finding.message.splitlines() or [""]
        page.line(
            f"{finding.severity.value}: {where}{first} [{finding.code}]", _SEVERITY_STYLE.get(finding.severity, "")
        )
        for line in rest:
            page.line(f"    {line}")
        if finding.excerpt and finding.place is not None:
            page.line(f"    {finding.excerpt}")
            # A tab before the caret must be a tab, or it points elsewhere.
            cut = finding.excerpt.startswith("…") and finding.place.column > EXCERPT_BEFORE
            before = finding.excerpt[: EXCERPT_BEFORE + 1 if cut else finding.place.column]
            page.line("    " + "".join("\t" if character == "\t" else " " for character in before) + "^")
        if finding.hint:
            page.line(f"    {finding.hint}", "faint")


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
