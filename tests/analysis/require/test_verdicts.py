"""Verdicts about a target: how often they are wrong, and how many seeds they take."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from analysis.require.verdicts import judge
from neuroep.errors import ConfigError


def judged(accuracies, **settings):
    """Return the verdict with as many seeds as are asked for."""
    judge_, found = judge(0.87, **settings), {}
    while True:
        verdict, needed = judge_.verdict(found)
        if needed is None:
            return verdict
        found = dict(enumerate(accuracies[:needed]))


def test_looks_double_up_to_the_most():
    assert judge(0.9).looks == [3, 6, 12]
    assert judge(0.9, first=3, most=3).looks == [3]
    assert judge(0.9, first=4, most=10).looks == [4, 8, 10]


def test_a_look_decides_by_students_quantile():
    values = [0.88, 0.89, 0.9]
    error = np.std(values, ddof=1) / math.sqrt(3)
    found, needed = judge(0.87, 0.95, 3, 3).verdict(dict(enumerate(values)))
    assert needed is None and t.ppf(0.95, 2) * error < np.mean(values) - 0.87
    assert found.sure and found.met and found.word == "meets it"
    assert not judge(0.87, 0.99, 3, 3).verdict(dict(enumerate(values)))[0].sure


def test_clear_cases_take_few_seeds():
    assert judged([0.6, 0.61, 0.59] * 4).seeds == 3 and judged([0.6, 0.61, 0.59] * 4).word == "misses it"
    near = judged([0.86, 0.88, 0.87, 0.87] * 3)
    assert near.seeds == 12 and near.word == "open" and near.met


def test_wrong_verdicts_are_as_rare_as_asked():
    """Of 2,000 points exactly at the target at most 5 % are said to meet it, and 5 % to miss it."""
    rng = np.random.default_rng(0)
    found = [judged(list(0.87 + 0.01 * rng.normal(size=12))) for _ in range(2000)]
    above = np.mean([each.sure and each.met for each in found])
    below = np.mean([each.sure and not each.met for each in found])
    assert 0.02 < above < 0.06 and 0.02 < below < 0.06


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
        ({"target": 0.9, "first": 5, "most": 4}, "max_seeds is 4: should be at least the 5 seeds"),
    ],
)
def test_what_cannot_be_is_one_line(settings, line):
    with pytest.raises(ConfigError, match=line):
        judge(**settings)
