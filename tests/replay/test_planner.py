"""The plan is the exact minimum: equal to brute force, feasible, deterministic, and quick on every shape of history."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdag.errors import PlanError
from nbdag.model.graph import Covariable, Hazard, Reluctance, SessionGraph, Step, Version
from nbdag.model.plan import Action, Load, Replay
from nbdag.model.trace import ValueKind
from nbdag.replay.comparisons import by_cell, comparisons
from nbdag.replay.cost import CostModel
from nbdag.replay.demands import impossible_steps
from nbdag.replay.mincut import FlowNetwork
from nbdag.replay.planner import STAYS, Preferences, Problem, cheapest, choose, evaluate, make_plan, pose, stored_bytes

NEVER = Hazard(Reluctance.NEVER, "it asks the user")
CLOCK = Hazard(Reluctance.LAST_RESORT, "it reads the clock")


def options_of(*seconds: float, many: int = 9) -> tuple[list[int], list[str]]:
    """Sessions of one step for each of ``many`` options: which positions are replayed, what is said of the others."""
    cells = ["<options> -> <options>"] * (len(seconds) - 1)
    graph = session("-> <options>", *cells, "-> x", seconds=dict(enumerate(seconds)))
    steps = tuple(replace(step, code=f"lib.options[{step.position % many}] = f") for step in graph.steps)
    graph = replace(graph, steps=steps, covariables=tuple(c for c in graph.covariables if c.names == ("x",)))
    plan = make_plan(graph, CostModel())
    replayed = [step.position for step in plan.steps if isinstance(step, Replay)]
    return replayed, [finding.code for finding in plan.diagnostics]


def test_options_are_set_again_up_to_the_first_that_takes_too_long_and_the_rest_is_named() -> None:
    assert options_of(0.1, 0.1) == ([0, 1], [])
    assert options_of(0.1, 2.0, 0.1) == ([0], ["options-not-replayed"] * 2)


def test_an_option_is_named_once_however_often_it_was_set() -> None:
    assert options_of(2.0, 0.1, 0.1, 0.1, many=2) == ([], ["options-not-replayed"] * 2)


def session(*cells: str, seconds: dict[int, float] | None = None, sizes: dict[str, int] | None = None, **kinds: object):
    """A graph from a tiny notation, a step each: "a b -> c d" reads a and b, binds c and d; "-> x!" changes x in place.

    ``unstorable`` names variables, ``hazards`` gives them by step, ``linked`` lists groups, ``definitions`` steps.
    """
    seconds, sizes = seconds or {}, sizes or {}
    unstorable = set(kinds.get("unstorable", ()))  # type: ignore[call-overload]
    hazards = kinds.get("hazards", {})
    linked = kinds.get("linked", ())
    latest: dict[str, Version] = {}
    steps = []
    for position, cell in enumerate(cells):
        left, right = cell.split("->")
        changed = [word.rstrip("!") for word in right.split() if word.endswith("!")]
        bound = [word for word in right.split() if not word.endswith("!")]
        reads = [*left.split(), *changed]
        inputs = tuple(latest.get(name, Version(name, -1)) for name in sorted(set(reads)))
        outputs = tuple(Version(name, position) for name in sorted({*bound, *changed}))
        latest |= {version.name: version for version in outputs}
        steps.append(
            Step(
                position,
                position,
                cell,
                1,
                seconds.get(position, 1.0),
                inputs,
                outputs,
                tuple(bound),
                definition=position in kinds.get("definitions", ()),
                hazards=tuple(hazards.get(position, ())),  # type: ignore
            )
        )
    groups = [list(group) for group in linked]  # type: ignore[attr-defined]
    groups += [[name] for name in latest if not any(name in group for group in groups)]
    covariables = tuple(
        Covariable(
            tuple(sorted(group)),
            tuple(latest[name] for name in sorted(group)),
            sum(sizes.get(name, 1000) for name in group),
            0.0,
            unstorable.isdisjoint(group),
            "" if unstorable.isdisjoint(group) else "a generator",
            ValueKind.DATA,
        )
        for group in sorted(groups)
    )
    return SessionGraph(tuple(steps), covariables)


def actions(graph: SessionGraph, preferences: Preferences = Preferences(), bandwidth: float = 1e6) -> dict[str, str]:
    plan = make_plan(graph, CostModel(bandwidth), preferences)
    return {name: decision.action.value for decision in plan.decisions for name in decision.names}


def replayed(graph: SessionGraph, preferences: Preferences = Preferences()) -> list[int]:
    return [s.position for s in make_plan(graph, CostModel(1e6), preferences).steps if isinstance(s, Replay)]


CASES = [
    ("a cheap large value is replayed", session("-> big", sizes={"big": 10**9}), {"big": "replay"}),
    ("a dear small value is stored", session("-> model", seconds={0: 60}), {"model": "store"}),
    ("what cannot be stored is replayed", session("-> gen", unstorable=["gen"]), {"gen": "replay"}),
    (
        "a stored input feeds a replayed step",
        session("-> df", "df -> gen", seconds={0: 60}, unstorable=["gen"]),
        {"df": "store", "gen": "replay"},
    ),
    (
        "linked names go together",
        session("-> a", "a -> b", linked=[("a", "b")], sizes={"a": 10**9}),
        {"a": "replay", "b": "replay"},
    ),
    (
        "the clock is not replayed, however large the value",
        session("-> big", sizes={"big": 10**9}, hazards={0: [CLOCK]}),
        {"big": "store"},
    ),
    (
        "the clock is replayed when nothing else moves the variable",
        session("-> gen", unstorable=["gen"], hazards={0: [CLOCK]}),
        {"gen": "replay"},
    ),
    (
        "what can be neither is lost, and the rest still moves",
        session("-> gen", "-> x", unstorable=["gen"], hazards={0: [NEVER]}),
        {"gen": "lose", "x": "store"},
    ),
    (
        "what is unstorable and made of something lost is lost too",
        session("-> gen", "gen -> it", "-> x", unstorable=["gen", "it"], hazards={0: [NEVER]}),
        {"gen": "lose", "it": "lose", "x": "store"},
    ),
    ("a definition is replayed", session("-> f", definitions=[0], seconds={0: 99}), {"f": "replay"}),
]


@pytest.mark.parametrize(("sentence", "graph", "expected"), CASES, ids=[case[0] for case in CASES])
def test_cases(sentence: str, graph: SessionGraph, expected: dict[str, str]) -> None:
    assert actions(graph) == expected


def test_an_overwritten_input_is_replayed_with_its_reader() -> None:
    # cell 1: a = ...   cell 2: gen = f(a)   cell 3: a.append(...)
    assert replayed(session("-> a", "a -> gen", "-> a!", unstorable=["gen"])) == [0, 1]


def test_a_reader_between_two_bindings_of_a_linked_group_does_not_wait_for_its_load() -> None:
    # cell 1: a = []   cell 2: gen = f(a)   cell 3: b = a      a and b load together, after cell 3
    assert replayed(session("-> a", "a -> gen", "a -> b", linked=[("a", "b")], unstorable=["gen"]))[:2] == [0, 1]


def test_a_value_that_may_come_out_different_is_stored_even_where_its_statement_is_replayed() -> None:
    # t, gen = time.time(), generator()
    graph = session("-> t gen", unstorable=["gen"], hazards={0: [CLOCK]})
    assert actions(graph) == {"gen": "replay", "t": "store"}


def test_doubt_is_inherited() -> None:
    # cell 1: a = time.time()   cell 2: gen, b = f(a)   cell 3: a = 0
    graph = session("-> a", "a -> gen b", "-> a", unstorable=["gen"], hazards={0: [CLOCK]})
    assert actions(graph)["b"] == "store"


def test_nothing_movable_is_an_error() -> None:
    with pytest.raises(PlanError, match="gen"):
        make_plan(session("-> gen", unstorable=["gen"], hazards={0: [NEVER]}), CostModel())


def test_preferences_force_a_side_and_leave_names_out() -> None:
    graph = session("-> a", "-> b", "-> c", seconds={0: 60})
    chosen = actions(graph, Preferences(replay=frozenset({"a"}), exclude=frozenset({"c"})))
    assert chosen == {"a": "replay", "b": "store"}


def test_an_excluded_name_bound_by_a_replayed_step_is_dropped() -> None:
    graph = session("-> a gen", unstorable=["gen"])
    plan = make_plan(graph, CostModel(), Preferences(exclude=frozenset({"a"})))
    assert plan.dropped == ("a",)


@st.composite
def graphs(draw: st.DrawFn) -> SessionGraph:
    names = [f"v{index}" for index in range(draw(st.integers(1, 8)))]
    subset = st.lists(st.sampled_from(names), max_size=3, unique=True)
    cells, made = [], set()
    for _ in range(draw(st.integers(1, 14))):
        reads = [name for name in draw(subset) if name in made]
        writes = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        words = [name + "!" if name in made and draw(st.booleans()) else name for name in writes]
        made |= set(writes)
        cells.append(f"{' '.join(reads)} -> {' '.join(words)}")
    alive = sorted(made)
    cuts = draw(st.lists(st.booleans(), min_size=len(alive), max_size=len(alive)))
    linked: list[list[str]] = [[]]
    for name, joined in zip(alive, cuts, strict=True):
        if joined:
            linked[-1].append(name)
        else:
            linked.append([name])
    return session(
        *cells,
        seconds={i: draw(st.sampled_from([0.0, 0.5, 2.0, 9.0])) for i in range(len(cells))},
        sizes={name: draw(st.sampled_from([0, 10**6, 5 * 10**6])) for name in alive},
        linked=[group for group in linked if group],
        unstorable=draw(st.lists(st.sampled_from(alive), max_size=2)),
        hazards={i: [draw(st.sampled_from([CLOCK, NEVER]))] for i in draw(st.lists(st.integers(0, 13), max_size=2))},
        definitions=draw(st.lists(st.integers(0, 13), max_size=2)),
    )


tags = st.frozensets(st.integers(0, 13), max_size=2)
wishes = st.builds(Preferences, never_rerun=tags, always_store=tags, recompute=tags)


def possible_choices(problem: Problem) -> Iterator[tuple[int, frozenset[int]]]:
    """Every choice there is, with its cost: brute force over all subsets."""
    numbers = [n for n in range(len(problem.graph.covariables)) if n not in problem.lost]
    for size in range(len(numbers) + 1):
        for combination in itertools.combinations(numbers, size):
            stored = frozenset(combination)
            allowed = problem.must_store <= stored and problem.must_replay.isdisjoint(stored)
            if allowed and not any(problem.given(n) for n in stored):
                cost = evaluate(problem, stored)
                if cost is not None:
                    yield cost, stored


@settings(max_examples=250, deadline=None)
@given(graphs(), wishes)
def test_the_plan_is_as_cheap_as_the_best_of_all_subsets(graph: SessionGraph, preferences: Preferences) -> None:
    try:
        problem = pose(graph, CostModel(1e6), preferences)
    except PlanError:
        return
    best = min(cost for cost, _ in possible_choices(problem))
    assert evaluate(problem, cheapest(problem)) == best


@settings(max_examples=200, deadline=None)
@given(graphs(), st.sampled_from([0, 10**6, 5 * 10**6, 6 * 10**6, 11 * 10**6]))
def test_what_fits_is_as_cheap_as_the_best_subset_that_fits(graph: SessionGraph, most: int) -> None:
    try:
        problem = pose(graph, CostModel(1e6), Preferences(max_bytes=most))
    except PlanError:
        return
    fitting = [cost for cost, stored in possible_choices(problem) if stored_bytes(problem, stored) <= most]
    try:
        chosen = choose(problem)
    except PlanError as error:
        assert not fitting
        smallest = min(stored_bytes(problem, stored) for _, stored in possible_choices(problem))
        assert f"the smallest plan there is stores {smallest} bytes" in str(error)
        return
    assert stored_bytes(problem, chosen) <= most
    assert evaluate(problem, chosen) == min(fitting)


@settings(max_examples=100, deadline=None)
@given(graphs(), wishes)
def test_a_plan_is_never_dearer_than_any_plain_way(graph: SessionGraph, preferences: Preferences) -> None:
    try:
        plan = make_plan(graph, CostModel(1e6), preferences)
    except PlanError:
        return
    assert plan.cost <= plan.store_all_cost and plan.cost <= plan.replay_all_cost
    chosen, *others = comparisons(graph, CostModel(1e6), preferences, plan)
    assert chosen.cost == pytest.approx(plan.cost)
    lost = set(chosen.lost)
    for other in others:  # a way that loses more may be cheaper, and is no match
        assert other.cost >= chosen.cost * (1 - 1e-9) or set(other.lost) > lost, other.name


def renamed(graph: SessionGraph, order: list[int]) -> SessionGraph:
    """``graph`` with other names, which sort in another order, and its covariables in the order of these."""
    names = sorted({v.name for step in graph.steps for v in (*step.inputs, *step.outputs)})
    new = {name: f"n{order[index % len(order)]:03d}_{index}" for index, name in enumerate(names)}

    def versions(old: tuple[Version, ...]) -> tuple[Version, ...]:
        return tuple(sorted(Version(new[version.name], version.made_by) for version in old))

    steps = tuple(
        replace(
            step,
            inputs=versions(step.inputs),
            outputs=versions(step.outputs),
            binds=tuple(sorted(new[name] for name in step.binds)),
        )
        for step in graph.steps
    )
    covariables = []
    for covariable in graph.covariables:
        moved = versions(covariable.versions)
        covariables.append(replace(covariable, names=tuple(version.name for version in moved), versions=moved))
    return SessionGraph(steps, tuple(sorted(covariables, key=lambda covariable: covariable.names)))


@settings(max_examples=100, deadline=None)
@given(graphs(), st.permutations(range(8)))
def test_names_and_their_order_decide_nothing(graph: SessionGraph, order: list[int]) -> None:
    def sides(some: SessionGraph) -> set[tuple[tuple[int, ...], str]] | None:
        try:
            plan = make_plan(some, CostModel(1e6))
        except PlanError:
            return None
        makers = {v.name: v.made_by for c in some.covariables for v in c.versions}
        return {
            (tuple(sorted((makers[name], len(d.names)) for name in d.names)), d.action.value)  # type: ignore[misc]
            for d in plan.decisions
        }

    assert sides(graph) == sides(renamed(graph, order)) and sides(graph) == sides(graph)


# ------------------------------------------------------------------------------------------------ what is asked for

TAGS = [
    (
        "what a cell made that is never to run again is stored, whatever its size",
        session("-> a", sizes={"a": 10**9}),
        Preferences(never_rerun=frozenset({0})),
        {"a": "store"},
    ),
    (
        "what cannot be stored and may not run again is lost",
        session("-> gen", "-> x", unstorable=["gen"]),
        Preferences(never_rerun=frozenset({0})),
        {"gen": "lose", "x": "store"},
    ),
    (
        "a definition comes back although its cell is not to run again",
        session("-> f", definitions=[0]),
        Preferences(never_rerun=frozenset({0})),
        {"f": "replay"},
    ),
    (
        "what is always to be stored is, however cheap it is to make",
        session("-> a", "-> b", sizes={"a": 10**9, "b": 10**9}),
        Preferences(always_store=frozenset({0})),
        {"a": "store", "b": "replay"},
    ),
    (
        "what is always to be stored and cannot be is replayed",
        session("-> gen", unstorable=["gen"]),
        Preferences(always_store=frozenset({0})),
        {"gen": "replay"},
    ),
    (
        "what is to be made again is, however long it takes",
        session("-> a", "a -> b", seconds={0: 99, 1: 99}),
        Preferences(recompute=frozenset({1})),
        {"a": "store", "b": "replay"},
    ),
    (
        "storing wins over making again",
        session("-> a", seconds={0: 99}),
        Preferences(recompute=frozenset({0}), always_store=frozenset({0})),
        {"a": "store"},
    ),
    (
        "a name that is given wins over a tag",
        session("-> a", "-> b", sizes={"a": 10**9}),
        Preferences(
            always_store=frozenset({0}), replay=frozenset({"a"}), recompute=frozenset({1}), store=frozenset({"b"})
        ),
        {"a": "replay", "b": "store"},
    ),
]


@pytest.mark.parametrize(("sentence", "graph", "preferences", "expected"), TAGS, ids=[row[0] for row in TAGS])
def test_tags(sentence: str, graph: SessionGraph, preferences: Preferences, expected: dict[str, str]) -> None:
    assert actions(graph, preferences) == expected


def test_a_knapsack_is_filled_by_the_best_and_not_by_the_next_best() -> None:
    # Worth 60, 50 and 50 seconds; only the last two fit into ten megabytes together.
    graph = session(
        "-> a", "-> b", "-> c", seconds={0: 60, 1: 50, 2: 50}, sizes={"a": 6 * 10**6, "b": 5 * 10**6, "c": 5 * 10**6}
    )
    assert actions(graph, Preferences(max_bytes=10**7)) == {"a": "replay", "b": "store", "c": "store"}


def test_what_does_not_fit_is_an_error_that_names_the_smallest() -> None:
    graph = session("-> a", "-> b", sizes={"a": 10**6}, hazards={0: [NEVER]})
    with pytest.raises(PlanError, match=r"the smallest plan there is stores 1000000 bytes \(1.0 MB\)"):
        make_plan(graph, CostModel(), Preferences(max_bytes=10**6 - 1))
    assert actions(graph, Preferences(max_bytes=10**6)) == {"a": "store", "b": "replay"}


NOISE = [0.92, 0.95, 0.98, 1.0, 1.02, 1.05, 1.08]


@pytest.mark.parametrize("seconds", [1.9, 2.0, 2.002, 2.1])
def test_noise_does_not_move_a_variable_to_the_other_side(seconds: float) -> None:
    # Storing a takes two seconds both ways at 1 MB/s, making it again about as long; b and c are no question.
    def side(noise: float, preferences: Preferences) -> str:
        times = {0: seconds * noise, 1: 60}
        graph = session("-> a", "-> b", "-> c", seconds=times, sizes={"a": 10**6, "c": 10**8})
        return actions(graph, preferences)["a"]

    for before in (Preferences(stored_before=frozenset("a")), Preferences(replayed_before=frozenset("a"))):
        assert len({side(noise, before) for noise in NOISE}) == 1
    assert side(1.0, Preferences(stored_before=frozenset("a"))) == "store"
    assert side(1.0, Preferences(replayed_before=frozenset("a"))) == "replay"


def test_the_earlier_choice_does_not_outweigh_a_plain_advantage() -> None:
    graph = session("-> a", "-> b", seconds={0: 60, 1: 0.001}, sizes={"a": 10**6, "b": 10**6})
    before = Preferences(stored_before=frozenset("b"), replayed_before=frozenset("a"))
    assert actions(graph, before) == {"a": "store", "b": "replay"}


@settings(max_examples=100, deadline=None)
@given(graphs(), st.frozensets(st.sampled_from([f"v{i}" for i in range(8)])))
def test_not_even_for_the_sake_of_an_earlier_choice_dearer_than_a_plain_way(
    graph: SessionGraph, before: frozenset[str]
) -> None:
    preferences = Preferences(stored_before=before, replayed_before=frozenset(f"v{i}" for i in range(8)) - before)
    try:
        plan = make_plan(graph, CostModel(1e6), preferences)
    except PlanError:
        return
    assert plan.cost <= plan.store_all_cost and plan.cost <= plan.replay_all_cost
    assert plan.cost <= make_plan(graph, CostModel(1e6)).cost * STAYS + 1e-9


def test_a_cell_goes_as_a_whole_where_cells_are_compared() -> None:
    graph = session("-> a", "a -> b", "b -> c", seconds={0: 5, 1: 1, 2: 1}, unstorable=["b"])
    graph = replace(graph, steps=tuple(replace(step, execution=step.position // 2) for step in graph.steps))
    whole = by_cell(graph)
    assert [step.seconds for step in whole.steps] == [6, 1]
    assert [[v.made_by for v in c.versions] for c in whole.covariables] == [[0], [0], [1]]
    by_name = {other.name: other for other in comparisons(graph, CostModel(1e6), Preferences())}
    assert by_name["store-all"].exceptions == ("b",) and by_name["replay-all"].exceptions == ()
    assert by_name["plan"].replay_seconds == 1 and by_name["per-cell"].replay_seconds == 6


def test_what_is_replayed_in_any_case_is_so_cell_by_cell() -> None:
    # cell 1: import slow; a = 1     cell 2: b = slow.f(a)
    graph = session("-> slow", "-> a", "slow a -> b", seconds={0: 3, 1: 1, 2: 1}, definitions=[0])
    graph = replace(graph, steps=tuple(replace(step, execution=step.position // 2) for step in graph.steps))
    by_name = {other.name: other for other in comparisons(graph, CostModel(1e6), Preferences())}
    plan, whole = by_name["plan"], by_name["per-cell"]
    for way in (plan, whole):
        assert (way.cost, way.replay_seconds, way.replayed_statements) == (plan.cost, 3, 1)


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_every_replayed_step_finds_its_inputs_in_place(graph: SessionGraph) -> None:
    try:
        plan = make_plan(graph, CostModel(1e6))
    except PlanError:
        return
    lost = {name for decision in plan.decisions if decision.action is Action.LOSE for name in decision.names}
    present: dict[str, Version] = {}
    active = {v.name: v for c in graph.covariables for v in c.versions}
    for step in plan.steps:
        if isinstance(step, Load):
            present |= {name: active[name] for name in step.names}
        else:
            source = graph.steps[step.position]
            for version in source.inputs:
                if version.made_by >= 0:
                    assert present.get(version.name) == version
            present |= {version.name: version for version in source.outputs}
    assert {name: present.get(name) for name in active if name not in lost} == {
        name: version for name, version in active.items() if name not in lost
    }


def test_lost_is_only_what_no_replay_can_give() -> None:
    graph = session("-> gen", "-> gen2", unstorable=["gen", "gen2"], hazards={0: [NEVER]})
    problem = pose(graph, CostModel())
    assert [graph.covariables[n].names for n in problem.lost] == [("gen",)]
    assert impossible_steps(graph, problem.demands, frozenset()) == {0: "it asks the user"}


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 8), st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 9)), max_size=24))
def test_the_cut_equals_networkx(size: int, arcs: list[tuple[int, int, int]]) -> None:
    import networkx as nx

    ours, theirs = FlowNetwork(size), nx.DiGraph()
    theirs.add_nodes_from(range(size))
    for tail, head, capacity in arcs:
        tail, head = tail % size, head % size
        if tail == head:
            continue
        ours.connect(tail, head, capacity)
        before = theirs.edges[tail, head]["capacity"] if theirs.has_edge(tail, head) else 0
        theirs.add_edge(tail, head, capacity=before + capacity)
    assert ours.cut(0, size - 1)[0] == nx.maximum_flow_value(theirs, 0, size - 1)


SHAPES = {
    "growing": lambda n: [f"v{i - 1} -> v{i}" if i else "-> v0" for i in range(n)],
    "one object changed in place by every cell": lambda n: ["-> x", *["-> x!"] * (n - 1)],
    "a window of ten names rebound for ever": lambda n: [
        f"v{(i - 1) % 10} -> v{i % 10}" if i else "-> v0" for i in range(n)
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_long_histories_do_not_recurse(shape: str) -> None:
    graph = session(*SHAPES[shape](5000))
    assert make_plan(graph, CostModel()).decisions
