"""Write and verify: rounding of targets, and the error that is left; fits: tests/hw_models/chip/test_refit.py."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Device
from hw_models.laws.programming import WRITE

PCM = Device(g_max=25.0, programming_noise=(0.26348, 1.9650, -1.1731))


def normals(n, seed=0):
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


def test_levels_and_resolution_round_targets():
    g = np.array([-1.0, 0.9, 2.4, 4.51, 12.0])
    np.testing.assert_allclose(WRITE.snap(g, Device(g_min=1.0, g_max=10.0, levels=4)), [1, 1, 1, 4, 10])
    np.testing.assert_allclose(WRITE.snap(g, Device(g_min=1.0, g_max=10.0, resolution=0.5)), [1, 1, 2.5, 4.5, 10])
    exact = np.array([1.2345, 3.3], dtype=np.float32)
    np.testing.assert_array_equal(WRITE.snap(exact, Device(g_max=10.0)), exact)


def test_programming_without_noise_and_with():
    g = np.linspace(0, 25, 6, dtype=np.float32)
    np.testing.assert_array_equal(WRITE.programmed(g, np.ones(6), Device()), g)
    assert (WRITE.programmed(g, np.full(6, -100), PCM) == 0).all()
    z = normals(40000)
    spread = np.std(WRITE.programmed(np.full(z.size, 12.5), z, PCM))
    sigma = 0.26348 + 1.9650 / 2 - 1.1731 / 4
    assert spread == pytest.approx(sigma, rel=4 / np.sqrt(2 * z.size))
