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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import binomtest, chi2, t as student

Array = np.ndarray
LEVEL = 0.95
"""Of intervals."""
SURE = 2.0
"""Log-likelihood by which one law of steps is clearly more likely than the other."""
CLEAR = 0.99
"""Quantile of chi^2 from which devices have noise of their own."""


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

    def plus(self, shift: float) -> Estimate:
        """Return it with a number added."""
        return replace(self, value=self.value + shift, low=self.low + shift, high=self.high + shift)

    def through(self, function: Callable[[float], float]) -> Estimate:
        """Return what a function that rises or falls makes of it."""
        low, high = sorted((function(self.low), function(self.high)))
        return replace(self, value=function(self.value), low=low, high=high)

    def widened(self, others: Sequence[float]) -> Estimate:
        """Return it with the interval that it has besides if the number may be as any of others, independently."""
        low, high = (min(self.value, *others), max(self.value, *others)) if len(others) else (self.value, self.value)
        return replace(
            self, low=self.value - math.hypot(self.value - self.low, self.value - low),
            high=self.value + math.hypot(self.high - self.value, high - self.value),
        )  # fmt: skip

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
    slope: Estimate = Estimate(0.0, told=False)
    """By the number of every device, where there is one."""


def quantile(devices: int) -> float:
    """Return how many standard errors an interval reaches either way; of one device those of a normal number."""
    return float(student.ppf(0.5 + LEVEL / 2, devices - 1)) if devices > 1 else 1.96


def between(y: Array, v: Array, x: Array | None = None) -> Effects:
    """Return mean and spread of estimates y of variances v, (devices,) each.

    With a number x of every device, (devices,), a line in x stands in place of the mean and takes one more degree of
    freedom; the mean is then the line's value at x = 0.
    """
    n = len(y)
    if n < 2 + (x is not None):
        return Effects(float(y.mean()), float(np.sqrt(v.mean())), Estimate(0.0, told=False), 0.0)
    z = np.stack([np.ones(n), *([] if x is None else [x])], axis=1)
    free = n - z.shape[1]

    def line(tau2: float, scale: float = 1.0) -> tuple[Array, Array, float]:
        w = 1 / (tau2 + scale * v)
        inverse = np.linalg.pinv(z.T @ (w[:, None] * z), hermitian=True)
        found = inverse @ (z.T @ (w * y))
        return found, inverse, float((w * (y - z @ found) ** 2).sum())

    most = 400 * float(np.var(y, ddof=1)) + 1e-300
    v = np.maximum(v, 1e-9 * most)

    def solved(wanted: float, scale: float = 1.0) -> float:
        if line(0.0, scale)[2] <= wanted:
            return 0.0
        top = most
        while line(top, scale)[2] > wanted:
            top *= 10
        return float(brentq(lambda tau2: line(tau2, scale)[2] - wanted, 0.0, top, xtol=1e-12 * top))

    tau2 = solved(free)
    low, high = (math.sqrt(solved(float(chi2.ppf(p, free)))) for p in (0.5 + LEVEL / 2, 0.5 - LEVEL / 2))
    if not tau2:
        # Estimates that scatter less than their errors say have smaller ones: with these the upper end is never 0.
        scale = max(line(0.0)[2] / free, 1e-9)
        high = max(high, math.sqrt(solved(float(chi2.ppf(0.5 - LEVEL / 2, free)), scale)))
    found, inverse, left = line(tau2)
    errors = np.sqrt(max(left / free, 1.0) * np.diag(inverse))
    spread = Estimate(math.sqrt(tau2), low, high, told=low > 0)
    slope = Estimate(0.0, told=False)
    if x is not None:
        half = float(student.ppf(0.5 + LEVEL / 2, free)) * float(errors[1])
        slope = Estimate(float(found[1]), float(found[1]) - half, float(found[1]) + half)
    return Effects(float(found[0]), float(errors[0]), spread, float(np.std(y, ddof=1)), slope)


