"""A plan knows what packing does to sizes, where blobs are packed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbdag.errors import KernelProtocolError
from nbdag.model.graph import SessionGraph
from nbdag.portable.encode import weigh_group
from nbdag.replay.compression import Packing
from nbdag.replay.weights import with_packed_sizes
from tests.portable.session import Session
from tests.replay.test_planner import session

CELL = (
    "import numpy as np, random\n"
    "words = ['word %d' % (i % 100) for i in range(100_000)]\n"
    "noise = bytearray(random.Random(1).randbytes(1_000_000))\n"
    "steps = np.arange(200_000)\n"
    "column = np.zeros((100_000, 8))[:, 3]\n"
    "small = [1]"
)


@pytest.mark.parametrize(
    ("name", "most"), [("words", 0.2), ("noise", 1.01), ("steps", 0.4), ("column", 0.05), ("small", 1.0)]
)
def test_a_sample_says_what_packing_would_leave(name: str, most: float, tmp_path: Path) -> None:
    running = Session().run(CELL)
    weight = weigh_group({name: running[name]}, {}, running.namespace)
    written = running.encode(tmp_path, name)
    parts = [written["head"], *written["regions"]]
    assert weight["packed"] <= weight["bytes"] * most
    assert abs(weight["bytes"] - sum(part.get("size", len(part.get("inline", "")) * 3 // 4) for part in parts)) < 200


class Scales:
    """An agent that finds everything to shrink to a tenth."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.asked = arguments["groups"]
        weights = [{"bytes": 1000, "packed": 100} for _ in self.asked]
        Path(arguments["path"]).write_text(json.dumps({"weights": weights}))
        return {}


class Older:
    """An agent of an earlier nbdag."""

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        raise KernelProtocolError("unknown command 'weigh'")


def graph_of_sizes(*sizes: int) -> SessionGraph:
    cells = [f"-> x{number}" for number in range(len(sizes))]
    graph = session(*cells, sizes={f"x{number}": size for number, size in enumerate(sizes)})
    sized = [replace(one, store_seconds=0.0) for one in graph.covariables]
    return replace(graph, covariables=tuple(sized))


def test_large_values_are_weighed_where_a_link_is_slow() -> None:
    graph = graph_of_sizes(10_000_000, 100)
    scales = Scales()
    found = with_packed_sizes(graph, Packing("auto", bandwidth=1e6), scales)
    assert [one.size for one in found.covariables] == [1_000_000, 100] and len(scales.asked) == 1
    assert 0.0 < found.covariables[0].store_seconds < 0.2
    assert with_packed_sizes(graph, Packing("auto", bandwidth=5e9), Scales()) == graph
    assert with_packed_sizes(graph, Packing("none", bandwidth=1e6), Scales()) == graph
    assert with_packed_sizes(graph, Packing("auto", bandwidth=1e6), Older()) == graph
