"""Means and spreads of few devices: intervals hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.measured import population
from hw_models.measured.population import Estimate, around, between

TIMES = 400


def test_intervals_cover() -> None:
    """Estimates of ten devices of mean 1 and spread 0.3, each with an error of its own, many times."""
    random = np.random.default_rng(1)
    v = random.uniform(0.01, 0.09, (TIMES, 10))
    means, spreads = [], []
    for y, own in zip(1 + 0.3 * random.normal(size=v.shape) + np.sqrt(v) * random.normal(size=v.shape), v, strict=True):
        found = between(y, own)
        mean = around(found, 10)
        means.append(mean.low < 1 < mean.high)
        spreads.append(found.spread.low < 0.3 < found.spread.high)
    sigma = np.sqrt(0.95 * 0.05 / TIMES)
    assert abs(np.mean(means) - 0.95) < 3 * sigma
    assert abs(np.mean(spreads) - 0.95) < 3 * sigma


def test_without_a_spread_there_is_none() -> None:
    found = between(np.array([1.0, 1.1, 0.9, 1.05]), np.full(4, 0.5))
    assert (found.spread.value, found.spread.low, found.spread.told) == (0.0, 0.0, False)
    assert found.mean == pytest.approx(1.0125)
    assert found.error == pytest.approx(np.sqrt(0.5 / 4))


def test_an_interval_of_a_spread_is_never_empty() -> None:
    """It was 0 to 0 where estimates scatter less than their errors say: 1 set in 6 with errors told twice too large."""
    draw, inside = np.random.default_rng(8).normal, 0
    for _ in range(400):
        spread = between(0.1 * draw(size=10), np.full(10, 0.02)).spread
        assert spread.high > 0.02
        inside += spread.low <= 0.02 <= spread.high
    assert inside >= 0.95 * 400


def test_one_device_has_no_spread() -> None:
    found = between(np.array([2.0]), np.array([0.04]))
    assert (found.mean, found.error, found.spread.told) == (2.0, pytest.approx(0.2), False)


def test_without_errors_of_their_own_they_are_those_of_the_textbook() -> None:
    y = np.array([1.0, 2.0, 4.0, 4.5, 3.0])
    found = between(y, np.zeros(5))
    assert found.spread.value == pytest.approx(y.std(ddof=1), rel=1e-5)
    assert found.spread.low == pytest.approx(y.std(ddof=1) * np.sqrt(4 / 11.1433), rel=1e-4)
    assert found.error == pytest.approx(y.std(ddof=1) / np.sqrt(5), rel=1e-5)


def test_shares_have_the_interval_of_a_count() -> None:
    found = population.share(2, 10)
    assert found.value == 0.2
    assert found.low == pytest.approx(0.0252, abs=1e-4)
    assert found.high == pytest.approx(0.556, abs=1e-3)


def test_log_normal_steps_are_told() -> None:
    z = np.random.default_rng(3).normal(size=12)
    assert population.log_normal(np.exp(0.8 * z), float(np.exp(0.8 * z).std()))
    assert not population.log_normal(1 + 0.1 * z, 0.1)
    assert not population.log_normal(np.array([1.0, -1.0, 2.0, 3.0, 4.0]), 1.0)


def test_estimates_change_unit_and_turn() -> None:
    one = Estimate(2.0, 1.0, 4.0)
    assert (one.times(-3).low, one.times(-3).high) == (-12.0, -3.0)
    turned = one.through(lambda x: 1 / x)
    assert (turned.value, turned.low, turned.high) == (0.5, 0.25, 1.0)
    assert one.named("uS", "g").unit == "uS"


def test_variances_of_few_readings_are_drawn_together() -> None:
    """As far as devices have one noise; where they do not, each keeps its own."""
    draw = np.random.default_rng(2)
    few = draw.chisquare(4, (300, 10)) / 4
    assert (population.moderated(few, 4.0) - 1).std() < 0.5 * (few - 1).std()
    assert population.moderated(few, 4.0).mean() == pytest.approx(1, abs=0.06)
    many = np.exp(draw.normal(size=10)) * draw.chisquare(100, 10) / 100
    assert population.moderated(many, 100.0) == pytest.approx(many, rel=0.05)
    assert population.moderated(np.array([2.0]), 4.0) == 2.0


def test_a_spread_as_a_share_of_its_mean_covers() -> None:
    """Of few devices the mean has an error too: without it 93 % of intervals held a spread of 0.4."""
    draw, inside = np.random.default_rng(4), []
    for y in 1 + 0.4 * draw.normal(size=(600, 5)):
        effects = between(y, np.zeros(5))
        one = population.relative(effects.spread, effects.mean, 5)
        inside.append(one.low < 0.4 < one.high)
    assert abs(np.mean(inside) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 600)


def test_a_line_over_devices_takes_a_degree_of_freedom() -> None:
    draw, inside, slopes = np.random.default_rng(5), [], []
    for _ in range(400):
        x = draw.normal(size=8)
        y = 1 + 0.5 * x + 0.3 * draw.normal(size=8)
        found = between(y, np.full(8, 1e-4), x)
        inside.append(found.spread.low < 0.3 < found.spread.high)
        slopes.append(found.slope.low < 0.5 < found.slope.high)
    assert abs(np.mean(inside) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 400)
    assert abs(np.mean(slopes) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 400)


def test_intervals_widen_by_what_else_a_number_may_be() -> None:
    one = Estimate(2.0, 1.0, 4.0).widened([1.0, 2.5])
    assert (one.low, one.high) == pytest.approx((2 - np.sqrt(2), 2 + np.hypot(2, 0.5)))
    assert Estimate(2.0, 1.0, 4.0).plus(1).high == 5


def test_where_steps_may_be_of_either_law_their_interval_has_both() -> None:
    """Ten devices of log-normal steps: one set in six looks normal, and its mean held the middle in 83 of 100."""
    missed, alone, looked = 0, 0, 0
    for seed in range(1000):
        y = np.exp(0.75 * np.random.default_rng((10, seed)).normal(size=10))
        found = between(y, np.full(10, 1e-6))
        if population.log_normal(y, found.spread.value):
            continue
        looked += 1
        mean, middle = around(found, 10), around(between(np.log(y), 1e-6 / y**2), 10).through(np.exp)
        alone += not mean.low <= 1 <= mean.high
        either = population.perhaps_log_normal(y) and middle.low <= 1 <= middle.high
        missed += not (mean.low <= 1 <= mean.high or either)
    assert looked > 30
    assert alone > 0.1 * looked
    assert missed < 0.8 * alone
    assert not population.perhaps_log_normal(np.array([0.01, 1.0, 1.05, 0.95, 1.0, 1.02]))
    assert not population.perhaps_log_normal(np.ones(6))
