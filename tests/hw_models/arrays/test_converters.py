"""Converters against independent simulators, their own grid, and calibration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hw_models.arrays import calibration
from hw_models.arrays.converter_bank import Converters
from hw_models.arrays.converters import OPEN, Digitiser, grid
from hw_models.chip import ADC, DAC, Chip, Converter
from hw_models.errors import ChipError
from hw_models.kernels import noise as noise_kernels
from hw_models.kernels.random import key
from tests.naive import crossbar as naive

OWN = key(0, "converter")
FIXED = ADC(bits=4, range=3.0)


def convert(x, levels):
    x = np.ascontiguousarray(np.atleast_2d(x))
    out = np.empty_like(x)
    noise_kernels.convert(x, out, *levels)
    return out


AIHWKIT = ["torch_b2_bound1", "torch_b4_bound12", "torch_b8_bound1", "torch_b8_bound12", "cpp_adc_b8_bound12"]


@pytest.mark.parametrize("name", AIHWKIT)
def test_aihwkit_converts_to_the_same_bits(oracle, name):
    meta, arrays = oracle("quantizers")
    case = next(c for c in meta["cases"] if c["key"] == f"aihwkit_{name}")
    x, y = arrays[f"aihwkit_{name}_x"], arrays[f"aihwkit_{name}_y"]
    bits = round(np.log2(1 / case["res"] + 2))
    np.testing.assert_array_equal(convert(x, grid(bits, case["bound"], False)).reshape(y.shape), y)


def test_crosssim_sign_magnitude_is_the_same_rule_up_to_ties(oracle):
    """The data has two ties, +-63.5 steps: ours goes to the even 64, theirs to 63."""
    meta, arrays = oracle("quantizers")
    name = "crosssim_SignMagnitudeADC_b8_-12_12"
    x, y = arrays[f"{name}_x"], arrays[f"{name}_y"]
    levels = grid(8, 12.0, False)
    ours = convert(x, levels).reshape(y.shape)
    tie = np.abs(x / levels.step % 1 - 0.5) < 1e-9
    np.testing.assert_allclose(ours[~tie], y[~tie], rtol=0, atol=1e-12)
    assert (np.abs(ours - y)[tie] < levels.step * (1 + 1e-9)).all()
    assert (np.abs(ours - y) > 1e-9).sum() <= 2
    assert next(c for c in meta["cases"] if c["key"] == name)["bits"] == 8


@pytest.mark.parametrize("name", ["crosssim_QuantizerADC_b4_0_3", "crosssim_QuantizerDAC_b4_u"])
def test_crosssim_quantisers_from_zero_are_the_unsigned_rule(oracle, name):
    """2^bits levels over [0, range], round half to even, ties among the cases."""
    meta, arrays = oracle("quantizers")
    case = next(c for c in meta["cases"] if c["key"] == name)
    x, y = arrays[f"{name}_x"], arrays[f"{name}_y"]
    full = case.get("range", case.get("limits"))[1]
    np.testing.assert_allclose(convert(x, grid(case["bits"], full, True)).reshape(y.shape), y, rtol=0, atol=1e-15)


def test_stochastic_rounding_has_the_mean_and_spread_of_aihwkit(oracle):
    meta, arrays = oracle("stochastic_rounding")
    x, draws, step = arrays["x"], meta["draws"], 2 / 14
    digitiser = Digitiser(Converter(bits=4, range=1.0, stochastic=True), "test")
    assert digitiser.grid.step == pytest.approx(step)
    found = digitiser(np.repeat(x[None], draws, axis=0), OWN, 0).astype(np.float64)
    share = np.clip(x, -1, 1).astype(np.float64) / step % 1
    sigma = step * np.sqrt(share * (1 - share))
    error = np.sqrt(2) * sigma / draws**0.5
    assert (np.abs(found.mean(0) - arrays["mean"]) <= 5 * error + 1e-6).all()
    assert (np.abs(found.mean(0) - np.clip(x, -1, 1)) <= 5 * error + 1e-6).all()
    assert np.abs(found.std(0) - sigma).max() < 0.03 * step
    assert np.abs(found.std(0) - arrays["std"]).max() < 0.03 * step


@given(bits=st.integers(2, 12), full=st.floats(1e-3, 1e3), unsigned=st.booleans(), x=st.floats(-2e3, 2e3))
def test_grid(bits, full, unsigned, x):
    """Zero and full scale are levels, values are fixed points, the error is half a step inside the range."""
    levels = grid(bits, full, unsigned)
    low = 0.0 if unsigned else -full
    assert round((full - low) / levels.step) == (2**bits - 1 if unsigned else 2**bits - 2)
    y = convert(np.array([[x, 0.0, full]]), levels)
    assert y[0, 1] == 0 and y[0, 2] == pytest.approx(full)
    assert low - 1e-12 <= y[0, 0] <= full
    assert abs(y[0, 0] - min(max(x, low), full)) <= levels.step / 2 * (1 + 1e-9)
    np.testing.assert_allclose(convert(y, levels), y, rtol=1e-12)


@pytest.mark.kernels
@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("bits", [2, 5, None])
def test_quantiser_is_the_slow_one(bits, unsigned):
    if bits is None and unsigned:
        converter = Converter(range=1.5, sign="unsigned")
    else:
        converter = Converter(bits=bits, range=1.5, sign="unsigned" if unsigned else "signed")
    x = np.random.default_rng(0).normal(size=(3, 7))
    exact = [[naive.quantise(v, bits, 1.5, unsigned) for v in row] for row in x.tolist()]
    np.testing.assert_allclose(Digitiser(converter, "test")(x, OWN, 0), exact, rtol=0, atol=1e-12)


def test_nothing_acts_nothing_changes():
    digitiser, x = Digitiser(Converter(), "test"), np.ones((2, 3))
    assert digitiser(x, OWN, 0) is x and digitiser.grid == OPEN and not digitiser.acts and digitiser.noise == 0


@pytest.mark.parametrize("stochastic", [False, True])
def test_noise_is_drawn_ahead_of_the_digitiser(stochastic):
    converter = Converter(bits=6, range=2.0, noise=0.1, stochastic=stochastic)
    digitiser, x = Digitiser(converter, "test"), np.full((400, 500), 0.3, dtype=np.float32)
    y = digitiser(x, OWN, 1).astype(np.float64)
    assert digitiser.noise == pytest.approx(0.2)
    step = digitiser.grid.step
    spread = 0.2**2 + step**2 * (0.25 - 1 / 12 if stochastic else 1 / 12)
    assert y.mean() == pytest.approx(0.3, abs=5 * 0.2 / y.size**0.5)
    assert y.var() == pytest.approx(spread, rel=0.02)
    np.testing.assert_allclose(np.rint(y / step), y / step, atol=1e-4)
    np.testing.assert_array_equal(x, np.float32(0.3))
    np.testing.assert_array_equal(digitiser(x[:9], OWN, 1, first_row=4), y[4:13].astype(np.float32))
    assert (digitiser(x, OWN, 2) != y).any()


def test_a_calibrated_range_is_a_percentile_with_margin():
    digitiser = Digitiser(Converter(bits=8, percentile=90, margin=1.5), "test")
    digitiser.observe()
    values = np.random.default_rng(0).normal(size=(5, 1000))
    for part in values:
        digitiser.sample(part[None])
    x = np.ones((1, 3))
    assert digitiser(x, OWN, 0) is x and digitiser.observing
    digitiser.freeze()
    assert digitiser.range == pytest.approx(1.5 * np.percentile(np.abs(values), 90), rel=1e-6)
    assert digitiser.grid == grid(8, digitiser.range, False)
    before = digitiser.range
    digitiser.sample(100 * x)
    digitiser(100 * x, OWN, 0)
    assert digitiser.range == before


def test_all_of_the_samples_is_their_largest_exactly():
    digitiser = Digitiser(Converter(bits=8), "test")
    digitiser.observe()
    for value in (0.1, -2.0 - 1e-9, 0.5):
        digitiser.sample(np.array([[0.0, value]]))
    digitiser.freeze()
    assert digitiser.range == 2.0 + 1e-9


@pytest.mark.parametrize(("values", "unsigned"), [([0.0, 1.0], True), ([-1e-6, 1.0], False)])
def test_auto_is_unsigned_where_nothing_was_negative(values, unsigned):
    digitiser = Digitiser(Converter(bits=8, sign="auto"), "test")
    digitiser.observe()
    digitiser.sample(np.array([values]))
    digitiser.freeze()
    assert digitiser.unsigned is unsigned and digitiser.grid == grid(8, 1.0, unsigned)


def test_few_of_many_samples_are_kept(monkeypatch):
    """At random, whatever the calls' sizes."""
    monkeypatch.setattr(calibration, "MOST", 1000)
    values, found = np.random.default_rng(0).normal(size=7000), []
    for sizes in ((7000,), (1, 2, 999, 3, 2995, 3000)):
        digitiser = Digitiser(Converter(bits=8, percentile=50.0), "test")
        digitiser.observe()
        for part in np.split(values, np.cumsum(sizes)[:-1]):
            digitiser.sample(part[None])
        assert 250 <= sum(kept.size for kept in digitiser.samples.kept) <= 1000
        digitiser.freeze()
        found.append(digitiser.range)
    assert found == pytest.approx([np.median(np.abs(values))] * 2, rel=0.15)


