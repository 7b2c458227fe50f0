"""What a few chips tell of a mean over all: against formulas written out, and how often bounds hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.require.standings import standings


def drawn(rng, points, seeds, sigma):
    """Return accuracies that have a part of the point, one of the seed, and noise."""
    return rng.uniform(0.5, 0.9, (points, 1)) + 0.02 * rng.normal(size=seeds) + sigma * rng.normal(size=(points, seeds))


def test_what_is_whole_is_its_mean():
    found = standings([[0.5, 0.7], [0.8, 0.9], [0.6, None], [None, None]], 2, 0.95, 10)
    assert found.mean == pytest.approx([0.6, 0.85, 0.6, 0.0]) and found.whole.all()
    assert (found.error == 0).all() and found.count.tolist() == [2, 2, 1, 0]
    low, high = found.bounds()
    assert (low == high).all()


def test_what_is_not_goes_by_its_seeds_and_the_noise_of_others():
    rows = [[0.50, 0.54, 0.52], [0.70, 0.76, 0.70], [0.80, 0.84, 0.84], [0.6], [0.6, 0.7], [None]]
    found = standings(rows, 3, 0.95, 200)
    whole = np.array(rows[:3])
    shift = (whole - whole.mean(axis=1, keepdims=True)).mean(axis=0)
    assert found.mean[3] == pytest.approx(0.6 - shift[0]) and found.mean[4] == pytest.approx(0.65 - shift[:2].mean())
    cleaned = [np.array(row) - shift[: len(row)] for row in rows[:3] + rows[4:5]]
    squares = sum(((row - row.mean()) ** 2).sum() for row in cleaned)
    sigma = math.sqrt(squares / (2 + 2 + 2 + 1 - 2))
    assert found.error[3] == pytest.approx(sigma * math.sqrt(1 - 1 / 3))
    assert found.error[4] == pytest.approx(sigma * math.sqrt(1 / 2 - 1 / 3))
    assert found.noise == pytest.approx(sigma / math.sqrt(3)) and math.isinf(found.error[5])
    # Student's distribution of five degrees of freedom, closed: Abramowitz and Stegun, 26.7.3
    angle = math.atan(found.quantile / math.sqrt(5))
    inside = 2 / math.pi * (angle + math.sin(angle) * (math.cos(angle) + 2 / 3 * math.cos(angle) ** 3))
    assert (1 - inside) / 2 == pytest.approx(0.05 / 200, rel=1e-6)


def test_with_one_seed_there_is_nothing_to_guess():
    found = standings([[0.5], [0.7]], 1, 0.95, 10)
    assert found.mean.tolist() == [0.5, 0.7] and found.noise == 0 and (found.error == 0).all()
    assert found.bounds()[0].tolist() == [0.5, 0.7]


def test_where_nothing_tells_the_noise_bounds_are_everything():
    low, high = standings([[0.5], [0.6]], 3, 0.95, 10).bounds()
    assert np.isneginf(low).all() and np.isposinf(high).all()


def test_all_bounds_hold_with_the_confidence_asked_for():
    """400 times twelve whole points and 30 with one chip of three: one bound fails or more in 10 %, within 3 sigma."""
    rng, failed = np.random.default_rng(2), 0
    for _ in range(400):
        table = drawn(rng, 42, 3, 0.01)
        rows = [row[: 3 if n < 12 else 1].tolist() for n, row in enumerate(table)]
        low, _ = standings(rows, 3, 0.9, 30).bounds()
        failed += bool((table[12:].mean(axis=1) < low[12:]).any())
    # bounds are held one by one, and their points share the shift of the seed: fewer fail than their sum
    assert failed / 400 < 0.1 + 3 * math.sqrt(0.1 * 0.9 / 400) and failed > 0
