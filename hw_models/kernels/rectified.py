# Tested by tests/hw_models/laws/test_read_noise.py.
"""Loops about the moments of max(0, m + s z), :func:`hw_models.laws.read_noise.rectified_moments`.

The exponential and the normal distribution lie between them, by NumPy and SciPy. All is in double precision, and in the
order of operations in which it is written there.
"""

from __future__ import annotations

import math

import numpy as np

from hw_models.kernels.compiling import kernel

NEAR = np.float32(6)
"""Means of so many deviations and more are not cut."""
ROOT = math.sqrt(2 * math.pi)


@kernel(error_model="numpy")
def ratios(m: np.ndarray, s: np.ndarray, places: np.ndarray, x: np.ndarray) -> int:
    """Write m/s of entries with s > 0 and m < 6 s to the head of x, and their places; return how many they are.

    Parameters
    ----------
    m, s : numpy.ndarray
        (entries,) float32.
    places : numpy.ndarray
        (entries,) int64, written.
    x : numpy.ndarray
        (entries,) float64, written.
    """
    found = 0
    for i in range(len(m)):
        places[found] = i
        x[found] = np.float64(m[i]) / np.float64(s[i])
        found += (s[i] > np.float32(0)) & (m[i] < NEAR * s[i])  # a branch would be taken at random
    return found


@kernel(error_model="numpy")
def moments(
    values: tuple[np.ndarray, np.ndarray],
    places: np.ndarray,
    laws: tuple[np.ndarray, np.ndarray, np.ndarray],
    found: tuple[np.ndarray, np.ndarray],
) -> None:
    """Write mean and variance of the entries at some places.

    Parameters
    ----------
    values : tuple of numpy.ndarray
        m and s, (entries,) float32.
    places : numpy.ndarray
        (cut,) int64.
    laws : tuple of numpy.ndarray
        x = m/s, exp(-x^2/2) and F(x), (cut,) float64.
    found : tuple of numpy.ndarray
        Mean and variance, (entries,) float32, written at these places.
    """
    m, s = values
    x, bell, under = laws
    first, second = found
    for i in range(len(places)):
        at, ratio, below = places[i], x[i], under[i]
        deviation, density = np.float64(s[at]), bell[i] / ROOT
        first[at] = np.float64(m[at]) * below + deviation * density
        rest = below + ratio * density * (1.0 - 2.0 * below) - density * density
        rest = rest + ratio * ratio * below * (1.0 - below)
        if rest < 0.0:
            rest = 0.0
        second[at] = deviation * deviation * rest
