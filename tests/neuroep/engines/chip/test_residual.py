"""Residual learning over arrays of falling scale: noise-free traces, closed loop, warm start, what is counted."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.errors import ChipError
from neuroep.engines.chip.rules.residual import Residual
from tests.naive.residual import run
from tests.neuroep.engines.chip.test_transfer import CERTAIN, SHAPE, contrast, made, signals

START = np.array([[0.31, -0.22, 0.05, 0.4], [-0.13, 0.0, 0.27, -0.33], [0.11, 0.18, -0.4, 0.02]])
COARSE = {"device.pulse.dw_min": 0.2, "crossbar.weight_range": 1.0}
SOFT = {"device.pulse.response": "soft_bounds"}


def residual(**fields) -> Residual:
    """Return the rule with four arrays on coarse devices."""
    rule = made("residual", **COARSE | {"update.transfer.tiles": 4} | fields)
    assert isinstance(rule, Residual)
    return rule


def held(rule: Residual) -> np.ndarray:
    """Return (arrays, out, in) what the arrays hold."""
    return np.array([rule.crossbars[label].stored for label in rule.scales])


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("response", ["constant", "soft_bounds"])
@pytest.mark.parametrize("warm", [None, 20])
def test_noise_free_traces_are_those_of_the_equations(verify, response, warm):
    rate, gamma = 1.617317, 0.47
    fields = CERTAIN | {"device.pulse.response": response, "update.transfer.chop_every": 3}
    own = {"columns": 1, "rate": rate, "gamma": gamma, "verify": verify, "warm": warm}
    rule = residual(**fields, **{f"update.transfer.{name}": value for name, value in own.items()})
    posts, pres = signals()
    wanted = run(posts, pres, response=response, dw=0.2, rate=rate, arrays=4, gamma=gamma, flips=3, verify=verify,
                 warm=warm)  # fmt: skip
    for post, pre, (fast, arrays, gathered) in zip(posts, pres, wanted, strict=True):
        assert rule.update(contrast(post.astype(float), pre.astype(float)), 1e6) == 0
        np.testing.assert_allclose(rule.fast.stored, fast, atol=1e-6)
        np.testing.assert_allclose(held(rule), arrays, atol=1e-6)
        np.testing.assert_allclose(rule.kept["gathered"], gathered, atol=1e-6)
    assert np.abs(held(rule)).max(axis=(1, 2)).min() >= 0.2


def test_products_read_the_sum_of_all_arrays_but_not_the_fast_one():
    rule = residual(weight=START)
    for label, value in zip(rule.scales, (0.4, -0.2, 0.6, 0.1), strict=True):
        rule.crossbars[label].stored[:] = value
        rule.crossbars[label].refresh()
    rule.fast.stored[:] = 1.0
    rule.fast.refresh()
    np.testing.assert_allclose(rule.weights(), 0.4 - 0.1 + 0.15 + 0.0125, rtol=1e-6)
    np.testing.assert_allclose(rule.forward(np.eye(4)).T, rule.weights(), rtol=1e-6)
    np.testing.assert_allclose(rule.transposed(np.eye(3)), rule.weights(), rtol=1e-6)


@pytest.mark.parametrize("arrays", [2, 3, 5])
def test_each_array_starts_with_what_those_before_it_missed(arrays):
    """Write noise of sigma on the last array is all that is left: gamma^(n - 1) sigma, to 10 %."""
    start = np.random.default_rng(0).uniform(-0.5, 0.5, (40, 50))
    noise = {"device.pulse.write_noise": 0.5, "update.transfer.tiles": arrays, "update.transfer.gamma": 0.4}
    error = residual(weight=start, **noise).weights() - start
    assert error.std() == pytest.approx(0.4 ** (arrays - 1) * 0.1, rel=0.1)


def test_a_read_lets_finer_arrays_take_up_what_coarse_ones_miss():
    """A wanted change on noisy devices, some of which are stuck, is made to 0.05, without reads not to 0.1."""
    noise = {"device.pulse.noise": 0.5, "device.pulse.corrupt": 0.1, "device.pulse.corrupt_range": 0.01}
    errors = {}
    for verify in (True, False):
        fields = {"update.transfer.verify": verify, "update.transfer.tiles": 6, "device.pulse.dw_min": 0.4}
        rule = residual(weight=np.zeros((40, 50)), **noise | SOFT | fields)
        wanted = np.random.default_rng(1).uniform(-0.4, 0.4, (40, 50))
        for _ in range(10):
            assert rule._move(np.arange(50), wanted / 4.0, np.ones(50)) == 0
        errors[verify] = np.abs(rule.weights() - wanted).mean()
    assert errors[True] < 0.05 < 0.1 < errors[False]


def test_reads_pulses_and_moves_are_counted_and_take_their_time():
    """Four columns of A, one column of two arrays before and after the pulses."""
    times = {"timing.integration": 1e-6, "timing.pulse": 1e-7}
    rule = residual(**times, **{"update.transfer.most": 1})
    before = rule.performed()
    assert before.number("product forward", part="a") == 4
    rule.kept["gathered"][:, 2] = 0.75
    rule.update(contrast(np.zeros(3), np.zeros(4)), 0.0)
    made = rule.performed()
    reads = [made.number("product forward", part=bar.name) - before.number("product forward", part=bar.name)
             for bar in rule.crossbars.values()]  # fmt: skip
    assert dict(zip(rule.crossbars, reads, strict=True)) == {
        "crossbar": 0, "fast": 4, "array_1": 2, "array_2": 2, "array_3": 0,
    }  # fmt: skip
    assert made.total("pulse") - before.total("pulse") == 6
    assert made.total("transfer") - before.total("transfer") == 4
    assert rule.seconds == pytest.approx((4 + 4) * 1e-6 + 2 * 1e-7)


def test_converters_read_columns_with_a_range_of_their_own():
    """Those of products stop at what they saw; a column of weight 0.5 does not."""
    bits = {"adc.bits": 8, "adc.range": 0.05, "dac.bits": 8, "dac.range": 0.1}
    start = np.full(SHAPE, 0.5)
    rule = residual(weight=start, **bits)
    np.testing.assert_allclose(rule._read("crossbar", np.arange(4)), 0.5, atol=1 / 127)
    assert rule.crossbar.counters["adc_forward_at_stop"] == 0
    rule.forward(np.ones((1, 4)))
    assert rule.crossbar.counters["adc_forward_at_stop"] == 3


def test_the_range_grows_with_the_weights_and_keeps_them():
    rule = residual(weight=START, **{"crossbar.weight_range": None, "update.fill": 0.5})
    full = rule.crossbar.weight_range
    rule.kept["gathered"][:] = 0.6
    grown = 1.5 * full * np.sign(START)
    for label in rule.scales:
        rule.crossbars[label].stored[:] = grown / full * 0.5
        rule.crossbars[label].refresh()
    before = rule.weights()
    assert rule._widen() == 0
    assert rule.crossbar.weight_range == 2 * full
    np.testing.assert_allclose(rule.weights(), before, atol=1e-6)
    np.testing.assert_allclose(rule.kept["gathered"], 0.3)


def test_the_range_does_not_follow_devices_that_are_stuck():
    """Of three in ten some lie farther out than finer arrays take back."""
    stuck = {"device.pulse.corrupt": 0.3, "update.transfer.tiles": 2, "crossbar.weight_range": None}
    rule = residual(weight=np.random.default_rng(0).uniform(-0.3, 0.3, (40, 50)), **stuck)
    full = rule.crossbar.weight_range
    assert np.mean(np.abs(rule.weights()) > 0.3 * 1.05) > 0.02
    assert rule._widen() == 0
    assert rule.crossbar.weight_range == full


def test_what_is_gathered_stays_within_a_pulse_of_the_coarsest_array():
    rule = residual(**{"device.pulse.unresponsive": 1.0})
    assert rule._move(np.arange(4), np.full(SHAPE, 100.0), np.ones(4)) == 0
    np.testing.assert_array_equal(rule.kept["gathered"], 1.0)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 1.5])
def test_scales_that_do_not_fall_are_refused(gamma):
    with pytest.raises(ChipError, match="gamma"):
        residual(**{"update.transfer.gamma": gamma})
