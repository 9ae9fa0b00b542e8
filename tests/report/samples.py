"""An analysis and a compilation with everything in them that a report has to cope with."""

from __future__ import annotations

from math import inf

from nbdag.model import (
    Action,
    Analysis,
    Bundle,
    CellSummary,
    Comparison,
    Compiled,
    Decision,
    Diagnostic,
    Edge,
    Evidence,
    Load,
    Outcome,
    Place,
    Plan,
    Replay,
    Severity,
    ValueKind,
    VariableSummary,
    Verdict,
)

VARIABLES = (
    VariableSummary("df", "pandas.DataFrame", ValueKind.DATA, 3_100_000, True, "", 1, ("part",)),
    VariableSummary("part", "list[int]", ValueKind.DATA, 3_100_000, True, "", 2, ("df",)),
    VariableSummary("gen", "generator", ValueKind.DATA, 0, False, "gen: a generator is not [red]pickled[/red]", 2),
    VariableSummary("np", "module", ValueKind.MODULE, 0, True, "", 0),
    VariableSummary("pd", "module", ValueKind.MODULE, 0, True, "", 0),
    VariableSummary("clean", "function", ValueKind.FUNCTION, 0, True, "", None),
)

ANALYSIS = Analysis(
    notebook="wine [red].ipynb",
    cells=(
        CellSummary(0, 1, "a", ("np", "pd"), first_line="import numpy as np", runs=1, seconds=0.4, outcome=Outcome.OK),
        CellSummary(
            1,
            2,
            "b",
            defs=("df",),
            uses=("pd",),
            effects=("file-read",),
            first_line='df = pd.read_csv("[bold]wine[/bold].csv")',
            runs=1,
            seconds=0.0123,
            outcome=Outcome.OK,
        ),
        CellSummary(
            2,
            4,
            "c",
            defs=("part", "gen"),
            uses=("df",),
            deferred_uses=("np",),
            mutates=("df",),
            deletes=("old",),
            opaque=True,
            first_line="part = df['[/]']",
            runs=1,
            seconds=75.0,
            outcome=Outcome.ERROR,
            error="ValueError: [red]no[/red]",
        ),
        CellSummary(3, 5, "d", outcome=Outcome.REFUSED, error="SyntaxError: invalid syntax"),
    ),
    edges=(Edge(0, 1, ("pd",), Evidence.BOTH), Edge(1, 2, ("df",), Evidence.OBSERVED)),
    variables=VARIABLES,
    diagnostics=(
        Diagnostic("shadowed", Severity.INFO, "a small thing"),
        Diagnostic(
            "syntax", Severity.ERROR, "invalid syntax\n  (1 +\n     ^", 3, Place(1, 4, 1, 5), "the cell was left out"
        ),
    ),
    session="wine-123abc",
    seconds=80.0,
)

COMPILED = Compiled(
    session="wine-123abc",
    plan=Plan(
        steps=(
            Replay(0, "cell 1", 1, "import numpy as np", ("np",), 0.1, random_state=(("numpy", b"\x00"),)),
            Load(0, ("df", "part"), 3_100_000, 3),
        ),
        decisions=(
            Decision(("df", "part"), Action.STORE, "cheaper than 75 s of replay", 0.1, 75.0, 3_100_000),
            Decision(("np",), Action.REPLAY, "an import", inf, 0.1, 0),
            Decision(("pd",), Action.REPLAY, "an import", inf, 0.1, 0),
            Decision(("gen",), Action.LOSE, "a generator cannot be [red]stored", inf, inf, 0),
        ),
        cost=0.2,
        store_all_cost=inf,
        replay_all_cost=75.1,
    ),
    bundle=Bundle("/tmp/my bundle", 12_000, 3_000_000, 2, 1),
    verdict=Verdict(
        (
            Comparison("df", "identical"),
            Comparison("part", "identical"),
            Comparison("np", "identical"),
            Comparison("gen", "missing", "lost by the plan"),
        ),
        restore_seconds=0.9,
        rounds=2,
    ),
    variables=VARIABLES,
    diagnostics=ANALYSIS.diagnostics[:1],
    bandwidth=50e6,
    seconds=3.0,
)