def calibrated(values, **settings) -> Digitiser:
    digitiser = Digitiser(Converter(**{"bits": 8, **settings}), "test")
    digitiser.observe()
    for part in values:
        digitiser.sample(part[None])
    digitiser.freeze()
    return digitiser


@pytest.mark.parametrize("columns", [2, 3, 4, 5, 64, 1000])
def test_thinning_does_not_see_columns(columns, monkeypatch):
    """Every column but the first swings ten times as far; 60,000 values of 300,000 are kept: 4.5 sigma."""
    monkeypatch.setattr(calibration, "MOST", 2**16)
    values = np.random.default_rng(1).normal(size=(300_000 // columns, columns)).astype(np.float32)
    values[:, 1:] *= 10
    for share in (50.0, 90.0, 99.0):
        digitiser = calibrated([values], percentile=share)
        p, kept = share / 100, 2**15
        assert abs((np.abs(values) <= digitiser.range).mean() - p) < 4.5 * np.sqrt(p * (1 - p) / kept)


def test_every_value_has_the_same_chance_to_be_kept(monkeypatch):
    """Over 400 names the counts of 4,096 places are sums of binomials, and neighbours are independent: 4.5 sigma."""
    monkeypatch.setattr(calibration, "MOST", 1000)
    values, kept, pairs, shares = np.arange(1.0, 4097), np.zeros(4096), 0, []
    for name in range(400):
        digitiser = Digitiser(Converter(bits=8, percentile=50.0), str(name))
        digitiser.observe()
        digitiser.sample(values[None])
        chosen = np.zeros(4096, dtype=bool)
        chosen[np.concatenate(digitiser.samples.kept).astype(int) - 1] = True
        kept += chosen
        pairs += np.count_nonzero(chosen[1:] & chosen[:-1])
        shares.append(chosen.mean())
    p = np.array(shares)
    chi = np.square(kept - p.sum()).sum() / (p * (1 - p)).sum()
    assert abs(chi - 4095) < 4.5 * np.sqrt(2 * 4095)
    assert abs(pairs - 4095 * (p * p).sum()) < 4.5 * np.sqrt(4095 * (p * p).sum())


def test_which_values_are_kept_does_not_depend_on_how_they_come(monkeypatch):
    monkeypatch.setattr(calibration, "MOST", 1000)
    values, found = np.random.default_rng(0).normal(size=7000), []
    for sizes in ((7000,), (1, 2, 999, 3, 2995, 3000), [7] * 1000):
        parts = np.split(values, np.cumsum(sizes)[:-1])
        found.append(calibrated(parts, percentile=70.0).range)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("share", [50.0, 99.0, 99.9])
@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.9899, 0.9901, 0.9999])
def test_zeros_say_nothing_about_the_range(zeros, share):
    """However many there are: a percentile of all values would be 0, or next to nothing just before that."""
    draw = np.random.default_rng(2)
    values = draw.normal(size=200_000)
    values[draw.permutation(values.size)[: int(zeros * values.size)]] = 0
    exact = np.percentile(np.abs(values[values != 0]), share)
    assert calibrated([values], percentile=share).range == pytest.approx(exact, rel=1e-6)


