# Tested by tests/hw_models/arrays/test_sensing.py.
"""Kernels of converters that are not ideal: what a reading becomes ahead of the quantiser, and steps of own widths.

Equations and sources: :mod:`hw_models.arrays.sensing`. All arrays are C-contiguous; NaN passes through.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import kernel

PEAK = 1.5 * 3**0.5
"""Over the largest value of r - r^3 on [0, 1], at r = 1/sqrt(3)."""


@kernel
def amplified(current, gain, offset):
    """Write gain x + offset of every line, current (rows, n), gain and offset (n,), in place."""
    for row in range(current.shape[0]):
        line = current[row]
        for i in range(line.shape[0]):
            line[i] = gain[i] * line[i] + offset[i]


@kernel
def bowed(current, height, cubic, low, high):
    """Write x + height b(r) of every line, r = (2 x - low - high)/(high - low) within [-1, 1], in place.

    b(r) = 1 - r^2, or with ``cubic`` 3 sqrt(3)/2 (r - r^3); current (rows, n), height (n,) as a signal.
    """
    real = current.dtype.type
    middle, half, one = real((low + high) / 2), real((high - low) / 2), real(1)
    for row in range(current.shape[0]):
        line = current[row]
        for i in range(line.shape[0]):
            r = (line[i] - middle) / half
            if r > -one and r < one:
                b = real(PEAK) * r * (one - r * r) if cubic else one - r * r
                line[i] += height[i] * b


@kernel
def stepped(current, number, moved, step, low, high):
    """Write the level between whose thresholds a reading lies, in place; beyond the last levels it stays as it is.

    Parameters
    ----------
    current : numpy.ndarray
        (rows, n).
    number : numpy.ndarray
        (n,) the converter of every line.
    moved : numpy.ndarray
        (converters, steps) how far its thresholds lie from half a step above each level but the last [steps].
    step, low, high : float
        Grid of the converters.
    """
    real, steps = current.dtype.type, moved.shape[1]
    low, step, half = real(low), real(step), real(0.5)
    for row in range(current.shape[0]):
        line = current[row]
        for i in range(line.shape[0]):
            place = (line[i] - low) / step
            if not (place >= -half and place <= real(steps) + half):
                continue
            own = moved[number[i]]
            level = min(max(np.int64(np.rint(place)), 0), steps)
            while level < steps and place >= real(level) + half + real(own[level]):
                level += 1
            while level > 0 and place < real(level) - half + real(own[level - 1]):
                level -= 1
            line[i] = real(level) * step + low
