"""Paired differences over seeds: the same chips and the same samples under two conditions.

Of n seeds with accuracies a_s and b_s, d_s = a_s - b_s, the difference is mean(d) with the standard error
std(d)/sqrt(n) (n - 1 in the standard deviation). Taken as if the chips were others, its error would be
sqrt(var(a)/n + var(b)/n); pairing gains where chips that are good under one condition are good under the other. Where
one condition takes away what the chips differ by, there is nothing to pair, and both errors are about the same.

An interaction of two effects A and B is d_s = (both off) - (A off) - (B off) + (as it is): what switching both off
gains beyond the sum of what each one gains alone. Above 0 they hide each other: either alone spoils the result. Below 0
they share what they cost: without either one the other costs less.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Accuracies = Mapping[int, float | None]
"""By seed; None of a trial that failed."""


@dataclass(frozen=True)
class SeedDifference:
    """A sum of accuracies with signs, over the seeds that all conditions have."""

    mean: float
    """nan without a seed."""
    error: float
    """Standard error of the mean; infinite below two seeds."""
    unpaired: float
    """The same of independent seeds."""
    seeds: int

    @property
    def clear(self) -> bool:
        """Whether 0 lies outside the interval of 95 % (Student's t); never below three seeds."""
        from scipy.stats import t

        return self.seeds > 2 and abs(self.mean) > float(t.ppf(0.975, self.seeds - 1)) * self.error


def difference(*terms: tuple[int, Accuracies]) -> SeedDifference:
    """Return a sum of conditions, each with its sign.

    Parameters
    ----------
    *terms : (sign, accuracies)
        1 or -1, and the accuracies by seed.
    """
    common = set.intersection(*(set(found) for _, found in terms))
    columns: list[list[float]] = []
    for seed in sorted(common):
        row = [found[seed] for _, found in terms]
        if None not in row:
            columns.append([float(value) for value in row if value is not None])
    if not columns:
        return SeedDifference(math.nan, math.inf, math.inf, 0)
    signs, count = [sign for sign, _ in terms], len(columns)
    sums = [math.fsum(sign * value for sign, value in zip(signs, row, strict=True)) for row in columns]
    if count == 1:
        return SeedDifference(sums[0], math.inf, math.inf, 1)
    spread = math.fsum(statistics.variance(values) for values in zip(*columns, strict=True))
    error = statistics.stdev(sums) / math.sqrt(count)
    return SeedDifference(statistics.fmean(sums), error, math.sqrt(spread / count), count)


def gain(better: Accuracies, worse: Accuracies) -> SeedDifference:
    """Return how much more accurate one condition is than another."""
    return difference((1, better), (-1, worse))


def interaction(both: Accuracies, first: Accuracies, second: Accuracies, as_it_is: Accuracies) -> SeedDifference:
    """Return what two effects gain together beyond the sum of their gains."""
    return difference((1, both), (-1, first), (-1, second), (1, as_it_is))


def widest(found: Sequence[SeedDifference], until: float) -> list[int]:
    """Return the numbers of those whose error is above a bound."""
    return [number for number, each in enumerate(found) if not each.error <= until]
