"""Codes sent in digits against a slow twin; draws, ranges and counts of every digit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hw_models import Crossbar
from hw_models.arrays import serial
from hw_models.chip import DAC, Chip
from tests.naive import crossbar as plain, sensing as naive

RNG = np.random.default_rng(0)
W = RNG.normal(size=(5, 7))
X, S = RNG.uniform(-1.2, 1.2, (6, 7)), RNG.uniform(-1.2, 1.2, (6, 5))
SIGNS = ("unsigned", "magnitude", "twos_complement")
MAPPINGS = {
    "pair": {},
    "digital reference": {"mapping": "offset"},
    "analog reference": {"mapping": "offset", "reference": "analog"},
    "slices": {"mapping": "offset", "slices": 2, "slice_bits": 4, "zero": "level"},
}


def dac(bits, width, sign):
    found = {"bits": bits, "range": 1.0}
    found |= {"sign": "unsigned"} if sign == "unsigned" else {"digit_sign": sign} if width else {}
    return found | ({"digit_bits": width} if width else {})


def bar_of(given, layout=None, adc=None, **more):
    chip = {"crossbar": {"rows": 3, "columns": 2} | (layout or {}), "dac": given, "adc": adc or {}, **more}
    bar = Crossbar(Chip.parse(chip), W.shape, seed=3, name="bar", dtype="float64")
    bar.program(W)
    return bar


@given(bits=st.integers(2, 12), width=st.integers(1, 12), sign=st.sampled_from(SIGNS), seed=st.integers(0, 99))
def test_digits_are_those_of_the_code_and_give_it_back(bits, width, sign, seed):
    unsigned = sign == "unsigned"
    made = DAC.model_construct(bits=bits, digit_bits=width, digit_sign="magnitude" if unsigned else sign)
    most = 2**bits - 1 if unsigned else 2 ** (bits - 1) - 1
    level = np.random.default_rng(seed).integers(0 if unsigned else -most, most + 1, (3, 4))
    full = 1.7
    parts = list(serial.split(level * (full / most), full, made, unsigned))
    assert len(parts) == serial.digits(made, unsigned)
    np.testing.assert_allclose(sum(weight * x for weight, x in parts), level * full / most, atol=1e-12)
    assert max(np.abs(x).max() for _, x in parts) <= full * (1 + 1e-12)
    for place, code in np.ndenumerate(level):
        expected = naive.digits(int(code), bits, width, sign)
        share = 2**width - 1
        for (weight, x), (power, digit) in zip(parts, expected, strict=True):
            on = digit if power < 0 else digit / share
            assert x[place] == pytest.approx(on * full, abs=1e-12)
            assert weight * full == pytest.approx(power * full / most * (1 if power < 0 else share))
    if sign == "twos_complement":
        assert min(x.min() for _, x in parts) >= 0


@pytest.mark.parametrize("layout", MAPPINGS)
@pytest.mark.parametrize("sign", SIGNS)
def test_without_converters_behind_digits_change_nothing(sign, layout):
    for width in (1, 2, 3):
        one, other = (bar_of(dac(6, each, sign), MAPPINGS[layout]) for each in (None, width))
        np.testing.assert_allclose(one.forward(X), other.forward(X), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(one.transposed(S), other.transposed(S), rtol=1e-9, atol=1e-9)


def twin(way, bits, width, sign, adc):
    """A product bit by bit: every partial sum of every tile quantised, shifted and added."""
    signals, a = (X, W) if way == "forward" else (S, W.T)
    scale, tile = np.abs(W).max(), 3 if way == "forward" else 2
    most = 2**bits - 1 if sign == "unsigned" else 2 ** (bits - 1) - 1
    total = np.zeros((len(signals), len(a)))
    for row, line in np.ndindex(total.shape):
        levels = [round(plain.quantise(v, bits, 1.0, sign == "unsigned") * most) for v in signals[row].tolist()]
        codes = [naive.digits(level, bits, width, sign) for level in levels]
        for place in range(len(codes[0])):
            power = codes[0][place][0]
            share = 1 if power < 0 else 2**width - 1
            for i, j in plain.tiles(len(levels), tile):
                partial = sum(codes[k][place][1] / share * a[line, k] / scale for k in range(i, j))
                total[row, line] += power * share / most * plain.quantise(partial, *adc)
    return total * scale


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize(("bits", "width"), [(5, 1), (6, 2), (6, 4)])
def test_every_partial_sum_is_converted_shifted_and_added(bits, width, sign):
    bar = bar_of(dac(bits, width, sign), adc={"bits": 5, "range": 2.0})
    np.testing.assert_allclose(bar.forward(X), twin("forward", bits, width, sign, (5, 2.0)), atol=1e-6)
    np.testing.assert_allclose(bar.transposed(S), twin("transposed", bits, width, sign, (5, 2.0)), atol=1e-6)


def test_read_noise_is_drawn_in_every_digit():
    """Variances of the digits add by the squares of their weights; nothing is drawn twice."""
    w = np.ones((1, 1))
    for width in (1, 2):
        chip = {"dac": dac(7, width, "magnitude"), "device": {"read_noise": 0.25}, "crossbar": {"weight_range": 1.0}}
        bar = Crossbar(Chip.parse(chip), (1, 1), dtype="float64")
        bar.program(w)
        found = bar.forward(np.ones((40000, 1)))[:, 0]
        sigma = 0.01 * np.sqrt(2)
        weights = [s * p / 63 for p, s in ((2**k, 2**width - 1) for k in range(0, 6, width))]
        assert found.mean() == pytest.approx(1, abs=5 * sigma / 200)
        assert found.std() == pytest.approx(sigma * np.sqrt(np.square(weights).sum()), rel=0.02)


def test_draws_of_digits_are_apart():
    """Where all digits are driven alike, their noise is not the same number times their weights."""
    chip = {"dac": dac(3, 1, "magnitude"), "device": {"read_noise": 0.25}, "crossbar": {"weight_range": 1.0}}
    bar = Crossbar(Chip.parse(chip), (1, 1), dtype="float64")
    bar.program(np.ones((1, 1)))
    whole = bar.forward(np.ones((5000, 1)))[:, 0] - 1
    bar.begin()
    lowest = bar.forward(np.full((5000, 1), 1 / 3))[:, 0] - 1 / 3
    assert np.corrcoef(whole, lowest)[0, 1] == pytest.approx(1 / np.sqrt(5), abs=0.06)


@pytest.mark.parametrize("fixed", [False, True])
def test_the_range_of_the_adc_is_calibrated_on_partial_sums(fixed):
    """A product of small signals is small, its partial sums are not; the range counts in full scales of the DAC."""
    given = dac(6, 1, "magnitude")
    given |= {} if fixed else {"range": None}
    bar = bar_of({k: v for k, v in given.items() if v is not None}, adc={"bits": 8})
    bar.observe()
    bar.forward(0.1 * X)
    bar.forward(X)
    bar.freeze()
    drive, sense = bar.converters.of("forward")
    assert drive.range == pytest.approx(1.0 if fixed else np.abs(X).max())
    scale, most = np.abs(W).max(), 0.0
    for signals, full in ((0.1 * X, 1.0 if fixed else np.abs(0.1 * X).max()), (X, drive.range)):
        levels = np.rint((signals if fixed else np.clip(signals / full, -1, 1)) * 31).astype(int)
        for place in range(5):
            bits = np.sign(levels) * ((np.abs(levels) >> place) & 1)
            for i, j in plain.tiles(7, 3):
                most = max(most, np.abs(bits[:, i:j] @ W[:, i:j].T / scale).max())
    assert sense.range == pytest.approx(most * drive.range, rel=1e-6)
    other = bar_of({k: v for k, v in given.items() if v is not None}, adc={"bits": 8})
    other.load(bar.state())
    np.testing.assert_array_equal(other.forward(X), bar.forward(X))


@pytest.mark.parametrize("sign", ["magnitude", "twos_complement"])
def test_work_counts_every_digit(sign):
    bar = bar_of(dac(6, 2, sign), adc={"bits": 6, "range": 2.0})
    bar.forward(X), bar.transposed(S)
    d = 3 + (sign == "twos_complement")
    assert bar.work("forward") == (7 * 3 * d, 5 * 3 * d, 5 * (3 * d - 1))
    assert bar.work("transposed") == (5 * 3 * d, 7 * 3 * d, 7 * (3 * d - 1))
    rows = {done.operation: (number, done.bits) for done, number in bar.performed().rows()}
    assert rows["dac forward"] == (6 * 7 * 3 * d, 2) and rows["adc forward"] == (6 * 5 * 3 * d, 6)
    assert rows["read transposed"][0] == 6 * d * bar.devices.count
    assert rows["addition forward"][0] == 6 * 5 * (3 * d - 1)


def test_sent_in_one_digit_the_noise_is_that_of_whole_codes():
    """Draws of the lowest digit are those of codes sent whole."""
    given, noise = dac(6, None, "magnitude"), {"read_noise": 0.1}
    one = bar_of(given, device=noise).forward(X)
    made = bar_of(given | {"digit_bits": 5, "digit_sign": "twos_complement"}, device=noise)
    positive = np.abs(X)
    other, same = made.forward(positive), bar_of(given, device=noise).forward(positive)
    assert (one != same).any()
    assert np.abs(other - same).max() < 0.2 * np.abs(other).max()
