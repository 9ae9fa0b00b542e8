"""What packing does to the sizes that a plan is made of: asked of the kernel, where blobs may be packed at all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nbdag.errors import KernelProtocolError
from nbdag.model.graph import Covariable, SessionGraph
from nbdag.replay.compression import USUAL_SPEEDS, Packing
from nbdag.replay.verify import Commands

WORTH_ASKING = 256 << 10
"""Bytes from which on a value is weighed: what is smaller decides nothing."""


def with_packed_sizes(graph: SessionGraph, packing: Packing, agent: Commands) -> SessionGraph:
    """``graph`` with the sizes that large values have when they are packed, where ``packing`` would pack them.

    The time of packing and unpacking is part of what storing them takes. A kernel whose recorder is older cannot say:
    then sizes are as they are.
    """
    asked = [one for one in graph.covariables if one.storable and one.size >= WORTH_ASKING]
    if not asked or not packing.may_pay():
        return graph
    with tempfile.TemporaryDirectory(prefix="nbdag-") as folder:
        path = Path(folder) / "weights.json"
        try:
            agent.command("weigh", {"path": str(path), "groups": [list(one.names) for one in asked]})
        except KernelProtocolError:
            return graph
        weights = json.loads(path.read_text(encoding="utf-8"))["weights"]
    by_names = {one.names: weight for one, weight in zip(asked, weights, strict=True) if weight}
    return replace(
        graph,
        covariables=tuple(
            _packed(one, by_names[one.names], packing) if one.names in by_names else one for one in graph.covariables
        ),
    )


def _packed(covariable: Covariable, weight: Mapping[str, int], packing: Packing) -> Covariable:
    ratio = weight["packed"] / max(weight["bytes"], 1)
    if not packing.keeps(ratio, weight["bytes"]):
        return covariable
    speeds = USUAL_SPEEDS
    both_ways = sum(covariable.size / speed for speed in speeds)
    # The cost model counts these seconds once for leaving and once for coming back.
    return replace(
        covariable,
        size=int(covariable.size * ratio),
        store_seconds=covariable.store_seconds + both_ways / 2,
    )
