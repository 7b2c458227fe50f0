"""Device physics against stored answers of an independent simulator, against moments of many draws, and its bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hw_models.arrays.programming import Devices
from hw_models.chip import Chip, Device, Layout
from hw_models.laws import devices

PCM = Device(
    g_max=25.0,
    programming_noise=(0.26348, 1.9650, -1.1731),
    read_noise=0.0088,
    read_noise_law="pcm",
    drift_mean=(-0.0155, 0.0244, 0.049, 0.1),
    drift_spread=(-0.0125, -0.0059, 0.008, 0.045),
)
HERMES = Device(
    g_max=10.35,
    programming_noise=(0.15781817, 2.32443916, -2.16310839, 0.68841818),
    read_noise=1.0,
    read_noise_law="pcm",
    read_noise_log=(-0.0078, 0.0038, 0.0179, 0.04),
    read_noise_above=(0.1591, 0.0088, 0.0768, -0.1352, 0.0664),
    read_time=512e-9,
    drift_mean=(-0.0387, -0.0182, 0.072, 0.13),
    drift_mean_above=(0.0945, 0.0736, -0.0126, -0.0436),
    drift_spread=(-0.0120, -0.0023, 0.0124, 0.04),
    drift_spread_above=(0.3039, 0.0104, 0.0116, -0.0165),
    drift_start=200.0,
)
"""The fit for one device per polarity; the preset has the one for two."""
EXACT = {"rtol": 1e-6, "atol": 2e-6}
"""Rounding of single precision: sums of some 25 uS that cancel are as good as 2e-6 uS."""

unit = st.floats(-1, 1, width=32)


def normals(n, seed=0):
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


@pytest.mark.parametrize("kind", ["mean", "z"])
@pytest.mark.parametrize(("key", "device"), [("pcm25", PCM), ("hermes1", HERMES)])
def test_phase_change_memory_answers_as_the_independent_simulator(oracle, key, device, kind):
    meta, cases = oracle("pcm_drift")
    times = next(case["times"] for case in meta["cases"] if case["key"] == key)
    g, z = cases[f"{key}_g"], cases[f"{key}_z"] * (kind == "z")
    held = devices.programmed(g, z[0], device)
    nu = devices.drift_exponent(g, z[1], device)
    np.testing.assert_allclose(held, cases[f"{key}_{kind}_prog"], **EXACT)
    np.testing.assert_allclose(nu, cases[f"{key}_{kind}_nu"], **EXACT)
    for t, expected in zip(times, cases[f"{key}_{kind}_drift"], strict=True):
        found = devices.read(devices.drifted(held, nu, device, t), held, z[2], device, t)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, **EXACT)


def test_pair_maps_as_the_independent_simulator(oracle):
    _, cases = oracle("pcm_drift")
    weight, expected = cases["conv_W"], cases["conv_single_pair_g"]
    found = devices.differential(weight / np.abs(weight).max(), Device(g_min=1.0, g_max=25.0))
    np.testing.assert_allclose(np.stack(found), expected, rtol=1e-6)
    assert cases["conv_single_pair_scale"] == pytest.approx(24 / np.abs(weight).max(), rel=1e-6)


def test_offset_maps_as_the_independent_simulator_once_the_weights_are_centred(oracle):
    # the peer stretches [min W, max W] over the range; ours is symmetric about 0, so its middle is moved first
    _, cases = oracle("pcm_drift")
    weight = cases["conv_W"].astype(np.float64)
    middle, reach = (weight.max() + weight.min()) / 2, (weight.max() - weight.min()) / 2
    found = devices.offset((weight - middle) / reach, Device(g_min=9.0, g_max=88.2))
    np.testing.assert_allclose(found, cases["conv_single_device_g"][0], rtol=1e-6)
    np.testing.assert_allclose(cases["conv_single_device_scale"], 79.2 / 2 / reach, rtol=1e-6)


@given(unit)
@settings(deadline=None)
def test_mappings_give_the_weight_back(a):
    device = Device(g_min=2.0, g_max=30.0)
    plus, minus = devices.differential(np.array([a]), device)
    assert min(plus, minus) == np.float32(2) and max(plus, minus) <= np.float32(30)
    np.testing.assert_allclose((plus - minus) / 28, a, atol=2e-7)
    np.testing.assert_allclose((devices.offset(np.array([a]), device) - 16) / 14, a, atol=3e-7)


def test_weights_beyond_the_range_saturate():
    device = Device(g_min=2.0, g_max=30.0)
    a = np.array([-3.0, 3.0])
    np.testing.assert_array_equal(np.stack(devices.differential(a, device)), [[2, 30], [30, 2]])
    np.testing.assert_array_equal(devices.offset(a, device), [2, 30])


def test_devices_that_learn_by_pulses_may_pass_the_nominal_range():
    device = Device(g_min=2.0, g_max=30.0)
    a = np.array([-1.5, 1.25])
    plus, minus = devices.differential(a, device, cut=False)
    np.testing.assert_allclose((plus - minus) / 28, a)
    np.testing.assert_allclose(devices.offset(a, device, cut=False), [0, 16 + 1.25 * 14], atol=1e-6)


@pytest.mark.parametrize("mapping", ["differential", "offset"])
@pytest.mark.parametrize(("slices", "bits"), [(1, 3), (4, 2), (8, 1), (2, 8), (7, 3)])
def test_slices_add_up_to_the_quantised_weight(mapping, slices, bits):
    device = Device(g_min=1.0, g_max=13.0)
    most = 2 ** (bits * slices) - 1
    a = np.linspace(-1, 1, 501).astype(np.float32)
    targets, weights = devices.digits(a, slices, bits, mapping, device)
    assert targets.dtype == np.float32 and targets.min() >= 1 and targets.max() <= 13.00001
    levels = (targets.astype(np.float64) - 1) / 12
    np.testing.assert_allclose(levels * (2**bits - 1), np.rint(levels * (2**bits - 1)), atol=1e-4 * 2 ** (bits - 3))
    read = levels[:, 0] - levels[:, 1] if mapping == "differential" else 2 * levels[:, 0] - 1
    step = 1 / most if mapping == "differential" else 2 / most
    np.testing.assert_allclose(weights @ read, a, rtol=0, atol=0.501 * step + 3e-7)
    assert weights.sum() == pytest.approx(1)


def test_levels_and_resolution_round_targets():
    g = np.array([-1.0, 0.9, 2.4, 4.51, 12.0])
    np.testing.assert_allclose(devices.snap(g, Device(g_min=1.0, g_max=10.0, levels=4)), [1, 1, 1, 4, 10])
    np.testing.assert_allclose(devices.snap(g, Device(g_min=1.0, g_max=10.0, resolution=0.5)), [1, 1, 2.5, 4.5, 10])
    exact = np.array([1.2345, 3.3], dtype=np.float32)
    np.testing.assert_array_equal(devices.snap(exact, Device(g_max=10.0)), exact)


def test_targets_stop_at_the_bounds_of_each_device():
    device = Device(g_min=2.0, g_max=10.0, g_min_spread=0.5, g_max_spread=0.1)
    low, high = devices.bounds(np.array([0, 1, -9, 0]), np.array([0, 1, 0, -20]), device)
    np.testing.assert_allclose(low, [2, 3, 0, 2])
    np.testing.assert_allclose(high, [10, 11, 10, 2])
    np.testing.assert_allclose(devices.snap(np.full(4, 99.0), device, low, high), high)
    np.testing.assert_allclose(devices.snap(np.zeros(4), device, low, high), low)


def test_programming_without_noise_and_with():
    g = np.linspace(0, 25, 6, dtype=np.float32)
    np.testing.assert_array_equal(devices.programmed(g, np.ones(6), Device()), g)
    assert (devices.programmed(g, np.full(6, -100), PCM) == 0).all()
    z = normals(40000)
    spread = np.std(devices.programmed(np.full(z.size, 12.5), z, PCM))
    sigma = 0.26348 + 1.9650 / 2 - 1.1731 / 4
    assert spread == pytest.approx(sigma, rel=4 / np.sqrt(2 * z.size))


def test_drift_needs_time_and_follows_the_power_law():
    g, nu = np.float32([1.0, 20.0]), np.float32([0.05, 0.0])
    np.testing.assert_array_equal(devices.drifted(g, nu, PCM), g)
    aged = PCM.model_copy(update={"age": 180.0})
    np.testing.assert_allclose(devices.drifted(g, nu, aged), g * np.array([10**-0.05, 1]), rtol=1e-6)
    np.testing.assert_array_equal(devices.drift_exponent(g, np.zeros(2), Device()), [0, 0])


def test_drift_exponents_are_finite_at_zero_and_never_negative():
    found = devices.drift_exponent(np.zeros(1000), normals(1000) * 3, PCM)
    assert np.isfinite(found).all() and found.min() >= 0


@pytest.mark.parametrize(
    ("law", "sigma"), [("additive", 0.1), ("proportional", 0.1 * 4), ("sqrt", 0.1 * np.sqrt(4 * 25)), ("pcm", 1.0)]
)
def test_laws_of_read_noise(law, sigma):
    device = Device(read_noise=0.1, read_noise_law=law)
    if law == "pcm":
        share = min(0.1 / (5 / 25) ** 0.65, 0.2)
        sigma = 4 * share * np.sqrt(np.log((60 + 20 + 250e-9) / 500e-9))
    found = devices.read_sigma(np.full(3, 4.0), np.full(3, 5.0), device, 60.0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, sigma, rtol=1e-6)
    assert (devices.read(np.full(3, 4.0), np.full(3, 5.0), np.full(3, -100), device) < 0).all() == (law != "pcm")


def test_noise_of_an_unset_conductance_is_capped():
    assert devices.pcm_share(np.zeros(2), PCM) == pytest.approx([0.2, 0.2])
    np.testing.assert_array_equal(devices.read(np.zeros(2), np.zeros(2), np.ones(2), PCM), [0, 0])


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0, 3.0, 5.9, 6.1, 1e4])
def test_rectified_moments_are_those_of_draws(ratio):
    z = np.random.default_rng(3).standard_normal(400000)
    mean, variance = devices.rectified_moments(np.array([2.0 * ratio]), np.array([2.0]))
    drawn = np.maximum(2 * ratio + 2 * z, 0)
    assert mean == pytest.approx(drawn.mean(), abs=5 * drawn.std() / np.sqrt(z.size))
    assert variance == pytest.approx(drawn.var(), rel=0.015)


def test_rectified_moments_without_spread_are_exact():
    mean, variance = devices.rectified_moments(np.array([0.0, 3.0, 1e-30]), np.zeros(3))
    np.testing.assert_array_equal(mean, np.float32([0, 3, 1e-30]))
    np.testing.assert_array_equal(variance, np.zeros(3))
    scalar = devices.rectified_moments(np.float32(0.0), np.float32(1.0))
    assert scalar == (pytest.approx(1 / np.sqrt(2 * np.pi)), pytest.approx(0.5 - 0.5 / np.pi))


@pytest.mark.parametrize("law", ["additive", "pcm"])
def test_moments_of_a_read_are_those_of_reads(law):
    device = Device(read_noise=0.5 if law == "additive" else 0.03, read_noise_law=law)
    g, z = np.float32([0.5, 3.0, 20.0]), normals((200000, 3))
    mean, variance = devices.read_moments(g, g, device)
    reads = devices.read(g, g, z, device)
    np.testing.assert_allclose(reads.mean(axis=0), mean, atol=float(5 * np.sqrt(variance.max() / len(z))))
    np.testing.assert_allclose(reads.var(axis=0), variance, rtol=0.03)


def test_stuck_devices_and_gains():
    u = np.random.default_rng(0).random(100000)
    low, high = devices.stuck(u, Device(stuck_low=0.1, stuck_high=0.02))
    assert not (low & high).any()
    assert low.mean() == pytest.approx(0.1, abs=0.005) and high.mean() == pytest.approx(0.02, abs=0.003)
    both = devices.stuck(u, Device(stuck_low=0.4, stuck_high=0.6))
    assert (both[0] ^ both[1]).all()
    np.testing.assert_allclose(devices.gains(np.array([-9.0, 0, 1]), Device(mismatch=0.2)), [0, 1, 1.2], rtol=1e-6)


@pytest.mark.parametrize("mapping", ["differential", "offset"])
def test_own_conductance_ranges_bound_weights_as_programming_does(mapping):
    """The bounds are what the largest targets leave when every device is cut to its own range, one by one."""
    device = Device(g_min=2.0, g_max=10.0, g_min_spread=0.5, g_max_spread=0.2)
    chip = Chip(crossbar=Layout(mapping=mapping), device=device)
    own = Devices(chip, (40, 30), 3, "a", "float32")
    low, high = own.weight_bounds()
    assert low.shape == high.shape == (40, 30) and (low <= high).all()
    sides = 2 if mapping == "differential" else 1
    ranges = [own.own_bounds((0, side), (40, 30), 0) for side in range(sides)]
    for i, j in np.ndindex(40, 30):
        (a, b), (c, d) = [(r[0][i, j], r[1][i, j]) for r in (ranges[0], ranges[-1])]
        if mapping == "differential":
            far = min(max(1e9, a), b) - min(max(2.0, c), d), min(max(2.0, a), b) - min(max(1e9, c), d)
            expected = far[0] / 8, far[1] / 8
        else:
            expected = (b - 6) / 4, (a - 6) / 4
        assert high[i, j] == pytest.approx(max(expected), abs=1e-6)
        assert low[i, j] == pytest.approx(min(expected), abs=1e-6)
    assert high.std() > 0.1


def test_devices_without_ranges_of_their_own_are_bound_by_their_pulses_alone():
    for mapping, bottom in (("differential", -np.inf), ("offset", -1.5)):
        chip = Chip(crossbar=Layout(mapping=mapping), device=Device(g_min=2.0, g_max=10.0))
        low, high = Devices(chip, (3, 4), 0, "a", "float32").weight_bounds()
        assert (low, high) == (pytest.approx(np.full((1, 1), bottom)), np.full((1, 1), np.inf))
    chip = Chip(device=Device(g_max=10.0, g_max_spread=0.1))
    low, high = Devices(chip, (300, 40), 0, "a", "float32").weight_bounds()
    assert high.std() == pytest.approx(0.1, rel=0.03) and high.mean() == pytest.approx(1, abs=0.005)
