"""Noise with a time: a 1/f band as relaxation processes with time constants spread over decades.

A band of 1/f noise between the times tmin and tmax is the sum of independent Ornstein-Uhlenbeck processes whose time
constants have the density 1/tau. In units of (g Q)^2 for phase-change memory, tmin = 2 t_r, tmax = t + t0 + t_r,

    variance of a read                          ln(tmax/tmin)
    half the variance of two reads' difference  ln(tmax/tmin) - E1(L/tmax) + E1(L/tmin)       at a lag L

with the exponential integral E1. Here the band is cut into bins, two for each decade, each one process with the
geometric mean of its bin as time constant and the logarithm of its width as variance; the last bin is what is left:

    z_k <- a_k z_k + sqrt(1 - a_k^2) n,     a_k = exp(-dt/tau_k),     noise = sigma sum_k sqrt(share_k) z_k

Half the variance of a difference is within 2 % of the closed form at all lags above 4 tmin.

Source: superposition of relaxation processes, van der Ziel, Physica 16:359, 1950; band of phase-change memory from
Nandakumar et al., ICECS 2019.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import exp1

from hw_models.laws.curves import Array

RATIO = math.sqrt(10.0)
"""Of the ends of a bin."""


class Spectrum(NamedTuple):
    """Independent relaxation processes."""

    taus: Array
    """(processes,) time constants [s], rising."""
    shares: Array
    """(processes,) of the variance, summing to 1."""

    def lasting(self, seconds: float) -> float:
        """Return the share of the variance of two reads that they have in common at this lag."""
        return float(np.sum(self.shares * np.exp(-seconds / self.taus)))


WHITE = Spectrum(np.empty(0), np.empty(0))
"""Noise without a memory."""


def band(shortest: float, longest: float) -> Spectrum:
    """Return the processes of 1/f noise between two times [s]."""
    if not longest > shortest:
        return WHITE
    whole = math.log(longest / shortest)
    edges = np.append(np.arange(0, whole, math.log(RATIO)), whole)
    if len(edges) > 2 and edges[-1] - edges[-2] < 1e-3 * whole:
        edges = np.delete(edges, -2)
    widths = np.diff(edges)
    return Spectrum(shortest * np.exp((edges[:-1] + edges[1:]) / 2), widths / whole)


def variance(shortest: float, longest: float) -> float:
    """Return the variance of a read of 1/f noise in a band, in units of its strength."""
    return math.log(longest / shortest)


def half_difference(lag: float, shortest: float, longest: float) -> float:
    """Return half the variance of the difference of two reads at this lag, in the same units."""
    return float(math.log(longest / shortest) - exp1(lag / longest) + exp1(lag / shortest))
