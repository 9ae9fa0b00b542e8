"""Text and trace become one history: the rules at the heads of reconcile, mutation, alignment and hazards."""

from __future__ import annotations

import pytest

from nbdag.analysis.alignment import align
from nbdag.analysis.hazards import hazards_of
from nbdag.analysis.patches import modules_patched
from nbdag.analysis.reconcile import reconcile
from nbdag.model.facts import Access, AccessKind, CellFacts, Certainty, Effect, EffectKind, Statement, StatementKind
from nbdag.model.findings import Place
from nbdag.model.graph import Reluctance, SessionGraph
from nbdag.model.options import option_in
from nbdag.model.trace import Execution, FileUse, Outcome, StatementRun, Trace, ValueKind, Variable

HERE = Place(1, 0, 1, 1)
MUST, MAY = Certainty.MUST, Certainty.MAY
KINDS = {"r": AccessKind.READ, "b": AccessKind.BIND, "m": AccessKind.MUTATE, "d": AccessKind.DELETE}


def says(text: str, node: int = 0, kind: StatementKind = StatementKind.OTHER, **options: object) -> Statement:
    """A statement from a tiny notation: "b:x r:y m?:z" binds x, reads y and may change z in place."""
    accesses = []
    for word in text.split():
        letter, name = word.split(":")
        accesses.append(Access(name, KINDS[letter[0]], MAY if letter.endswith("?") else MUST, HERE))
    options.setdefault("python", text or "pass")
    return Statement(node, node, kind, HERE, accesses=tuple(accesses), **options)  # type: ignore[arg-type]


def ran(node: int = 0, **options: object) -> StatementRun:
    """A run from keywords whose values are words: reached="x y"."""
    words = {"bound", "deleted", "reached", "changed", "unseen", "drew", "effects"}
    values = {key: tuple(value.split()) if key in words else value for key, value in options.items()}  # type: ignore
    return StatementRun(node=node, line=1, end_line=1, seconds=values.pop("seconds", 0.5), **values)  # type: ignore


def history(*cells: list[tuple[Statement, StatementRun]], variables: str = "", linked: str = "") -> list[str]:
    """One line per step: "inputs -> outputs", versions as name@step, changes in place with a "!"."""
    executions, facts = [], []
    groups = (tuple(linked.split()),) if linked else ()
    for ordinal, cell in enumerate(cells):
        runs = tuple(run for _, run in cell)
        source = "\n".join(statement.python or "" for statement, _ in cell)
        executions.append(Execution(ordinal, source, Outcome.OK, statements=runs, covariables=groups))
        facts.append(CellFacts(tuple(statement for statement, _ in cell)))
    found = [Variable(name, "int", ValueKind.DATA, group) for group, name in enumerate(variables.split())]
    graph = reconcile(facts, Trace("3.11", "cpython", "", "", tuple(executions), tuple(found)))
    lines = []
    for step in graph.steps:
        left = " ".join(f"{v.name}@{v.made_by}" for v in step.inputs)
        right = " ".join(v.name if v.name in step.binds else v.name + "!" for v in step.outputs)
        lines.append(f"{left} -> {right}".strip())
    return lines


X = [(says("b:x"), ran(bound="x"))]  # a cell that makes x

FUTURE = [
    (
        says("b:annotations", kind=StatementKind.IMPORT, python="from __future__ import annotations"),
        ran(bound="annotations"),
    )
]
TYPED = [
    (says("b:f", kind=StatementKind.FUNCTION, python="def f(x: Later) -> None:\n    return x"), ran(bound="f")),
    (says("b:g", 1, StatementKind.FUNCTION, python="def g(x):\n    return x"), ran(1, bound="g")),
]

NUMPY = [(says("b:np", kind=StatementKind.IMPORT, python="import numpy as np"), ran(bound="np"))]
USES_NUMPY = [(says("b:x r:np"), ran(bound="x"))]

