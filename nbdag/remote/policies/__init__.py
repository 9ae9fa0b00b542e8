"""The ways to choose where a cell runs. A new one is a module of this package and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nbdag.remote.policies.base import Policy
from nbdag.remote.policies.block import BlockOfCells
from nbdag.remote.policies.fixed import AllHere, AllThere
from nbdag.remote.policies.knowledge import KnowledgeAware
from nbdag.remote.policies.performance import PerformanceAware
from nbdag.remote.policies.single import SingleCell

POLICIES: Mapping[str, Callable[[], Policy]] = {
    "single": SingleCell,
    "block": BlockOfCells,
    "performance": PerformanceAware,
    "knowledge": KnowledgeAware,
}
"""Those that choose, by the name that ``%nbdag migrate auto --policy`` takes."""

FIXED: Mapping[str, Callable[[], Policy]] = {"here": AllHere, "there": AllThere}
"""Those that do not, for comparison."""

DEFAULT_POLICY = "block"
