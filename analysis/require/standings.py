"""What a few chips of a point tell of its mean over all of them.

Seed s is the same draw of a chip and the same samples at every point. Accuracies are said to be a(p, s) = m(p) + b(s) +
e(p, s): what the point gives, what the seed gives everywhere, and noise of standard deviation sigma. b is the mean
deviation of a seed at the points that have all n of them, sigma is pooled over all points that have two or more. From
k of its seeds the mean of a point over all n is then expected at mean(a(p, s) - b(s)), with the standard error sigma
sqrt(1/k - 1/n), which ends at 0: what is known whole is no estimate. Bounds lie Student's quantile away, at
1 - (1 - c)/points, one-sided, so that with the confidence c all of them hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Found = Sequence[float | None]
"""Accuracies of the seeds 0, 1, ... of a point, None of those that failed: they count as run and not in the mean."""


@dataclass(frozen=True)
class Standings:
    """Means over all seeds of points of which some are known."""

    mean: np.ndarray
    """(points,): of all seeds where they are there, expected elsewhere; 0 where all failed."""
    whole: np.ndarray
    """(points,): whether all seeds are there."""
    count: np.ndarray
    """(points,): seeds that are there."""
    error: np.ndarray
    """(points,): standard error of the mean; 0 where all seeds are there."""
    quantile: float
    """Of the bounds: how many errors they lie away."""
    noise: float
    """sigma/sqrt(n), of a mean over all seeds; 0 where nothing tells."""

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the largest mean that each point may have, (points,)."""
        half = self.quantile * self.error
        return self.mean - half, self.mean + half


def standings(found: Sequence[Found], seeds: int, confidence: float, points: int) -> Standings:
    """Return how points stand.

    Parameters
    ----------
    found : sequence of sequence
        Of each point the accuracies of its first seeds, one at least.
    seeds : int
        All that a point may have.
    confidence : float
        That all bounds hold.
    points : int
        Number of points that may be asked for.
    """
    from scipy.stats import t

    table = np.full((len(found), seeds), math.nan)
    for row, values in zip(table, found, strict=True):
        row[: len(values)] = [math.nan if value is None else value for value in values]
    there = ~np.isnan(table)
    whole = np.array([len(values) == seeds for values in found])
    left, count = seeds - np.array([len(values) for values in found]), there.sum(axis=1)
    shift = _shifts(table[whole & there.all(axis=1)])
    sums = np.where(there, table, 0).sum(axis=1) - np.where(whole, 0, (there * shift).sum(axis=1))
    mean = np.divide(sums, count, out=np.zeros(len(found)), where=count > 0)
    sigma, freedom = _noise(table - shift, seeds)
    error = np.zeros(len(found))
    some = left > 0
    with np.errstate(divide="ignore"):
        error[some] = sigma * np.sqrt(1 / count[some] - 1 / (count + left)[some])
    quantile = float(t.ppf(1 - (1 - confidence) / points, max(freedom, 1)))
    return Standings(mean, whole, count, error, quantile, sigma / math.sqrt(seeds) if freedom > 0 else 0.0)


def _shifts(whole: np.ndarray) -> np.ndarray:
    """Return what each seed gives at all points alike, (seeds,), from points that have them all, (points, seeds)."""
    if not len(whole):
        return np.zeros(whole.shape[1])
    return np.asarray((whole - whole.mean(axis=1, keepdims=True)).mean(axis=0))


def _noise(table: np.ndarray, seeds: int) -> tuple[float, int]:
    """Return the standard deviation of accuracies about their points, infinite where nothing tells, and its freedom."""
    count = (~np.isnan(table)).sum(axis=1)
    several = table[count > 1]
    freedom = int((count[count > 1] - 1).sum()) - (seeds - 1)
    if freedom <= 0:
        return math.inf, 0
    return math.sqrt(float(np.nansum((several - np.nanmean(several, axis=1, keepdims=True)) ** 2)) / freedom), freedom
