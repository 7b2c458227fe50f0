"""Fields of a pulse from a fit: asymmetry, and what stands for a noise that is none."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.measured import curves, fields, laws, population
from hw_models.measured.arrays import curves_of
from hw_models.measured.fields import Found, fields_of
from hw_models.measured.population import Estimate, between

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


def test_curves_helper_is_unreached() -> None:
    assert curves.reached(curves_of(10 + np.cumsum([0.0] + [0.1] * 50 + [-0.1] * 50), [1] * 50 + [-1] * 50)) == (
        False,
        False,
    )


def test_steps_that_may_be_log_normal_have_the_interval_of_both_laws(monkeypatch: pytest.MonkeyPatch) -> None:
    both = found(0.01, 0.01).estimates["dw_min"]
    monkeypatch.setattr(population, "perhaps_log_normal", lambda y: False)
    normal = found(0.01, 0.01).estimates["dw_min"]
    monkeypatch.setattr(population, "log_normal", lambda y, spread: True)
    middle = found(0.01, 0.01).estimates["dw_min"]
    assert middle.value < normal.value == both.value
    assert (both.low, both.high) == (min(normal.low, middle.low), max(normal.high, middle.high))
    assert both.high - both.low > normal.high - normal.low


def test_one_coarse_device_does_not_make_all_unlike() -> None:
    """Its error is told too small: of devices alike the interval began far above 0, in six of sixty sets."""
    y, v = np.append(np.linspace(-0.1, 0.1, 9), 0.7), np.full(10, 0.01)
    found = between(y, v)
    assert found.spread.low > 0.1
    coarse = np.arange(10) == 9
    mended = fields._without_coarse(found, y, v, coarse).spread
    assert (mended.value, mended.high) == (found.spread.value, found.spread.high)
    assert (mended.low, mended.told) == (0.0, False)
    assert fields._without_coarse(found, y, v, np.zeros(10, dtype=bool)) == found, "fine ones tell what they tell"
    unlike = np.linspace(-0.9, 0.9, 10)
    still = fields._without_coarse(between(unlike, v), unlike, v, np.ones(10, dtype=bool)).spread
    assert still.told and 0.7 * between(unlike, v).spread.low < still.low < between(unlike, v).spread.low


@pytest.mark.parametrize(
    ("tilt", "ends"),
    [
        (Estimate(-0.975, -1.0, 1.0), (0.0, 0.006 / 0.025)),  # r is open: up to r = 1, where it is that of ln r
        (Estimate(0.5, 0.4, 0.6), (0.002 * 0.8, 0.006 * 1.2)),
        (Estimate(0.1, -0.1, 0.3), (0.002 * 7 / 9, 0.006 / 0.9)),
        (Estimate(0.5, 0.5, 0.5), (0.002, 0.006)),
    ],
)
def test_the_spread_of_an_asymmetry_that_is_open_is_open(tilt: Estimate, ends: tuple[float, float]) -> None:
    """Of an exponential that leaves its A open it was told as if A were known: 0.003, at most 0.006, of 0.1."""
    found = fields._by_asymmetry(Estimate(0.003, 0.002, 0.006), tilt)
    assert (found.low, found.high) == pytest.approx(ends)
    assert found.value == 0.003 and found.told == (ends[0] > 0)


def test_a_soft_bound_may_be_as_near_as_a_chip_has_it() -> None:
    """A hundredth of the mean bound: it ended at a fiftieth, beside which steps of such devices came out as nothing."""
    found = scaled(0.01, 0.01)
    own = laws._problem(found, "soft_bounds", ("base",), ("up", "down"), None).own
    assert [one.high for one in own if one.name.startswith("bound")] == [200.0, 200.0]
