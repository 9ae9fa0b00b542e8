"""The heaviest closed set: equal to brute force and to a minimum cut of networkx, whatever the rules decide."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nbdag.replay.closures import best_closure


@st.composite
def weighted_graphs(draw: st.DrawFn, most: int) -> tuple[list[int], list[list[int]]]:
    size = draw(st.integers(1, most))
    weights = draw(st.lists(st.integers(-9, 9), min_size=size, max_size=size))
    needs = [draw(st.lists(st.integers(0, node - 1), max_size=3, unique=True)) if node else [] for node in range(size)]
    return weights, needs


def is_closed(chosen: set[int], needs: list[list[int]]) -> bool:
    return all(chosen.issuperset(needs[node]) for node in chosen)


@settings(max_examples=400, deadline=None)
@given(weighted_graphs(9), st.sets(st.integers(0, 8), max_size=2))
def test_the_smallest_of_the_heaviest(graph: tuple[list[int], list[list[int]]], taken: set[int]) -> None:
    weights, needs = graph
    taken = {node for node in taken if node < len(weights)}
    sets = [{node for node in range(len(weights)) if mask >> node & 1} for mask in range(1 << len(weights))]
    closed = [some for some in sets if taken <= some and is_closed(some, needs)]
    best = max(closed, key=lambda some: (sum(weights[node] for node in some), -len(some)))
    chosen = best_closure(weights, needs, sorted(taken))
    assert {node for node in range(len(weights)) if chosen[node]} == best


@settings(max_examples=100, deadline=None)
@given(weighted_graphs(60))
def test_large_ones_equal_networkx(graph: tuple[list[int], list[list[int]]]) -> None:
    import networkx as nx

    weights, needs = graph
    network = nx.DiGraph()
    network.add_nodes_from(["source", "sink"])
    for node, weight in enumerate(weights):
        network.add_edge(*(("source", node) if weight > 0 else (node, "sink")), capacity=abs(weight))
        for needed in needs[node]:
            network.add_edge(node, needed)  # no capacity: infinite
    gains = sum(weight for weight in weights if weight > 0)
    chosen = best_closure(weights, needs)
    assert is_closed({node for node in range(len(weights)) if chosen[node]}, needs)
    weight = sum(weight for node, weight in enumerate(weights) if chosen[node])
    assert gains - weight == nx.maximum_flow_value(network, "source", "sink")


def test_a_path_of_any_length_is_decided_without_recursion() -> None:
    size = 50_000
    needs = [[node - 1] if node else [] for node in range(size)]
    weights = [(-1) ** node * (node % 7 + 1) for node in range(size)]
    chosen = best_closure(weights, needs)
    sums, total = [], 0
    for weight in weights:
        total += weight
        sums.append(total)
    best = max(0, *sums)
    assert sum(weight for node, weight in enumerate(weights) if chosen[node]) == best
