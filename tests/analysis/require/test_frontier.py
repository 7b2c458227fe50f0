"""The front of grids that are known whole: the same points, from a quarter of the accuracies."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from analysis.require.frontier import Frontier, front_of, level

SHAPE = (8, 5, 5)


def curves(seed, noise, seeds=1):
    """Return accuracies that saturate along each field, with noise, and prices that rise."""
    rng = np.random.default_rng(seed)
    weights, sizes, speeds = rng.uniform(0.3, 2, 3), rng.uniform(0.2, 1, 3), rng.uniform(1, 4, 3)
    shared = 0.01 * rng.normal(size=seeds) if seeds > 1 else np.zeros(1)
    accuracies, prices = {}, {}
    for place in product(*map(range, SHAPE)):
        at = np.array(place)
        lost = float((np.exp(-speeds * (at + 0.3)) * sizes).sum())
        accuracies[place] = max(0.5, 0.985 - lost) + shared + noise * rng.normal(size=seeds)
        prices[place] = float((weights * (2.0 ** at[0], 1 + at[1], 1 + at[2])).sum())
    return accuracies, prices


def searched(accuracies, prices, resolution, most=2):
    seeds = len(accuracies[0, 0, 0])
    frontier, known = Frontier(SHAPE, prices, resolution, seeds), {}
    while asked := frontier.next(known, most):
        for place, count in asked.items():
            assert len(known.get(place, ())) < count <= seeds
            known[place] = accuracies[place][:count].tolist()
    return known


def both(accuracies, prices, known, resolution):
    """Return the front that was found, and that of all trials."""
    whole = {place: np.mean(found) for place, found in known.items() if len(found) == len(accuracies[place])}
    everything = {place: found.mean() for place, found in accuracies.items()}
    return front_of(whole, prices, resolution), front_of(everything, prices, resolution)


@pytest.mark.parametrize("most", [1, 2, 4])
def test_without_noise_the_front_is_that_of_all_points(most):
    for seed in range(3):
        accuracies, prices = curves(seed, 0)
        found, all_of_them = both(accuracies, prices, searched(accuracies, prices, 0.02, most), 0.02)
        assert found == all_of_them


@pytest.mark.parametrize(("seeds", "share"), [(1, 0.22), (3, 0.2)])
def test_with_noise_too_from_less_than_a_quarter_of_the_trials(seeds, share):
    """Noise of a mean over all chips is a tenth of a level."""
    same, counts = [], []
    for seed in range(5):
        accuracies, prices = curves(seed, 0.002 * seeds**0.5, seeds)
        known = searched(accuracies, prices, 0.02)
        found, all_of_them = both(accuracies, prices, known, 0.02)
        same.append(found == all_of_them)
        counts.append(sum(map(len, known.values())) / (200 * seeds))
    assert np.mean(same) >= 0.9 and np.mean(counts) < share


@pytest.mark.parametrize("falling", [(1,), (0, 2)])
@pytest.mark.parametrize("seeds", [1, 3])
def test_fields_along_which_accuracy_falls(falling, seeds):
    """The same curves with fields turned round, prices too: before, 6 of 20 fronts lacked points, without a word."""
    for seed in range(4):
        accuracies, prices = curves(seed, 0, seeds)
        turn = lambda place: tuple(SHAPE[n] - 1 - at if n in falling else at for n, at in enumerate(place))  # noqa: E731
        turned = {turn(place): found for place, found in accuracies.items()}
        dear = {turn(place): price for place, price in prices.items()} if seed % 2 else prices
        known = searched(turned, dear, 0.02)
        found, all_of_them = both(turned, dear, known, 0.02)
        assert found == all_of_them
        rising = Frontier(SHAPE, dear, 0.02, seeds).directions({place: row for place, row in known.items()})
        assert rising == tuple(n not in falling for n in range(3))


def test_directions_go_by_the_larger_change_and_by_levels():
    frontier = Frontier((3, 4), dict.fromkeys(product(range(3), range(4)), 1.0), 0.1, 2)
    found = {(0, 0): [0.5, 0.6], (2, 0): [0.45, 0.56], (0, 3): [0.9], (2, 3): [0.4]}
    assert frontier.directions(found) == (False, True)
    assert frontier.directions({(0, 0): [0.5], (2, 0): [0.41]}) == (True, True)
    assert frontier.directions({(0, 0): [0.5], (2, 0): [None]}) == (True, True)
    assert set(frontier.next({})) == {(0, 0), (2, 0), (0, 3), (2, 3)} and set(frontier.next({}).values()) == {1}


def test_noise_is_known_from_four_whole_points_before_others_have_one_chip():
    """Beside the ends of the grid, which have one chip for the directions: these tell no noise."""
    accuracies, prices = curves(3, 0.002, 3)
    frontier, known = Frontier(SHAPE, prices, 0.02, 3), {}
    while sum(len(found) == 3 for found in known.values()) < 4:
        ends = len(known) < 8
        for place, count in frontier.next(known, 2).items():
            assert ends or count == 3
            known[place] = accuracies[place][:count].tolist()
    assert all(len(known[place]) == 3 for place in [(0, 0, 0), (7, 4, 4)]) and len(known) <= 10


def test_most_points_have_one_chip_and_the_front_has_all():
    accuracies, prices = curves(3, 0.002, 3)
    known = searched(accuracies, prices, 0.02)
    counts = [len(found) for found in known.values()]
    assert counts.count(1) > counts.count(3)
    found, _ = both(accuracies, prices, known, 0.02)
    assert {len(known[place]) for place in found} == {3}


def test_the_margin_goes_by_noise_within_limits():
    prices = {(n,): float(n) for n in range(6)}
    for stray, levels in ((0.0, 0.2), (0.1, 0.354), (1.0, 0.5)):
        frontier = Frontier((6,), prices, 0.01, 2)
        step = stray * 0.01 * 2**0.5  # of one chip, so that means stray by that many hundredths
        found = {(n,): [0.5 + n / 10 + step * (n % 2), 0.5 + n / 10 - step * (n % 2)] for n in range(6)}
        stand = frontier._known(found)[1]
        expected = 2.5 * 2**0.5 * frontier.noise(found) / 0.01
        assert frontier.margin(stand) / 0.01 == pytest.approx(min(max(0.2, expected), 0.5))
        assert min(max(0.2, expected), 0.5) == pytest.approx(levels, abs=0.15)


def test_levels_are_what_counts():
    assert [level(value, 0.01) for value in (0.0, 0.0099, 0.01, 0.03, 0.985)] == [0, 0, 1, 3, 98]
    accuracies = {(0,): 0.901, (1,): 0.905, (2,): 0.912, (3,): 0.911}
    prices = {(0,): 1.0, (1,): 2.0, (2,): 4.0, (3,): 3.0}
    assert front_of(accuracies, prices, 0.01) == [(0,), (3,)]


def test_a_contradiction_widens_the_bounds():
    """A point that falls by a level: what lay beyond it is open again."""
    prices = {(n,): float(n) for n in range(6)}
    frontier = Frontier((6,), prices, 0.01)
    known = {(0,): [0.5], (5,): [0.9], (2,): [0.9]}
    assert frontier.contradiction(known) == 0 and frontier.open(known) == [1]
    risen = {(0,): [0.5], (1,): [0.85], (2,): [0.9], (3,): [0.9], (5,): [0.9]}
    assert frontier.open(risen) == []
    fallen = risen | {(3,): [0.86], (5,): [0.88]}
    assert frontier.contradiction(fallen) == pytest.approx(0.04) and frontier.open(fallen) == [4]
