"""Bounds of devices of which some were not come to: their mean and spread, with intervals.

A device whose curve comes to its bound tells it, with the variance v_d of its level; one whose curve does not says that
its bound lies beyond its farthest reading. Bounds are normal over the devices, N(mu, tau^2):

    L(mu, tau) = prod_told N(y_d; mu, tau^2 + v_d)  prod_others P(bound > y_d),      prior 1/tau

Quantiles of mu and tau under L/tau are their intervals. Where all devices tell their bounds without errors these are
Student's t and chi^2, exactly, and they hold as often as they say; without the others the mean would lie short of the
truth, as it is the near bounds that are come to.

Source: Box and Tiao, Bayesian Inference in Statistical Analysis, 1973, section 2.4 (the prior, and that both agree).
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr

from hw_models.measured.population import LEVEL, Effects, Estimate

Array = np.ndarray
FEWEST = 2
"""Devices that come to their bound."""
SPREADS = np.geomspace(1e-2, 1e3, 161)
"""In units of how the levels scatter."""
REACH = 9.0
"""Of means: sinh of that many scatters to either side."""
MEANS = np.sinh(np.linspace(-REACH, REACH, 401))


def bounds(y: Array, v: Array, told: Array) -> tuple[Estimate, Effects]:
    """Return the mean bound with its interval, and how devices differ.

    Parameters
    ----------
    y, v : numpy.ndarray
        (devices,) levels, upper ones, and the variances of those that are bounds.
    told : numpy.ndarray
        (devices,) whether a level is the device's bound; at least two are.
    """
    size = float(np.std(y[told], ddof=1)) + float(np.sqrt(np.mean(v))) + 1e-9 * float(np.abs(y).max())
    mu = (float(y[told].mean()) + size * MEANS)[:, None]
    tau = (size * SPREADS)[None]
    log = np.zeros((len(MEANS), len(SPREADS)))
    for level, error, tells in zip(y, v, told, strict=True):
        scale = np.sqrt(tau**2 + error)
        z = (level - mu) / scale
        log += -z * z / 2 - np.log(scale) if tells else log_ndtr(-z)
    # Even in ln tau and in mu: the widths of the grid's cells in mu count.
    weight = np.exp(log - log.max()) * np.gradient(mu[:, 0])[:, None]
    mean, spread = (
        _quantiles(values, weight.sum(axis=axis))
        for values, axis in ((mu[:, 0], 1), (tau[0], 0))
    )  # fmt: skip
    best = Estimate(mean[1], mean[0], mean[2])
    own = Estimate(spread[1], spread[0], spread[2])
    return best, Effects(mean[1], (mean[2] - mean[0]) / 4, own, float(np.std(y[told], ddof=1)))


def _quantiles(values: Array, weight: Array) -> tuple[float, float, float]:
    """Return the lower end, the median and the upper end."""
    share = np.cumsum(weight) - weight / 2
    low, middle, high = np.interp([(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], share / weight.sum(), values)
    return float(low), float(middle), float(high)
