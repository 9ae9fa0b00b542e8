"""How long a cell takes here and there, learned as it runs, with how sure that is.

Here: for every shape of cell (``knowledge.Reading.shape``) a linear regression of log seconds on the logs of what it is
given: the bytes of its inputs and its parameters::

    log t  =  a  +  b0 log(bytes in)  +  b1 log(epochs)  +  ...         a: after the first run, that run
                 b0 ~ N(0.7, 0.5²)       b1 ~ N(1, 0.5²) if the name is known to mean "how much", N(0, 0.5²) if not

It is Bayesian (one Kalman step per run), so one run predicts the same cell well, other sizes roughly, and says so.
There: the seconds here divided by a ratio. The ratio has a part that all cells share, which begins with the measured
``Link.speedup``, and a part of the cell's own that is drawn towards nothing until runs there speak.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from nbdag.remote.knowledge import Parameter

BYTES = "bytes"
"""The feature that every cell has: what it is given."""

BYTES_EXPONENT, EXPONENT_SD = 0.7, 0.5
NOISE_SD = 0.15
"""Of log seconds, before runs tell: two runs of one cell differ by some 15 %."""

NOISE_WEIGHT = 4.0
SHARED_RATIO_SD, OWN_RATIO_SD = 0.25, 0.25
"""Of log ratios: a benchmark of a second says what a machine does within 30 %, and cells differ from it by as much."""

SURE = 1.5
"""Standard deviations to either side of what is expected: nine of ten runs are within."""

SHORTEST = 1e-4
"""Seconds: what is shorter is noise of the clock."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds as expected, and what nine of ten runs stay within. ``runs`` is how many runs stand behind it."""

    seconds: float
    low: float
    high: float
    runs: int


def estimate(mean: float, variance: float, runs: int) -> Estimate:
    """From mean and variance of log seconds: the median, and ``SURE`` deviations to either side."""
    spread = SURE * math.sqrt(max(variance, 0.0))
    middle, low, high = (math.exp(min(mean + side, 40.0)) for side in (0.0, -spread, spread))
    return Estimate(middle, low, high, runs)


@dataclass
class CellTimes:
    """One shape's regression. ``use`` says which features it looks at: the bytes, the parameters, both or none."""

    use_bytes: bool = True
    use_parameters: bool = True
    runs: int = 0
    _origin: dict[str, float] = field(default_factory=dict)  # the features of the first run: its time is the intercept
    _order: list[str] = field(default_factory=list)
    _mean: list[float] = field(default_factory=list)
    _covariance: list[list[float]] = field(default_factory=list)
    _residuals: float = NOISE_WEIGHT * NOISE_SD**2
    _weight: float = NOISE_WEIGHT

    @property
    def noise(self) -> float:
        """Variance of log seconds between two runs of the same cell."""
        return self._residuals / self._weight

    def predict(self, size: int, parameters: tuple[Parameter, ...]) -> tuple[float, float] | None:
        """Mean and variance of log seconds; None before the first run."""
        if not self.runs:
            return None
        features = self._features(size, parameters)
        row = self._row(features)
        variance = self._spread(row) + self.noise
        # A feature that no run had before: nothing is known of it but its prior.
        for name, value in features.items():
            if name not in self._origin:
                variance += (EXPONENT_SD * value) ** 2
        return self._dot(row), variance

    def observe(self, size: int, parameters: tuple[Parameter, ...], log_seconds: float, variance: float = 0.0) -> None:
        """Learn from one run; ``variance`` is how uncertain its time is beyond the noise (it ran elsewhere)."""
        features = self._features(size, parameters)
        if not self.runs:
            self._origin = features
            self._extend("", log_seconds, self.noise + variance)
            self._extend_all(features, parameters)
            self.runs = 1
            return
        for name, value in features.items():
            # As if the first run had had it at this value: the intercept takes the difference.
            self._origin.setdefault(name, value)
        self._extend_all(features, parameters)
        row = self._row(features)
        error = log_seconds - self._dot(row)
        spread = self._spread(row)
        total = spread + self.noise + variance
        gains = [sum(entry * part for entry, part in zip(line, row, strict=True)) for line in self._covariance]
        self._mean = [mean + gain * error / total for mean, gain in zip(self._mean, gains, strict=True)]
        self._covariance = [
            [entry - first * second / total for entry, second in zip(line, gains, strict=True)]
            for line, first in zip(self._covariance, gains, strict=True)
        ]
        # Only the part of the error that the weights did not expect is noise.
        self._residuals += error**2 * (self.noise + variance) / total
        self._weight += 1.0
        self.runs += 1

    def exponents(self) -> Mapping[str, float]:
        """What was learned: the power of each feature that the time goes by."""
        return {name: mean for name, mean in zip(self._order, self._mean, strict=True) if name}

    def _features(self, size: int, parameters: tuple[Parameter, ...]) -> dict[str, float]:
        features = {BYTES: math.log(max(size, 1000))} if self.use_bytes else {}
        if self.use_parameters:
            features.update({parameter.name: math.log(parameter.value) for parameter in parameters})
        return features

    def _extend_all(self, features: Mapping[str, float], parameters: tuple[Parameter, ...]) -> None:
        known = {parameter.name: parameter.exponent for parameter in parameters}
        for name in features:
            if name not in self._order:
                self._extend(name, BYTES_EXPONENT if name == BYTES else known[name], EXPONENT_SD**2)

    def _extend(self, name: str, mean: float, variance: float) -> None:
        for line in self._covariance:
            line.append(0.0)
        self._order.append(name)
        self._mean.append(mean)
        self._covariance.append([0.0] * (len(self._order) - 1) + [variance])

    def _row(self, features: Mapping[str, float]) -> list[float]:
        return [features[name] - self._origin[name] if name in features else float(not name) for name in self._order]

    def _dot(self, row: list[float]) -> float:
        return sum(mean * part for mean, part in zip(self._mean, row, strict=True))

    def _spread(self, row: list[float]) -> float:
        lines = (sum(entry * part for entry, part in zip(line, row, strict=True)) for line in self._covariance)
        return sum(part * line for part, line in zip(row, lines, strict=True))


@dataclass
class Ratios:
    """How much faster cells are there: log ratios, one that all share and one of each shape."""

    shared: float
    shared_variance: float = SHARED_RATIO_SD**2
    own: dict[str, tuple[float, float, int]] = field(default_factory=dict)  # shape -> mean, variance, runs

    @classmethod
    def measured(cls, speedup: float) -> Ratios:
        """Before any run there: what the target's benchmark said."""
        return cls(math.log(max(speedup, 1e-3)))

    def predict(self, shape: str) -> tuple[float, float]:
        """Mean and variance of the log ratio of one shape."""
        mean, variance, _ = self.own.get(shape, (0.0, OWN_RATIO_SD**2, 0))
        return self.shared + mean, self.shared_variance + variance

    def runs(self, shape: str) -> int:
        """How often this shape ran there."""
        return self.own.get(shape, (0.0, 0.0, 0))[2]

    def observe(self, shape: str, log_ratio: float, variance: float) -> None:
        """Learn from a run there whose time here is known with ``variance``."""
        mean, own, count = self.own.get(shape, (0.0, OWN_RATIO_SD**2, 0))
        total = self.shared_variance + own + max(variance, 1e-4)
        error = log_ratio - self.shared - mean
        self.own[shape] = (mean + own / total * error, own - own * own / total, count + 1)
        self.shared += self.shared_variance / total * error
        self.shared_variance -= self.shared_variance**2 / total
