"""Gains of devices in the error of writes: their spread, and what is left without them."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.measured import device_gains
from hw_models.measured.device_gains import without_gains
from hw_models.measured.population import between
from tests.naive import law_measurements as twin

TERMS = (0.26348, 1.9650, -1.1731)


def measured(seed, devices: int, mismatch: float, writes: int = 12):
    """Return v, r, device and write."""
    columns, _ = twin.programming(seed, devices, mismatch=mismatch, writes=writes)
    v, device = np.array(columns["target [uS]"]) / 25, np.array(columns["device"])
    return v, np.array(columns["achieved [uS]"]) - 25 * v, device, np.arange(len(v))


def test_devices_without_gains_are_seldom_said_to_have_some() -> None:
    """Of 30 devices in 16 sets of 100, where errors that grow with the target were taken as all alike."""
    told = sum(without_gains(*measured((3, seed), 30, 0.0))[1].low > 0 for seed in range(80))
    assert told <= 80 * 0.05 + 3 * np.sqrt(80 * 0.05 * 0.95)


def test_it_is_as_good_as_with_the_errors_known() -> None:
    """Best gains of devices, one by one, by the errors that were drawn."""
    inside, apart = 0, []
    for seed in range(40):
        v, r, device, write = measured((4, seed), 20, 0.04)
        y, error = [], []
        for d in range(20):
            s = np.polyval(TERMS[::-1], v[device == d])
            base = float((v[device == d] ** 2 / s**2).sum())
            y.append(float((v[device == d] * r[device == d] / s**2).sum()) / base)
            error.append(1 / base)
        known = between(np.array(y), np.array(error)).spread
        spread = without_gains(v, r, device, write)[1]
        inside += spread.low <= 1.0 <= spread.high
        apart.append(spread.value - known.value)
    assert inside >= 34
    assert abs(np.mean(apart)) < 0.05
    assert np.std(apart) < 0.15


@pytest.mark.parametrize("mismatch", [0.0, 0.08])
def test_what_is_left_has_the_errors_that_were_drawn(mismatch: float) -> None:
    """Six writes of each device: without giving back what gains took, the last would be a fifth short."""
    v, r, device, write = measured((5, 0), 400, mismatch, writes=6)
    left, spread = without_gains(v, r, device, write)
    z = left / np.polyval(TERMS[::-1], v)
    assert z.std() == pytest.approx(1, abs=3 / np.sqrt(2 * len(z)))
    for place in np.unique(v):
        assert z[v == place].std() == pytest.approx(1, abs=4 / np.sqrt(2 * 400))
    assert spread.low <= 25 * mismatch <= spread.high


def test_rows_of_one_write_have_one_gain_and_one_draw() -> None:
    v, r, device, write = measured((6, 0), 30, 0.05)
    left, spread = without_gains(v, r, device, write)
    twice = [np.repeat(one, 2) for one in (v, r, device, write)]
    again, same = without_gains(*twice)
    assert again[::2] == pytest.approx(left)
    assert (same.value, same.low, same.high) == pytest.approx((spread.value, spread.low, spread.high))


def test_a_device_of_which_all_targets_are_zero_tells_no_gain() -> None:
    v, r, device, _ = measured((7, 0), 12, 0.05)
    zero = np.zeros(12)
    some = 0.3 * np.random.default_rng(1).normal(size=12)
    left, spread = without_gains(
        np.concatenate([v, zero]), np.concatenate([r, some]), np.concatenate([device, np.full(12, 12)]),
        np.arange(len(v) + 12),
    )  # fmt: skip
    assert left[-12:] == pytest.approx(some)
    assert np.isfinite(left).all() and 0.5 < spread.value < 2.5


def test_errors_that_are_none_at_small_targets_do_not_take_all_weight() -> None:
    draw = np.random.default_rng(8)
    device = np.repeat(np.arange(20), 10)
    v = np.tile(np.linspace(0.1, 1, 10), 20)
    r = draw.normal(size=20)[device] * v + v * draw.normal(size=200) * (v > 0.2)
    left, spread = without_gains(v, r, device, np.arange(200))
    assert device_gains.LEAST < 0.5
    assert np.isfinite(left).all()
    assert spread.low < 1 < spread.high
