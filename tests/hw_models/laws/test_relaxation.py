"""Relaxation: the variance of a write's error grows with the logarithm of time; arrays: arrays/test_ageing.py."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Device
from hw_models.laws.relaxation import RELAXATION

DEVICE = Device(
    programming_noise=(2.0,), programming_noise_fresh=(1.0,), relaxation_times=(1.0, 1e4), age=100.0,
)  # fmt: skip


@pytest.mark.parametrize(("age", "share"), [(0.0, 0), (1.0, 0), (10.0, 0.25), (1e4, 1), (1e9, 1)])
def test_variance_grows_with_the_logarithm_of_the_age(age, share):
    z, g = np.float32([-1, 0, 2]), np.full(3, 10, np.float32)
    found = RELAXATION.relaxed(g, g, z, DEVICE, age)
    np.testing.assert_allclose(found, 10 + np.sqrt(3 * share) * z, rtol=1e-6)


def test_the_age_is_the_devices_own_by_default_and_none_is_negative():
    z, g = np.float32([-100, 1]), np.full(2, 10, np.float32)
    np.testing.assert_array_equal(RELAXATION.relaxed(g, g, z, DEVICE), RELAXATION.relaxed(g, g, z, DEVICE, 100.0))
    assert RELAXATION.relaxed(g, g, z, DEVICE)[0] == 0
