"""An analysis, a plan and a compilation with everything in them that a report has to cope with."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from nbdag.model.bundle import Bundle, Comparison, Verdict
from nbdag.model.findings import Diagnostic, Place, Severity
from nbdag.model.graph import Edge, Evidence, Reluctance
from nbdag.model.plan import Action, Alternative, Decision, Explanation, Load, Obstacle, Plan, Replay
from nbdag.model.results import Analysis, CellSummary, Compiled, Planned, VariableSummary
from nbdag.model.trace import Outcome, ValueKind

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
    bandwidth_source="given",
    alternatives=(
        Alternative("plan", 0.2, 3_100_000, 0.1, 1, (), ("gen",)),
        Alternative("store-all", inf, 3_100_000, 0.1, 1, ("gen",), ("gen",)),
        Alternative("replay-all", 75.1, 0, 75.0, 3, (), ("gen",)),
        Alternative("per-cell", 2e7 + 0.25, 3_100_000, 0.15, 2, (), ("gen", "part")),
    ),
)

_LOAD = Replay(3, "cell 2", 1, 'df = pd.read_csv("[bold]wine[/bold].csv")\n# the rest', ("df",), 0.01)
_CUT = Replay(4, "cell 3", 1, "part = df['[/]'] < 3 & df['<b>']", ("part",), 75.0)
_LOCK = Obstacle("gen.lock: a lock belongs to its process")
_CLOCK = Obstacle("it depends on the moment it runs (time.time)", "cell 3, line 4", Reluctance.LAST_RESORT)
_FILE = Obstacle("it reads wine.csv, which the target may lack", "cell 2, line 1", Reluctance.RISK)
_NETWORK = Obstacle("it uses the network (requests.get)", "cell 3, line 2")

_LINKED = Decision(("df", "part"), Action.STORE, "it reads wine.csv", 0.124, 105.01, 3_100_000)
_GIVEN = Decision(("np", "pd"), Action.REPLAY, "definition", 0.0001, 0.0, 0)
_LOST = Decision(("gen",), Action.LOSE, "a generator cannot be [red]stored", inf, inf, 0)

PLANNED = Planned(
    session="wine-123abc",
    notebook="wine [red].ipynb",
    plan=replace(COMPILED.plan, decisions=(_LINKED, _GIVEN, _LOST)),
    variables=VARIABLES,
    alternatives=COMPILED.alternatives,
    explanations=(
        Explanation(
            "df",
            _LINKED,
            "pandas.DataFrame",
            linked=("part",),
            statements=(_LOAD, _CUT),
            replay_seconds=75.01,
            definitions=2,
            shared=(3,),
            against_replaying=(_FILE,),
            plan_cost=0.2,
            other_way=105.2,
            turning_point=60e3,
        ),
        Explanation("np", _GIVEN, "module", statements=COMPILED.plan.steps[:1], given=True),  # type: ignore[arg-type]
        Explanation(
            "gen",
            _LOST,
            "generator",
            statements=(_CUT,),
            replay_seconds=75.0,
            against_storing=(_LOCK,),
            against_replaying=(_NETWORK, _CLOCK),
        ),
    ),
    diagnostics=(
        Diagnostic("unknown-tag", Severity.WARNING, "nbdag-x is no tag <b>", 1, hint="did you mean nbdag-y?"),
    ),
    bandwidth=50e6,
    bandwidth_source="measured in /data",
    max_bytes=2_000_000_000,
    seconds=0.5,
)
