"""Where each of a row of cells should run, exactly: the cheapest placement, by a minimum cut.

A cell runs *here* or *there*. What it needs has to be where it runs; a piece of state (a co-variable in one version) is
brought to the other side at most once, and stays where it was, too::

    cell          here   there   needs   makes
    load          1 s    never           raw: 800 MB
    reduce        9 s    2 s     raw     small: 1 MB        raw crosses only if both cells below do not pay for it
    fit           30 s   8 s     small   model
    plot          1 s    1 s     model                      model crosses back

The sum of the cells' seconds, of the crossings of pieces, and of every change of side is a function of yes-no choices
that a cut can carry. For a piece of weight ``w`` made by ``u`` and needed by ``c1 .. ck``: one node says "it is needed
there" (it is, as soon as one of them runs there), which costs ``w`` if ``u`` runs here, and one the same for the other
way::

    u --w--> needed there --inf--> c1 .. ck            c1 .. ck --inf--> needed here --w--> u

The side of the source is here. Brute force over all placements is the oracle of the tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nbdag.remote.model import Where
from nbdag.replay.mincut import INFINITE, FlowNetwork

NANOSECONDS = 1_000_000_000
_LONGEST = 1e8
"""Seconds; what takes longer never ends, as far as placing it is concerned."""


@dataclass(frozen=True, slots=True)
class Task:
    """One cell to place: seconds on either side (infinite where it cannot run), the pieces it needs and makes.

    ``chance`` is how likely it is that it will run at all; those of a row fall from one task to the next.
    """

    here: float
    there: float
    needs: tuple[int, ...] = ()
    makes: tuple[int, ...] = ()
    chance: float = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """Tasks in the order they run, and what is known before the first.

    ``sending`` and ``fetching``: seconds that each piece takes to get there, and back; infinite for what cannot go,
    absent for what takes none.
    ``at``: where pieces are that no task makes; absent means both sides. ``home``: pieces that must be here in the end.
    ``enter`` and ``leave`` are the seconds of a change of side; ``begun`` is the side that one starts on.
    """

    tasks: tuple[Task, ...]
    sending: Mapping[int, float]
    fetching: Mapping[int, float]
    at: Mapping[int, Where]
    home: tuple[int, ...] = ()
    enter: float = 0.0
    leave: float = 0.0
    begun: Where = Where.HERE


def best_placement(row: Row, first: Where | None = None) -> tuple[float, tuple[Where, ...]]:
    """The least seconds and a placement that takes them; ``first`` prescribes where the first task runs.

    Seconds are infinite where no placement is possible (a piece that cannot cross is needed on the wrong side).
    """
    if not row.tasks:
        return 0.0, ()
    network = _Network(row)
    if first is not None:
        network.pin(0, first)
    value, here = network.flow.cut(_HERE, _THERE)
    placement = tuple(Where.HERE if network.node(index) in here else Where.THERE for index in range(len(row.tasks)))
    if value >= _UNPAYABLE:
        return float("inf"), placement
    return value / NANOSECONDS, placement


def cost_of(row: Row, placement: Sequence[Where]) -> float:
    """What ``placement`` takes, by the definition and without a cut: expected seconds where tasks have chances."""
    total = 0.0
    made_at = dict(row.at)
    chance_of = {piece: task.chance for task in row.tasks for piece in task.makes}
    crossings: dict[tuple[int, Where], float] = {}  # the chance that a piece goes to a side: that of its likeliest user
    side = row.begun

    def bring(piece: int, place: Where, chance: float) -> None:
        if made_at.get(piece, place) is not place:
            crossings[piece, place] = max(crossings.get((piece, place), 0.0), chance)

    for task, place in zip(row.tasks, placement, strict=True):
        total += _expected(task.here if place is Where.HERE else task.there, task.chance)
        if place is not side:
            total += (row.enter if place is Where.THERE else row.leave) * task.chance
        side = place
        for piece in task.needs:
            bring(piece, place, task.chance)
        for piece in task.makes:
            made_at[piece] = place
    for piece in row.home:
        bring(piece, Where.HERE, chance_of.get(piece, 1.0))
    for (piece, place), chance in crossings.items():
        total += _expected((row.sending if place is Where.THERE else row.fetching).get(piece, 0.0), chance)
    return total


def _expected(seconds: float, chance: float) -> float:
    return seconds * chance if seconds < _LONGEST else float("inf")


# ------------------------------------------------------------------------------------------------ the network

_HERE, _THERE = 0, 1
_UNPAYABLE = 1 << 60
"""Less than one infinite arc, more than all finite ones together: see ``_nanoseconds``."""


def _nanoseconds(seconds: float) -> int:
    # 1e8 s are 1e17 ns, so that a row of ten tasks which are just not endless stays below _UNPAYABLE.
    return round(seconds * NANOSECONDS) if seconds < _LONGEST else INFINITE


class _Network:
    """The row as arcs; nodes 0 and 1 are the two sides, then the tasks, then what the pieces add."""

    def __init__(self, row: Row) -> None:
        self._row = row
        uses = self._uses()
        extra = sum(2 * len(consumers) for consumers in uses.values())
        self.flow = FlowNetwork(2 + len(row.tasks) + extra)
        self._next = 2 + len(row.tasks)
        for index, task in enumerate(row.tasks):
            self._pay(_HERE, self.node(index), task.there, task.chance)  # cut where the task is on the far side
            self._pay(self.node(index), _THERE, task.here, task.chance)
            before = self.node(index - 1) if index else (_HERE if row.begun is Where.HERE else _THERE)
            self._pay(before, self.node(index), row.enter, task.chance)
            self._pay(self.node(index), before, row.leave, task.chance)
        makers = {piece: self.node(index) for index, task in enumerate(row.tasks) for piece in task.makes}
        for piece, consumers in uses.items():
            maker = makers.get(piece)
            if maker is None:
                place = row.at.get(piece)
                if place is None:
                    continue
                maker = _HERE if place is Where.HERE else _THERE
            self._add_piece(maker, piece, consumers)

    def node(self, index: int) -> int:
        """The node of a task."""
        return index + 2

    def pin(self, index: int, place: Where) -> None:
        """Let a task run at ``place``, whatever that costs."""
        tail, head = (_HERE, self.node(index)) if place is Where.HERE else (self.node(index), _THERE)
        self.flow.connect(tail, head, INFINITE)

    def _uses(self) -> dict[int, list[tuple[int, float]]]:
        """The nodes that need each piece, in the order they run, with their chances."""
        uses: dict[int, list[tuple[int, float]]] = {}
        chance_of = {piece: task.chance for task in self._row.tasks for piece in task.makes}
        for index, task in enumerate(self._row.tasks):
            for piece in task.needs:
                uses.setdefault(piece, []).append((self.node(index), task.chance))
        for piece in self._row.home:
            uses.setdefault(piece, []).append((_HERE, chance_of.get(piece, 1.0)))
        return uses

    def _add_piece(self, maker: int, piece: int, consumers: Sequence[tuple[int, float]]) -> None:
        sending, fetching = self._row.sending.get(piece, 0.0), self._row.fetching.get(piece, 0.0)
        # Brought for the first that needs it on the other side, with the chance of that one: the sum over prefixes of
        # the consumers, each for what its last member is more likely than the next, is exactly that.
        ordered = sorted(consumers, key=lambda one: -one[1])
        for count, (_, chance) in enumerate(ordered, 1):
            following = ordered[count][1] if count < len(ordered) else 0.0
            if chance <= following:
                continue
            there, here = self._next, self._next + 1
            self._next += 2
            self._pay(maker, there, sending, chance - following)
            self._pay(here, maker, fetching, chance - following)
            for node, _ in ordered[:count]:
                self.flow.connect(there, node, INFINITE)
                self.flow.connect(node, here, INFINITE)

    def _pay(self, tail: int, head: int, seconds: float, chance: float) -> None:
        if tail == head or seconds <= 0:
            return
        amount = _nanoseconds(seconds)
        self.flow.connect(tail, head, amount if amount >= INFINITE else round(amount * chance))
