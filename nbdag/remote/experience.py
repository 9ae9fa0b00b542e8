"""What is known of cells from the runs so far, put together for one question: where should this cell run?

Each policy has an experience of its own, because they differ in what they look at: ``use_bytes``, ``use_parameters``.
It learns from outcomes one by one, and beforehand from the histories of earlier sessions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from nbdag.remote.history import History
from nbdag.remote.knowledge import Parameter, Reading
from nbdag.remote.learning import SHORTEST, CellTimes, Estimate, Ratios, estimate
from nbdag.remote.mining import Miner
from nbdag.remote.model import Link, Where

OVERHEAD_SECONDS = 0.3
"""What running a cell there takes beside its own time and the transfers, until runs tell: encoding, applying."""

OVERHEAD_WEIGHT = 0.2
"""How much the last run there counts in what the next is expected to take."""

SLACK_OF_FASTEST = 0.8
"""A cell is taken not to be faster here than this share of its fastest run."""


@dataclass(frozen=True, slots=True)
class Held:
    """A piece of the session now: which names, how large, and on which sides it is."""

    names: tuple[str, ...]
    bytes: int
    here: bool = True
    there: bool = False
    movable: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """A cell that is about to run, and the state of the session then.

    ``needs`` are indices of ``state``. ``stays`` is why it cannot run there, "" if it can. ``side`` is where the cell
    before ran. ``before`` are the shapes of the cells that ran so far.
    """

    reading: Reading
    label: str
    target: str
    link: Link
    state: tuple[Held, ...] = ()
    needs: tuple[int, ...] = ()
    stays: str = ""
    side: Where = Where.HERE
    before: tuple[str, ...] = ()

    @property
    def needed_bytes(self) -> int:
        """What the cell is given."""
        return sum(self.state[index].bytes for index in self.needs)

    @property
    def missing_there(self) -> int:
        """Bytes that would have to be sent."""
        return sum(self.state[index].bytes for index in self.needs if not self.state[index].there)

    @property
    def missing_here(self) -> int:
        """Bytes that would have to be fetched."""
        return sum(self.state[index].bytes for index in self.needs if not self.state[index].here)

    @property
    def owed_seconds(self) -> float:
        """What fetching everything takes that is only there."""
        owed = sum(held.bytes for held in self.state if not held.here)
        return self.link.seconds_to_fetch(owed) if owed else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a question. ``seconds`` is the cell's own time where it ran, ``total`` with all that moving took.

    ``made`` are the pieces that it left. ``given_up``: it was begun there, and then run here after all.
    """

    question: Question
    where: Where
    seconds: float
    total: float
    made: tuple[Held, ...] = ()
    transfer_seconds: float = 0.0
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Habit:
    """A shape as it ran last: what it needed and left, by names, and what it was given."""

    needs: tuple[tuple[str, ...], ...]
    made: tuple[Held, ...]
    size: int
    parameters: tuple[Parameter, ...]
    stays: str
    label: str


