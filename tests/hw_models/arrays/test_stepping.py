"""Devices with write noise and log-normal noise: steps where many pulses fall, their very trains where few do.

The twin, tests/naive/pulses.py, plays slot by slot and pulse by pulse; it shares no line and no draw with the kernels.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from hw_models import presets
from hw_models.arrays import stepping
from hw_models.arrays.pulses import PulsedDevices
from hw_models.arrays.trains import fit
from hw_models.chip import Pulse, Update
from tests.hw_models.arrays.cell_cases import SIZE, chip, made
from tests.naive import pulses as naive

compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="statistics of many updates")
EXPECTED = Update(scheme="pulsed", train_length=63)
STOCHASTIC = EXPECTED.model_copy(update={"trains": "stochastic"})
SHAPE = SIZE
RERAM = {"response": "soft_bounds", "dw_min": 1e-3, "noise_base": 0.5, "write_noise": 20.0}
"""As ``gong_2018_reram_soft``, with shares for which pulses, noise and write noise all show."""


def signals(samples, signed=False, weak=0.05, seed=0):
    """Terms of a batch in which the first line of either side is weak: its devices get few pulses."""
    rng = np.random.default_rng(seed)
    post, pre = (rng.uniform(0.5, 1, (samples, size)).astype("f4") for size in SHAPE)
    post[:, 0] *= weak
    pre[:, 0] *= weak
    if signed:
        pre *= rng.choice([-1.0, 1.0], pre.shape).astype("f4")
    return [(1.0, post, pre)] if samples == 1 else [(1.0, post, pre), (-1.0, post[::-1].copy(), pre)]


def test_fewest_pulses_by_hand():
    assert stepping.fewest(Pulse(noise=2.0), False) == 0
    assert stepping.fewest(Pulse(write_noise=2.0), True) == 16
    for noise in (0.3, 1.0):
        pulse = Pulse(noise=noise, noise_law="log_normal")
        n = stepping.fewest(pulse, False)
        assert n == pytest.approx(4 * noise**2 * (noise**2 + 3) ** 2)
        assert stepping.fewest(pulse, True) == max(n, 16)


def test_skewness_of_a_sum_of_log_normal_pulses():
    """Of as many pulses as a step asks for, played: 1/2."""
    pulse = Pulse(response="constant", dw_min=1e-4, noise=0.5, noise_law="log_normal", w_max=10.0)
    n = round(stepping.fewest(pulse, False))
    draws = naive.shaped(pulse, np.random.default_rng(0).standard_normal((40_000, n))).sum(1)
    found = ((draws - draws.mean()) ** 3).mean() / draws.std() ** 3
    assert found == pytest.approx(0.5, abs=0.1)


def test_a_device_of_so_many_mean_pulses_gets_one_for_sure():
    """The hypergeometric chance of no coincidence, by counting, is never above e^-n."""
    for length in (1, 2, 7, 31):
        for a in range(length + 1):
            for b in range(length + 1):
                none = math.comb(length - a, b) / math.comb(length, b)
                assert none <= math.exp(-a * b / length)
    assert math.exp(-stepping.CERTAIN) < 2e-7


def test_mean_pulses_are_those_of_the_twin():
    terms, rate = signals(5, signed=True), 0.02
    rows = [fit(term, rate, 1e-3, EXPECTED) for term in terms]
    wanted, _ = naive.expected_counts(terms, rate, 1e-3, EXPECTED)
    assert stepping.mean_pulses(rows) == pytest.approx(wanted.sum(0).mean(), rel=1e-5)


@compiled
@pytest.mark.parametrize("start", [0.1, 1.0, -1.0])
@pytest.mark.parametrize(("samples", "signed"), [(1, False), (6, False), (6, True)])
def test_write_noise_of_steps_is_that_of_trains(samples, signed, start, monkeypatch):
    """Hidden and visible weight: mean, variance, how they go together, along rows and columns: 5 standard errors.

    Some devices get many pulses, some few, some none.
    """
    monkeypatch.setattr(stepping, "AMPLE", 1.0)  # or they would all play
    repeats, terms, rate = 1500, signals(samples, signed), 0.063 if samples == 1 else 0.02
    cells, bar = made(chip(pulse=RERAM), np.zeros(SHAPE))
    pulse, found = cells.pulse, np.empty((2, repeats, *SHAPE))
    offset = np.full(SHAPE, 0.013, "f4")
    for number in range(repeats):
        cells.states[0][:], cells.offsets[0][:] = start, offset
        cells.update(bar.stored, terms, rate, EXPECTED, number)
        found[:, number] = cells.states[0], bar.stored
    share = cells.played / (cells.played + cells.stepped)
    assert share < 1 and (share > 0.2 or samples > 1)
    rng = np.random.default_rng(1)
    ends, given = naive.touched_batches(pulse, np.full(SHAPE, start), terms, rate, EXPECTED, repeats, rng)
    drawn = pulse.write_noise * pulse.dw_min * rng.standard_normal(ends.shape)
    wanted = np.stack([ends, ends + np.where(given > 0, drawn, offset)])
    assert 0 < (given == 0).mean() < 0.6
    _same_moments(found, wanted, repeats)


def _same_moments(found, wanted, repeats):
    """Compare (hidden and visible, repeats, out, in): what a factor of 5 % would move by many standard errors."""
    error = np.sqrt((found.var(1) + wanted.var(1)) / repeats)
    assert (np.abs(found.mean(1) - wanted.mean(1)) < 5 * error + 1e-6).all()
    sums = [lambda x: x, lambda x: x.sum(3, keepdims=True), lambda x: x.sum(2, keepdims=True)]
    if len(found) == 2:
        sums += [lambda x: x[1:] - x[:1], lambda x: x[1:] + x[:1]]
    for each in sums:
        one, other = (each(x).std(1).mean() for x in (found, wanted))
        assert abs(one / other - 1) < 0.05


@compiled
@pytest.mark.parametrize("samples", [1, 6])
@pytest.mark.parametrize("noise", [0.4, 1.5])
def test_log_normal_noise_of_steps_is_that_of_trains(noise, samples, monkeypatch):
    """Mean, variance, correlation, and the skewness of a device: of few pulses it is far from a Gaussian's."""
    pulse = Pulse(response="soft_bounds", dw_min=1e-3, noise=noise, noise_law="log_normal")
    monkeypatch.setattr(stepping, "AMPLE", 1.0)
    repeats, terms, rate = 3000, signals(samples), 0.063 if samples == 1 else 0.02
    devices, ends = PulsedDevices(pulse, SHAPE, 0, "a"), np.zeros((repeats, *SHAPE), "f4")
    for number, weights in enumerate(ends):
        devices.update(weights, terms, rate, EXPECTED, number)
    wanted = naive.batches(pulse, np.zeros(SHAPE), terms, rate, EXPECTED, repeats, np.random.default_rng(1))
    _same_moments(ends[None].astype(float), wanted[None], repeats)
    assert devices.played > 0 and (devices.stepped > 0) == (noise < 1)
    if noise > 1:  # all played; the third moment of so wide a noise takes far more repeats
        return
    skew = [((x - x.mean(0)) ** 3).mean(0) / x.std(0) ** 3 for x in (ends.astype(float), wanted)]
    assert np.abs(skew[0][1:, 1:] - skew[1][1:, 1:]).mean() < 0.25


