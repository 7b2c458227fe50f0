"""How devices differ, from an estimate of each with its own error: a mean, a spread, and what both are known to.

Estimates y_d of variance v_d about devices that are themselves normal of variance tau^2:

    Q(tau^2) = sum (y_d - mean)^2/(tau^2 + v_d)   is chi^2 of D - 1 degrees of freedom, mean weighted by 1/(tau^2 + v_d)

so Q = D - 1 gives tau^2, and the quantiles of chi^2 its 95 % interval; the mean has Student's t of D - 1 degrees.
Both hold for few devices: ten scatter by 9 % of their own about a spread of 0.3.

Sources: Paule and Mandel, J. Res. Natl. Bur. Stand. 87:377, 1982; Viechtbauer, Stat. Med. 26:37, 2007 (interval of
the spread); Hartung and Knapp, Stat. Med. 20:3875, 2001 (of the mean).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binomtest, chi2, t as student

Array = np.ndarray
LEVEL = 0.95
"""Of intervals."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    meaning: str = ""
    told: bool = True
    """Whether the data tell it: else the value is assumed, and the interval is what they leave open."""

    def times(self, factor: float) -> Estimate:
        """Return it in another unit."""
        ends = self.low * factor, self.high * factor
        low, high = ends if factor >= 0 else ends[::-1]
        return replace(self, value=self.value * factor, low=low, high=high)

    def through(self, function: Callable[[float], float]) -> Estimate:
        """Return what a function that rises or falls makes of it."""
        low, high = sorted((function(self.low), function(self.high)))
        return replace(self, value=function(self.value), low=low, high=high)

    def named(self, unit: str, meaning: str) -> Estimate:
        """Return it with unit and meaning."""
        return replace(self, unit=unit, meaning=meaning)


@dataclass(frozen=True)
class Effects:
    """Of one quantity over devices."""

    mean: float
    error: float
    """Standard error of the mean by the scatter of the devices, of their own errors too."""
    spread: Estimate
    """Standard deviation between devices."""
    total: float
    """Standard deviation between estimates."""


def quantile(devices: int) -> float:
    """Return how many standard errors an interval reaches either way; of one device those of a normal number."""
    return float(student.ppf(0.5 + LEVEL / 2, devices - 1)) if devices > 1 else 1.96


def between(y: Array, v: Array) -> Effects:
    """Return mean and spread of estimates y of variances v, (devices,) each."""
    n = len(y)
    if n < 2:
        return Effects(float(y.mean()), float(np.sqrt(v.mean())), Estimate(0.0, told=False), 0.0)

    def off(tau2: float, wanted: float) -> float:
        w = 1 / (tau2 + v)
        return float((w * (y - (w * y).sum() / w.sum()) ** 2).sum()) - wanted

    most = 400 * float(np.var(y, ddof=1)) + 1e-300
    v = np.maximum(v, 1e-9 * most)

    def solved(wanted: float) -> float:
        if off(0.0, wanted) <= 0:
            return 0.0
        top = most
        while off(top, wanted) > 0:
            top *= 10
        return float(brentq(off, 0.0, top, args=(wanted,), xtol=1e-12 * top))

    tau2 = solved(n - 1)
    low, high = (math.sqrt(solved(float(chi2.ppf(p, n - 1)))) for p in (0.5 + LEVEL / 2, 0.5 - LEVEL / 2))
    w = 1 / (tau2 + v)
    mean = float((w * y).sum() / w.sum())
    scale = max(off(tau2, 0.0) / (n - 1), 1.0)
    error = math.sqrt(scale / float(w.sum()))
    return Effects(mean, error, Estimate(math.sqrt(tau2), low, high, told=low > 0), float(np.std(y, ddof=1)))


def around(found: Effects, devices: int) -> Estimate:
    """Return a mean with Student's interval."""
    half = quantile(devices) * found.error
    return Estimate(found.mean, found.mean - half, found.mean + half)


def share(count: int, whole: int) -> Estimate:
    """Return a share of devices with the exact interval of a count (Clopper and Pearson, Biometrika 26:404, 1934)."""
    interval = binomtest(count, whole).proportion_ci(LEVEL)
    return Estimate(count / whole, float(interval.low), float(interval.high))


def log_normal(y: Array, spread: float) -> bool:
    """Whether steps y of devices look log-normal rather than normal.

    They do where the likelihood of log-normal ones is clearly larger, or larger at all of devices so unlike that normal
    ones would stand still or turn round.
    """
    if len(y) < 5 or not spread > 0 or y.min() <= 0:
        return False
    logs = np.log(y)
    gain = float(len(y) * (np.log(y.std()) - np.log(logs.std())) - logs.sum())
    return gain > 2.0 or (gain > 0 and spread > 0.45 * float(y.mean()))
