"""What statements set in libraries, by assigning to them or by telling them something."""

from __future__ import annotations

import pytest

from nbdag.analysis.patches import asks_ipython, attributes_set_in_functions, registered_with
from nbdag.analysis.reconcile import reconcile
from nbdag.analysis.resolve import analyze_session
from nbdag.model.graph import SessionGraph
from nbdag.model.trace import Execution, Outcome, StatementRun, Trace, ValueKind, Variable

REGISTERED = [
    ("a bare call", "lib.register_adapter(P, f)", "lib"),
    ("further down, of what a call gives", "lib.api.register_accessor('geo')(Geo)", "lib"),
    ("an imported function", "register(P)", "register"),
    ("a listener", "lib.event.listen(Wine, 'init', f)", "lib"),
    ("switching on", "lib.enable()", "lib"),
    ("inside an if", "if x:\n    lib.set_option(1)", "lib"),
    ("what is kept is a value", "old = lib.register(P)", ""),
    ("a method of a variable", "x.register(P)", ""),
    ("in a function that is not called here", "def g():\n    lib.register(P)", ""),
    ("what does something else", "lib.compute(registry)", ""),
    ("what is no Python", "lib.register(", ""),
]


@pytest.mark.parametrize(("sentence", "code", "expected"), REGISTERED, ids=[row[0] for row in REGISTERED])
def test_calls_that_leave_something_in_a_library(sentence: str, code: str, expected: str) -> None:
    assert registered_with(code, frozenset({"lib", "register"})) == frozenset(expected.split())


def test_what_functions_would_set_when_they_are_called() -> None:
    code = "def g(mod):\n    np.mean = f\n    plt.rcParams['a'] = 1\n    setattr(mod, 'x', 1)\nnp.outside = 1"
    assert attributes_set_in_functions(code) == {("np", "mean"), ("plt", "rcParams"), ("mod", "")}
    assert attributes_set_in_functions("np.mean = f") == frozenset()


def recorded(*cells: str, seconds: float = 0.0, changed: tuple[str, ...] = ()) -> SessionGraph:
    """The graph of cells of one statement each; the last one took ``seconds`` and was seen to change ``changed``."""
    runs = []
    for number, cell in enumerate(cells):
        bound = {"import lib": ("lib",), "h = Handler()": ("h",)}.get(cell, ())
        bound = (cell.split()[1].partition("(")[0],) if cell.startswith("def ") else bound
        last = number == len(cells) - 1
        run = StatementRun(
            0, 1, 1, seconds if last else 0.0, bound=bound, reached=() if bound else ("lib", "h"),
            changed=changed if last else (),
        )  # fmt: skip
        runs.append(Execution(number, cell, Outcome.OK, statements=(run,)))
    variables = (Variable("lib", "module", ValueKind.MODULE, 0), Variable("h", "Handler", ValueKind.DATA, 1))
    trace = Trace("3.11.7", "cpython", "python", "/", executions=tuple(runs), variables=variables)
    return reconcile(analyze_session(list(cells)), trace)


def made_by(graph: SessionGraph, name: str) -> int:
    return next(v.made_by for covariable in graph.covariables for v in covariable.versions if v.name == name)


def test_a_function_that_was_called_and_assigns_into_a_library_is_called_again() -> None:
    graph = recorded("import lib", "def patch():\n    lib.f = 1", "patch()")
    assert made_by(graph, "lib") == 2 and not next(c for c in graph.covariables if c.names == ("lib",)).storable


def test_a_call_that_takes_long_is_named_instead() -> None:
    graph = recorded("import lib", "def patch():\n    lib.f = 1", "patch()", seconds=60.0)
    assert made_by(graph, "lib") == 0
    assert [finding.code for finding in graph.diagnostics] == ["library-not-restored"]


def test_a_function_that_sets_options_is_not_called_for_them() -> None:
    graph = recorded("import lib", "def style():\n    lib.rcParams['a'] = 1", "style()")
    assert made_by(graph, "lib") == 0


def test_what_is_handed_over_by_a_registration_is_there_before_it() -> None:
    # A handler has a lock: it counts as changed by whatever may touch it, and would be loaded after it is registered.
    graph = recorded("import lib", "h = Handler()", "lib.register(h)", changed=("h",))
    assert made_by(graph, "h") == 1


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("ip = get_ipython()", True),
        ("get_ipython().run_cell('x = 1')", True),
        ("def f(ip=get_ipython()): pass", True),
        ("def f(): return get_ipython()", False),
        ("f = lambda: get_ipython()", False),
        ("name = 'get_ipython()'", False),
    ],
)
def test_what_asks_ipython_cannot_run_in_restore_py(text: str, asks: bool) -> None:
    assert asks_ipython(text) is asks
