"""Whether a point meets a target: from as few seeds as the confidence asks for.

Accuracies of n seeds are looked at where n is the first number of them, twice it, four times it, up to the most. With
mean m and standard error e a look decides if |m - target| > t e, t the quantile of Student's distribution at
1 - a, a = (1 - confidence)/looks, one-sided: of all points that miss the target, at most 1 - confidence are said to
meet it, and the other way round. What no look decides goes by its mean and is called open.

The target is one of new chips on this split. That chips share its samples does not make them depend on each other;
where a seed draws some of them, its draw is part of what seeds differ by.

Student's test is right for normal accuracies. Those of chips are skewed to the left: few chips are much worse, so that
a few good ones have too high a mean and too small an error at once. "Meets" has to hold on another scale too, on which
accuracies pile up nowhere. There z = probit(accuracy) is normal with mean mu and standard deviation s, and the mean
accuracy is probit^-1(mu/sqrt(1 + s^2)). Of n seeds with mean m and standard deviation d, the chance that the mean
accuracy is at the target g or below is

    p = E[Phi((probit(g) sqrt(1 + S^2) - m) sqrt(n)/S)],    S^2 = d^2 (n - 1)/chi^2_(n-1)

a generalised p-value (Krishnamoorthy and Mathew, Journal of Statistical Planning and Inference 115, 103, 2003, for the
mean of lognormal numbers). p has to be at most a/2: chips with stuck devices are skewed on this scale too, by -0.6, and
half the level is what three to twelve of them need to be wrong in 5 to 6 % (``tests/benchmarks/verdicts.py``).

Of K samples that a seed draws from a split of N, even chips that are all alike have accuracies that scatter by
sqrt(g (1 - g)/K (N - K)/(N - 1)), at the target g. For "misses" Student's spread is no smaller than this, and S no
smaller than what it is on the scale of z: two seeds with 17 of 20 samples, or three that are all right, do not seem to
be exactly known. All right counts as a quarter of a sample wrong.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from analysis.sweep.designs import MOST
from analysis.sweep.right import SamplesSeen
from neuroep.errors import ConfigError
from neuroep.runs import arguments

OPEN = "open"
"""What a verdict is called that no look decides."""
RIGHT = 0.25
"""Samples that count as wrong where none is."""
SKEWED = 0.5
"""Share of the level at which a point is said to meet a target on the scale of probits."""
NODES = 256
"""Of the mean over chi^2."""
TINY = 1e-9
"""Spread of chips that are all alike."""


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
        return f"{'meets' if self.met else 'misses'} it" if self.sure else OPEN


UNKNOWN = SamplesSeen(10**9, 10**9)
"""So many that their draw does not count."""


def chance(accuracies: Sequence[float], target: float, samples: SamplesSeen = UNKNOWN) -> float:
    """Return the chance of such accuracies where their mean is at the target or below; see the top of this file.

    Parameters
    ----------
    accuracies : sequence of float
        Of two seeds or more.
    target : float
    samples : SamplesSeen
        Of each seed.
    """
    from scipy.special import ndtr, ndtri

    count, least = len(accuracies), RIGHT / samples.seen
    z = ndtri(np.clip(accuracies, least, 1 - least))
    goal = float(ndtri(target))
    density = math.exp(-(goal**2) / 2) / math.sqrt(2 * math.pi)
    spread = np.maximum(float(z.std(ddof=1)) * _spreads(count), max(samples.scatter(target) / density, TINY))
    return float(ndtr((goal * np.sqrt(1 + spread**2) - z.mean()) * math.sqrt(count) / spread).mean())


@cache
def _spreads(count: int) -> np.ndarray:
    """Return quantiles of true standard deviations over that of ``count`` normal numbers, (NODES,)."""
    from scipy.stats import chi2

    return np.asarray(np.sqrt((count - 1) / chi2.ppf((np.arange(NODES) + 0.5) / NODES, count - 1)))


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

    def verdict(
        self, accuracies: Mapping[int, float | None], samples: SamplesSeen = UNKNOWN
    ) -> tuple[Verdict, int | None]:
        """Return what is known of a point, and the seeds that the next look needs; None where there is none.

        Parameters
        ----------
        accuracies : mapping of int to float or None
            Of the seeds 0, 1, ...; None of those that failed, which count as run and not in the mean.
        samples : SamplesSeen
            Of each seed.
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
            wrong = (1 - self.confidence) / len(looks)
            least = 0.0 if mean > self.target else samples.scatter(self.target) / math.sqrt(len(values))
            sure = abs(mean - self.target) > float(t.isf(wrong, max(len(values) - 1, 1))) * max(error, least)
            if sure and mean > self.target:
                sure = chance(values, self.target, samples) <= SKEWED * wrong
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
    first = 3 if first is None else arguments.whole("seeds", first)
    if first < 2:
        raise ConfigError(f"seeds is {first}: a verdict needs at least 2")
    most = max(12, first) if most is None else arguments.whole("max_seeds", most)
    if most < first:
        raise ConfigError(f"max_seeds is {most}: should be at least the {first} seeds of the first look")
    if most > MOST:
        raise ConfigError(f"{'max_seeds' if first < most else 'seeds'} is {most}: of a point at most {MOST} are run")
    return Judge(target, confidence, first, most)