CASES = [
    ("what the text binds and the recorder saw bound", [X], ["-> x"]),
    ("a name rebound to the same object is bound all the same", [[(says("b:x"), ran())]], ["-> x"]),
    ("a branch that may bind and did not", [[(says("b?:x"), ran())]], ["->"]),
    ("exec binds what no text says", [[(says("r:code", opaque=True), ran(bound="x"))]], ["-> x"]),
    ("a name the text reads", [X, [(says("b:y r:x"), ran(bound="y"))]], ["-> x", "x@0 -> y"]),
    ("a name only the running code reaches", [X, [(says("b:y"), ran(bound="y", reached="x"))]], ["-> x", "x@0 -> y"]),
    ("a name that nobody made is no input", [[(says("b:y r:print"), ran(bound="y"))]], ["-> y"]),
    ("a cell of imports that is run again makes nothing", [NUMPY, NUMPY, USES_NUMPY], ["-> np", "->", "np@0 -> x"]),
    (
        "an import brings a name back that held something else",
        [NUMPY, [(says("b:np"), ran(bound="np"))], NUMPY, USES_NUMPY],
        ["-> np", "-> np", "-> np", "np@2 -> x"],
    ),
    (
        "what has annotations stays behind the first __future__ import, whatever becomes of the name",
        [FUTURE, TYPED, [(says("b:annotations", python="annotations = 1"), ran(bound="annotations"))], FUTURE, TYPED],
        [
            *("-> annotations", "annotations@0 -> f", "-> g", "-> annotations"),
            "-> annotations",
            "annotations@0 -> f",
            "-> g",
        ],
    ),
    (
        "a deleted name is gone",
        [X, [(says("d:x"), ran(deleted="x"))], [(says("r:x b:y"), ran(bound="y"))]],
        ["-> x", "x@0 ->", "-> y"],
    ),
    ("a change that was seen", [X, [(says("m?:x"), ran(reached="x", changed="x"))]], ["-> x", "x@0 -> x!"]),
    ("a change the text promises and nobody saw", [X, [(says("m:x"), ran(reached="x"))]], ["-> x", "x@0 ->"]),
    (
        "a change that only the recorder saw",
        [X, [(says("r:f"), ran(reached="x", changed="x"))]],
        ["-> x", "x@0 -> x!"],
    ),
    (
        "an unseen change is laid on the statement whose text may change it",
        [
            X,
            [
                (says("r:x", 0), ran(0, reached="x", unseen="x")),
                (says("m?:x", 1), ran(1, reached="x", unseen="x")),
                (says("b:y", 2), ran(2, bound="y", changed="x")),
            ],
        ],
        ["-> x", "x@0 ->", "x@0 -> x!", "-> y"],
    ),
    (
        "an unseen change that no text admits is laid on all who could reach it",
        [X, [(says("r:x", 0), ran(0, reached="x", unseen="x")), (says("b:y", 1), ran(1, bound="y", changed="x"))]],
        ["-> x", "x@0 -> x!", "-> y"],
    ),
    (
        "nor on one that only defines a function or imports: it reads nothing, too",
        [
            X,
            [
                (says("b:f", 0, StatementKind.FUNCTION), ran(0, bound="f", reached="x", unseen="x")),
                (says("b:m", 1, StatementKind.IMPORT), ran(1, bound="m", reached="x", unseen="x")),
                (says("r:f r:x", 2), ran(2, reached="x", unseen="x")),
                (says("b:y", 3), ran(3, bound="y", changed="x")),
            ],
        ],
        ["-> x", "-> f", "-> m", "f@1 x@0 -> x!", "-> y"],
    ),
    (
        "a value whose look was put off, and whose name is given to something else, may have been changed before",
        [
            X,
            [
                (says("m?:x", 0), ran(0, reached="x", unseen="x")),
                (says("r:x b:y", 1), ran(1, reached="x", bound="y", unseen="x")),
                (says("b:x", 2), ran(2, bound="x")),
            ],
        ],
        ["-> x", "x@0 -> x!", "x@1 -> y", "-> x"],
    ),
    (
        "the same where the name is deleted",
        [
            X,
            [
                (says("r:x", 0), ran(0, reached="x", unseen="x")),
                (says("d:x", 1), ran(1, reached="x", deleted="x")),
            ],
        ],
        ["-> x", "x@0 -> x!", "x@1 ->"],
    ),
    (
        "looked at once, at the end, and unchanged",
        [X, [(says("m?:x", 0), ran(0, reached="x", unseen="x")), (says("b:y", 1), ran(1, bound="y"))]],
        ["-> x", "x@0 ->", "-> y"],
    ),
    (
        "a value made in this cell and never looked at is taken at the text's word",
        [
            [
                (says("b:x", 0), ran(0, bound="x", unseen="x")),
                (says("m?:x", 1), ran(1, reached="x", unseen="x")),
                (says("r:x", 2), ran(2, reached="x", unseen="x")),
            ]
        ],
        ["-> x", "x@0 -> x!", "x@1 ->"],
    ),
    (
        "a value made in this cell and looked at right away is known",
        [[(says("b:x", 0), ran(0, bound="x")), (says("m?:x", 1), ran(1, reached="x"))]],
        ["-> x", "x@0 ->"],
    ),
]


