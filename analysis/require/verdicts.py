"""Whether a point meets a target: from as few seeds as the confidence asks for.

Accuracies of n seeds are looked at where n is the first number of them, twice it, four times it, up to the most. With
mean m and standard error e a look decides if |m - target| > t e, t the quantile of Student's distribution at
1 - (1 - confidence)/looks, one-sided: of all points that miss the target, at most 1 - confidence are said to meet it,
and the other way round. What no look decides goes by its mean and is called open.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from neuroep.errors import ConfigError


@dataclass(frozen=True)
class Verdict:
    """What is known of a point."""

    met: bool
    """Whether the mean is at the target or above."""
    sure: bool
    """Whether a look has decided so."""
    mean: float
    error: float
    """Standard error of the mean; infinite below two seeds that did not fail."""
    seeds: int

    @property
    def word(self) -> str:
        """What it is called."""
        return f"{'meets' if self.met else 'misses'} it" if self.sure else "open"


@dataclass(frozen=True)
class Judge:
    """How verdicts come about; made by :func:`judge`."""

    target: float
    confidence: float
    first: int
    """Seeds of the first look."""
    most: int

    @property
    def looks(self) -> list[int]:
        """Seeds of each look."""
        counts = [self.first]
        while 2 * counts[-1] < self.most:
            counts.append(2 * counts[-1])
        return counts + ([self.most] if self.most > counts[-1] else [])

    def verdict(self, accuracies: Mapping[int, float | None]) -> tuple[Verdict, int | None]:
        """Return what is known of a point, and the seeds that the next look needs; None where there is none.

        Parameters
        ----------
        accuracies : mapping of int to float or None
            Of the seeds 0, 1, ...; None of those that failed, which count as run and not in the mean.
        """
        from scipy.stats import t

        looks, found = self.looks, Verdict(False, False, math.nan, math.inf, 0)
        for count in looks:
            if not all(seed in accuracies for seed in range(count)):
                return found, count
            values = [value for seed in range(count) if (value := accuracies[seed]) is not None]
            if not values:
                found = Verdict(False, True, math.nan, math.inf, 0)
                return found, None
            mean = statistics.fmean(values)
            error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
            quantile = float(t.ppf(1 - (1 - self.confidence) / len(looks), max(len(values) - 1, 1)))
            sure = abs(mean - self.target) > quantile * error
            found = Verdict(mean >= self.target, sure, mean, error, len(values))
            if sure:
                return found, None
        return found, None


def judge(target: float, confidence: float = 0.95, first: int | None = None, most: int | None = None) -> Judge:
    """Return how points are judged.

    Parameters
    ----------
    target : float
        Accuracy, a share.
    confidence : float
        That a verdict is right.
    first, most : int, optional
        Seeds of the first look, default 3, and of the last one, default 12.

    Raises
    ------
    ConfigError
        Naming the number that cannot be.
    """
    if not 0 < target < 1:
        raise ConfigError(f"target is {target}: allowed are shares between 0 and 1, for example 0.87")
    if not 0.5 <= confidence < 1:
        raise ConfigError(f"confidence is {confidence}: allowed are shares from 0.5 to below 1, for example 0.95")
    first = 3 if first is None else first
    if first < 2:
        raise ConfigError(f"seeds is {first}: a verdict needs at least 2")
    most = max(12, first) if most is None else most
    if most < first:
        raise ConfigError(f"max_seeds is {most}: should be at least the {first} seeds of the first look")
    return Judge(target, confidence, first, most)
