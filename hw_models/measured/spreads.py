# Tested by tests/hw_models/measured/test_fit.py.
"""How devices differ, from one estimate of each with its own error.

The variance of estimates is that of the devices plus the mean square of their errors; the difference is unbiased and
may be below 0. Up and down, a device of step s and asymmetry t has s+ = s (1 + min(t, 0)) and s- = s (1 - max(t, 0)),
so

    a = (s+ - s-)/(s+ + s-),   t = 2 a/(1 + |a|),   (s+ + s-)/2 = s (1 - |t|/2)

Over devices with t normal of mean ``up_down`` and standard deviation tau: mean(s+ - s-) = dw_min up_down and
mean(s+ + s-) = dw_min (2 - E|t|).

dw_min is thus the larger of two steps, and of two noisy numbers the larger is too large: where t is 0 and known to
sigma, the mean of its |estimate| is 0.8 sigma. So a tau that is not clearly above 0 counts as 0, and then ``up_down``
is the asymmetry u whose estimates would be as large as this one on average,

    E|u + sigma z| = |estimate|,   0 where the estimate is below 0.8 sigma,

and dw_min = mean(s+ + s-)/(2 - |u|): the mean step stays what was measured.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import foldnorm, norm

Array = np.ndarray
MOST = 0.99
"""Largest asymmetry."""
FEWEST = 10
"""Devices from which the law of their steps is looked at."""
FAR = 6.0
"""Standard errors from which an asymmetry is its estimate."""
CLEARER = 2.0
"""Logarithm of the likelihood by which log-normal steps have to be likelier than normal ones."""


class Moments(NamedTuple):
    """What steps at weight 0 of the devices say [weight]."""

    middle: float
    """Mean of all, up and down."""
    ratio: float
    """Difference of the mean steps up and down over their sum."""
    half: float
    """Variance of the mean of a device's two steps."""
    tilt: float
    """Variance of the asymmetry; may be below 0 where there is none."""
    log_normal: bool


class Steps(NamedTuple):
    """Steps at weight 0 of a population [weight]."""

    dw_min: float
    up_down: float
    square: float
    """Square of the relative spread of the steps."""


def between(values: Array, errors: Array) -> float:
    """Return the variance between devices from estimates and the squares of their errors; NaN of fewer than two."""
    return float(np.var(values, ddof=1) - errors.mean()) if len(values) > 1 else np.nan


def moments(own: Array, errors: Array) -> Moments:
    """Return what the steps at weight 0 of every device say of all.

    Parameters
    ----------
    own : numpy.ndarray
        (devices, 2), up first [weight], above 0.
    errors : numpy.ndarray
        (devices, 2), squares of their standard errors.
    """
    total, mean = own.sum(axis=1), own.mean(axis=0)
    a = (own[:, 0] - own[:, 1]) / total
    to_t = 2 / (1 + np.abs(a)) ** 2
    error = 4 * (own[:, ::-1] ** 2 * errors).sum(axis=1) / total**4
    tilt = between(2 * a / (1 + np.abs(a)), to_t**2 * error)
    middle, half = float(mean.sum() / 2), between(total / 2, errors.sum(axis=1) / 4)
    ratio = float((mean[0] - mean[1]) / mean.sum())
    return Moments(middle, ratio, half, tilt, _is_log_normal(total, half / middle**2))


def steps(found: Moments, tilted: bool) -> Steps:
    """Return the population that has such moments; asymmetries differ where ``tilted``."""
    tau = float(np.sqrt(max(np.nan_to_num(found.tilt), 0.0))) if tilted else 0.0
    up_down = _up_down(found.ratio, tau)
    size = _absolute(up_down, tau)
    q, bent = 1 - size[0] / 2, size[1] / 4
    square = (found.half / found.middle**2 - bent / q**2) / (1 + bent / q**2)
    return Steps(float(found.middle / q), up_down, float(square))


def drawn_in(up_down: float, error: float) -> float:
    """Return the asymmetry whose estimates of that standard error are as large as this one on average."""
    if not (np.isfinite(error) and error > 0) or abs(up_down) > FAR * error:
        return up_down

    def off(z: float) -> float:
        return float(foldnorm.mean(z)) - abs(up_down) / error

    return 0.0 if off(0.0) >= 0 else float(np.copysign(error * brentq(off, 0.0, FAR + 1), up_down))


def _absolute(mean: float, spread: float) -> tuple[float, float]:
    """Return mean and variance of |t|, t normal."""
    if spread == 0:
        return abs(mean), 0.0
    size, square = foldnorm.stats(abs(mean) / spread, scale=spread)
    return float(size), float(square)


def _up_down(ratio: float, tau: float) -> float:
    """Return the mean asymmetry whose difference of mean steps over their sum is that."""

    def off(mean: float) -> float:
        return mean / (2 - _absolute(mean, tau)[0]) - ratio

    if off(-MOST) > 0 or off(MOST) < 0:
        return float(np.clip(ratio, -1, 1) * MOST)
    return float(brentq(off, -MOST, MOST))


def _is_log_normal(values: Array, square: float) -> bool:
    """Whether values of that relative variance are clearly likelier log-normal than normal."""
    if len(values) < FEWEST or not square > 0 or values.min() <= 0:
        return False
    logs = np.log(values)
    normal = norm.logpdf(values, values.mean(), values.std()).sum()
    log_normal = norm.logpdf(logs, logs.mean(), logs.std()).sum() - logs.sum()
    return bool(log_normal > normal + CLEARER)