def test_only_zeros_give_a_range_of_one():
    digitiser = Digitiser(Converter(bits=8), "test")
    digitiser.observe()
    digitiser.sample(np.zeros((2, 2)))
    digitiser.freeze()
    assert digitiser.range == 1.0


def test_only_zeros_may_give_no_range():
    digitiser = Digitiser(Converter(bits=8, sign="auto"), "read-out")
    digitiser.blank = None
    digitiser.observe()
    digitiser.sample(np.zeros((2, 2)))
    digitiser.freeze()
    assert not digitiser.unsigned
    with pytest.raises(ChipError, match="read-out: all its calibration samples were 0"):
        digitiser(np.ones((1, 1)), OWN, 0)


@pytest.mark.parametrize("bad", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0], [-1e31, 1.0]])
def test_a_second_calibration_that_says_nothing_keeps_the_range_and_the_sign(bad):
    digitiser = calibrated([np.array([-1.0, 0.7])], sign="auto")
    digitiser.observe()
    digitiser.sample(np.array([bad]))
    digitiser.sample(np.array([[9.0]])) if any(bad) else None
    digitiser.freeze()
    assert (digitiser.range, digitiser.unsigned, digitiser.observing) == (1.0, False, False)
    digitiser.observe()
    digitiser.sample(np.array([[4.0]]))
    digitiser.freeze()
    assert (digitiser.range, digitiser.unsigned) == (4.0, True)


