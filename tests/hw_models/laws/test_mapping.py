"""Mappings against an independent simulator, back and forth, and the bounds that they give to weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hw_models.arrays.parts import CrossbarParts
from hw_models.arrays.programming import Devices
from hw_models.chip import Chip, Device, Layout
from hw_models.laws import mapping

unit = st.floats(-1, 1, width=32)


def test_pair_maps_as_the_independent_simulator(oracle):
    _, cases = oracle("pcm_drift")
    weight, expected = cases["conv_W"], cases["conv_single_pair_g"]
    found = mapping.differential(weight / np.abs(weight).max(), Device(g_min=1.0, g_max=25.0))
    np.testing.assert_allclose(np.stack(found), expected, rtol=1e-6)
    assert cases["conv_single_pair_scale"] == pytest.approx(24 / np.abs(weight).max(), rel=1e-6)


def test_offset_maps_as_the_independent_simulator_once_the_weights_are_centred(oracle):
    # the peer stretches [min W, max W] over the range; ours is symmetric about 0, so its middle is moved first
    _, cases = oracle("pcm_drift")
    weight = cases["conv_W"].astype(np.float64)
    middle, reach = (weight.max() + weight.min()) / 2, (weight.max() - weight.min()) / 2
    found = mapping.offset((weight - middle) / reach, Device(g_min=9.0, g_max=88.2))
    np.testing.assert_allclose(found, cases["conv_single_device_g"][0], rtol=1e-6)
    np.testing.assert_allclose(cases["conv_single_device_scale"], 79.2 / 2 / reach, rtol=1e-6)


@given(unit)
@settings(deadline=None)
def test_mappings_give_the_weight_back(a):
    device = Device(g_min=2.0, g_max=30.0)
    plus, minus = mapping.differential(np.array([a]), device)
    assert min(plus, minus) == np.float32(2) and max(plus, minus) <= np.float32(30)
    np.testing.assert_allclose((plus - minus) / 28, a, atol=2e-7)
    np.testing.assert_allclose((mapping.offset(np.array([a]), device) - 16) / 14, a, atol=3e-7)


def test_weights_beyond_the_range_saturate():
    device = Device(g_min=2.0, g_max=30.0)
    a = np.array([-3.0, 3.0])
    np.testing.assert_array_equal(np.stack(mapping.differential(a, device)), [[2, 30], [30, 2]])
    np.testing.assert_array_equal(mapping.offset(a, device), [2, 30])


def test_devices_that_learn_by_pulses_may_pass_the_nominal_range():
    device = Device(g_min=2.0, g_max=30.0)
    a = np.array([-1.5, 1.25])
    plus, minus = mapping.differential(a, device, cut=False)
    np.testing.assert_allclose((plus - minus) / 28, a)
    np.testing.assert_allclose(mapping.offset(a, device, cut=False), [0, 16 + 1.25 * 14], atol=1e-6)


@pytest.mark.parametrize("kind", ["differential", "offset"])
@pytest.mark.parametrize(("slices", "bits"), [(1, 3), (4, 2), (8, 1), (2, 8), (7, 3)])
def test_slices_add_up_to_the_quantised_weight(kind, slices, bits):
    device = Device(g_min=1.0, g_max=13.0)
    most = 2 ** (bits * slices) - 1
    a = np.linspace(-1, 1, 501).astype(np.float32)
    targets, weights = mapping.digits(a, slices, bits, kind, device)
    assert targets.dtype == np.float32 and targets.min() >= 1 and targets.max() <= 13.00001
    levels = (targets.astype(np.float64) - 1) / 12
    np.testing.assert_allclose(levels * (2**bits - 1), np.rint(levels * (2**bits - 1)), atol=1e-4 * 2 ** (bits - 3))
    read = levels[:, 0] - levels[:, 1] if kind == "differential" else 2 * levels[:, 0] - 1
    step = 1 / most if kind == "differential" else 2 / most
    np.testing.assert_allclose(weights @ read, a, rtol=0, atol=0.501 * step + 3e-7)
    assert weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["differential", "offset"])
def test_own_conductance_ranges_bound_weights_as_programming_does(kind):
    """The bounds are what the largest targets leave when every device is cut to its own range, one by one."""
    device = Device(g_min=2.0, g_max=10.0, g_min_spread=0.5, g_max_spread=0.2)
    chip = Chip(crossbar=Layout(mapping=kind), device=device)
    own = Devices(CrossbarParts.of(chip), (40, 30), 3, "a", "float32")
    low, high = own.weight_bounds()
    assert low.shape == high.shape == (40, 30) and (low <= high).all()
    sides = 2 if kind == "differential" else 1
    ranges = [own.own_bounds((0, side), (40, 30), 0) for side in range(sides)]
    for i, j in np.ndindex(40, 30):
        (a, b), (c, d) = [(r[0][i, j], r[1][i, j]) for r in (ranges[0], ranges[-1])]
        if kind == "differential":
            far = min(max(1e9, a), b) - min(max(2.0, c), d), min(max(2.0, a), b) - min(max(1e9, c), d)
            expected = far[0] / 8, far[1] / 8
        else:
            expected = (b - 6) / 4, (a - 6) / 4
        assert high[i, j] == pytest.approx(max(expected), abs=1e-6)
        assert low[i, j] == pytest.approx(min(expected), abs=1e-6)
    assert high.std() > 0.1


def test_devices_without_ranges_of_their_own_are_bound_by_their_pulses_alone():
    for kind, bottom in (("differential", -np.inf), ("offset", -1.5)):
        chip = Chip(crossbar=Layout(mapping=kind), device=Device(g_min=2.0, g_max=10.0))
        low, high = Devices(CrossbarParts.of(chip), (3, 4), 0, "a", "float32").weight_bounds()
        assert (low, high) == (pytest.approx(np.full((1, 1), bottom)), np.full((1, 1), np.inf))
    chip = Chip(device=Device(g_max=10.0, g_max_spread=0.1))
    low, high = Devices(CrossbarParts.of(chip), (300, 40), 0, "a", "float32").weight_bounds()
    assert high.std() == pytest.approx(0.1, rel=0.03) and high.mean() == pytest.approx(1, abs=0.005)
