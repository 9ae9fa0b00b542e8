"""What the user runs next: sequences of executed cells, mined from the order in which they really ran.

A Markov chain of variable order over shapes of cells: what followed the longest row of last cells that was seen before.
It knows re-runs, loops ("fit, plot, fit, plot") and the end of a session, and needs no file of the notebook::

    seen:   load clean fit plot fit plot END        after  clean fit       -> plot  1.0
                                                    after  plot            -> fit 0.5, END 0.5
                                                    after  fit plot fit    -> plot  1.0

One run is not taken for certain: ``ESCAPE`` is the share that something unseen gets, as in prediction by partial
matching (Cleary and Witten, 1984).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

END = "<end>"
"""Follows the last cell of a session."""

LONGEST_CONTEXT = 5
ESCAPE = 0.25
"""How many runs' worth of doubt every context has: seen once, its follower has 1 / 1.25."""

FORGET_BEYOND = 5000
"""Contexts; a user of years has some thousands."""


@dataclass(frozen=True, slots=True)
class Following:
    """A cell that is expected, with the chance that everything up to it comes."""

    shape: str
    chance: float


@dataclass(frozen=True, slots=True)
class Block:
    """Cells that ran in this order again and again."""

    shapes: tuple[str, ...]
    times: int


class Miner:
    """Learns sequences one session at a time, or one cell at a time, and predicts."""

    def __init__(self) -> None:
        self._followers: dict[tuple[str, ...], Counter[str]] = {}
        self._rows: list[tuple[str, ...]] = []

    def learn(self, row: Sequence[str]) -> None:
        """A whole session, in the order its cells ran."""
        for index in range(len(row)):
            self.add(row[:index], row[index])
        self.end(row)

    def end(self, row: Sequence[str]) -> None:
        """A session whose cells were added one by one has ended."""
        if row:
            self.add(row, END)
            self._rows.append(tuple(row))

    def add(self, before: Sequence[str], shape: str) -> None:
        """One more cell ran, after ``before``."""
        for length in range(min(LONGEST_CONTEXT, len(before)) + 1):
            context = tuple(before[len(before) - length :])
            self._followers.setdefault(context, Counter())[shape] += 1
        if len(self._followers) > FORGET_BEYOND:
            for context in [known for known in self._followers if len(known) > 2][: FORGET_BEYOND // 2]:
                del self._followers[context]

    def followers(self, before: Sequence[str]) -> tuple[Following, ...]:
        """What may come after ``before``, likeliest first; the chances sum up to less than 1."""
        for length in range(min(LONGEST_CONTEXT, len(before)), 0, -1):
            counts = self._followers.get(tuple(before[len(before) - length :]))
            if counts:
                total = sum(counts.values()) + ESCAPE
                ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
                return tuple(Following(shape, count / total) for shape, count in ordered)
        return ()

    def path(self, before: Sequence[str], length: int = 40, least: float = 0.1) -> tuple[Following, ...]:
        """The likeliest way on, cell by cell, as long as the chance of all of it is at least ``least``."""
        row = list(before)
        found: list[Following] = []
        chance = 1.0
        while len(found) < length:
            following = self.followers(row)
            if not following or following[0].shape == END:
                break
            chance *= following[0].chance
            if chance < least:
                break
            found.append(Following(following[0].shape, chance))
            row.append(following[0].shape)
        return tuple(found)

    def ending(self, before: Sequence[str]) -> float:
        """The chance that ``before`` is all of the session."""
        return next((one.chance for one in self.followers(before) if one.shape == END), 0.0)

    def blocks(self, *, least_times: int = 2, longest: int = 8) -> tuple[Block, ...]:
        """Blocks of two and more cells that ran ``least_times`` and more, the ones that explain most first.

        A block that only ever occurs inside a longer one is left out.
        """
        counts: Counter[tuple[str, ...]] = Counter()
        for row in self._rows:
            for length in range(2, longest + 1):
                counts.update(_windows(row, length))
        often = {shapes: times for shapes, times in counts.items() if times >= least_times}
        inner = {
            part
            for shapes, times in often.items()
            for part in (shapes[1:], shapes[:-1])
            if often.get(part, 0) <= times  # it never runs without the rest
        }
        kept = [Block(shapes, times) for shapes, times in often.items() if shapes not in inner]
        return tuple(sorted(kept, key=lambda block: (-block.times * len(block.shapes), block.shapes)))


def _windows(row: Sequence[str], length: int) -> Iterable[tuple[str, ...]]:
    """Windows of ``row``; a run of the same block over itself (a a a a) counts without overlap."""
    last: dict[tuple[str, ...], int] = {}
    for start in range(len(row) - length + 1):
        window = tuple(row[start : start + length])
        if start >= last.get(window, start):
            last[window] = start + length
            yield window
