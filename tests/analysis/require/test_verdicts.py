"""Verdicts about a target: how often they are wrong, and how many seeds they take."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import t

from analysis.require.verdicts import UNKNOWN, chance, judge
from analysis.sweep.right import SamplesSeen
from neuroep.errors import ConfigError


def judged(accuracies, target=0.87, samples=UNKNOWN, **settings):
    """Return the verdict with as many seeds as are asked for."""
    judge_, found = judge(target, **settings), {}
    while True:
        verdict, needed = judge_.verdict(found, samples)
        if needed is None:
            return verdict
        found = dict(enumerate(accuracies[:needed]))


def test_looks_double_up_to_the_most():
    assert judge(0.9).looks == [3, 6, 12]
    assert judge(0.9, first=3, most=3).looks == [3]
    assert judge(0.9, first=4, most=10).looks == [4, 8, 10]


def test_a_look_decides_by_students_quantile():
    values = [0.84, 0.85, 0.86]
    error = np.std(values, ddof=1) / math.sqrt(3)
    found, needed = judge(0.87, 0.95, 3, 3).verdict(dict(enumerate(values)))
    assert needed is None and t.ppf(0.95, 2) * error < 0.87 - np.mean(values)
    assert found.sure and not found.met and found.word == "misses it"
    assert not judge(0.87, 0.99, 3, 3).verdict(dict(enumerate(values)))[0].sure


def test_what_meets_has_to_do_so_where_accuracies_are_skewed():
    """By Student's t 0.88, 0.89 and 0.90 lie above 0.87 (p = 3.7 %); as probits p would have to be at most 2.5 %."""
    values = [0.88, 0.89, 0.9]
    assert t.sf((np.mean(values) - 0.87) / (np.std(values, ddof=1) / math.sqrt(3)), 2) < 0.05
    assert 0.025 < chance(values, 0.87) < 0.06
    assert judge(0.87, 0.95, 3, 3).verdict(dict(enumerate(values)))[0].word == "open"
    assert judge(0.85, 0.95, 3, 3).verdict(dict(enumerate(values)))[0].word == "meets it"


@pytest.mark.parametrize("target", [0.6, 0.87, 0.97])
@pytest.mark.parametrize("count", [2, 3, 10])
def test_a_chance_is_that_of_drawn_means_and_spreads(target, count):
    """The generalised p-value by its definition: 400,000 draws of mean and spread as they may be, given the chips."""
    rng = np.random.default_rng(0)
    values = ndtr(ndtri(target) + 0.1 + 0.2 * rng.normal(size=count))
    z = ndtri(values)
    spread = z.std(ddof=1) * np.sqrt((count - 1) / rng.chisquare(count - 1, 400_000))
    mean = z.mean() - rng.normal(size=spread.size) * spread / math.sqrt(count)
    share = np.mean(ndtr(mean / np.sqrt(1 + spread**2)) <= target)
    assert chance(values.tolist(), target) == pytest.approx(share, abs=4e-3)


def test_few_samples_are_not_exactly_known():
    """Three chips that are right on all of 20 samples: at a share of 97 % this is so in 16 % of the cases."""
    found = judge(0.97, 0.95, 3, 3).verdict(dict.fromkeys(range(3), 1.0), SamplesSeen(20, 1000))[0]
    assert found.met and not found.sure
    assert judge(0.97, 0.95, 3, 3).verdict(dict.fromkeys(range(3), 1.0), SamplesSeen(1000, 1000))[0].sure
    assert judge(0.7, 0.95, 3, 3).verdict(dict.fromkeys(range(3), 1.0), SamplesSeen(20, 1000))[0].sure


@pytest.mark.parametrize(("share", "seen"), [(0.97, 20), (0.87, 20), (0.87, 40)])
def test_two_chips_that_agree_by_chance_are_no_miss(share, seen):
    """Chips all alike, exactly at the target: by their own spread alone 8 to 12 % of two or four "miss" it."""
    rng, right = np.random.default_rng(0), round(2000 * share)
    for most in (2, 4):
        draws = rng.hypergeometric(right, 2000 - right, seen, (1000, most)) / seen
        told = [judged(row.tolist(), share, SamplesSeen(seen, 2000), first=2, most=most) for row in draws]
        assert np.mean([each.sure and not each.met for each in told]) < 0.05


def test_a_few_samples_at_the_target():
    """2,000 sets of 12 chips with 20 to 40 of 1,000 samples, 97 % right: by Student's t 11 to 20 % "meet" it."""
    rng = np.random.default_rng(3)
    for seen in (20, 40):
        told = right = 0
        for _ in range(2000):
            values = (rng.hypergeometric(970, 30, seen, 12) / seen).tolist()
            for count in (3, 6, 12):
                some = values[:count]
                error = np.std(some, ddof=1) / math.sqrt(count)
                if abs(np.mean(some) - 0.97) > t.isf(0.05 / 3, count - 1) * error:
                    told += np.mean(some) > 0.97
                    break
            right += (found := judged(values, target=0.97, samples=SamplesSeen(seen, 1000))).sure and found.met
        assert told > 200 and right <= 100


def test_skewed_chips_at_the_target():
    """2,000 sets of chips whose probits are normal with a spread of 0.3: 97 % on average; 5 % may meet it, +1 sigma."""
    rng = np.random.default_rng(4)
    centre = ndtri(0.97) * math.sqrt(1.09)
    found = [judged(ndtr(centre + 0.3 * rng.normal(size=12)).tolist(), target=0.97) for _ in range(2000)]
    assert np.mean([each.sure and each.met for each in found]) < 0.055
    assert np.mean([each.sure and not each.met for each in found]) < 0.055


def test_clear_cases_take_few_seeds():
    assert judged([0.6, 0.61, 0.59] * 4).seeds == 3 and judged([0.6, 0.61, 0.59] * 4).word == "misses it"
    near = judged([0.86, 0.88, 0.87, 0.87] * 3)
    assert near.seeds == 12 and near.word == "open" and near.met


def test_wrong_verdicts_are_as_rare_as_asked():
    """Of 2,000 points exactly at the target at most 5 % are said to miss it; to meet it about half as many."""
    rng = np.random.default_rng(0)
    found = [judged(list(0.87 + 0.01 * rng.normal(size=12))) for _ in range(2000)]
    above = np.mean([each.sure and each.met for each in found])
    below = np.mean([each.sure and not each.met for each in found])
    assert 0.01 < above < 0.04 and 0.02 < below < 0.06


def test_seeds_that_failed():
    some, needed = judge(0.87).verdict({0: 0.5, 1: None, 2: 0.51})
    assert (some.seeds, needed) == (2, None) and some.sure
    none, needed = judge(0.87).verdict(dict.fromkeys(range(3)))
    assert not none.met and none.sure and needed is None


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"target": 87}, "target is 87: allowed are shares between 0 and 1"),
        ({"target": 0.9, "confidence": 95}, "confidence is 95: allowed are shares from 0.5"),
        ({"target": 0.9, "first": 1}, "seeds is 1: a verdict needs at least 2"),
        ({"target": 0.9, "first": 2.5}, "seeds is 2.5: allowed are whole numbers from 1"),
        ({"target": 0.9, "most": "6"}, "max_seeds is '6': allowed are whole numbers from 1"),
        ({"target": 0.9, "most": 10**9}, "max_seeds is 1000000000: of a point at most 100000 are run"),
        ({"target": 0.9, "first": 5, "most": 4}, "max_seeds is 4: should be at least the 5 seeds"),
    ],
)
def test_what_cannot_be_is_one_line(settings, line):
    with pytest.raises(ConfigError, match=line):
        judge(**settings)
