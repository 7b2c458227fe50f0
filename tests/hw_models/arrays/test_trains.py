"""Trains on lines: their lengths and factors, how often lines fire, and what two lines have in common."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from scipy import stats

from hw_models.arrays.coincidences import Coincidences
from hw_models.arrays.pulses import PulsedDevices
from hw_models.arrays.trains import Fired, Playable, Rows, fit
from hw_models.chip import Pulse, Update
from hw_models.kernels import random as randomness, trains as train_kernels
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


def drawn(p, length, size=4000, rows=1, seed=0):
    """Words of trains of ``size`` lines that fire with probability p, (rows, size)."""
    words, ones = np.full((rows, size), 7, np.uint64), np.ones(rows, np.float32)
    values, lengths = np.full((rows, size), p, np.float32), np.full(rows, length)
    train_kernels.fire(randomness.key(seed, "u"), 3, 0, values, ones, lengths, ones, words, 1)
    return words


@pytest.mark.parametrize("length", [1, 2, 7, 31, 63])
@pytest.mark.parametrize("p", [1e-3, 0.03, 0.3, 0.5, 0.5001, 0.8, 0.999, 1.0, 3.0, 0.0])
def test_counts_are_binomial(p, length):
    """Chi-square of all counts that are expected 5 times or more, one chance in a hundred thousand."""
    words, share = drawn(p, length)[0], min(p, 1.0)
    assert (words < np.uint64(1) << np.uint64(length)).all()
    counts = np.bitwise_count(words).astype(float)
    expected = stats.binom.pmf(np.arange(length + 1), length, share) * counts.size
    found, often = np.bincount(counts.astype(int), minlength=length + 1), expected >= 5
    groups = [(found[often], expected[often]), ([found[~often].sum()], [expected[~often].sum()])]
    observed, wanted = (np.concatenate([np.asarray(group[n], float) for group in groups]) for n in (0, 1))
    used = wanted > 1e-9
    assert observed[~used].sum() == 0
    chi = ((observed - wanted)[used] ** 2 / np.maximum(wanted[used], 1)).sum()
    assert chi < stats.chi2.ppf(1 - 1e-5, max(used.sum() - 1, 1)) + 5


def test_counts_of_rare_firings():
    """A thousandth of a thousandth: 4 million lines, 5 standard errors, and what 24 bits of a draw leave over."""
    size = 4_000_000 if not numba.config.DISABLE_JIT else 4_000
    fired = np.bitwise_count(drawn(1e-6, 10, size)).sum()
    wanted = np.ceil(1e-6 * 2**24) / 2**24 * 10 * size
    assert abs(fired - wanted) < 5 * np.sqrt(wanted) + 1


def test_signs_and_silent_rows():
    values = np.array([[0.9, -0.9, 0.0], [0.9, 0.9, 0.9]], np.float32)
    words, ones = np.full((2, 3), 7, np.uint64), np.ones(2, np.float32)
    key = randomness.key(0, "u")
    train_kernels.fire(key, 0, 0, values, 2 * ones, np.array([5, 0]), -ones, words, 1)
    sign = np.uint64(1 << 63)
    np.testing.assert_array_equal(words[0], [sign | np.uint64(31), np.uint64(31), 0])
    np.testing.assert_array_equal(words[1], [sign] * 3)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9, 130])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lines_fire_where_uniforms_are_below_their_probability(size, dtype):
    """The draws of :func:`hw_models.kernels.random.uniforms`, rows by their number, slots by theirs."""
    rng, rows, key = np.random.default_rng(0), 3, randomness.key(0, "u")
    values, factor = rng.normal(size=(rows, size)).astype(dtype), rng.uniform(0.2, 2, rows).astype(dtype)
    length, sign, words = np.array([4, 0, 9]), np.array([1.0, -1.0, -1.0], dtype), np.zeros((rows, size), np.uint64)
    train_kernels.fire(key, 5, 2, values, factor, length, sign, words, 1)
    every = np.zeros((3 * rows, size), np.uint64)
    train_kernels.fire(key, 5, 2, values, factor, length, sign, every[1:], 3)
    np.testing.assert_array_equal(every[1::3], words)
    for slot in range(9):
        u = randomness.uniforms(key, 5, slot, (rows, size), first_row=2)
        fires = (u < np.abs(values) * factor[:, None]) & (slot < length)[:, None]
        np.testing.assert_array_equal((words >> np.uint64(slot)) & np.uint64(1), fires)
    np.testing.assert_array_equal(words >> np.uint64(63), values * sign[:, None] < 0)


@pytest.mark.parametrize("lengths", [[1, 2, 1], [0, 0], [63, 5, 63], [31] * 5, [2] * 96, [7, 0, 40, 21, 3, 60] * 3])
def test_packed_trains_are_counted_and_met_in_their_order(lengths):
    """By slots: every coincidence once, in its place, with its sign, on a part of the lines."""
    rng, shape, length = np.random.default_rng(0), (5, 23), np.array(lengths)
    bits = [rng.random((len(length), size, 63)) < 0.6 for size in shape]
    signs = [rng.random((len(length), size)) < 0.5 for size in shape]
    words = []
    for fires, negative in zip(bits, signs, strict=True):
        fires &= np.arange(63) < length[:, None, None]
        whole = (fires * (np.uint64(1) << np.arange(63, dtype=np.uint64))).sum(2, dtype=np.uint64)
        words.append(whole | negative.astype(np.uint64) << np.uint64(63))
    met = np.einsum("nis,njs->ijns", *(fires.astype(int) for fires in bits))
    ups = (signs[0].T[:, None] == signs[1].T[None])[..., None] & (met > 0)
    packed = Fired(*words, length).packed()
    (first, last), (begin, end) = (1, 4), (2, 21)
    planes = np.empty((2, last - first, end - begin), np.float32)
    found = train_kernels.coincide_signed(first, last, begin, end, packed.pre, packed.post, planes)
    part = np.s_[first:last, begin:end]
    assert found == met[part].sum()
    np.testing.assert_array_equal(planes[0], ups.sum((2, 3))[part])
    np.testing.assert_array_equal(planes.sum(0), met.sum((2, 3))[part])
    some = Fired(*words, length).packed(np.arange(len(length)) % 2 == 0)
    train_kernels.coincide(first, last, begin, end, some.pre[0], some.post[0], planes[0])
    np.testing.assert_array_equal(planes[0], met[:, :, ::2].sum((2, 3))[part])
    assert train_kernels.coincide(first, last, begin, end, packed.pre[0], packed.post[0], planes[0]) == found
    np.testing.assert_array_equal(planes[0], met.sum((2, 3))[part])
    for played in (Playable(Fired(*words, length), packed), Playable(Fired(*words, length), None)):
        queues, fill = [], Coincidences((first, last, begin, end), played, None)
        waits, up = (np.empty((last - first, end - begin), np.uint64) for _ in range(2))
        while fill(waits, up):
            queues.append((waits.copy(), up.copy()))
        for i, j in ((0, 0), (2, 18), (1, 7)):
            ways = [bool(way[i, j] >> np.uint64(b) & np.uint64(1)) for wait, way in queues for b in range(64)
                    if wait[i, j] >> np.uint64(b) & np.uint64(1)]  # fmt: skip
            place = met[first + i, begin + j] > 0
            assert ways == list(ups[first + i, begin + j][place])


@compiled
def test_coincidences_given_the_counts_are_hypergeometric():
    """What the docstring says of two lines, of those trains that fire so often."""
    length, repeats = 6, 40_000
    post, pre = (drawn(p, length, size, repeats, seed) for p, size, seed in ((0.5, 2, 0), (0.4, 3, 1)))
    fired = [np.bitwise_count(words) for words in (post, pre)]
    for a, b in ((3, 2), (2, 4), (4, 3)):
        met = [np.bitwise_count(post[:, i] & pre[:, j])[(fired[0][:, i] == a) & (fired[1][:, j] == b)].astype(float)
               for i in range(2) for j in range(3)]  # fmt: skip
        variance = a * b * (length - a) * (length - b) / (length**2 * (length - 1))
        for each in met:
            assert abs(each.mean() - a * b / length) < 4.5 * np.sqrt(variance / len(each))
            assert abs(each.var() / variance - 1) < 4.5 * np.sqrt(3 / len(each))
    same = (fired[0] == 3).all(1) & (fired[1][:, 0] == 2)
    one, other = (np.bitwise_count(post[same, i] & pre[same, 0]) for i in range(2))
    assert abs(np.corrcoef(one, other)[0, 1]) < 4.5 / np.sqrt(same.sum())


def test_rows_can_be_cut():
    rows = fit((1.0, np.ones((4, 2), "f4"), np.ones((4, 3), "f4")), 0.1, 0.01, Update(scheme="pulsed"))
    part = rows.part(1, 3)
    assert isinstance(part, Rows) and len(part.post) == len(part.length) == 2 and part.one_sided
