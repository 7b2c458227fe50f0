"""Bounds of devices of which some were not come to: intervals hold the truth, and are the textbook's where all were."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, t as student

from hw_models.measured import censored
from hw_models.measured.response import fit_response
from tests.naive.pulse_curves import constant_steps


def test_where_all_are_told_it_is_the_textbook() -> None:
    y = np.array([1.0, 2.0, 4.0, 4.5, 3.0])
    mean, effects = censored.bounds(y, np.zeros(5), np.ones(5, dtype=bool))
    s = y.std(ddof=1)
    assert (mean.low, mean.high) == pytest.approx(y.mean() + s / np.sqrt(5) * student.ppf([0.025, 0.975], 4), rel=0.01)
    ends = s * np.sqrt(4 / chi2.ppf([0.975, 0.025], 4))
    assert (effects.spread.low, effects.spread.high) == pytest.approx(tuple(ends), rel=0.02)


@pytest.mark.parametrize("share", [0.4, 0.7])
def test_intervals_cover_where_some_are_not_told(share: float) -> None:
    """The mean of those that are told lies short of the truth: near bounds are come to."""
    inside, plain, many = np.zeros(2), [], 0
    for seed in range(120):
        draw = np.random.default_rng((7, seed))
        bound, way = 1 + 0.1 * draw.normal(size=10), 1 + (share - 0.5) * 0.25 + 0.1 * draw.normal(size=10)
        told = bound < way
        if told.sum() < 3:
            continue
        mean, effects = censored.bounds(np.minimum(bound, way), np.zeros(10), told)
        inside += [mean.low <= 1 <= mean.high, effects.spread.low <= 0.1 <= effects.spread.high]
        plain.append(bound[told].mean())
        many += 1
    assert many > 60
    assert (inside / many > 0.95 - 3 * np.sqrt(0.95 * 0.05 / many)).all()
    assert np.mean(plain) < 0.98


@pytest.mark.parametrize("cover", [0.3, 1.2])
def test_bounds_of_constant_steps(cover: float) -> None:
    """Hard bounds at 10 and 30 uS: runs cross 1.2 of the range."""
    inside, told = [], []
    for seed in range(6):
        g, ways, _ = constant_steps((5, seed), cover)
        fit = fit_response(g, ways, response="constant")
        for name, truth in (("g_min", 10.0), ("g_max", 30.0)):
            one = fit.estimates[name]
            inside.append(one.low <= truth <= one.high)
            told.append(one.told)
    assert sum(inside) >= 10
    if cover < 1:
        assert not any(told)
        assert any("do not come to their upper bound" in note for note in fit.notes)
        assert fit.estimates["g_max"].high == np.inf
        assert fit.g_max == pytest.approx(g.max())
    else:
        assert any("devices come to their" in note for note in fit.notes)
