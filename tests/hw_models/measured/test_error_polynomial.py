"""A standard deviation by the target: its best polynomial, and intervals by the likelihood of its numbers."""

from __future__ import annotations

import itertools
import math
import zlib

import numpy as np
import pytest
from scipy.stats import t as student

from hw_models.measured import error_polynomial as found
from tests.naive import law_measurements as twin

TERMS = (0.26348, 1.9650, -1.1731)


def rows(seed: int, devices: int, factor: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return targets, residuals and devices; errors of a device have a factor exp(``factor`` z) of its own."""
    draw = np.random.default_rng(seed)
    device = np.repeat(np.arange(devices), 12)
    v = np.tile(np.linspace(0.02, 1, 12), devices)
    own = np.exp(factor * draw.normal(size=devices))[device]
    return v, np.polyval(TERMS[::-1], v) * own * draw.normal(size=len(v)), device


def minus_log_likelihood(terms, v, r):
    """Row by row, with plain squares to three deviations."""
    total = 0.0
    for place, rest in zip(v, r, strict=True):
        s = sum(term * place**k for k, term in enumerate(terms))
        if s <= 0:
            return math.inf
        z = abs(rest) / s
        total += math.log(s) + (z * z if z <= 3 else 6 * z - 9) / 2
    return total


def test_the_best_terms_are_those_of_a_search_over_all() -> None:
    v, r, _ = rows(1, 8)
    best = found.fitted(1, v, r, None)[0]
    a, b = (np.linspace(0.05, 1.0, 96), np.linspace(-0.5, 2.0, 126))
    loss, first, second = min((minus_log_likelihood((x, y), v, r), x, y) for x, y in itertools.product(a, b))
    assert minus_log_likelihood(best, v, r) <= loss
    assert best == pytest.approx((first, second), abs=0.021)


def test_ends_are_where_the_likelihood_has_fallen_with_the_others_at_their_best() -> None:
    """A line in v: on a grid of its two numbers, as far as Student's quantile of 96 - 2 degrees says."""
    v, r, device = rows(1, 8)
    terms = found.fitted(1, v, r, None)
    _, reach = found.errors(terms, v, r, None, device)
    q = student.ppf(0.975, 94)
    assert (reach >= q - 1e-9).all()
    a, b = np.linspace(0.1, 0.8, 71), np.linspace(-0.2, 2.2, 97)
    fall = np.array([[minus_log_likelihood((x, y), v, r) for y in b] for x in a]) - minus_log_likelihood(terms[0], v, r)
    for n, (grid, profile) in enumerate(((a, fall.min(axis=1)), (b, fall.min(axis=0)))):
        inside = grid[profile <= reach[n] ** 2 / 2]
        low, high = found.ends(terms, v, r, None, device)[0, n]
        assert (low, high) == pytest.approx((inside[0], inside[-1]), abs=1.5 * (grid[1] - grid[0]))


def test_of_one_number_it_is_the_interval_of_a_scale() -> None:
    """Order 0: -log L = n ln s + sum r^2/(2 s^2), up to the few that lie far out."""
    v, r = np.linspace(0, 1, 40), np.random.default_rng(2).uniform(0.5, 1.5, 40) * np.tile([1.0, -1.0], 20)
    terms = found.fitted(0, v, r, None)
    assert terms[0, 0] == pytest.approx(math.sqrt(np.mean(r**2)), rel=1e-3)
    device = np.zeros(40, dtype=int)
    low, high = found.ends(terms, v, r, None, device)[0, 0]
    for end in (low, high):
        x = end / terms[0, 0]
        assert math.sqrt(2 * 40 * (math.log(x) + (x**-2 - 1) / 2)) == pytest.approx(student.ppf(0.975, 39), rel=0.02)


def test_devices_whose_errors_differ_are_known_to_what_they_differ_by() -> None:
    """c is the ratio of how sums over devices scatter; of rows that do not go together it is no more than chance."""
    v, r, device = rows(3, 200, factor=0.5)
    terms = found.fitted(0, v, r, None)
    error, reach = found.errors(terms, v, r, None, device)
    z = np.clip(r / terms[0, 0], -4, 4)
    own = np.bincount(device, (z**2 - 1) / terms[0, 0])
    by_hand = math.sqrt((own**2).sum() * 200 / 199) * terms[0, 0] ** 2 / (2 * len(r))
    assert error[0] == pytest.approx(terms[0, 0] / math.sqrt(2 * len(r)), rel=1e-4)
    assert reach[0] * error[0] == pytest.approx(by_hand * student.ppf(0.975, 199), rel=1e-3)
    _, alone = found.errors(terms, v, r, None, np.random.default_rng(0).permutation(device))
    assert alone[0] < reach[0] / 1.2


def test_intervals_of_five_devices_hold_on_both_sides() -> None:
    """The constant lay below the truth with its whole interval in 6 sets of 100, and never above."""
    below = above = 0
    others = []
    for seed in range(40):
        columns, _ = twin.programming((9, seed), 5)
        v, device = np.array(columns["target [uS]"]) / 25, np.array(columns["device"])
        r = np.array(columns["achieved [uS]"]) - 25 * v
        terms = found.fitted(2, v, r, None)
        known = found.ends(terms, v, r, None, device)[0]
        below += known[0, 1] < TERMS[0]
        above += known[0, 0] > TERMS[0]
        others += [low <= term <= high for (low, high), term in zip(known[1:], TERMS[1:], strict=True)]
    assert below + above <= 40 * 0.05 + 3 * np.sqrt(40 * 0.05 * 0.95)
    assert np.mean(others) > 0.9


def test_two_ages_are_two_polynomials() -> None:
    draw = np.random.default_rng(5)
    v, share = np.tile(np.linspace(0, 1, 10), 60), np.repeat(np.linspace(0, 1, 3), 200)
    sigma = np.sqrt(0.5**2 + share * (1.5**2 - 0.5**2))
    assert found.sigma_at(np.array([[0.5, 0.0], [1.5, 0.0]]), v, share) == pytest.approx(sigma)
    r = sigma * draw.normal(size=600)
    terms = found.fitted(0, v, r, share)
    assert terms[:, 0] == pytest.approx((0.5, 1.5), rel=0.15)
    known = found.ends(terms, v, r, share, np.arange(600))
    assert known.shape == (2, 1, 2)
    assert (known[:, 0, 0] < (0.5, 1.5)).all() and (known[:, 0, 1] > (0.5, 1.5)).all()


def test_a_polynomial_below_zero_is_no_mirror_of_itself() -> None:
    """|s| is the same at -p: the lower end of the slope of this set was minus its upper end, 3.43."""
    assert (found.sigma_at(np.array([[-1.0, -1.0]]), np.linspace(0, 1, 5), None) <= 1e-9).all()
    columns, _ = twin.programming((zlib.crc32(b"programming 5"), 4), 5)
    v, device = np.array(columns["target [uS]"]) / 25, np.array(columns["device"])
    r = np.array(columns["achieved [uS]"]) - 25 * v
    terms = found.fitted(2, v, r, None)
    low, high = found.ends(terms, v, r, None, device)[0, 1]
    assert -1.2 < low < 0 < terms[0, 1] < high < 4
    a, c = np.linspace(0.4, 1.2, 41), np.linspace(-1.0, 3.0, 51)
    q = found.errors(terms, v, r, None, device)[1][1]
    least = minus_log_likelihood(terms[0], v, r)
    best = min(minus_log_likelihood((x, low, y), v, r) for x, y in itertools.product(a, c))
    assert np.sqrt(2 * (best - least)) == pytest.approx(q, rel=0.02)