def moderated(variance: Array, free: Array | float) -> Array:
    """Return variances of devices (..., devices), each of ``free`` degrees of freedom, drawn together.

    Logarithms of variances scatter by psi'(free/2) if devices have one. What they scatter more tells d_0 degrees of a
    common s_0^2, and a device's variance is (d_0 s_0^2 + free s^2)/(d_0 + free): of few readings each it is known far
    better than by these alone, and of many it stays what it is. Where they do not clearly scatter more they are one:
    weights that differ by chance make five devices of six readings tell more than they do.

    Source: Smyth, Stat. Appl. Genet. Mol. Biol. 3:3, 2004, section 6.
    """
    free = np.broadcast_to(np.asarray(free, dtype=float), variance.shape)
    n = variance.shape[-1]
    if n < 2:
        return variance
    least = 1e-12 * np.max(variance, axis=-1, keepdims=True) + 1e-300
    e = np.log(np.maximum(variance, least)) - digamma(free / 2) + np.log(free / 2)
    middle = e.mean(axis=-1, keepdims=True)
    more = ((e - middle) ** 2).sum(axis=-1, keepdims=True) / (n - 1)
    chance = polygamma(1, free / 2).mean(axis=-1, keepdims=True)
    clear = more > chance * float(chi2.ppf(CLEAR, n - 1)) / (n - 1)
    more = more - chance
    half = _trigamma_inverse(np.maximum(more, 1e-4))
    common = np.exp(middle + digamma(half) - np.log(half))
    drawn = (2 * half * common + free * variance) / (2 * half + free)
    pooled = (free * variance).sum(axis=-1, keepdims=True) / free.sum(axis=-1, keepdims=True)
    return np.asarray(np.where(clear & (more > 1e-4), drawn, pooled))


def _trigamma_inverse(y: Array) -> Array:
    """Return x with psi'(x) = y, by Newton's method from below (Smyth, appendix)."""
    x = 0.5 + 1 / y
    for _ in range(50):
        rise = polygamma(1, x)
        step = rise * (1 - rise / y) / polygamma(2, x)
        x = x + step
        if (np.abs(step) < 1e-9 * x).all():
            break
    return np.asarray(x)


def relative(spread: Estimate, mean: float, devices: int) -> Estimate:
    """Return a spread as a share of a mean that these devices tell too, with an interval that counts its error.

    Of K = spread/mean an end E by chi^2 of u, of n - 1 degrees of freedom, becomes (1/E^2 + (u + 2)/n - 1)^(-1/2).

    Source: Vangel, Am. Stat. 50:21, 1996, equation 12.
    """
    one = spread.times(1 / abs(mean)) if mean else spread
    if devices < 2 or not mean:
        return one

    def end(value: float, p: float) -> float:
        if not 0 < value < math.inf:
            return value
        inverse = value**-2 + (float(chi2.ppf(p, devices - 1)) + 2) / devices - 1
        return inverse**-0.5 if inverse > 0 else math.inf

    return replace(one, low=end(one.low, 0.5 + LEVEL / 2), high=end(one.high, 0.5 - LEVEL / 2))


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
    gain = _gain_of_logs(y)
    return spread > 0 and (gain > SURE or (gain > 0 and spread > 0.45 * float(y.mean())))


def perhaps_log_normal(y: Array) -> bool:
    """Whether steps y of devices may be log-normal: normal ones are not clearly more likely."""
    return _gain_of_logs(y) > -SURE


def _gain_of_logs(y: Array) -> float:
    """Return log-likelihood of log-normal steps less that of normal ones; -infinity where few or none above 0."""
    if len(y) < 5 or y.min() <= 0 or not y.std() > 0:
        return -math.inf
    logs = np.log(y)
    return float(len(y) * (np.log(y.std()) - np.log(logs.std())) - logs.sum())
