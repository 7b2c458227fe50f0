"""The front of grids that are known whole: the same points, from a quarter of the accuracies."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from analysis.require.frontier import Frontier, front_of, level

SHAPE = (8, 5, 5)


def curves(seed, noise):
    """Return accuracies that saturate along each field, with noise, and prices that rise."""
    rng = np.random.default_rng(seed)
    weights, sizes, speeds = rng.uniform(0.3, 2, 3), rng.uniform(0.2, 1, 3), rng.uniform(1, 4, 3)
    accuracies, prices = {}, {}
    for place in product(*map(range, SHAPE)):
        at = np.array(place)
        lost = float((np.exp(-speeds * (at + 0.3)) * sizes).sum())
        accuracies[place] = max(0.5, 0.985 - lost) + noise * rng.normal()
        prices[place] = float((weights * (2.0 ** at[0], 1 + at[1], 1 + at[2])).sum())
    return accuracies, prices


def searched(accuracies, prices, resolution, most=2):
    frontier, known = Frontier(SHAPE, prices, resolution), {}
    while places := frontier.next(known, most):
        assert not set(places) & known.keys()
        known |= {place: accuracies[place] for place in places}
    return known


@pytest.mark.parametrize("most", [1, 2, 4])
def test_without_noise_the_front_is_that_of_all_points(most):
    for seed in range(20):
        accuracies, prices = curves(seed, 0)
        known = searched(accuracies, prices, 0.02, most)
        assert front_of(known, prices, 0.02) == front_of(accuracies, prices, 0.02)


def test_with_noise_too_from_a_quarter_of_the_points():
    same, counts = [], []
    for seed in range(40):
        accuracies, prices = curves(seed, 0.002)
        known = searched(accuracies, prices, 0.02)
        same.append(front_of(known, prices, 0.02) == front_of(accuracies, prices, 0.02))
        counts.append(len(known) / len(accuracies))
    assert np.mean(same) >= 0.95 and np.mean(counts) < 0.25


def test_levels_are_what_counts():
    assert [level(value, 0.01) for value in (0.0, 0.0099, 0.01, 0.03, 0.985)] == [0, 0, 1, 3, 98]
    accuracies = {(0,): 0.901, (1,): 0.905, (2,): 0.912, (3,): 0.911}
    prices = {(0,): 1.0, (1,): 2.0, (2,): 4.0, (3,): 3.0}
    assert front_of(accuracies, prices, 0.01) == [(0,), (3,)]


def test_a_contradiction_widens_the_bounds():
    """A point that falls by a level: what lay beyond it is open again."""
    prices = {(n,): float(n) for n in range(6)}
    frontier = Frontier((6,), prices, 0.01)
    known = {(0,): 0.5, (5,): 0.9, (2,): 0.9}
    assert frontier.contradiction(known) == 0 and frontier.open(known) == [1]
    risen = {(0,): 0.5, (1,): 0.85, (2,): 0.9, (3,): 0.9, (5,): 0.9}
    assert frontier.open(risen) == []
    fallen = risen | {(3,): 0.86, (5,): 0.88}
    assert frontier.contradiction(fallen) == pytest.approx(0.04) and frontier.open(fallen) == [4]
