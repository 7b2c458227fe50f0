"""Each response is found again in curves that were drawn by its own formula, and the noise by its own form."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from hw_models.measured import curves, laws
from hw_models.measured.arrays import curves_of
from hw_models.measured.fields import fields_of

WAY = 3 * ([1] * 60 + [-1] * 60)
Law = Callable[[float], tuple[float, float]]
FORMULAS: dict[str, Law] = {
    "constant": lambda w: (1.0, 1.0),
    "linear": lambda w: (1 - 0.4 * w, 1 + 0.6 * w),
    "soft_bounds": lambda w: (1 - w / 1.1, 1 + w / 1.2),
    "exponential": lambda w: (1 - 0.3 * math.exp(1.2 * w), 1 - 0.2 * math.exp(-1.5 * w)),
    "power": lambda w: (max((1 - w) / 2, 0) ** 1.5, max((1 + w) / 2, 0) ** 0.7),
}


def drawn(response: str, *, noise: float = 0.2, base: float = 0.0, read: float = 0.0, seed: int = 1) -> curves.Curves:
    """Draw four devices of steps of 0.04, from 5 to 15 uS."""
    random = np.random.default_rng(seed)
    rows = []
    for gain in (0.9, 1.0, 1.05, 1.1):
        w, row = -0.9, []
        for sign in (0, *WAY):
            up, down = FORMULAS[response](w)
            step = gain * 0.04 * (up if sign > 0 else down)
            stray = (noise * step + base * gain * 0.04) * random.normal()
            w = min(max(w + sign * (step + stray), -1), 1)
            row.append(w + read * random.normal())
        rows.append(row)
    return curves_of(10 + 5 * np.array(rows), WAY)


def scaled(found: curves.Curves) -> laws.Scaled:
    """Return weights of 5 to 15 uS."""
    return laws.scaled(found, (5.0, 15.0), curves.reached(found))


def test_weights_are_shares_of_the_range() -> None:
    found = drawn("linear")
    data = scaled(found)
    assert data.readings == pytest.approx((found.conductance - 10) / 5)
    assert data.edges == (-1.0, 1.0)
    assert (data.low <= np.nanmin(data.readings, axis=1) + 0.1).all()
    assert data.grain > 0
    alone = curves_of(found.conductance[:, :61], WAY[:60])
    assert laws.scaled(alone, (5.0, 15.0), (False, False)).edges == (0.0, 1.0)


@pytest.mark.parametrize(
    ("response", "truth"),
    [
        ("linear", {"up": 0.4, "down": 0.6}),
        ("soft_bounds", {"up": 1 / 1.1, "down": 1 / 1.2}),
        # c = gamma A/(1 - A)
        ("exponential", {"slope_up": 1.2 * 0.3 / 0.7, "slope_down": 1.5 * 0.2 / 0.8}),
    ],
)
def test_slopes_are_found(response: str, truth: dict[str, float]) -> None:
    found = laws.fit(scaled(drawn(response)), response, form=("noise",))
    for name, value in truth.items():
        assert found.value(name) == pytest.approx(value, abs=0.12), name
    assert found.value("noise") == pytest.approx(0.2, rel=0.1)
    assert found.value("base") == 0
    expected = 0.04 * np.array(FORMULAS[response](0.0))
    assert found.best.own.mean(axis=0)[:2] == pytest.approx(1.0125 * expected, rel=0.06)


def test_exponents_of_a_power_are_found() -> None:
    found = laws.fit(scaled(drawn("power")), "power", form=("noise",))
    assert found.value("gamma_up") == pytest.approx(1.5, abs=0.45)
    assert found.value("gamma_down") == pytest.approx(0.7, abs=0.3)


@pytest.mark.parametrize(
    ("noise", "base", "form"),
    [
        (0.3, 0.0, ("noise",)),
        (0.0, 0.3, ("base",)),
    ],
)
def test_the_form_of_the_noise_is_told(noise: float, base: float, form: tuple[str, ...]) -> None:
    found = laws.fit(scaled(drawn("linear", noise=noise, base=base)), "linear")
    assert found.form == form
    assert found.value(form[0]) == pytest.approx(0.3, rel=0.1)


def test_noise_of_readings_is_told_from_that_of_pulses() -> None:
    found = laws.fit(scaled(drawn("linear", noise=0.3, read=0.02)), "linear", form=("noise",))
    assert np.sqrt(found.value("read")) == pytest.approx(0.02, rel=0.1)
    assert found.value("noise") == pytest.approx(0.3, rel=0.2)


def test_a_fit_goes_on_from_another() -> None:
    data = scaled(drawn("linear"))
    whole = laws.fit(data, "linear", form=("noise",))
    weight = data.cycle % 2 == 0
    half = laws.fit(data, "linear", weight, whole)
    assert half.form == whole.form
    assert half.best.mask.sum() < whole.best.mask.sum()
    assert (half.best.mask <= weight).all()
    assert half.loss_on(whole.best.mask) >= whole.best.loss - 1e-6


@pytest.mark.parametrize("response", ["constant", "linear", "exponential"])
def test_fields_are_those_of_a_chip(response: str) -> None:
    """Steps of the pulse that is written are those of the fit at every weight."""
    found = laws.fit(scaled(drawn(response)), response, form=("noise",))
    bias = np.zeros(len(found.best.shared))
    pulse = fields_of(found, bias, np.ones(4, dtype=bool), "write", (5.0, 15.0)).pulse
    assert pulse.response == response
    up = pulse.dw_min * (1 + min(pulse.up_down, 0))
    for w in (-0.6, 0.0, 0.5):
        factor = 1.0
        if response == "linear":
            factor = 1 - pulse.gamma_up * w / pulse.w_max
        if response == "exponential":
            z = 2 * w / (pulse.w_max - pulse.w_min)
            factor = 1 - pulse.a_up * math.exp(pulse.gamma_up * z)
        truth = 0.04 * 1.0125 * FORMULAS[response](w)[0]
        assert up * factor == pytest.approx(truth, rel=0.08)


def test_noise_near_a_soft_bound_is_seen_however_small_the_steps_there() -> None:
    """Steps shrink by powers of ten: the least variance of a reading stood in place of the noise of a third of them."""
    draw = np.random.default_rng(4)
    rows = []
    for _ in range(5):
        w, row = -1.0, []
        for sign in (0, *(3 * ([1] * 100 + [-1] * 100))):
            step = 0.1 * (1 - w if sign > 0 else 1 + w)
            w = min(max(w + sign * step * (1 + 0.9 * draw.normal()), -1), 1)
            row.append(w)
        rows.append(row)
    found = curves_of(10 + 5 * np.array(rows), 3 * ([1] * 100 + [-1] * 100))
    data = laws.scaled(found, (5.0, 15.0), (True, True))
    steps = np.abs(np.diff(data.readings, axis=1))
    assert data.grain < 1e-2 * np.percentile(steps, 3) ** 2
    fit = laws.fit(data, "soft_bounds", form=("noise",))
    v, s, _ = fit.best.problem.innovations(fit.best.own, fit.best.shared)
    near = fit.best.mask & (np.sqrt(s) < np.percentile(np.sqrt(s[fit.best.mask]), 10))
    assert float((v**2 / s)[near].mean()) == pytest.approx(1, abs=4 * np.sqrt(2 / near.sum()))
    assert fit.value("noise") == pytest.approx(0.9, rel=4 / np.sqrt(2 * 3000))


def test_an_exponential_stays_within_what_the_formula_of_a_chip_says() -> None:
    """No s above 0 gives steps of 1.5 exp(0.9 w) - 0.5: the fit said them, and what was written had another slope."""
    random = np.random.default_rng(5)
    rows = []
    for gain in (0.9, 1.0, 1.05, 1.1):
        w, row = -0.9, []
        for sign in (0, *WAY):
            step = gain * 0.03 * (1 if sign > 0 else 1.5 * math.exp(0.9 * w) - 0.5)
            w += sign * step * (1 + 0.1 * random.normal())
            row.append(w)
        rows.append(row)
    found = curves_of(10 + 5 * np.array(rows), WAY)
    free = laws.scaled(found, (5.0, 15.0), (False, False))
    fit = laws.fit(free, "exponential", form=("noise",))
    assert dict(fit.tied)["down"] == laws.LEAST
    half = laws.fit(free, "exponential", free.cycle % 2 == 0, fit)
    assert half.tied == fit.tied
    made = fields_of(fit, np.zeros(len(fit.best.shared)), np.ones(4, dtype=bool), "write", (5.0, 15.0))
    pulse, rate = made.pulse, made.estimates["gamma_down"]
    assert rate.low < rate.value < rate.high
    assert pulse.gamma_down == pytest.approx(rate.value, rel=1e-3)
    devices, _ = fit.best.problem.placed(fit.best.own, fit.best.shared)
    s0, c, gamma = devices[:, 1].mean(), devices[0, 9], devices[0, 11]
    for w in (-0.6, 0.0, 0.5):
        z = 2 * w / (pulse.w_max - pulse.w_min)
        chip = pulse.dw_min * (1 - max(pulse.up_down, 0)) * (1 - pulse.a_down * math.exp(pulse.gamma_down * z))
        read = s0 * (1 - c * (math.exp(gamma * z) - 1) / gamma)
        assert chip == pytest.approx(read, rel=0.03)