@dataclass
class Experience:
    """Times, habits and sequences."""

    use_bytes: bool = True
    use_parameters: bool = True
    times: dict[str, CellTimes] = field(default_factory=dict)
    habits: dict[str, Habit] = field(default_factory=dict)
    miner: Miner = field(default_factory=Miner)
    _ratios: dict[str, Ratios] = field(default_factory=dict)
    _fastest: dict[tuple[str, tuple[Parameter, ...]], float] = field(default_factory=dict)
    overhead: float = OVERHEAD_SECONDS

    # -------------------------------------------------------------------------------------------- asking

    def here(self, reading: Reading, size: int) -> Estimate | None:
        """How long the cell takes here; None if nothing is known of its shape."""
        found = self._log_here(reading.shape, size, reading.parameters)
        return None if found is None else estimate(*found, self.times[reading.shape].runs)

    def there(self, reading: Reading, size: int, target: str, link: Link) -> Estimate | None:
        """The cell's own time there."""
        found = self._log_here(reading.shape, size, reading.parameters)
        if found is None:
            return None
        ratios = self.ratios(target, link)
        mean, variance = ratios.predict(reading.shape)
        return estimate(found[0] - mean, found[1] + variance, ratios.runs(reading.shape))

    def least_here(self, reading: Reading, size: int) -> float:
        """What the cell takes here at the least, on the evidence: a share of its fastest run with these parameters,
        or the lower end of what is expected; 0 if nothing is known.
        """
        fastest = self._fastest.get((reading.cell, reading.parameters))
        if fastest is not None:
            return fastest * SLACK_OF_FASTEST
        expected = self.here(reading, size)
        return expected.low if expected is not None else 0.0

    def made_bytes(self, shape: str, size: int) -> int:
        """What the cell will leave: as last time; before the first time, as much as it was given."""
        habit = self.habits.get(shape)
        return size if habit is None else sum(held.bytes for held in habit.made)

    def ratios(self, target: str, link: Link) -> Ratios:
        """What is known of a target's speed."""
        return self._ratios.setdefault(target, Ratios.measured(link.speedup))

    def _log_here(self, shape: str, size: int, parameters: tuple[Parameter, ...]) -> tuple[float, float] | None:
        times = self.times.get(shape)
        return None if times is None else times.predict(size, parameters)

    # -------------------------------------------------------------------------------------------- learning

    def learn(self, outcome: Outcome) -> None:
        """From one run, wherever it was."""
        question, reading = outcome.question, outcome.question.reading
        size = question.needed_bytes
        self.miner.add(question.before, reading.shape)
        needs = tuple(question.state[index].names for index in question.needs)
        self._remember(reading, size, needs, outcome.made, question.stays, question.label)
        if outcome.where is Where.HERE:
            self._observe_here(reading, size, outcome.seconds)
            return
        self._observe_there(reading, size, outcome.seconds, question.target, question.link)
        beside = max(0.0, outcome.total - outcome.seconds - outcome.transfer_seconds)
        self.overhead += OVERHEAD_WEIGHT * (beside - self.overhead)

    def recall(self, histories: Iterable[History], link: Link | None = None) -> None:
        """From sessions that ended. ``link`` is the target's, where runs there are among them."""
        for history in histories:
            for run in history.runs:
                reading = Reading(run.cell, run.shape, run.parameters)
                size = history.needed_bytes(run)
                made = tuple(_held(history, piece) for piece in run.makes)
                needs = tuple(history.pieces[piece].names for piece in run.needs)
                self._remember(reading, size, needs, made, run.stays, run.label)
                if not run.target:
                    self._observe_here(reading, size, run.seconds)
                elif link is not None:
                    self._observe_there(reading, size, run.there_seconds, run.target, link)
            self.miner.learn([run.shape for run in history.runs])

    def _remember(
        self,
        reading: Reading,
        size: int,
        needs: tuple[tuple[str, ...], ...],
        made: tuple[Held, ...],
        stays: str,
        label: str,
    ) -> None:
        self.habits[reading.shape] = Habit(needs, made, size, reading.parameters, stays, label)

    def _observe_here(self, reading: Reading, size: int, seconds: float) -> None:
        self._times_of(reading.shape).observe(size, reading.parameters, math.log(max(seconds, SHORTEST)))
        key = (reading.cell, reading.parameters)
        self._fastest[key] = min(seconds, self._fastest.get(key, math.inf))

    def _observe_there(self, reading: Reading, size: int, seconds: float, target: str, link: Link) -> None:
        logged = math.log(max(seconds, SHORTEST))
        ratios = self.ratios(target, link)
        times = self._times_of(reading.shape)
        expected = times.predict(size, reading.parameters)
        ratio, uncertainty = ratios.predict(reading.shape)
        if expected is not None:
            ratios.observe(reading.shape, expected[0] - logged, expected[1] + times.noise)
        # It says something about the time here, too, as far as the ratio is known.
        times.observe(size, reading.parameters, logged + ratio, uncertainty + times.noise)

    def _times_of(self, shape: str) -> CellTimes:
        return self.times.setdefault(shape, CellTimes(self.use_bytes, self.use_parameters))


def _held(history: History, index: int) -> Held:
    piece = history.pieces[index]
    return Held(piece.names, piece.bytes, movable=piece.movable)
