"""Trains on lines: their lengths and factors, how often lines fire, and what two lines have in common."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from scipy import stats

from hw_models.arrays.pulses import PulsedDevices
from hw_models.arrays.trains import Rows, Trains, fit
from hw_models.chip import Pulse, Update
from hw_models.kernels import random as randomness, trains as train_kernels
from hw_models.kernels.blocks import serial
from tests.naive import pulses as naive

pytestmark = pytest.mark.kernels
compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="statistics of many updates")
KEYS = ("bl31_lr0.02", "bl31_lr0.05", "bl31_lr0.2", "bl10_lr0.05")


@compiled
@pytest.mark.parametrize("trains", ["stochastic", "expected"])
@pytest.mark.parametrize("key", KEYS)
def test_trains_beyond_the_longest_cut_the_post_side_alone(oracle, key, trains):
    """1500 repeats of 1024 devices of an independent simulator: means within 5 standard errors, and the spread."""
    meta, arrays = oracle("aihwkit_saturated_trains")
    case = next(case for case in meta["cases"] if case["key"] == key)
    update = Update(scheme="pulsed", trains=trains, train_length=case["bl"])
    devices, found = PulsedDevices(Pulse(dw_min=case["dw_min"]), (32, 32), 0, "a"), np.zeros((1500, 32, 32), "f4")
    terms = [(-1.0, arrays["d"][None], arrays["x"][None])]
    for number, weights in enumerate(found):
        devices.update(weights, terms, case["lr"], update, number)
    mean, std = arrays[f"{key}_mean"], arrays[f"{key}_std"]
    moves = std > 1e-4
    apart = (found.mean(0) - mean)[moves] / (std[moves] * np.sqrt(2 / 1500))
    assert np.abs(apart).max() < 5
    assert abs(np.median(found.std(0)[moves] / std[moves]) - 1) < 0.01
    both = fit(terms[0], case["lr"], case["dw_min"], update.model_copy(update={"overlong": "both"}))
    one = fit(terms[0], case["lr"], case["dw_min"], update)
    assert one.factor_pre[0] * np.abs(arrays["x"]).max() <= 1 + 1e-6
    if case["k"] > case["bl"]:
        assert both.factor_pre[0] * np.abs(arrays["x"]).max() > 1.2


@pytest.mark.parametrize("overlong", ["post", "both"])
@pytest.mark.parametrize("rate", [1e-4, 0.02, 0.3, 5.0])
def test_lengths_and_factors_are_those_of_the_slow_twin(rate, overlong):
    rng = np.random.default_rng(0)
    post, pre = rng.normal(size=(6, 5)).astype("f4"), rng.normal(size=(6, 7)).astype("f4")
    post[2] = 0
    update = Update(scheme="pulsed", train_length=13, overlong=overlong)
    rows = fit((1.0, post, pre), rate, 0.01, update)
    for n in range(6):
        length, b, a = naive.fit(list(map(float, post[n])), list(map(float, pre[n])), rate, 0.01, update)
        assert rows.length[n] == length
        np.testing.assert_allclose([rows.factor_post[n], rows.factor_pre[n]], [b, a], rtol=1e-6)


def counted(p, length, size=4000, seed=0):
    """Counts of ``size`` lines that fire with probability p."""
    counts = np.empty((1, size), np.float32)
    draws = randomness.uniforms(randomness.key(seed, "u"), 0, 0, (1, size))
    values, ones = np.full((1, size), p, np.float32), np.ones(1, np.float32)
    train_kernels.count(values, ones, np.array([length]), ones, draws, counts)
    return counts[0]


@pytest.mark.parametrize("length", [1, 2, 7, 31, 63])
@pytest.mark.parametrize("p", [1e-3, 0.03, 0.3, 0.5, 0.5001, 0.8, 0.999, 1.0, 3.0, 0.0])
def test_counts_are_binomial(p, length):
    """Chi-square of all counts that are expected 5 times or more, one chance in a hundred thousand."""
    counts, share = counted(p, length), min(p, 1.0)
    assert ((counts >= 0) & (counts <= length) & (counts == np.rint(counts))).all()
    expected = stats.binom.pmf(np.arange(length + 1), length, share) * counts.size
    found, often = np.bincount(counts.astype(int), minlength=length + 1), expected >= 5
    groups = [(found[often], expected[often]), ([found[~often].sum()], [expected[~often].sum()])]
    observed, wanted = (np.concatenate([np.asarray(group[n], float) for group in groups]) for n in (0, 1))
    used = wanted > 1e-9
    assert observed[~used].sum() == 0
    chi = ((observed - wanted)[used] ** 2 / np.maximum(wanted[used], 1)).sum()
    assert chi < stats.chi2.ppf(1 - 1e-5, max(used.sum() - 1, 1)) + 5


def test_counts_of_rare_firings():
    """A thousandth of a thousandth: 4 million lines, 5 standard errors."""
    size = 4_000_000 if not numba.config.DISABLE_JIT else 4_000
    counts = counted(1e-6, 10, size)
    assert abs(counts.sum() - 1e-5 * size) < 5 * np.sqrt(1e-5 * size) + 1


def test_signs_and_silent_rows():
    values = np.array([[0.9, -0.9, 0.0], [0.9, 0.9, 0.9]], np.float32)
    counts = np.full((2, 3), 7, np.float32)
    ones = np.ones(2, np.float32)
    train_kernels.count(values, 2 * ones, np.array([5, 0]), -ones, np.full((2, 3), 0.5, np.float32), counts)
    np.testing.assert_array_equal(counts, [[-5, 5, 0], [0, 0, 0]])


def test_scattered_pulses_keep_their_number_and_fill_all_slots_alike():
    trains, rows, length = Trains(0, "a", serial), 300, 9
    counts = np.tile(np.arange(-20, 20, dtype=np.float32) % 10 * np.sign(np.arange(-20, 20)), (rows, 1)).astype("f4")
    words = trains.scattered("post", 0, counts, np.full(rows, length), 0, 0, 0)
    slots = (words[:, :, None] >> np.arange(length, dtype=np.uint64)) & np.uint64(1)
    np.testing.assert_array_equal(slots.sum(2), np.abs(counts))
    np.testing.assert_array_equal(words >> np.uint64(63), counts < 0)
    share = slots.sum(0) / rows  # (lines, slots)
    p = np.abs(counts[0])[:, None] / length
    assert (np.abs(share - p) <= 4.5 * np.sqrt(p * (1 - p) / rows)).all()
    later = trains.scattered("post", 0, counts[100:], np.full(rows - 100, length), 100, 0, 0)
    np.testing.assert_array_equal(words[100:], later)


@compiled
def test_coincidences_given_the_counts_are_hypergeometric():
    """What the docstring says of two lines, by playing scattered trains of constant devices without noise."""
    length, a, b, repeats = 12, np.array([3.0, 7.0, 12.0]), np.array([1.0, 5.0, 9.0, 6.0]), 6000
    trains, lengths = Trains(0, "a", serial), np.full(repeats, length)
    given = {"post": np.tile(a.astype("f4"), (repeats, 1)), "pre": np.tile(b.astype("f4"), (repeats, 1))}
    post, pre = (trains.scattered(side, 0, counts, lengths, 0, 0, 0) for side, counts in given.items())
    bits = [(w[:, :, None] >> np.arange(length, dtype=np.uint64)) & np.uint64(1) for w in (post, pre)]
    met = np.einsum("ris,rjs->rij", bits[0].astype(float), bits[1].astype(float))
    mean = np.outer(a, b) / length
    variance = np.outer(a * (length - a), b * (length - b)) / (length**2 * (length - 1))
    assert (np.abs(met.mean(0) - mean) <= 4.5 * np.sqrt(variance / repeats)).all()
    assert (np.abs(met.var(0) - variance) <= 4.5 * variance * np.sqrt(2 / repeats) * 1.5).all()
    flat = (met - mean).reshape(repeats, -1)
    moving = flat.std(0) > 0
    correlation = np.corrcoef(flat[:, moving].T)
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 4.5 / np.sqrt(repeats)


def test_rows_can_be_cut():
    rows = fit((1.0, np.ones((4, 2), "f4"), np.ones((4, 3), "f4")), 0.1, 0.01, Update(scheme="pulsed"))
    part = rows.part(1, 3)
    assert isinstance(part, Rows) and len(part.post) == len(part.length) == 2 and part.one_sided