@pytest.mark.parametrize(("sentence", "cells", "expected"), CASES, ids=[case[0] for case in CASES])
def test_history(sentence: str, cells: list, expected: list[str]) -> None:
    assert history(*cells) == expected


def test_a_change_through_an_alias_changes_both_names() -> None:
    # cell 1: x = []; y = x      cell 2: y.append(1)
    made = [(says("b:x", 0), ran(0, bound="x")), (says("b:y r:x", 1), ran(1, bound="y", reached="x"))]
    changed = [(says("m:y"), ran(reached="x y", changed="x y"))]
    assert history(made, changed, linked="x y")[-1] == "x@0 y@1 -> x! y!"


def test_statements_of_one_run_share_what_it_did_by_their_texts() -> None:
    # %%time / a = 1 / b = a
    run = ran(0, bound="a b", reached="a b", seconds=2.0)
    execution = Execution(0, "", Outcome.OK, statements=(run,))
    facts = CellFacts((says("b:a"), Statement(1, 0, StatementKind.OTHER, HERE, "b = a", says("b:b r:a").accesses)))
    graph = reconcile([facts], Trace("3.11", "cpython", "", "", (execution,)))
    assert [step.binds for step in graph.steps] == [("a",), ("b",)]
    assert [step.seconds for step in graph.steps] == [1.0, 1.0]


def test_what_never_ran_after_an_error_is_no_step() -> None:
    facts = CellFacts((says("b:x", 0), says("b:y", 1)))
    execution = Execution(0, "", Outcome.ERROR, statements=(ran(0, completed=False),))
    assert [unit.statement.node for unit in align(facts, execution)] == [0]


def test_text_and_runs_that_do_not_fit_become_one_unit() -> None:
    facts = CellFacts((says("b:x", 0),))
    execution = Execution(0, "x=1;y=2", Outcome.OK, statements=(ran(0, bound="x"), ran(1, bound="y")))
    (unit,) = align(facts, execution)
    assert unit.run is not None and unit.run.bound == ("x", "y") and unit.statement.opaque


def effect(kind: EffectKind, certainty: Certainty = MUST) -> Effect:
    return Effect(kind, certainty, HERE)


def use(path: str, digest: str = "d", mode: str = "r") -> FileUse:
    return FileUse(path, path, mode, 1, digest)


FREE, RISK, LAST, NEVER = Reluctance.FREE, Reluctance.RISK, Reluctance.LAST_RESORT, Reluctance.NEVER
K = EffectKind
HAZARDS = [
    ("reading the clock", effect(K.CLOCK), ran(), LAST),
    ("random numbers whose state is kept", effect(K.RANDOM), ran(drew="numpy"), FREE),
    ("random numbers before recording", effect(K.RANDOM), None, LAST),
    ("a file that must be read and nobody saw", effect(K.FILE_READ), ran(), LAST),
    ("a file that may be read and was not", effect(K.FILE_READ, MAY), ran(), FREE),
    ("a file that is unchanged", effect(K.FILE_READ), ran(files=(use(__file__),)), RISK),
    ("a file that has changed", effect(K.FILE_READ), ran(files=(use(__file__, "other"),)), NEVER),
    ("a file that is gone", effect(K.FILE_READ), ran(files=(use("/no/such/file"),)), LAST),
    ("a file whose content was too large to digest", effect(K.FILE_READ), ran(files=(use(__file__, ""),)), LAST),
    ("a file that was written", effect(K.FILE_WRITE, MAY), ran(files=(use("out", mode="w"),)), NEVER),
    ("a network that was used", effect(K.NETWORK, MAY), ran(effects="network"), NEVER),
    ("a network that may be used and was not", effect(K.NETWORK, MAY), ran(), FREE),
    ("a process that was started", effect(K.DISPLAY), ran(effects="process"), LAST),
    ("asking the user", effect(K.INPUT), ran(), NEVER),
    ("the last output", effect(K.HISTORY), ran(), NEVER),
    ("printing", effect(K.DISPLAY), ran(), FREE),
]


@pytest.mark.parametrize(("sentence", "seen", "run", "expected"), HAZARDS, ids=[row[0] for row in HAZARDS])
def test_hazards(sentence: str, seen: Effect, run: StatementRun | None, expected: Reluctance) -> None:
    statement = says("b:x", effects=(seen,))
    execution = Execution(0, "", Outcome.OK)
    found = hazards_of(statement, run, execution, lambda path: "d")
    assert max((hazard.reluctance for hazard in found), default=FREE) is expected


def test_an_interrupted_statement_is_never_replayed() -> None:
    execution = Execution(0, "", Outcome.INTERRUPTED)
    assert hazards_of(says("b:x"), ran(completed=False), execution)[0].reluctance is NEVER


