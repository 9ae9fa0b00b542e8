"""What is not known of values whose look was put off: which names they mention, and which they may share state with.

    big.append(ys)      big is too dear to look at now; the statement had ys at hand: both are in one cloud
    ys.append(1)        so this may have changed big, and counts as having reached it

Until a name is looked at it is taken to mention all that the statements mentioned which had it, and to be linked to
all that they reached.
"""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, Iterable, List, Optional, Set

_NO_NAMES: FrozenSet[str] = frozenset()
MOST_CLOUDS = 32  # more are merged: coarser, and as fast


class Cloud:
    """What one statement had at hand: ``hazy`` names may be linked to each other and to ``others``."""

    __slots__ = ("hazy", "mentioned", "others")

    def __init__(self, hazy: Set[str], mentioned: Set[str], others: Set[str]) -> None:
        self.hazy = hazy
        self.mentioned = mentioned
        self.others = others

    def covers(self, other: Cloud) -> bool:
        return (
            self.hazy >= other.hazy
            and self.mentioned >= other.mentioned
            and len(self.hazy) + len(self.others) >= len(other.hazy) + len(other.others)
            and all(name in self.others or name in self.hazy for name in other.others)
        )


class Haze:
    """The names that were not looked at in time. In a session that is always looked at in time it is empty."""

    def __init__(self) -> None:
        self.clouds: List[Cloud] = []
        self.names: Set[str] = set()  # those that are hazy in some cloud

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def mentions(self, name: str, told: List[Cloud]) -> Set[str]:
        """Names that code in the value of a hazy name may mention, but for what the clouds ``told`` say: added to."""
        fresh = [cloud for cloud in self.clouds if name in cloud.hazy and cloud not in told]
        told += fresh
        return set().union(*(cloud.mentioned for cloud in fresh))

    def cover(self, names: Iterable[str], mentioned: Iterable[str], others: Iterable[str]) -> None:
        """A statement that had all of these at hand may have put anything of them into the values of ``names``."""
        hazy = set(names)
        new = Cloud(hazy, set(mentioned), set(others) - hazy)
        if not hazy or any(cloud.covers(new) for cloud in self.clouds):
            return
        self.clouds = [cloud for cloud in self.clouds if not new.covers(cloud)]
        self.clouds.append(new)
        if len(self.clouds) > MOST_CLOUDS:
            hazy = set().union(*(cloud.hazy for cloud in self.clouds))
            others = set().union(*(cloud.others for cloud in self.clouds)) - hazy
            self.clouds = [Cloud(hazy, set().union(*(cloud.mentioned for cloud in self.clouds)), others)]
        self._clear()

    def join(self, hazy: Set[str], names: Iterable[str], may_share: Callable[[str, Cloud], bool]) -> None:
        """New ``names`` share state with what is in a cloud already, so perhaps with the ``hazy`` names in it, too."""
        for cloud in self.clouds:
            if not hazy.isdisjoint(cloud.hazy):
                cloud.others.update(name for name in names if name not in cloud.hazy and may_share(name, cloud))

    def closure(
        self, names: Iterable[str], linked: Dict[str, FrozenSet[str]], through: Optional[Set[str]] = None
    ) -> Set[str]:
        """The names, what is ``linked`` to them, and what may be linked to them: all of that again and again.

        ``through``: those of the names through which code may get at more than is linked to them, None for all. From
        the others it goes on to hazy names, which may share what they share, and not from there to the rest of a cloud.

            big = [xs, ys]      too dear to look at
            xs.append(1)        changes big, and cannot get at ys
        """
        closed: Set[str] = set(names)
        for name in list(closed):
            closed |= linked.get(name, _NO_NAMES)
        todo = list(closed if through is None else closed & through)
        entered = set(todo)
        ahead = list(self.clouds)
        while todo:
            name = todo.pop()
            fresh = set(linked.get(name, _NO_NAMES))
            for cloud in list(ahead):
                if name in cloud.hazy:
                    fresh |= cloud.hazy | cloud.others
                    ahead.remove(cloud)
                elif name in cloud.others:
                    fresh |= cloud.hazy
            fresh -= entered
            entered |= fresh
            todo += fresh
        closed |= entered
        grown = True
        while grown and ahead:
            grown = False
            for cloud in list(ahead):
                if not (closed.isdisjoint(cloud.hazy) and closed.isdisjoint(cloud.others)):
                    ahead.remove(cloud)
                    grown = grown or not closed >= cloud.hazy
                    closed |= cloud.hazy
        return closed

    def lift(self, name: str) -> None:
        """The value of this name was looked at, and its links are known."""
        if name in self.names:
            for cloud in self.clouds:
                if name in cloud.hazy:
                    cloud.hazy.discard(name)
                    cloud.others.add(name)
            self._clear()

    def forget(self, name: str) -> None:
        """The name stands for a new value, or is gone."""
        if self.clouds:
            for cloud in self.clouds:
                cloud.hazy.discard(name)
                cloud.others.discard(name)
            self._clear()

    def _clear(self) -> None:
        self.clouds = [cloud for cloud in self.clouds if cloud.hazy]
        self.names = set().union(*(cloud.hazy for cloud in self.clouds))
