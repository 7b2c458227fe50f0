"""Along which way accuracy rises: by the corners, and how often that is wrong."""

from __future__ import annotations

from itertools import product

import numpy as np

from analysis.require.directions import directions
from analysis.require.verdicts import judge


def told(corners, shape, settled=False):
    """Return the directions of corners that are the same on all chips; None of those that failed."""
    found = {place: dict.fromkeys(range(12), corners.get(place)) for place in product(*([0, n - 1] for n in shape))}
    return directions(found.__getitem__, judge(0.87), shape, settled)


def test_directions_by_the_corners():
    corners = {(0, 0): 0.9, (4, 0): 0.9, (0, 2): 0.5, (4, 2): 0.6}
    found = told(corners, (5, 3))
    assert found.rising == (True, False) and found.sure == (True, True) and not found.needed
    assert told({(0,): 0.9, (6,): 0.2}, (7,)).rising == (False,)
    assert told({}, (7, 2)).rising == (True, True) and told({}, (7, 2)).sure == (False, False)
    assert told({(0, 0): 0.8, (4, 0): 0.7}, (5, 3)).rising == (False, False)


def test_what_does_not_change_is_open():
    found = told({(0,): 0.9, (4,): 0.9}, (5,))
    assert found.rising == (True,) and found.sure == (False,)


def test_accuracy_rises_away_from_where_every_chip_fails():
    """Before, an end that failed told nothing: accuracy was said to rise towards it, and its chips were all run."""
    assert told({(0,): 0.9}, (7,)).rising == (False,) and told({(0,): 0.9}, (7,)).sure == (True,)
    assert told({(6,): 0.5}, (7,)).rising == (True,) and told({(6,): 0.5}, (7,)).sure == (True,)


def test_a_corner_that_fails_is_left_to_the_other_edges():
    found = told({(0, 0): 0.5, (4, 0): 0.9, (0, 2): 0.6}, (5, 3))
    assert found.rising == (True, True) and found.sure == (True, True)


def asked(corner, shape, settled=False):
    """Return the directions with as many seeds as are asked for, and how many that were."""
    there = {place: {} for place in product(*([0, n - 1] for n in shape))}
    while True:
        found = directions(there.__getitem__, judge(0.85), shape, settled)
        if not found.needed:
            return found, sum(map(len, there.values()))
        for place, count in found.needed.items():
            for seed in range(len(there[place]), count):
                there[place][seed] = corner(place, seed)


def test_no_more_seeds_than_it_takes():
    def corner(slope):
        return lambda place, seed: 0.5 + slope * place[0] + 0.001 * np.random.default_rng([*place, seed]).normal()

    assert asked(corner(0.1), (5,))[1] == 6
    assert asked(corner(0.0), (5,), settled=True)[1] == 6
    assert asked(corner(0.0), (5,))[1] == 24


def test_the_same_chip_at_both_ends_tells_small_changes():
    """Chips differ by 0.05; with the other value each is better by 0.01."""

    def corner(place, seed):
        noise = 0.001 * np.random.default_rng([*place, seed]).normal()
        return 0.8 + 0.05 * np.random.default_rng(seed).normal() + 0.0025 * place[0] + noise

    found, count = asked(corner, (5,))
    assert found.rising == (True,) and found.sure == (True,) and count == 6


def test_directions_are_seldom_wrong():
    """300 surfaces with noise 0.03: means of 3 chips are wrong in 4 % of them, sure directions in 1 %."""
    rng = np.random.default_rng(0)
    wrong = before = open_ = 0
    for trial in range(300):
        shape, up, (a, b), at = rng.integers(2, 10, 2), rng.integers(0, 2, 2), rng.uniform(0.3, 3, 2), rng.uniform()

        def corner(place, seed, shape=shape, up=up, a=a, b=b, at=at, trial=trial):
            shares = np.divide(place, shape - 1)
            x, y = np.where(up == 1, shares, 1 - shares)
            mean = 0.5 + 0.48 / (1 + np.exp(-6 * (a * x + b * y - at * (a + b))))
            return mean + 0.03 * np.random.default_rng([trial, *place, seed]).normal()

        found, _ = asked(corner, shape.tolist())
        for n in range(2):
            wrong += found.sure[n] and found.rising[n] != (up[n] == 1)
            open_ += not found.sure[n]
        three = {p: np.mean([corner(p, s) for s in range(3)]) for p in product(*([0, int(n) - 1] for n in shape))}
        for n in range(2):
            last = int(shape[n]) - 1
            ends = [(p, (*p[:n], last, *p[n + 1 :])) for p in three if p[n] == 0]
            changes = [three[high] - three[low] for low, high in ends]
            before += (max(changes, key=abs) >= 0) != (up[n] == 1)
    assert wrong <= 6 < before and open_ < 60, (wrong, before, open_)
