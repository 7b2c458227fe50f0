"""The shape of an exponential from its slope, and the fields of a pulse that say a fit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hw_models.arrays.population import Population
from hw_models.errors import ChipError
from hw_models.measured import laws
from hw_models.measured.fields import fields_of
from hw_models.measured.population import Estimate
from hw_models.measured.pulse_fields import LEAST, MOST, formula_steps, pulse_of, shape_of, share_of, short, tilt
from hw_models.measured.reader import Reader
from hw_models.measured.response import fit_response
from tests.hw_models.measured.test_fields import found, scaled


def test_a_share_of_an_exponential_is_that_of_its_ratio() -> None:
    """c/gamma = A/(1 - A), so A = ratio/(1 + ratio)."""
    for a in (-27.0, -1.0, 0.0, 0.3, 0.9):
        assert share_of(a / (1 - a)) == pytest.approx(a)
    assert share_of(LEAST) == pytest.approx(-49.0)
    assert share_of(MOST) < 1


def test_straight_steps_leave_an_exponential_open() -> None:
    estimates = found(0.01, 0.01, "exponential").estimates
    assert not estimates["a_up"].told
    assert math.isinf(estimates["a_up"].low)
    assert estimates["step"].value == pytest.approx(0.01, rel=0.05)
    assert estimates["step"].low < 0.01 < estimates["step"].high


@pytest.fixture(scope="module")
def exponential() -> Reader:
    """Steps that are the same everywhere: slope 0."""
    fit = laws.fit(scaled(0.01, 0.008), "exponential", form=("noise",))
    return Reader(fit, np.zeros(len(fit.best.shared)))


def told(value: float, half: float) -> Estimate:
    """Return an estimate with its interval."""
    return Estimate(value, value - half, value + half)


def test_steps_of_a_formula_are_those_at_weight_0_over_what_it_leaves(exponential: Reader) -> None:
    """s (1 - A) is the step: of 0.01 up with A = 1/2 and 0.008 down with A = -1 the factors are 0.02 and 0.004."""
    steps = {"dw_min": told(0.01, 0.001), "up_down": told(0.2, 0.02), "noise_base": told(3.0, 0.1)}
    shares = {"a_up": told(0.5, 0.1), "a_down": told(-1.0, 0.1)}
    made = formula_steps(exponential, {**steps, **shares})
    assert made["step"].value == 0.01
    assert made["dw_min"].value == pytest.approx(0.02)
    assert made["up_down"].value == pytest.approx(1 - 0.004 / 0.02)
    assert made["noise_base"].value == pytest.approx(3.0 * 0.01 / 0.02)
    assert made["dw_min"].low < 0.02 < made["dw_min"].high
    loose = formula_steps(exponential, {**steps, **shares, "a_up": Estimate(0.5, -math.inf, 1.0, told=False)})
    assert not loose["dw_min"].told and not loose["up_down"].told and math.isinf(loose["noise_base"].high)


def test_a_response_without_a_shape_is_constant(exponential: Reader) -> None:
    estimates = {
        "g_min": Estimate(5.0), "g_max": Estimate(15.0), "w_max": Estimate(1.0), "w_min": Estimate(-1.0),
        "dw_min": Estimate(0.012345678), "up_down": Estimate(0.1), "noise": Estimate(1e-5), "a_up": Estimate(0.0),
        "a_down": Estimate(0.0), "gamma_up": Estimate(0.0), "gamma_down": Estimate(0.0),
    }  # fmt: skip
    pulse = pulse_of(exponential, estimates, "write", False, True, 0.003)
    assert (pulse.response, pulse.dw_min, pulse.noise, pulse.up_down) == ("constant", 0.01235, 0.0, 0.1)
    assert pulse.write_noise == pytest.approx(0.003 / 0.012345678, rel=1e-3)
    assert pulse_of(exponential, estimates, "instrument", False, True, 0.003).write_noise == 0
    with pytest.raises(ChipError, match="weight 0 lies outside of the curves"):
        pulse_of(exponential, {**estimates, "w_min": Estimate(0.2)}, "write", False, True, 0.003)


def test_slopes_of_linear_steps_are_by_the_bound() -> None:
    """F = 1 - gamma w/w_max: with w_max = 2 a slope of c is a gamma of 2 c."""
    fit = laws.fit(scaled(0.01, 0.01), "linear", form=("noise",))
    read = Reader(fit, np.zeros(len(fit.best.shared)))
    one, two = (shape_of(read, {"w_max": Estimate(w), "w_min": Estimate(-w)}) for w in (1.0, 2.0))
    for name in ("gamma_up", "gamma_down", "gamma_up_spread"):
        assert two[name].value == pytest.approx(2 * one[name].value)
    pulse = fields_of(fit, np.zeros(len(fit.best.shared)), np.ones(6, dtype=bool), "write", (5.0, 15.0)).pulse
    assert pulse.gamma_up == max(short(one["gamma_up"].value), 0.0)


def test_four_digits() -> None:
    assert [short(x) for x in (0.0123456, -1234.56, -0.0)] == [0.01235, -1235.0, 0.0]
    assert str(short(-0.0)) == "0.0"


def test_an_asymmetry_leaves_the_smaller_step_four_digits() -> None:
    """Cut at 0.99, or rounded like any number, it made steps of the smaller kind up to ten times as large."""
    for left in (0.5, 0.054321, 0.0012347):
        for sign in (1, -1):
            assert 1 - abs(tilt(sign * (1 - left))) == pytest.approx(left, rel=5e-4)
    assert tilt(0.123456) == 0.1235
    assert abs(tilt(1.0)) < 1


def test_devices_that_a_chip_draws_differ_as_those_that_were_measured() -> None:
    """Steps of 1 + 9 exp(1.5 w) down have a tenth of the factor s: their spread was taken for one of all of s."""
    random = np.random.default_rng(6)
    way = 3 * ([1] * 60 + [-1] * 60)
    rows = []
    for _ in range(20):
        up, down = 0.03 * np.exp(0.1 * random.normal(size=2))
        w, row = -0.6, []
        for sign in (0, *way):
            w += up * (1 - 0.2 * w) if sign > 0 else 0.0
            w -= down * (1 + 9 * math.exp(1.5 * w)) / 10 if sign < 0 else 0.0
            w += 0.002 * random.normal() if sign else 0.0
            row.append(w)
        rows.append(row)
    fit = fit_response(10 + 5 * np.array(rows), way, response="exponential", g_min=5.0, g_max=15.0)
    pulse = fit.pulse
    steps, _ = Population(pulse, (100, 100), (0, "devices"), np.dtype(np.float64)).drawn()
    for drawn, own, a in ((steps.up, 0, pulse.a_up), (steps.down, 1, pulse.a_down)):
        made = (drawn * (1 - a)).ravel()
        measured = fit.fitted.best.own[:, own]
        assert made.mean() == pytest.approx(measured.mean(), rel=0.05)
        assert made.std() / made.mean() < 3 * measured.std(ddof=1) / measured.mean()
