"""Ranges, gains and faults of single devices."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Device
from hw_models.laws import variation
from hw_models.laws.programming import WRITE


def test_targets_stop_at_the_bounds_of_each_device():
    device = Device(g_min=2.0, g_max=10.0, g_min_spread=0.5, g_max_spread=0.1)
    low, high = variation.bounds(np.array([0, 1, -9, 0]), np.array([0, 1, 0, -20]), device)
    np.testing.assert_allclose(low, [2, 3, 0, 2])
    np.testing.assert_allclose(high, [10, 11, 10, 2])
    np.testing.assert_allclose(WRITE.snap(np.full(4, 99.0), device, low, high), high)
    np.testing.assert_allclose(WRITE.snap(np.zeros(4), device, low, high), low)


def test_stuck_devices_and_gains():
    u = np.random.default_rng(0).random(100000)
    low, high = variation.stuck(u, Device(stuck_low=0.1, stuck_high=0.02))
    assert not (low & high).any()
    assert low.mean() == pytest.approx(0.1, abs=0.005) and high.mean() == pytest.approx(0.02, abs=0.003)
    both = variation.stuck(u, Device(stuck_low=0.4, stuck_high=0.6))
    assert (both[0] ^ both[1]).all()
    np.testing.assert_allclose(variation.gains(np.array([-9.0, 0, 1]), Device(mismatch=0.2)), [0, 1, 1.2], rtol=1e-6)
