"""The block policy: the cells that follow are counted in, and their state stays where they run.

    cell        here    there    sends        by itself             with what follows (mined: 9 of 10 times)
    clean        2 s    0.5 s    raw 3 s      stays                 there
    features    12 s    3 s                   there, raw 3 s        there: raw is there already
    fit         30 s    7 s                   there                 there: features never cross
    report       1 s                          here                  here: only the model comes back

The likeliest row of cells after this one (``mining.py``), each with its habits (what it needed and made, how long it
took) and its chance, is placed at its cheapest with this cell here, and with it there (``placement.py``: exact). The
difference decides. Results stay there until a cell here needs them: one round trip serves the whole block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from nbdag.remote.experience import Experience, Held, Outcome, Question
from nbdag.remote.knowledge import Reading
from nbdag.remote.model import Decision, Link, Where
from nbdag.remote.placement import Row, Task, best_placement
from nbdag.remote.policies.base import Bill, bill_of, by_bill, stay
from nbdag.remote.words import size_in_words, time_in_words

AHEAD = 40
"""Cells that are looked at beyond this one."""

LEAST_CHANCE = 0.1
"""What is less likely is not planned for."""


class BlockOfCells:
    """This cell and those that will likely follow."""

    name = "block"

    def __init__(self, lazy: bool = True) -> None:
        self.lazy = lazy
        self.experience = Experience()

    def decide(self, question: Question) -> Decision:
        bill = bill_of(question, self.experience, self.lazy)
        if question.stays or bill is None:
            return by_bill(question, self.name, bill)
        row = expected_row(question, bill, self.experience, self.lazy)
        here, _ = best_placement(row, Where.HERE)
        there, placement = best_placement(row, Where.THERE)
        block = next((index for index, place in enumerate(placement) if place is Where.HERE), len(placement))
        said = _told(bill, row, block, here - there)
        if not there < here:
            return stay(question, self.name, said, bill.here_total, bill.there_total)
        chance = row.tasks[block - 1].chance
        return Decision(
            Where.THERE,
            question.target,
            self.name,
            said,
            bill.here_total,
            bill.there_total,
            bill.sent,
            chance,
            block,
        )

    def learn(self, outcome: Outcome) -> None:
        self.experience.learn(outcome)


def expected_row(question: Question, bill: Bill, experience: Experience, lazy: bool = True) -> Row:
    """The cell in question and those expected after it, as tasks over pieces: those of the session now, and to come.

    Unless ``lazy``, what a cell made there comes back at once: that is part of its time there, and free afterwards.
    """
    pieces = _Pieces(question, lazy)
    shape = question.reading.shape
    beside = experience.overhead + question.link.latency_seconds
    habit = experience.habits.get(shape)
    made = habit.made if habit is not None else (Held((), question.needed_bytes),)
    there_seconds = bill.there.seconds + beside + pieces.back(made)
    tasks = [Task(bill.here.seconds, there_seconds, question.needs, pieces.make(made))]
    for following in experience.miner.path((*question.before, shape), AHEAD, LEAST_CHANCE):
        habit = experience.habits.get(following.shape)
        if habit is None:
            break
        needs = pieces.needed(habit.needs)
        size = sum(pieces.all[piece].bytes for piece in needs)
        reading = Reading("", following.shape, habit.parameters)
        here = experience.here(reading, size)
        there = experience.there(reading, size, question.target, question.link)
        if here is None or there is None:
            break
        far = float("inf") if habit.stays else there.seconds + beside + pieces.back(habit.made)
        tasks.append(Task(here.seconds, far, needs, pieces.make(habit.made), following.chance))
    return pieces.row(tasks, question)


@dataclass
class _Pieces:
    """Pieces that the session has, and those that expected cells will make; the newest of a name counts."""

    all: list[Held]
    current: dict[str, int]
    link: Link
    lazy: bool

    def __init__(self, question: Question, lazy: bool) -> None:
        self.lazy = lazy
        self.all = list(question.state)
        self.current = {name: index for index, held in enumerate(question.state) for name in held.names}
        self.link = question.link

    def back(self, made: tuple[Held, ...]) -> float:
        """Seconds until what a cell made there is back, where that is waited for."""
        return 0.0 if self.lazy else self.link.seconds_to_fetch(sum(held.bytes for held in made))

    def make(self, made: tuple[Held, ...]) -> tuple[int, ...]:
        indices = []
        for held in made:
            self.all.append(replace(held, here=False, there=False))
            indices.append(len(self.all) - 1)
            self.current.update(dict.fromkeys(held.names, indices[-1]))
        return tuple(indices)

    def needed(self, names: tuple[tuple[str, ...], ...]) -> tuple[int, ...]:
        """The pieces that hold these names now; what has not been made is not waited for."""
        found = {self.current[name]: None for group in names for name in group if name in self.current}
        return tuple(found)

    def row(self, tasks: list[Task], question: Question) -> Row:
        latency = self.link.latency_seconds
        never = float("inf")
        one_side = {
            index: Where.HERE if held.here else Where.THERE
            for index, held in enumerate(question.state)
            if held.here != held.there
        }
        kept = set(self.current.values())
        return Row(
            tasks=tuple(tasks),
            sending={i: self.link.seconds_to_send(h.bytes) - latency if h.movable else never for i, h in self._each()},
            fetching={
                i: self.link.seconds_to_fetch(h.bytes) - latency if h.movable else never for i, h in self._each()
            },
            at=one_side,
            # In the end the session is here: what is there by then, of what the session still has.
            home=tuple(sorted(kept)),
            enter=latency,
            leave=latency,
            begun=question.side,
        )

    def _each(self) -> list[tuple[int, Held]]:
        return list(enumerate(self.all))


def _told(bill: Bill, row: Row, block: int, gain: float) -> str:
    ahead = len(row.tasks) - 1
    own = (
        f"{time_in_words(bill.here_total)} here, {time_in_words(bill.there.seconds)} there and "
        f"{size_in_words(bill.sent)} to send"
    )
    if not ahead:
        return own + "; what follows is not known"
    if gain > 0:
        visit = f"a visit of {block} cells" if block > 1 else "this cell alone"
        chance = f", {row.tasks[block - 1].chance:.0%} likely" if block > 1 else ""
        return f"{own}; {visit}{chance}, saves {time_in_words(gain)} of the next {ahead + 1}"
    return f"{own}; with the next {ahead} cells in view, here is {time_in_words(-gain)} cheaper"
