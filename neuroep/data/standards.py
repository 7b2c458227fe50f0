# Tested by tests/neuroep/data/test_signals.py.
"""Mean and standard deviation of the training points, by which a corpus of numbers is standardised.

    mean = x_1 + sum_n (x_n - x_1) / N,   scale = sqrt(sum_n (x_n - mean)^2 / N)

of each channel or of all together, in float64 with pairwise sums. A channel is constant, and keeps its unit, if it
changes by no more than the rounding of its own numbers, in whatever unit they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from neuroep.data.series import Series

_ROUNDING = 4 * float(np.finfo(np.float64).eps)
"""A channel that changes by less, as a share of its largest number, is constant but for the rounding of float64."""


class Statistics(NamedTuple):
    """Of the training points, by channel."""

    mean: np.ndarray
    """(channels,) float64, in units of the data."""
    scale: np.ndarray
    """(channels,) float64, in units of the data, above 0."""


def statistics_of(series: Series, standardise: str = "channels") -> Statistics:
    """Return mean and standard deviation of the points that tokens cover.

    Parameters
    ----------
    series : Series
        The training samples.
    standardise : str
        As the setting of section ``data``; ``off`` is mean 0 and scale 1.
    """
    channels = series.channels
    if standardise == "off":
        return Statistics(np.zeros(channels), np.ones(channels))
    whole = standardise == "whole"
    first = next((points[0] for points in _filled(series)), np.zeros(channels))
    first = np.full(channels, first[0]) if whole else first
    low, high, count, total = np.full(channels, np.inf), np.full(channels, -np.inf), 0, np.zeros(channels)
    for points in _filled(series):
        low, high = np.minimum(low, points.min(axis=0)), np.maximum(high, points.max(axis=0))
        count, total = count + len(points), total + _sums(points - first)
    if not count:
        return Statistics(np.zeros(channels), np.ones(channels))
    # Sums of differences from a point of the data: those of a channel that never changes are 0 exactly.
    offset = total / count
    if whole:
        low, high, offset = (np.full(channels, part) for part in (low.min(), high.max(), offset.mean()))
    mean = first + offset
    # In two passes: the difference of mean square and squared mean would lose the digits of a small scale. A power of
    # two, which rounds nothing, keeps squares of very small numbers above 0.
    unit = np.frexp(high - low)[1]
    square = sum(_sums(np.square(np.ldexp(points - mean, -unit))) for points in _filled(series)) / count
    scale = np.ldexp(np.sqrt(np.full(channels, np.mean(square)) if whole else square), unit)
    still = high - low <= _ROUNDING * np.maximum(np.abs(low), np.abs(high))
    return Statistics(mean, np.where(still | (scale <= 0), 1.0, scale))


def _filled(series: Series) -> Iterator[np.ndarray]:
    """Go through the points, some samples at a time, without those that have none."""
    return (points for points in series.chunks() if len(points))


def _sums(points: np.ndarray) -> np.ndarray:
    """Return the sum of each channel, (channels,); pairwise, which NumPy does along the last axis alone."""
    return np.ascontiguousarray(points.T).sum(axis=1)
