"""The heaviest closed set of a graph: take a node and you take what it needs; gains minus costs as large as can be.

It is the minimum cut of ElasticNotebook (section 5.2) seen from the other side: what a replay saves is a gain, what it
runs is a cost. Most of a session's graph is decided without any flow, by rules that keep the answer exact::

    a gain that needs nothing                        is taken
    a gain that needs one node only                  has that node's fate: merged into it
    a cost that nobody asks for                      is left
    a cost that one node only asks for               has that node's fate: merged into it
    a gain larger than all that it needs             is taken, and all that with it
    a cost no smaller than all gains that ask for it is left, and all that asks for it

Forests, chains and single statements vanish by the first four, whatever their size. What remains falls into pieces,
and each goes to ``mincut.py``. J.-C. Picard, "Maximal closure of a graph and applications to combinatorial problems",
1976, has the reduction to a cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nbdag.replay.mincut import FlowNetwork

ROUNDS_OF_BOUNDS = 3
"""How often the last two rules are tried before the rest goes to the flow: more rarely decides anything."""


def best_closure(weights: Sequence[int], needs: Sequence[Sequence[int]], taken: Iterable[int] = ()) -> bytearray:
    """By node, 1 where it belongs to the heaviest closed set that contains ``taken``: the *smallest* of the heaviest,
    which is unique, so that no order of nodes or names matters.

    ``needs`` are the nodes that each node needs directly; no node may need itself, by any way.
    """
    chosen = bytearray(len(weights))
    pending = [node for node in taken if not chosen[node]]
    while pending:
        node = pending.pop()
        if not chosen[node]:
            chosen[node] = 1
            pending.extend(needs[node])
    network = _Reduction(weights, needs, chosen)
    for _ in range(ROUNDS_OF_BOUNDS):
        network.reduce()
        if not network.apply_bounds():
            break
    network.reduce()
    network.cut()
    network.unmerge()
    return chosen


class _Reduction:
    """The part of the graph that is not decided yet, shrinking; ``chosen`` is filled in."""

    def __init__(self, weights: Sequence[int], needs: Sequence[Sequence[int]], chosen: bytearray) -> None:
        self.chosen = chosen
        self.weight: dict[int, int] = {}
        self.needs: dict[int, set[int]] = {}
        self.askers: dict[int, set[int]] = {}
        self.merged: list[tuple[int, int]] = []  # (node, the one whose fate it shares), in the order of merging
        asked = bytearray(len(weights))
        for node, needed in enumerate(needs):
            if needed and not chosen[node]:
                for other in needed:
                    asked[other] = 1
        for node, weight in enumerate(weights):
            if chosen[node]:
                continue
            if not asked[node]:
                if weight <= 0:
                    continue  # a cost that nobody asks for
                if not needs[node]:
                    chosen[node] = 1  # a gain that needs nothing
                    continue
            self.weight[node] = weight
            self.askers[node] = set()
        for node in self.weight:
            self.needs[node] = found = {other for other in needs[node] if not chosen[other]}
            for other in found:
                self.askers[other].add(node)
        self.pending = list(self.weight)

    def reduce(self) -> None:
        """Apply the rules of single nodes until none applies."""
        weight, needs, askers = self.weight, self.needs, self.askers
        while self.pending:
            node = self.pending.pop()
            if node not in weight:
                continue
            if weight[node] > 0:
                if not needs[node]:
                    self.decide(node, 1)
                elif len(needs[node]) == 1:
                    self.merge(node, next(iter(needs[node])))
            elif not askers[node]:
                self.decide(node, 0)
            elif len(askers[node]) == 1:
                self.merge(node, next(iter(askers[node])))

    def decide(self, node: int, fate: int) -> None:
        """Take ``node`` (everything it needs is taken) or leave it (nobody who asks for it is left)."""
        self.chosen[node] = fate
        del self.weight[node]
        for asker in self.askers.pop(node):
            self.needs[asker].discard(node)
            self.pending.append(asker)
        for needed in self.needs.pop(node):
            self.askers[needed].discard(node)
            self.pending.append(needed)

    def merge(self, one: int, other: int) -> None:
        """Make two neighbours one node; the one with fewer neighbours is moved, so that long chains stay linear."""
        needs, askers = self.needs, self.askers
        if len(needs[one]) + len(askers[one]) > len(needs[other]) + len(askers[other]):
            one, other = other, one
        self.merged.append((one, other))
        self.weight[other] += self.weight.pop(one)
        for mine, back in ((needs, askers), (askers, needs)):
            mine[other].discard(one)
            for neighbour in mine.pop(one):
                back[neighbour].discard(one)
                if neighbour != other:
                    back[neighbour].add(other)
                    mine[other].add(neighbour)
                    self.pending.append(neighbour)
        self.pending.append(other)

    def apply_bounds(self) -> bool:
        """Apply the two rules that look further; whether any node was decided."""
        if not self.weight:
            return False
        order = self._in_order()
        most = sum(abs(weight) for weight in self.weight.values())
        below: dict[int, int] = {}  # what a node may cost beside itself: counted once for each way that leads to it
        for node in order:
            costs = sum(below[needed] + max(0, -self.weight[needed]) for needed in self.needs[node])
            below[node] = min(costs, most)
        above: dict[int, int] = {}
        for node in reversed(order):
            gains = sum(above[asker] + max(0, self.weight[asker]) for asker in self.askers[node])
            above[node] = min(gains, most)
        worth = [node for node in order if self.weight[node] > below[node]]
        vain = [node for node in order if self.weight[node] <= 0 and above[node] <= -self.weight[node]]
        # No node can be both: what is worth it is part of every best set, what is vain of not one.
        for start, neighbours, fate in ((worth, self.needs, 1), (vain, self.askers, 0)):
            stack = [node for node in start if node in self.weight]
            reached = set(stack)
            while stack:
                for neighbour in neighbours[stack.pop()]:
                    if neighbour not in reached:
                        reached.add(neighbour)
                        stack.append(neighbour)
            for node in sorted(reached):
                self.decide(node, fate)
        return bool(worth or vain)

    def _in_order(self) -> list[int]:
        """The nodes left, each after all that it needs."""
        missing = {node: len(needed) for node, needed in self.needs.items()}
        order = [node for node, count in missing.items() if not count]
        for node in order:  # grows on the way
            for asker in self.askers[node]:
                missing[asker] -= 1
                if not missing[asker]:
                    order.append(asker)
        return order

    def cut(self) -> None:
        """Decide what is left by a minimum cut, one connected piece after another."""
        unseen = dict.fromkeys(self.weight)
        while unseen:
            start = next(iter(unseen))
            del unseen[start]
            piece = [start]
            for node in piece:  # grows on the way
                for neighbour in (*self.needs[node], *self.askers[node]):
                    if neighbour in unseen:
                        del unseen[neighbour]
                        piece.append(neighbour)
            self._cut_piece(sorted(piece))

    def _cut_piece(self, piece: list[int]) -> None:
        number = {node: index + 2 for index, node in enumerate(piece)}
        infinite = 1 + sum(weight for node in piece if (weight := self.weight[node]) > 0)
        network = FlowNetwork(2 + len(piece))
        for node in piece:
            weight = self.weight[node]
            if weight > 0:
                network.connect(0, number[node], weight)
            else:
                network.connect(number[node], 1, -weight)
            for needed in sorted(self.needs[node]):
                network.connect(number[node], number[needed], infinite)
        _, side = network.cut(0, 1)
        for node in piece:
            self.chosen[node] = number[node] in side

    def unmerge(self) -> None:
        """Give every merged node the fate of the one it was merged into."""
        for node, survivor in reversed(self.merged):
            self.chosen[node] = self.chosen[survivor]
