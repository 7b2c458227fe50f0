"""Error of a mean over chips and samples where both are a choice, and chips see the same samples.

Of chip s and sample i the difference is d_si = m + c_s + e_i + r_si, with variances of chips, samples and the rest. Of
n chips with K samples each, sample i seen by m_i of them, the mean over all cells has the variance

    var = sigma_c^2/n + sigma_e^2 sum(m_i^2)/(n K)^2 + sigma_r^2/(n K)

(Searle, Casella and McCulloch, Variance Components, 1992, chapter 5). The spread of the n means alone tells of chips
and the rest; of samples it tells only as far as chips have different ones. What it lacks is sigma_e^2 times

    sum(m_i^2)/(n K)^2 - sum(m_i - m_i^2/n)/(n (n - 1) K^2)

which is 1/N where all chips see the same N samples. sigma_e^2 is found where two chips see one sample: the mean product
of d_si - d_s and d_ti - d_t, d_s the mean of chip s, is sigma_e^2 but for 1/K of it, as chips and rest are independent.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

LEAST = -12.0
"""Decimal power of the smallest probability that is told."""


class OverSamples(NamedTuple):
    """What a mean over chips moves by with other samples, beyond what the spread of its chips tells."""

    error: float
    """Standard error."""
    freedom: int
    """Degrees of freedom of it."""
    least: float
    """What the error over chips is at least, sigma_r/sqrt(n K): three chips may be alike by chance."""
    changed: int
    """Samples that are not 0 on every chip."""


def over_samples(table: np.ndarray) -> OverSamples:
    """Return what the mean of a table lacks in the error over its chips.

    Parameters
    ----------
    table : (chips, split) ndarray
        Differences, nan where a chip did not see a sample; all chips see equally many. Two chips at least.
    """
    seen = ~np.isnan(table)
    chips, each = len(table), int(seen[0].sum())
    held = np.where(seen, table, 0.0)
    means = held.sum(axis=1) / each
    shared, apart = seen.sum(axis=0).astype(np.float64), np.where(seen, table - means[:, None], 0.0)
    pairs = float((shared * (shared - 1)).sum())
    products = float((apart.sum(axis=0) ** 2 - (apart**2).sum(axis=0)).sum())
    of_samples = max(products / pairs, 0.0) * each / max(each - 1, 1) if pairs else 0.0
    squares = float((shared**2).sum())
    lacking = squares / (chips * each) ** 2
    lacking -= (float(shared.sum()) - squares / chips) / (chips * (chips - 1) * each**2)
    rest = max(float((apart**2).sum()) / (chips * max(each - 1, 1)) - of_samples, 0.0)
    changed = int((np.abs(held).max(axis=0) > 0).sum())
    error, least = math.sqrt(of_samples * max(lacking, 0.0)), math.sqrt(rest / (chips * each))
    return OverSamples(error, max(int((shared > 0).sum()) - 1, 1), least, changed)


def chance(mean: float, error: float, chips: int, beyond: OverSamples) -> float:
    """Return the probability of a mean so far from 0 where there is no difference.

    The half of an interval is said to be the root of (t_c e_c)^2 + (t_e e_e)^2, Student's quantile for each piece at
    its own freedom: wider than by Satterthwaite's mean freedom, which trusts a piece that is small by chance. The first
    piece is no smaller than that of ``least`` alone.

    Parameters
    ----------
    mean, error : float
        Mean, and standard error over chips; not both errors are 0.
    chips : int
        How many, two at least.
    beyond : OverSamples
        What other samples add.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm, t

    def outside(power: float) -> float:
        tail = 10.0**power / 2
        of_chips = max(float(t.isf(tail, chips - 1)) * error, float(norm.isf(tail)) * beyond.least)
        return math.hypot(of_chips, float(t.isf(tail, beyond.freedom)) * beyond.error) / abs(mean) - 1

    if outside(LEAST) < 0:
        return float(10.0**LEAST)
    return float(10.0 ** brentq(outside, LEAST, 0.0, xtol=1e-9))
