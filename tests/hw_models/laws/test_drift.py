"""Drift: a power law of time, its exponents; an independent simulator: test_read_noise.py."""

from __future__ import annotations

import numpy as np

from hw_models.chip import Device
from hw_models.laws.drift import DRIFT

PCM = Device(
    g_max=25.0,
    drift_mean=(-0.0155, 0.0244, 0.049, 0.1),
    drift_spread=(-0.0125, -0.0059, 0.008, 0.045),
)


def normals(n, seed=0):
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


def test_drift_needs_time_and_follows_the_power_law():
    g, nu = np.float32([1.0, 20.0]), np.float32([0.05, 0.0])
    np.testing.assert_array_equal(DRIFT.drifted(g, nu, PCM), g)
    aged = PCM.model_copy(update={"age": 180.0})
    np.testing.assert_allclose(DRIFT.drifted(g, nu, aged), g * np.array([10**-0.05, 1]), rtol=1e-6)
    np.testing.assert_array_equal(DRIFT.exponent(g, np.zeros(2), Device()), [0, 0])


def test_drift_exponents_are_finite_at_zero_and_never_negative():
    found = DRIFT.exponent(np.zeros(1000), normals(1000) * 3, PCM)
    assert np.isfinite(found).all() and found.min() >= 0
