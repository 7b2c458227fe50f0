"""Fields of a pulse from a fit: asymmetry, the shape of an exponential, and what stands for a noise that is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hw_models.measured import curves, laws
from hw_models.measured.arrays import curves_of
from hw_models.measured.fields import LEAST, MOST, Found, Reader, _share, fields_of

WAY = 3 * ([1] * 50 + [-1] * 50)


def found(up: float, down: float, response: str = "constant", seed: int = 2, read: float = 0.0) -> Found:
    """Fit six devices whose steps differ by 10 %, from 5 to 15 uS."""
    data = scaled(up, down, seed, read)
    fit = laws.fit(data, response, form=("noise",))
    return fields_of(fit, np.zeros(len(fit.best.shared)), np.ones(6, dtype=bool), "write", (5.0, 15.0))


def scaled(up: float, down: float, seed: int = 2, read: float = 0.0) -> laws.Scaled:
    """Draw and scale the curves."""
    random = np.random.default_rng(seed)
    rows = []
    for gain in (0.85, 0.92, 1.0, 1.0, 1.08, 1.15):
        w, row = -0.5, []
        for sign in (0, *WAY):
            step = gain * (up if sign > 0 else down)
            w += sign * step * (1 + 0.2 * random.normal())
            row.append(w + read * random.normal())
        rows.append(row)
    return laws.scaled(curves_of(10 + 5 * np.array(rows), WAY), (5.0, 15.0), (False, False))


@pytest.mark.parametrize(
    ("up", "down", "dw_min", "up_down"),
    [
        (0.010, 0.010, 0.010, 0.0),
        (0.010, 0.008, 0.010, 0.2),
        (0.008, 0.010, 0.010, -0.2),
    ],
)
def test_the_larger_step_is_dw_min_and_the_asymmetry_makes_the_other(
    up: float, down: float, dw_min: float, up_down: float
) -> None:
    pulse = found(up, down).pulse
    assert pulse.dw_min == pytest.approx(dw_min, rel=0.03)
    assert pulse.up_down == pytest.approx(up_down, abs=0.03)
    assert pulse.dw_min * (1 + min(pulse.up_down, 0)) == pytest.approx(up, rel=0.03)
    assert pulse.dw_min * (1 - max(pulse.up_down, 0)) == pytest.approx(down, rel=0.03)
    assert pulse.dw_min_spread == pytest.approx(0.108, abs=0.03)


def test_a_noise_that_is_none_has_an_upper_end() -> None:
    one = found(0.01, 0.01).estimates["reading"]
    assert (one.value, one.low) == (0.0, 0.0)
    assert 0 < one.high < 0.02
    seen = found(0.01, 0.01, read=0.01)
    assert seen.estimates["reading"].low < 0.05 < seen.estimates["reading"].high
    assert seen.pulse.write_noise == pytest.approx(1.0, rel=0.15)


def test_a_share_of_an_exponential_is_that_of_its_ratio() -> None:
    """c/gamma = A/(1 - A), so A = ratio/(1 + ratio)."""
    for a in (-27.0, -1.0, 0.0, 0.3, 0.9):
        assert _share(a / (1 - a)) == pytest.approx(a)
    assert _share(LEAST) == pytest.approx(-49.0)
    assert _share(MOST) < 1


def test_straight_steps_leave_an_exponential_open() -> None:
    estimates = found(0.01, 0.01, "exponential").estimates
    assert not estimates["a_up"].told
    assert math.isinf(estimates["a_up"].low)
    assert estimates["step"].value == pytest.approx(0.01, rel=0.05)
    assert estimates["step"].low < 0.01 < estimates["step"].high


def test_bias_counts_as_error() -> None:
    fit = laws.fit(scaled(0.01, 0.01), "linear", form=("noise",))
    none, much = (Reader(fit, np.full(4, bias)).shared("up") for bias in (0.0, 0.5))
    assert much.value == none.value
    assert much.high - much.low > 2 * 0.5 * 2
    assert none.low < 0 < none.high


def test_curves_helper_is_unreached() -> None:
    assert curves.reached(curves_of(10 + np.cumsum([0.0] + [0.1] * 50 + [-0.1] * 50), [1] * 50 + [-1] * 50)) == (
        False,
        False,
    )