def test_a_magic_without_python_is_never_replayed() -> None:
    assert hazards_of(says("b:x", python=None), ran(), Execution(0, "", Outcome.OK))[0].reluctance is NEVER


PATCHES = [
    ("an attribute of a module", "np.mean = f", "np"),
    ("one further down", "np.linalg.norm = f", "np"),
    ("an entry", "sys.modules['m'] = m", "sys"),
    ("setattr", "setattr(np, 'mean', f)", "np"),
    ("taking away", "del np.mean", "np"),
    ("inside an if", "if x:\n    np.mean = f", "np"),
    ("one of two targets", "a, np.b = 1, 2", "np"),
    ("a call is none", "np.mean(x)", ""),
    ("reading is none", "y = np.mean", ""),
    ("in a function that is not called here", "def g():\n    np.mean = f", ""),
    ("an attribute of a variable", "x.mean = f", ""),
    ("the environment travels as process state", "os.environ['A'] = '1'", ""),
    ("standard streams belong to each process", "sys.stdout = x", ""),
    ("what is no Python", "np. = 1", ""),
]


@pytest.mark.parametrize(("sentence", "code", "expected"), PATCHES, ids=[row[0] for row in PATCHES])
def test_assignments_into_modules(sentence: str, code: str, expected: str) -> None:
    assert modules_patched(code, frozenset({"np", "sys", "os"})) == frozenset(expected.split())


def patched_library(*effects: Effect) -> SessionGraph:
    cells = [
        (says("b:np", kind=StatementKind.IMPORT, python="import numpy as np"), ran(bound="np")),
        (says("m:np", kind=StatementKind.ASSIGNMENT, python="np.mean = f", effects=effects), ran(reached="np")),
    ]
    executions = tuple(Execution(n, "", Outcome.OK, statements=(run,)) for n, (_, run) in enumerate(cells))
    variables = (Variable("np", "module", ValueKind.MODULE, 0),)
    return reconcile(
        [CellFacts((statement,)) for statement, _ in cells],
        Trace("3.11.7", "cpython", "python", "/", executions=executions, variables=variables),
    )


def test_a_patched_module_comes_back_with_its_patch() -> None:
    graph = patched_library()
    assert graph.covariables[0].versions[0].made_by == 1 and not graph.covariables[0].storable


def test_a_patch_that_cannot_be_replayed_is_named_and_the_module_kept() -> None:
    graph = patched_library(effect(K.CLOCK))
    assert graph.covariables[0].storable
    assert ["np" in finding.message for finding in graph.diagnostics] == [True]


OPTION_OF = [
    ("plt.rcParams['font.size'] = 2", 'plt.rcParams[ "font.size" ] = 3', True),
    ("plt.rcParams['font.size'] = 2", "plt.rcParams['font.family'] = 3", False),
    ("pd.set_option('max_rows', 2)", "pd.set_option('max_rows', 3)", True),
    ("pd.set_option('max_rows', 2)", "pd.set_option('max_columns', 2)", False),
    ("np.set_printoptions(precision=3)", "np.set_printoptions(precision=4)", True),
    ("np.set_printoptions(precision=3)", "np.set_printoptions(suppress=True)", False),
    ("warnings.filterwarnings('ignore', 'a')", "warnings.filterwarnings('ignore', 'b')", False),
    ("pd.options.display.max_rows = 2; f()", "pd.options.display.max_rows = 2", False),
    ("%matplotlib inline", "%matplotlib inline", True),
]


@pytest.mark.parametrize(("one", "other", "same"), OPTION_OF)
def test_which_statements_set_the_same_option(one: str, other: str, same: bool) -> None:
    assert (option_in(one) == option_in(other)) is same


def test_an_option_that_cannot_be_set_again_is_named_once() -> None:
    clock = Effect(EffectKind.CLOCK, MUST, HERE), Effect(EffectKind.CONFIG, MUST, HERE)
    texts = ["lib.options['a'] = f(1)", "lib.options['b'] = f(2)", "lib.options['a'] = f(3)"]
    facts = [CellFacts((says("r:lib", effects=clock, python=text),)) for text in texts]
    runs = [Execution(n, text, Outcome.OK, statements=(ran(reached="lib"),)) for n, text in enumerate(texts)]
    said = reconcile(facts, Trace("3.11", "cpython", "", "", tuple(runs), ())).diagnostics
    assert [one.code for one in said] == ["options-not-replayed"] * 2
    assert ["f(2)" in said[0].message, "f(3)" in said[1].message] == [True, True]
