# Tested by tests/neuroep/gradients/test_yardsticks.py.
"""How two gradients agree: direction and distance."""

from __future__ import annotations

import math

import numpy as np


def cosine(value: np.ndarray, exact: np.ndarray) -> float:
    """Return the cosine of two arrays: 0 if only ``value`` vanishes, nan if ``exact`` does, which has no direction."""
    a, b = np.ravel(value).astype(np.float64), np.ravel(exact).astype(np.float64)
    if not np.any(b):
        return math.nan
    scale = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / scale) if scale > 0 else 0.0


def relative_error(value: np.ndarray, exact: np.ndarray) -> float:
    """Return ||value - exact|| / ||exact||; infinite if ``exact`` vanishes and ``value`` does not."""
    size = np.linalg.norm(np.ravel(exact).astype(np.float64))
    miss = np.linalg.norm(np.ravel(value).astype(np.float64) - np.ravel(exact).astype(np.float64))
    return float(miss / size) if size > 0 else float("inf" if miss > 0 else 0.0)
