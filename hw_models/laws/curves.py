# Tested by tests/hw_models/laws/test_drift.py.
"""Curves that fits of devices are given as, over v = g/g_max, float32; covered by laws/test_drift.py."""

from __future__ import annotations

from typing import Protocol

import numpy as np

FLOOR = 1e-7
"""Smallest g/g_max of a logarithm."""
Array = np.ndarray
Seconds = float | Array
"""Time since the last write, one for all devices or one for each [s]."""


class ConductanceRange(Protocol):
    """A device's range of conductance [uS], and its spread from device to device, as shares of its two ends."""

    @property
    def g_min(self) -> float: ...

    @property
    def g_max(self) -> float: ...

    @property
    def g_min_spread(self) -> float: ...

    @property
    def g_max_spread(self) -> float: ...


def single(values: Array | float) -> Array:
    """Return values in single precision."""
    return np.asarray(values, dtype=np.float32)


def polynomial(v: Array, terms: tuple[float, ...]) -> Array:
    """Return the polynomial with the constant term first."""
    total = np.zeros_like(v)
    for term in reversed(terms):
        total = total * v + term
    return total


def clipped_log(v: Array, form: tuple[float, ...], above: tuple[float, ...] = ()) -> Array:
    """Return clip(a ln v + b, low, high) for form = (a, b, low, high), v = g/g_max not below 1e-7.

    ``above`` = (v0, c0, c1, ...) takes the polynomial c0 + c1 v + ... from v0 on instead, as fits of measured
    devices do (Le Gallo et al., Nat. Electron. 6:680, 2023).
    """
    a, b, low, high = form
    v = single(v)
    value = np.clip(np.log(np.maximum(v, FLOOR)) * a + b, low, high)
    return np.where(v >= above[0], polynomial(v, above[1:]), value) if above else value
