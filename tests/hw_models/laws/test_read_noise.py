"""Read noise, alone and behind programming and drift, against an independent simulator and moments of draws."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Device
from hw_models.laws.drift import DRIFT
from hw_models.laws.programming import WRITE
from hw_models.laws.read_noise import READ_NOISE, rectified_moments

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


def normals(n, seed=0):
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


def read(g, g_programmed, z, device, t=None):
    """Return reads of devices as their law draws them."""
    g, found = np.float32(g), np.array(z, dtype=np.float32)
    device.noise.reads(found, g, device.noise.sigma(g, np.float32(g_programmed), device, t))
    return found


@pytest.mark.parametrize("kind", ["mean", "z"])
@pytest.mark.parametrize(("key", "device"), [("pcm25", PCM), ("hermes1", HERMES)])
def test_phase_change_memory_answers_as_the_independent_simulator(oracle, key, device, kind):
    meta, cases = oracle("pcm_drift")
    times = next(case["times"] for case in meta["cases"] if case["key"] == key)
    g, z = cases[f"{key}_g"], cases[f"{key}_z"] * (kind == "z")
    held = WRITE.programmed(g, z[0], device)
    nu = DRIFT.exponent(g, z[1], device)
    np.testing.assert_allclose(held, cases[f"{key}_{kind}_prog"], **EXACT)
    np.testing.assert_allclose(nu, cases[f"{key}_{kind}_nu"], **EXACT)
    for t, expected in zip(times, cases[f"{key}_{kind}_drift"], strict=True):
        found = read(DRIFT.drifted(held, nu, device, t), held, z[2], device, t)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, **EXACT)


@pytest.mark.parametrize(
    ("law", "sigma"), [("additive", 0.1), ("proportional", 0.1 * 4), ("sqrt", 0.1 * np.sqrt(4 * 25)), ("pcm", 1.0)]
)
def test_laws_of_read_noise(law, sigma):
    device = Device(read_noise=0.1, read_noise_law=law)
    if law == "pcm":
        share = min(0.1 / (5 / 25) ** 0.65, 0.2)
        sigma = 4 * share * np.sqrt(np.log((60 + 20 + 250e-9) / 500e-9))
    found = device.noise.sigma(np.full(3, 4.0), np.full(3, 5.0), device, 60.0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, sigma, rtol=1e-6)
    assert (read(np.full(3, 4.0), np.full(3, 5.0), np.full(3, -100), device) < 0).all() == (law != "pcm")


def test_noise_of_an_unset_conductance_is_capped():
    assert READ_NOISE["pcm"].share(np.zeros(2), PCM) == pytest.approx([0.2, 0.2])
    np.testing.assert_array_equal(read(np.zeros(2), np.zeros(2), np.ones(2), PCM), [0, 0])


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0, 3.0, 5.9, 6.1, 1e4])
def test_rectified_moments_are_those_of_draws(ratio):
    z = np.random.default_rng(3).standard_normal(400000)
    mean, variance = rectified_moments(np.array([2.0 * ratio]), np.array([2.0]))
    drawn = np.maximum(2 * ratio + 2 * z, 0)
    assert mean == pytest.approx(drawn.mean(), abs=5 * drawn.std() / np.sqrt(z.size))
    assert variance == pytest.approx(drawn.var(), rel=0.015)


def test_rectified_moments_without_spread_are_exact():
    mean, variance = rectified_moments(np.array([0.0, 3.0, 1e-30]), np.zeros(3))
    np.testing.assert_array_equal(mean, np.float32([0, 3, 1e-30]))
    np.testing.assert_array_equal(variance, np.zeros(3))
    scalar = rectified_moments(np.float32(0.0), np.float32(1.0))
    assert scalar == (pytest.approx(1 / np.sqrt(2 * np.pi)), pytest.approx(0.5 - 0.5 / np.pi))


@pytest.mark.parametrize("law", READ_NOISE)
def test_moments_of_a_read_are_those_of_reads(law):
    device = Device(read_noise=0.5 if law == "additive" else 0.03, read_noise_law=law)
    g, z = np.float32([0.5, 3.0, 20.0]), normals((200000, 3))
    mean, variance = device.noise.moments(g, device.noise.sigma(g, g, device))
    reads = read(g, g, z, device)
    np.testing.assert_allclose(reads.mean(axis=0), mean, atol=float(5 * np.sqrt(variance.max() / len(z))))
    np.testing.assert_allclose(reads.var(axis=0), variance, rtol=0.03)


@pytest.mark.parametrize("law", READ_NOISE.values(), ids=list(READ_NOISE))
def test_what_a_law_says_of_itself_holds(law):
    """What arrays ask for: a sigma of its own, a time, a shifted mean, and reads that scale as sums are scaled."""
    device = Device(read_noise=0.05, read_noise_law=law.name)
    g, z = np.float32([2.0, 20.0]), normals((1000, 2)) * 3
    sigma = law.sigma(g, g, device, 60.0)
    assert law.uniform == bool(np.ptp(sigma) == 0)
    assert law.ages == bool((law.sigma(g, g, device, 1e6) != sigma).any())
    found, scaled = z.copy(), z.copy()
    law.reads(found, g, sigma)
    law.reads(scaled, g / 8, sigma / 8)
    np.testing.assert_allclose(scaled * 8, found, rtol=1e-5, atol=1e-5)
    assert law.gaussian == np.allclose(found, g + sigma * z, rtol=1e-5, atol=1e-5)
    assert law.shifts == bool((law.moments(g, 10 * g)[0] != g).any())
    assert law.equation and law.source and law.unit in ("uS", "1", "of g", "of sqrt(g g_max)")
