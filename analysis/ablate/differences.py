"""Paired differences over seeds: the same chips and the same samples under two conditions.

Of n seeds with accuracies a_s and b_s, d_s = a_s - b_s, the difference is mean(d) with the standard error
std(d)/sqrt(n) (n - 1 in the standard deviation): how far it may move with other chips, on these samples. Taken as if
the chips were others on either side, its error would be sqrt(var(a)/n + var(b)/n); pairing gains where chips that are
good under one condition are good under the other. Where one condition takes away what the chips differ by, there is
nothing to pair, and both errors are about the same.

With other samples too it moves further, how far is told by what single samples make of it
(:mod:`analysis.ablate.crossed`); where all chips are alike that is all. What is said to differ from 0 does so by this
error.

An interaction of two effects A and B is d_s = (both off) - (A off) - (B off) + (as it is): what switching both off
gains beyond the sum of what each one gains alone. Above 0 they hide each other: either alone spoils the result. Below 0
they share what they cost: without either one the other costs less.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.ablate.crossed import OverSamples, chance, over_samples

LEVEL = 0.05
"""How often a page, all of whose differences are 0, may mark any of them."""
MANY = 1000
"""Samples of which all cannot change one way by chance."""
Accuracies = Mapping[int, float | None]
"""By seed; None of a trial that failed."""
Right = Mapping[int, np.ndarray]
"""By seed, which samples were right: :func:`analysis.sweep.right.unpacked`."""
Widening = Callable[[int], float]
"""By the number of chips, a factor on errors."""


@dataclass(frozen=True)
class SeedDifference:
    """A sum of accuracies with signs, over the seeds that all conditions have."""

    mean: float
    """nan without a seed."""
    error: float
    """Standard error of the mean over chips, on these samples; infinite below two seeds. Wider where it has decided how
    many chips there are."""
    unpaired: float
    """The same of independent seeds."""
    seeds: int
    beyond: OverSamples | None = None
    """What other samples add to the error; None where it is not known which samples were right."""
    clear: bool = False
    """Whether it is marked as one that differs from 0, see :func:`marked`."""

    @property
    def over_chips(self) -> float:
        """Standard error over chips; no smaller than noise of single reads makes it."""
        return self.error if self.beyond is None else max(self.error, self.beyond.least)

    @property
    def whole(self) -> float:
        """Standard error over chips and samples; nan where it is not known."""
        return math.nan if self.beyond is None else math.hypot(self.over_chips, self.beyond.error)

    @property
    def widest(self) -> float:
        """The whole error, or that over chips where samples are not known."""
        return self.error if self.beyond is None else self.whole

    @property
    def chance(self) -> float:
        """Probability of a mean so far from 0 where there is no difference (Student's t); 1 below three seeds.

        From m samples that change, no fewer than 2^(1 - m): so often all of them change one way by chance.
        """
        if self.seeds < 3 or not abs(self.mean) > 0:
            return 1.0
        beyond = OverSamples(0.0, 1, 0.0, MANY) if self.beyond is None else self.beyond
        far = chance(self.mean, self.error, self.seeds, beyond) if self.widest > 0 else 0.0
        return min(1.0, max(far, 2.0 ** (1 - min(beyond.changed, MANY))))


def unchanged(_count: int) -> float:
    """Return 1: errors over a number of chips that was said beforehand are taken as they are."""
    return 1.0


def difference(
    *terms: tuple[int, Accuracies], right: Sequence[Right] = (), widening: Widening = unchanged
) -> SeedDifference:
    """Return a sum of conditions, each with its sign.

    Parameters
    ----------
    *terms : (sign, accuracies)
        1 or -1, and the accuracies by seed.
    right : sequence of mapping
        Of each condition, which samples were right; without them samples are taken as they are.
    widening : callable
        By what errors over so many chips grow, where they have decided how many there are
        (:meth:`analysis.sweep.stopping.Rule.widening`).
    """
    common = set.intersection(*(set(found) for _, found in terms))
    columns: list[list[float]] = []
    seeds: list[int] = []
    for seed in sorted(common):
        row = [found[seed] for _, found in terms]
        if None not in row:
            columns.append([float(value) for value in row if value is not None])
            seeds.append(seed)
    if not columns:
        return SeedDifference(math.nan, math.inf, math.inf, 0)
    signs, count = [sign for sign, _ in terms], len(columns)
    sums = [math.fsum(sign * value for sign, value in zip(signs, row, strict=True)) for row in columns]
    if count == 1:
        return SeedDifference(sums[0], math.inf, math.inf, 1)
    spread = math.fsum(statistics.variance(values) for values in zip(*columns, strict=True))
    wider = widening(count)
    error = wider * statistics.stdev(sums) / math.sqrt(count)
    found = SeedDifference(statistics.fmean(sums), error, wider * math.sqrt(spread / count), count)
    if not right or not all(seed in each for each in right for seed in seeds):
        return found
    table = [sum(sign * each[seed] for sign, each in zip(signs, right, strict=True)) for seed in seeds]
    return replace(found, beyond=over_samples(np.array(table)))


def gain(
    better: Accuracies, worse: Accuracies, right: Sequence[Right] = (), widening: Widening = unchanged
) -> SeedDifference:
    """Return how much more accurate one condition is than another."""
    return difference((1, better), (-1, worse), right=right, widening=widening)


def interaction(
    both: Accuracies,
    first: Accuracies,
    second: Accuracies,
    as_it_is: Accuracies,
    right: Sequence[Right] = (),
    widening: Widening = unchanged,
) -> SeedDifference:
    """Return what two effects gain together beyond the sum of their gains."""
    return difference((1, both), (-1, first), (-1, second), (1, as_it_is), right=right, widening=widening)


def marked(
    found: Sequence[SeedDifference], level: float = LEVEL, weights: Sequence[float] | None = None, unseen: float = 0.0
) -> list[SeedDifference]:
    """Return differences with those marked that differ from 0, all of them together at a level.

    By Holm (Scandinavian Journal of Statistics 6, 65, 1979, section 3): in the order of p_k/w_k they are marked while
    p_k/w_k <= level/W, W the weights of all that are not marked yet. Where all are 0, any is marked with at most that
    probability, and also if only some were looked at, whatever has chosen them: those that were not count as never
    marked.

    Parameters
    ----------
    found : sequence of SeedDifference
        All that a page tells.
    level : float
        Probability of a wrong mark.
    weights : sequence of float, optional
        w_k above 0; by default all are alike.
    unseen : float
        Sum of the weights of those that might have been looked at as well.
    """
    weights = [1.0] * len(found) if weights is None else list(weights)
    order = sorted(range(len(found)), key=lambda k: found[k].chance / weights[k])
    clear: set[int] = set()
    left = math.fsum(weights) + unseen
    for number in order:
        if found[number].chance / weights[number] > level / left:
            break
        clear.add(number)
        left -= weights[number]
    return [replace(each, clear=k in clear) for k, each in enumerate(found)]


def widest(found: Sequence[SeedDifference], until: float) -> list[int]:
    """Return the numbers of those whose error over chips is above a bound; by it, chips are never alike by chance."""
    return [number for number, each in enumerate(found) if not each.over_chips <= until]
