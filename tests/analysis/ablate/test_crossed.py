"""Errors over chips and samples: against variances written out, and against many worlds of chips and samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from analysis.ablate.crossed import chance, over_samples
from analysis.ablate.differences import difference, gain, interaction, marked


def seeds(values):
    return dict(enumerate(values))


def told(a, b):
    """Return the gain of a over b, tables (chips, samples)."""
    return gain(seeds(np.nanmean(a, axis=1).tolist()), seeds(np.nanmean(b, axis=1).tolist()), [seeds(a), seeds(b)])


def squares(table):
    """Return the mean squares of chips, samples and the rest of a full table, as in textbooks."""
    n, k = table.shape
    rows, columns, mean = table.mean(1, keepdims=True), table.mean(0, keepdims=True), table.mean()
    chips = k * ((rows - mean) ** 2).sum() / (n - 1)
    samples = n * ((columns - mean) ** 2).sum() / (k - 1)
    return chips, samples, ((table - rows - columns + mean) ** 2).sum() / ((n - 1) * (k - 1))


def test_where_all_chips_see_all_samples_it_is_the_analysis_of_variance():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(5, 1)) + 0.7 * rng.normal(size=400) + rng.normal(size=(5, 400))
    chips, samples, rest = squares(table)
    found = over_samples(table)
    assert found.error**2 == pytest.approx((samples - rest) / table.size, rel=0.01)
    assert found.least**2 == pytest.approx(rest / table.size, rel=0.01)
    own = difference((1, seeds(table.mean(1).tolist())), right=[seeds(table)])
    assert own.whole**2 == pytest.approx((chips + samples - rest) / table.size, rel=0.01)


def world(rng, chips, samples, spread, moved, noise, effect=0.0):
    """Return which samples are right without an effect and with it: margins, chips, and noise of every read."""
    margin, each = 1.3 + rng.normal(size=samples), effect + moved * rng.normal(size=samples)
    own = margin + spread * rng.normal(size=(chips, 1)) + noise * rng.normal(size=(chips, samples))
    return (own + each > 0).astype(float), (own > 0).astype(float)


@pytest.mark.parametrize(
    ("chips", "spread", "moved", "noise", "drawn"),
    [
        (10, 0.0, 0.2, 0.0, 1.0), (10, 0.3, 0.3, 0.0, 1.0), (10, 0.0, 0.3, 0.3, 1.0), (3, 0.0, 0.2, 0.05, 1.0),
        (10, 0.0, 0.2, 0.0, 0.5), (10, 0.3, 0.3, 0.0, 0.9), (10, 0.3, 0.3, 0.3, 0.05),
    ],
)  # fmt: skip
def test_means_stray_by_the_whole_error(chips, spread, moved, noise, drawn):
    """200 worlds of other chips and samples: their spread is the error within 15 % (3 sigma of 200 are 15 %)."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(200):
        a, b = world(rng, chips, 600, spread, moved, noise)
        if drawn < 1:
            for chip in range(chips):
                out = rng.permutation(600)[round(600 * drawn) :]
                a[chip, out], b[chip, out] = np.nan, np.nan
        found.append(told(a, b))
    true = np.std([each.mean for each in found])
    error = np.sqrt(np.mean([each.whole**2 for each in found]))
    assert true * 0.85 < error < true * 1.25


def test_intervals_of_chips_that_are_all_alike():
    """Their spread is 0, and every difference would differ from 0; the whole error lets 1 in 20 do so."""
    rng = np.random.default_rng(3)
    chances = []
    for _ in range(300):
        a, b = world(rng, 4, 1000, 0.0, 0.2, 0.0)
        found = told(a, b)
        assert found.error == 0
        chances.append((found.mean, found.whole))
    true = np.mean([mean for mean, _ in chances])
    inside = np.mean([abs(mean - true) <= 1.96 * whole for mean, whole in chances])
    assert inside == pytest.approx(0.95, abs=0.04)


def test_one_sample_of_a_thousand_differs_by_chance():
    a, b = np.ones((5, 1000)), np.ones((5, 1000))
    b[:, 17] = 0
    found = told(a, b)
    assert found.mean == pytest.approx(1e-3) and found.error == 0
    assert found.whole == pytest.approx(1e-3, rel=1e-3) and found.chance == 1
    b[:, :6] = 0
    assert told(a, b).chance == pytest.approx(2.0**-6, rel=0.3)
    b[:, :30] = 0
    assert told(a, b).chance < 1e-6


def test_a_chance_is_where_an_interval_ends():
    beyond = over_samples(np.random.default_rng(0).integers(-1, 2, (4, 300)).astype(float))._replace(error=0.3)
    found = chance(1.0, 0.2, 4, beyond)
    ends = math.hypot(t.isf(found / 2, 3) * 0.2, t.isf(found / 2, 299) * 0.3)
    assert ends == pytest.approx(1.0, rel=1e-6)
    assert chance(1.0, 0.2, 4, beyond._replace(error=0.0)) == pytest.approx(2 * t.sf(5, 3), rel=1e-6)
    assert chance(1e9, 0.2, 4, beyond) < 1e-11


def test_twenty_effects_that_are_none_have_no_marks():
    """Of 40 pages with 40 rows each 1 in 20 may have a mark: at most 5, 2 sigma. The spread alone marks nearly all."""
    rng = np.random.default_rng(4)
    pages = before = 0
    for _ in range(40):
        margin = 1.3 + rng.normal(size=400)
        own, *others = ((margin + 0.15 * rng.normal(size=(3, 400)) > 0).astype(float) for _ in range(21))
        found = [told(other, own) for other in others]
        pages += any(each.clear for each in marked(found))
        before += any(abs(each.mean) > t.ppf(0.975, 2) * each.error for each in found)
    assert pages <= 5 and before > 15


def test_an_effect_that_is_there_is_marked():
    rng = np.random.default_rng(5)
    found = [told(*world(rng, 10, 1000, 0.1, 0.1, 0.1, effect)) for effect in (0.3, 0.0, 0.0)]
    assert [each.clear for each in marked(found)] == [True, False, False]


def test_an_interaction_of_samples():
    rng = np.random.default_rng(6)
    four = [rng.integers(0, 2, (5, 80)).astype(float) for _ in range(4)]
    found = interaction(*(seeds(each.mean(1).tolist()) for each in four), list(map(seeds, four)))
    both, first, second, own = four
    assert found.beyond == over_samples(both - first - second + own)


def test_without_samples_chips_have_to_do():
    a, b = seeds([0.9, 0.8, 0.7]), seeds([0.8, 0.75, 0.5])
    found = gain(a, b, [{0: np.ones(4)}] * 2)
    assert found.beyond is None and math.isnan(found.whole) and found.widest == found.error
    assert found.chance == pytest.approx(2 * t.sf(found.mean / found.error, 2), rel=1e-6)
