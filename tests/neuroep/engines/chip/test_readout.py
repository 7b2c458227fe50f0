"""Read-out of the phases: states or their difference, digitised."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.calibration import calibrating
from hw_models.chip import Chip, Readout
from hw_models.errors import ChipError
from neuroep.engines.chip.readout import SynapseReadout
from neuroep.learning.contrast import Contrast, Held, Moved

BASE = np.random.default_rng(0).random((40, 30))
MOVED = Moved(BASE + 1e-4, BASE - 1e-4 * np.random.default_rng(1).random(BASE.shape))


def periphery(ends=MOVED, **settings) -> SynapseReadout:
    made = SynapseReadout(Readout(**settings), 0, "dense_1", "post")
    for digitiser in made.digitisers.values():
        digitiser.observe()
    seen = made.measure(ends)
    _ = seen.mean, seen.change
    for digitiser in made.digitisers.values():
        if digitiser.sampled or not digitiser.converter.calibrates:
            digitiser.freeze()
    return made


def test_states_are_digitised_phase_by_phase():
    seen = periphery(bits=8).measure(MOVED)
    step = np.abs(MOVED.plus).max() / 127
    for found, exact in ((seen.plus, MOVED.plus), (seen.minus, MOVED.minus)):
        np.testing.assert_allclose(found, np.rint(exact / step) * step, atol=1e-12)
    np.testing.assert_array_equal(seen.change, seen.plus - seen.minus)
    np.testing.assert_array_equal(seen.mean, 0.5 * (seen.plus + seen.minus))


def test_a_small_difference_is_lost_in_the_states_and_kept_with_a_range_of_its_own():
    states, difference = (periphery(bits=8, signal=name).measure(MOVED) for name in ("states", "difference"))
    exact = MOVED.change
    assert np.linalg.norm(states.change - exact) > np.linalg.norm(exact)
    assert np.linalg.norm(difference.change - exact) < 0.01 * np.linalg.norm(exact)
    np.testing.assert_allclose(difference.plus - difference.minus, difference.change, atol=1e-12)
    np.testing.assert_allclose(0.5 * (difference.plus + difference.minus), difference.mean, atol=1e-12)


def test_a_clamped_signal_has_no_change_and_is_read_once():
    held = Held(BASE)
    for name in ("states", "difference"):
        seen = periphery(held, bits=8, signal=name).measure(held)
        assert seen.change is None
        assert seen.plus is not None
        np.testing.assert_array_equal(seen.plus, seen.minus)
        np.testing.assert_array_equal(seen.plus, seen.mean)


def test_noise_has_its_size_and_its_key():
    made = periphery(noise=1e-2)
    full = np.abs(MOVED.plus).max()
    seen = made.measure(MOVED)
    np.testing.assert_array_equal(seen.plus, seen.plus)
    deviation = (seen.plus - MOVED.plus).ravel()
    assert abs(deviation.std() / (1e-2 * full) - 1) < 5 / np.sqrt(2 * deviation.size)
    assert abs(np.corrcoef(deviation, (seen.minus - MOVED.minus).ravel())[0, 1]) < 5 / np.sqrt(deviation.size)
    other = made.measure(MOVED)
    assert not np.array_equal(other.plus, seen.plus)
    made.begin("train", 3)
    first = made.measure(MOVED).plus
    made.begin("train", 3)
    np.testing.assert_array_equal(made.measure(MOVED).plus, first)


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_more_bits_read_the_difference_better(bits):
    coarse, fine = (periphery(bits=b).measure(MOVED).change for b in (bits, bits + 4))
    assert np.linalg.norm(fine - MOVED.change) < np.linalg.norm(coarse - MOVED.change)


ROWS, POST, PRE = 200, 50, 30


def phases(size: int, rows: int = ROWS, amplitude: float = 1e-3, seed: int = 0) -> Moved:
    draw = np.random.default_rng(seed)
    state, delta = draw.uniform(0, 1, (rows, size)), amplitude * draw.standard_normal((rows, size))
    return Moved(state + delta / 2, state - delta / 2)


def calibrated(ends, end: str = "post", seed: int = 0, **settings) -> SynapseReadout:
    made = SynapseReadout(Readout(**settings), seed, "dense_1", end)
    with calibrating(made):
        seen = made.measure(ends)
        _ = seen.mean, seen.change
    return made


def test_noise_of_holders_and_converters_is_in_units_of_the_state():
    """However fine the range of the difference: moments and correlation, 4.5 sigma of 200,000 values."""
    ends = phases(1000)
    n = ends.plus.size
    wide = 4.5 / np.sqrt(2 * n)
    held = calibrated(ends, signal="difference", hold_noise=1e-3).measure(ends)
    change, mean = held.change - ends.change, held.mean - ends.mean
    assert abs(change.std() / (np.sqrt(2) * 1e-3) - 1) < wide
    assert abs(mean.std() / (1e-3 / np.sqrt(2)) - 1) < wide
    assert abs(np.corrcoef(change.ravel(), mean.ravel())[0, 1]) < 4.5 / np.sqrt(n)
    plus, minus = held.plus - ends.plus, held.minus - ends.minus
    for phase in (plus, minus):
        assert abs(phase.std() / 1e-3 - 1) < wide
    assert abs(np.corrcoef(plus.ravel(), minus.ravel())[0, 1]) < 4.5 / np.sqrt(n)
    made = calibrated(ends, signal="difference", noise=1e-3, margin=1.5)
    full, own = made.digitiser.range, made.measure(ends)
    assert full == pytest.approx(1.5 * ends.mean.max(), rel=1e-3) and made.change.range < 0.02
    for error in (own.change - ends.change, own.mean - ends.mean):
        assert abs(error.std() / (1e-3 * full) - 1) < 2 * wide


@pytest.mark.parametrize("amplitude", [1e-3, 1e-5])
@pytest.mark.parametrize("settings", [{"hold_noise": 1e-3}, {"noise": 1e-3}, {"hold_noise": 1e-3, "noise": 5e-4}])
def test_the_gradient_has_the_cosine_of_brute_force(settings, amplitude):
    """The update as the equations have it, over 40 draws: means within 4.5 of their standard errors."""
    post, pre = phases(POST, amplitude=amplitude), phases(PRE, amplitude=amplitude, seed=1)
    exact = Contrast(post, pre, 0.2, ROWS).weight_gradient()
    found, slow = [], []
    draw = np.random.default_rng(5)
    for seed in range(40):
        sides = []
        for ends, end in ((post, "post"), (pre, "pre")):
            sides.append(calibrated(ends, end, seed, bits=12, signal="difference", **settings).measure(ends))
        found.append(cosine(Contrast(*sides, 0.2, ROWS).weight_gradient(), exact))
        slow.append(cosine(brute_force(post, pre, draw, **settings), exact))
    error = np.sqrt(np.var(found, ddof=1) / 40 + np.var(slow, ddof=1) / 40)
    assert abs(np.mean(found) - np.mean(slow)) < 4.5 * error + 2e-3
    assert np.mean(found) < (0.7 if amplitude == 1e-3 else 0.1)


def brute_force(post, pre, draw, hold_noise=0.0, noise=0.0):
    """Hold, subtract, convert with noise of the states' full scale; quantisation of 12 bits is below all of it."""
    seen = []
    for ends in (post, pre):
        plus = ends.plus + hold_noise * draw.standard_normal(ends.plus.shape)
        minus = ends.minus + hold_noise * draw.standard_normal(ends.plus.shape)
        change = plus - minus + noise * draw.standard_normal(plus.shape)
        seen.append((change, 0.5 * (plus + minus) + noise * draw.standard_normal(plus.shape)))
    (change, mean), (pre_change, pre_mean) = seen
    return -(change.T @ pre_mean + mean.T @ pre_change) / (0.2 * ROWS)


