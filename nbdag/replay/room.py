"""``--max-size`` against what was really written: a plan knows the sizes of values, a bundle has more in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from nbdag.errors import PlanError
from nbdag.model.bundle import Bundle
from nbdag.model.plan import Load, Plan
from nbdag.portable.places import archive_entries
from nbdag.replay.budget import bytes_in_words
from nbdag.replay.preferences import Preferences


@dataclass(slots=True)
class Room:
    """The bytes that a whole bundle may take (None: any), and what is left of them for stored values."""

    most: int | None
    for_values: int | None = None

    def applied_to(self, preferences: Preferences) -> Preferences:
        """``preferences`` with the limit that a plan has to keep."""
        return preferences if self.for_values is None else replace(preferences, max_bytes=self.for_values)

    def suffices_for(self, candidate: Path, plan: Plan, bundle: Bundle) -> bool:
        """Whether the bundle written at ``candidate`` is small enough; if not, ``plan`` must store less. What a store
        keeps for the bundle counts like what lies in it.

        Raises PlanError where it cannot: what is too large is then not the values.
        """
        if self.most is None:
            return True
        size = size_on_disk(candidate, bundle)
        if size <= self.most:
            return True
        stored = sum(step.size for step in plan.steps if isinstance(step, Load))
        over = size - self.most
        self.for_values = stored - max(over, over * stored // size)  # a packed byte stands for several
        if over > stored:
            raise PlanError(
                f"the bundle does not fit into {bytes_in_words(self.most)}: "
                f"it takes {bytes_in_words(size - stored)} beside stored values",
                "give --max-size more",
            )
        return False

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Name the limit that the user gave where a plan fails for a smaller one."""
        try:
            yield
        except PlanError as error:
            if self.most is None or self.for_values is None:
                raise
            other = self.most - self.for_values
            if other <= 0:  # values that are packed may be larger than the bundle
                raise
            raise PlanError(
                f"{error}; {other} of the {bytes_in_words(self.most)} are taken by the rest of the bundle"
            ) from error


def size_on_disk(candidate: Path, bundle: Bundle) -> int:
    """Bytes that a bundle takes, with its blobs wherever they are."""
    if candidate.is_file():
        holds_blobs = any(name.startswith("blobs/") for name in archive_entries(str(candidate)))
        return candidate.stat().st_size + (0 if holds_blobs else bundle.blobs_size)
    blobs = candidate / "blobs"
    rest = (path for path in candidate.rglob("*") if path.is_file() and path.parent != blobs)
    return bundle.blobs_size + sum(path.stat().st_size for path in rest)