@pytest.mark.parametrize(
    ("name", "coarse"),
    [("gong_2022_reram_om", True), ("gong_2022_reram_hfo2", True), ("falcone_2025_reram_cmo", True),
     ("gong_2018_reram_soft", False), ("gokmen_2016_rpu", False), ("tang_2018_ecram", False)],
)  # fmt: skip
def test_devices_of_few_states_play_all_their_trains(name, coarse):
    """The same bits as exact trains, whatever update.trains says; others are moved by steps."""
    pulse = presets.load(name).device.pulse
    devices = [PulsedDevices(pulse, SHAPE, 0, "a", tells=pulse.write_noise > 0) for _ in range(2)]
    assert stepping.mostly_coarse(devices[0]) == coarse
    ends = np.zeros((2, *SHAPE), "f4")
    for weights, own, update in zip(ends, devices, (EXPECTED, STOCHASTIC), strict=True):
        own.update(weights, signals(6), 30 * pulse.dw_min, update, 0)
    assert np.array_equal(*ends) == coarse
    assert devices[0].played == SHAPE[0] * SHAPE[1] if coarse else devices[0].stepped > 0


def test_few_pulses_on_average_are_played():
    pulse = Pulse(dw_min=1e-3, write_noise=2.0)
    for rate, plays in ((1e-3, True), (0.1, False)):
        devices = PulsedDevices(pulse, SHAPE, 0, "a", tells=True)
        devices.update(np.zeros(SHAPE, "f4"), signals(6), rate, EXPECTED, 0)
        assert (devices.stepped == 0) == plays