def cosine(a, b):
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("clamped", [False, True])
@pytest.mark.parametrize("signal", ["states", "difference"])
def test_a_value_is_converted_and_counted_once(signal, clamped):
    """Two conversions of a state, one of a clamped input, whatever is asked how often; draws stay the same."""
    post, pre = phases(POST), Held(phases(PRE).plus) if clamped else phases(PRE)
    settings = {"bits": 8, "signal": signal, "noise": 1e-3, "stochastic": True}
    settings |= {"hold_noise": 1e-3} if signal == "difference" else {}
    made = [calibrated(ends, end, **settings) for ends, end in ((post, "post"), (pre, "pre"))]
    before = [one.conversions for one in made]
    contrast = Contrast(made[0].measure(post), made[1].measure(pre), 0.2, ROWS)
    first = contrast.weight_gradient()
    for _ in range(2):
        np.testing.assert_array_equal(contrast.weight_gradient(), first)
        assert contrast.bias_gradient() is not None
        for side in (contrast.post, contrast.pre):
            for name in ("plus", "minus", "mean", "change"):
                np.testing.assert_array_equal(getattr(side, name), getattr(side, name))
    counted = [one.conversions - had for one, had in zip(made, before, strict=True)]
    assert counted == [2 * ROWS * POST, (1 if clamped else 2) * ROWS * PRE]


def test_conversions_at_the_stop_are_counted():
    ends = phases(POST)
    made = calibrated(ends, bits=8, signal="difference")
    assert made.at_stop == 0
    _ = made.measure(Moved(3 * ends.plus, 3 * ends.minus)).change
    assert made.at_stop == np.count_nonzero(np.rint(3 * ends.change / made.change.grid.step) ** 2 > 127**2) > 0


def test_phases_that_do_not_differ_give_no_range():
    still = Moved(BASE, BASE)
    made = calibrated(still, bits=8, signal="difference")
    assert made.digitiser.range == BASE.max()
    with pytest.raises(ChipError, match="difference of the phases: all its calibration samples were 0"):
        _ = made.measure(MOVED).change


def test_faults_of_two_holders_need_two_holders():
    for field, value in (("hold_offset", 0.1), ("hold_gain", 0.1), ("hold_droop", 0.1), ("chopping", "batch")):
        beside = {} if field != "chopping" else {"hold_noise": 0.1}
        with pytest.raises(ChipError, match=rf"{field} = '?{value}'?: it acts only with signal difference"):
            Chip.parse({"readout": {field: value, **beside}})
    assert Readout(signal="difference", hold_noise=0.1).measures
    assert Readout(hold_noise=0.1).measures
