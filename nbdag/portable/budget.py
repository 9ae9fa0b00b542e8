"""How much looking the recorder may do: a small share of the time that the session's own code has taken.

    a cell of 10 s            earns  10 s * SHARE = 60 ms
    every hook                spends what it took; looking at large values waits until there is enough
    a value that has to wait  counts as possibly changed by every statement that could reach it meanwhile

``share`` None is no limit: ``nbdag analyze`` runs a notebook in order to see what it does. Seconds are CPU time.
"""

from __future__ import annotations

from typing import Optional

SHARE = 0.006  # of the session's own time: with what a statement costs in any case, below 1 %
INITIAL = 0.004  # seconds that a session begins with
MOST_SAVED = 1.0  # seconds that can be saved up: no pause of ours is longer than that
MOST_OWED = 0.05  # seconds that fixed costs may run into debt: small cells do not rule out looking for ever
HURRIED_FROM = 0.025  # of those seconds: the first statements of a session are told apart exactly
UNKNOWN_PRICE = 0.0005  # seconds that a value is guessed to take which is not small and was never looked at
SMALL_PRICE = 0.0001  # seconds below which a look is small, and never put off


class Budget:
    """Seconds of looking that are left."""

    def __init__(self, share: Optional[float] = SHARE) -> None:
        self.share = share
        self.left = INITIAL
        self.counted = 0.0  # what was spent since :meth:`settle_hook`

    @property
    def unlimited(self) -> bool:
        return self.share is None

    @property
    def hurried(self) -> bool:
        """Whether so much is owed that even small values are looked at once an execution (``later.py``)."""
        return self.share is not None and self.left <= -HURRIED_FROM

    def earn(self, seconds: float) -> None:
        """The session's own code has run for this long."""
        if self.share is not None:
            self.left = min(MOST_SAVED, self.left + self.share * seconds)

    def spend(self, seconds: float) -> None:
        """The recorder has taken this long, in the middle of a hook."""
        self.left = max(-MOST_OWED, self.left - seconds)
        self.counted += seconds

    def settle_hook(self, seconds: float) -> None:
        """A hook has taken this long in all."""
        self.spend(max(0.0, seconds - self.counted))
        self.counted = 0.0

    def allows(self, seconds: float) -> bool:
        """Whether there is enough for something that takes this long."""
        return self.share is None or seconds <= self.left
