"""Steps in a single pass against those in two, which assess a tile and then move it: same devices, same draws."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from hw_models.arrays import expected
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Pulse, Update

pytestmark = pytest.mark.kernels
EXPECTED = Update(scheme="pulsed")
DEVICES = {
    "constant": Pulse(dw_min=1e-4, noise=0.3, up_down=-0.2),
    "soft_bounds": Pulse(response="soft_bounds", dw_min=2e-4, noise=0.3, dw_min_spread=0.3, w_max_spread=0.1),
    "linear": Pulse(response="linear", dw_min=1e-3, gamma_up=0.4, gamma_down=0.7, noise=0.3, up_down=0.2),
    "no noise": Pulse(response="soft_bounds", dw_min=2e-4),
    "linear that grows": Pulse(response="linear", dw_min=1e-3, gamma_up=-0.4, gamma_down=-0.3, noise=0.3),
}


def terms(samples, shape, low=0.0, phases=True):
    rng = np.random.default_rng(0)
    draw = lambda size: rng.uniform(low, 1, (samples, size)).astype("f4")  # noqa: E731
    return [(sign, *map(draw, shape)) for sign in ((1.0, -1.0) if phases else (1.0,))]


def moved(pulse, shape, given, weights, dtype="float32"):
    """Weights after one update, pulses, and the devices."""
    devices, weights = PulsedDevices(pulse, shape, 0, "a", dtype=dtype), weights.astype(dtype)
    pulses = devices.update(weights, given, 10 * pulse.dw_min, EXPECTED, 3)
    return weights, pulses, devices


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("low", [0.0, -1.0])
@pytest.mark.parametrize("name", DEVICES)
def test_one_pass_moves_devices_as_two_do(name, low, dtype, monkeypatch):
    pulse, shape = DEVICES[name], (70, 30) if not numba.config.DISABLE_JIT else (5, 4)
    given, start = terms(2, shape, low), np.random.default_rng(1).uniform(-0.5, 0.5, shape)
    attempted = []
    attempt = expected.ExpectedStep._attempt
    monkeypatch.setattr(expected.ExpectedStep, "_attempt", lambda *a: attempted.append(attempt(*a)) or attempted[-1])
    one = moved(pulse, shape, given, start, dtype)
    assert attempted and min(min(each) for each in attempted)[0] >= 0, "every tile is moved by the single pass"
    monkeypatch.setattr(expected.ExpectedStep, "_attempt", lambda self, batch, rows, _: [(-1, 0.0)] * len(range(*rows)))
    two = moved(pulse, shape, given, start, dtype)
    assert one[1] == two[1] > 0 and one[2].played == two[2].played == 0
    np.testing.assert_allclose(one[0], two[0], rtol=0, atol=3e-7)


@pytest.mark.parametrize("weight", [0.999, -0.999])
@pytest.mark.parametrize("phases", [True, False])
def test_a_tile_with_one_device_at_a_bound_is_left_to_the_long_way(weight, phases):
    """Alone of all devices it plays its trains, and bounds hold."""
    pulse, shape = DEVICES["constant"], (6, 8)
    start = np.zeros(shape)
    start[4, 5] = weight
    for sign in (1.0, -1.0):
        given = [(sign * s, np.ones_like(post), np.ones_like(pre)) for s, post, pre in terms(1, shape, 0.0, phases)]
        ends, pulses, devices = moved(pulse, shape, given, start)
        plays = phases or sign * weight > 0
        assert devices.played == plays and devices.stepped == start.size - plays
        assert pulses == 10 * start.size * len(given)
        assert np.abs(ends).max() <= 1
    assert np.isnan(moved(pulse, shape, terms(1, shape), np.full(shape, np.nan))[0]).all()


def test_a_device_without_pulses_is_not_touched():
    """Not even one that lies outside of its bounds."""
    pulse, shape = DEVICES["soft_bounds"], (4, 6)
    given = [(sign, post * np.float32([1, 0, 1, 1]), pre) for sign, post, pre in terms(3, shape)]
    start = np.full(shape, 0.1, "f4")
    start[1, 2] = 3.0
    ends = moved(pulse, shape, given, start)[0]
    np.testing.assert_array_equal(ends[1], start[1])
    assert (ends[[0, 2, 3]] != start[[0, 2, 3]]).any(1).all()