@pytest.mark.parametrize("fault", [ChipError, KeyboardInterrupt])
def test_a_calibration_that_breaks_off_leaves_nothing_observing(fault):
    held = Converters(Chip(dac=DAC(bits=4), adc=ADC(bits=4)))
    lone = calibrated([np.array([2.0])])
    with pytest.raises(fault), calibration.calibrating(held, lone):
        held.of("forward")[0].sample(np.ones((1, 1)))
        lone.sample(np.full((1, 1), 5.0))
        raise fault
    assert not any(digitiser.observing for digitiser in (*held.digitisers.values(), lone))
    assert lone.range == 2.0
    with pytest.raises(ChipError, match="neither set nor calibrated"):
        held.of("forward")[0](np.ones((1, 1)), OWN, 0)
    with pytest.raises(ChipError, match="no calibration samples"), calibration.calibrating(lone, held):
        held.of("forward")[0].sample(np.ones((1, 1)))
    assert held.of("forward")[0].range is None and not held.of("forward")[0].observing
    with calibration.calibrating(held):
        held.of("forward")[0].sample(np.ones((1, 1)))
    assert held.of("forward")[0].range == 1.0 and not held.of("forward")[0].observing


def test_noise_may_be_a_share_of_another_full_scale():
    state = calibrated([np.array([2.0])])
    change = Digitiser(Converter(range=1e-2, noise=1e-3), "test", noise_of=state)
    assert change.noise == pytest.approx(2e-3)
    values = change(np.zeros((400, 500)), OWN, 1)
    assert abs(values.std() / 2e-3 - 1) < 5 / np.sqrt(2 * values.size)
    converted, stops = change.converted(np.full((2, 3), 0.5), OWN, 1)
    assert stops == 6 and (converted == 1e-2).all()


def test_failures_say_what_to_do():
    digitiser = Digitiser(Converter(bits=8), "hidden forward adc")
    with pytest.raises(ChipError, match="hidden forward adc: its range is neither set nor calibrated"):
        digitiser(np.ones((1, 1)), OWN, 0)
    digitiser.observe()
    with pytest.raises(ChipError, match="not finite"):
        digitiser.sample(np.array([[1.0, np.nan]]))
    assert not digitiser.observing
    for full in (np.inf, 0.0, -1.0):
        with pytest.raises(ChipError, match="hidden forward adc: the range is"):
            digitiser.load(np.array([full, 0.0]))
    with pytest.raises(ChipError, match="no calibration samples"):
        digitiser.freeze()


def test_a_fixed_range_ignores_samples():
    digitiser = Digitiser(FIXED, "test")
    digitiser.observe()
    digitiser.sample(np.full((1, 1), 50.0))
    digitiser.freeze()
    assert digitiser.range == 3.0 and not digitiser.sampled and digitiser.acts


def test_state_round_trip():
    one, other = (Digitiser(Converter(bits=8, sign="auto"), "test") for _ in range(2))
    other.load(one.state())
    assert other.range is None
    one.observe()
    one.sample(np.array([[0.1, 0.7]]))
    one.freeze()
    other.load(one.state())
    assert other.range == one.range and other.unsigned and other.grid == one.grid


def test_an_adc_counts_its_range_in_full_scales_of_its_dac():
    held = Converters(Chip(dac=DAC(bits=8), adc=FIXED))
    dac, adc = held.of("forward")
    assert adc.range == 3.0
    held.observe()
    dac.sample(np.array([[0.5]]))
    held.freeze()
    assert (dac.range, adc.range) == (0.5, 1.5) and adc.grid == grid(4, 1.5, False)
    assert held.of("transposed")[0].range is None and held.of("transposed")[1].range == 3.0
