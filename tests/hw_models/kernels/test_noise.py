"""Kernels of random numbers and converters against their slow twin, published vectors and statistics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hw_models.arrays.converters import OPEN, grid
from hw_models.kernels import noise as kernels
from hw_models.kernels.random import key, normals, uniforms
from tests.naive import crossbar as naive

OWN = key(0, "test")
VECTORS = {
    "zeros": ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    "ones": ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    "pi": (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
}


@pytest.mark.kernels
@pytest.mark.parametrize("name", VECTORS)
def test_known_answers_of_random123(name):
    """kat_vectors of Random123, philox4x32 with 10 rounds."""
    counter, own, answer = VECTORS[name]
    out = np.empty((4, 1), dtype=np.uint32)
    kernels.words(kernels.schedule(np.array(own, dtype=np.uint32)), *counter, 1, out)
    assert tuple(int(word) for word in out[:, 0]) == answer
    assert tuple(naive.philox(counter, own)) == answer


@pytest.mark.kernels
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 11])
def test_rows_are_those_of_the_slow_twin(n):
    normal, uniform = normals(OWN, 7, 5, (2, n), first_row=3), uniforms(OWN, 7, 5, (2, n), first_row=3)
    for row in range(2):
        np.testing.assert_allclose(normal[row], naive.normals(OWN, 7, 5, 3 + row, n), rtol=1e-6, atol=1e-7)
        words = naive.bits(OWN, 7, 5, 3 + row, n)
        np.testing.assert_array_equal(uniform[row], np.array([(w >> 8) * 2.0**-24 for w in words], dtype=np.float32))


def test_long_rows_are_those_of_the_slow_twin():
    n = 8 * kernels.CHUNK + 3
    np.testing.assert_allclose(normals(OWN, 1, 0, (1, n))[0], naive.normals(OWN, 1, 0, 0, n), rtol=2e-6, atol=1e-7)


@pytest.mark.kernels
@pytest.mark.parametrize("word", [0, 1, 255, 2**31 - 1, 2**31 - 2, 2**30, 0x04000000, 0x03000000])
def test_every_word_is_a_quantile(word):
    """To the last bit of the tail, and on both sides of the seam of the two polynomials."""
    exact = float(-stats.norm.ppf((word + 0.5) * 2.0**-32))
    assert float(kernels.normal(np.uint32(word))) == pytest.approx(exact, rel=4e-4 if word < 2 else 3e-6)
    assert float(kernels.normal(np.uint32(word + 2**31))) == pytest.approx(-exact, rel=4e-4 if word < 2 else 3e-6)


def test_moments_and_tails_of_normals():
    z = normals(OWN, 0, 0, (64, 65536)).astype(np.float64).ravel()
    count = z.size
    assert abs(z.mean()) < 4 / count**0.5
    assert abs(z.var() - 1) < 4 * (2 / count) ** 0.5
    assert abs((z**3).mean()) < 4 * (15 / count) ** 0.5
    assert abs((z**4).mean() - 3) < 4 * (96 / count) ** 0.5
    for edge in (1.0, 2.0, 3.0, 4.0, 4.5):
        share = 2 * stats.norm.sf(edge)
        assert abs((np.abs(z) > edge).mean() - share) < 4 * (share / count) ** 0.5
    assert stats.kstest(z[:200000], "norm").pvalue > 1e-3


def test_uniforms_fill_their_range():
    u = uniforms(OWN, 0, 0, (16, 65536)).astype(np.float64).ravel()
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 0.5) < 4 * (1 / 12 / u.size) ** 0.5
    assert stats.kstest(u[:200000], "uniform").pvalue > 1e-3


def test_rows_tiles_steps_and_keys_are_independent():
    n = 1 << 18
    draws = [normals(OWN, 0, 0, (3, n)), normals(OWN, 1, 0, (1, n)), normals(OWN, 0, 1, (1, n))]
    draws.append(normals(key(0, "other"), 0, 0, (1, n)))
    z = np.concatenate(draws).astype(np.float64)
    for values in (z, z**2 - 1):
        found = np.corrcoef(values)[~np.eye(len(z), dtype=bool)]
        assert np.abs(found).max() < 5 / n**0.5
    for lag in (1, 2, 3, 4, n // 4):
        assert abs((z[0, lag:] * z[0, :-lag]).mean()) < 5 / (n - lag) ** 0.5


@pytest.mark.parametrize("split", [1, 2, 7])
def test_any_block_of_rows_has_the_same_bits(split):
    whole = normals(OWN, 2, 3, (7, 1500))
    parts = [normals(OWN, 2, 3, (min(split, 7 - a), 1500), first_row=a) for a in range(0, 7, split)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("levels", [grid(3, 1.5, False), grid(2, 1.0, True), grid(None, 1.0, False), OPEN])
def test_convert(levels, dtype):
    x = np.linspace(-2, 2, 23, dtype=dtype)[None, :].repeat(2, 0)
    x[1, 3] = np.nan
    out = np.empty_like(x)
    kernels.convert(x, out, *levels)
    exact = np.clip(np.rint(x / levels.step) * levels.step, levels.low, levels.high) if levels.step > 0 else x
    exact = np.clip(x, levels.low, levels.high) if levels.step == 0 else exact
    np.testing.assert_allclose(out, exact, rtol=1e-6 if dtype == "float32" else 1e-15, atol=0)
    kernels.convert(x, x, *levels)
    np.testing.assert_array_equal(x, out)


@pytest.mark.kernels
@pytest.mark.parametrize("first", [0, 1, 7, 2**34 + 2])
def test_words_of_a_stream_are_those_of_the_slow_twin_however_it_is_cut(first):
    n = 4 * kernels.CHUNK + 9 if first == 1 else 11
    out = np.empty(n, dtype=np.uint32)
    kernels.fill_words(OWN, first, out)
    for i in {0, 1, 2, 3, 4, n - 1}:
        block = (first + i) // 4
        assert out[i] == naive.philox((block % 2**32, block // 2**32, 0, 0), OWN)[(first + i) % 4]
    parts = np.empty_like(out)
    kernels.fill_words(OWN, first, parts[:5])
    kernels.fill_words(OWN, first + 5, parts[5:])
    np.testing.assert_array_equal(parts, out)


STOPS = [
    (grid(3, 1.5, False), [-9.0, -1.8, -1.5, 0.0, 1.5, 1.7, 1.8, np.nan], 3),
    (grid(3, 0.7, True), [-9.0, -0.06, -0.04, 0.0, 0.7, 0.74, 0.76, np.nan], 3),
    (grid(None, 1.0, False), [-1.1, -1.0, 0.0, 1.0, 1.1, np.inf], 3),
    (OPEN, [-9.0, np.inf, 9.0], 0),
]


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("levels", "values", "stops"), STOPS)
def test_readings_beyond_the_last_level_are_counted(levels, values, stops, dtype):
    """Full scale itself is a level, and half a step beyond it still rounds to it."""
    x = np.array([values, values], dtype=dtype)
    assert kernels.convert(x, np.empty_like(x), *levels) == 2 * stops
    none, total = np.empty(0, dtype), np.zeros_like(x)
    assert kernels.sense(x.copy(), none, OWN, 0, 0, 0, *levels, 1.0, total, 0) == 2 * stops
    assert kernels.sense_varied(x.copy(), np.zeros_like(x), 0.0, OWN, 0, 0, 0, *levels, 1.0, total, 0) == 2 * stops


@pytest.mark.kernels
def test_a_calibrated_full_scale_is_never_at_the_stop():
    """In single precision 2^(bits - 1) - 1 steps of range/(2^(bits - 1) - 1) may exceed the range by rounding."""
    for full in np.random.default_rng(0).uniform(0.1, 10, 200):
        x = np.array([[full, -full]], dtype=np.float32)
        for bits in (4, 8, 10):
            assert kernels.convert(x, np.empty_like(x), *grid(bits, float(np.float32(full)), False)) == 0


@pytest.mark.kernels
def test_converted_in_place_is_converted_apart():
    """Rows longer than what is held at a time; stops are counted over all of it."""
    x = np.random.default_rng(3).normal(size=(3, 2 * kernels.CHUNK + 5)).astype(np.float32)
    for of in (lambda a, b: kernels.convert(a, b, 0.25, -1.0, 1.0),
               lambda a, b: kernels.convert(a, b, 0.0, -1.0, 1.0),
               lambda a, b: kernels.convert_stochastic(a, b, 0.25, -1.0, 1.0, OWN, 1, 2, 3)):  # fmt: skip
        apart, place = np.empty_like(x), x.copy()
        stops = of(x, apart)
        assert of(place, place) == stops > 0
        np.testing.assert_array_equal(place, apart)
    level = np.rint(x / np.float32(0.25))
    assert kernels.convert(x, apart, 0.25, -1.0, 1.0) == np.count_nonzero(np.abs(level) > 4)


def test_stochastic_rounding_beyond_the_last_level_is_counted():
    x = np.array([[-1.2, -1.0, 0.0, 1.0, 1.2]])
    out = np.empty_like(x)
    stops = kernels.convert_stochastic(x, out, 0.25, -1.0, 1.0, OWN, 1, 2, 3)
    dither = (np.array(naive.bits(OWN, 1, 2, 3, 5)) // 512 + 0.5) * 2.0**-23 - 0.5
    assert stops == np.count_nonzero(np.abs(np.rint(x[0] / 0.25 + dither)) > 4) > 0


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_convert_stochastic_goes_up_or_down_and_keeps_levels(dtype):
    step = 0.25
    x = np.array([[-1.0, -0.25, 0.0, 0.1, 0.13, 0.5, 3.0]], dtype=dtype)
    out = np.empty_like(x)
    kernels.convert_stochastic(x, out, step, -1.0, 1.0, OWN, 1, 2, 3)
    assert (np.abs(out - np.clip(x, -1, 1)) < step).all() and (out % step == 0).all()
    np.testing.assert_array_equal(out[0, [0, 1, 2, 5, 6]], [-1, -0.25, 0, 0.5, 1])
    dither = (np.array(naive.bits(OWN, 1, 2, 3, 7)) // 512 + 0.5) * 2.0**-23 - 0.5
    np.testing.assert_allclose(out[0], np.clip(np.rint(x[0] / step + dither) * step, -1, 1))


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("levels", [grid(5, 2.0, False), grid(None, 1.0, False), OPEN])
@pytest.mark.parametrize("noise", ["none", "rows", "all"])
@pytest.mark.parametrize("n", [9, 201, 250, 1030])
def test_sense_is_noise_then_converter_then_sum(n, noise, levels, dtype):
    """Also: it writes between its columns only. Rows are drawn together, alone or in stretches, by their length."""
    draw = np.random.default_rng(0)
    partial, total = draw.normal(size=(2, n)).astype(dtype), draw.normal(size=(2, n + 3)).astype(dtype)
    sigma, variance = np.array([0.5, 0.2], dtype=dtype), draw.uniform(0, 1, (2, n)).astype(dtype)
    z = np.stack([naive.normals(OWN, 4, 1, 6 + row, n) for row in range(2)])
    spread = {"none": 0, "rows": sigma[:, None], "all": np.sqrt(variance + 0.25)}[noise]
    current = partial + spread * z
    if levels.step > 0:
        current = np.rint(current / levels.step) * levels.step
    expected = total.astype(np.float64)
    expected[:, 2 : n + 2] += 1.5 * (current if levels == OPEN else np.clip(current, levels.low, levels.high))
    if noise == "all":
        kernels.sense_varied(partial, variance, 0.25, OWN, 4, 1, 6, *levels, 1.5, total, 2)
    else:
        kernels.sense(partial, sigma if noise == "rows" else sigma[:0], OWN, 4, 1, 6, *levels, 1.5, total, 2)
    np.testing.assert_allclose(total, expected, rtol=0, atol=1e-5)


@pytest.mark.kernels
def test_not_a_number_passes_through():
    partial, total = np.full((1, 5), np.nan, dtype=np.float32), np.zeros((1, 5), dtype=np.float32)
    kernels.sense(partial, np.ones(1, np.float32), OWN, 0, 0, 0, *grid(4, 1.0, False), 1.0, total, 0)
    assert np.isnan(total).all()


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_deviations_are_norms_of_tiles(dtype):
    x, out = np.random.default_rng(0).normal(size=(3, 10)).astype(dtype), np.empty((2, 3), dtype=dtype)
    kernels.deviations(x, np.array([0, 4, 10]), 4.0, 0.25, out)
    exact = [np.sqrt(4 * (part**2).sum(1) + 0.25) for part in (x[:, :4], x[:, 4:])]
    np.testing.assert_allclose(out, exact, rtol=1e-6)


@pytest.mark.kernels
def test_rows_longer_than_the_buffer():
    """All kernels walk rows in chunks of random words."""
    n = 4 * kernels.CHUNK + 6
    x, out = np.linspace(-1, 1, n, dtype=np.float32)[None], np.empty((1, n), dtype=np.float32)
    kernels.convert_stochastic(x, out, 0.125, -1.0, 1.0, OWN, 0, 0, 0)
    dither = uniforms(OWN, 0, 0, (1, n))
    assert (np.abs(out - x) <= 0.125).all() and abs((out - x).mean()) < 0.125 * 5 / n**0.5 and dither.size == n
