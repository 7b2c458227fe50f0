"""Expected accuracies: at known points, between them, far from them; against a slow twin."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from analysis.require.expectations import LENGTH, Expectations

AT = np.array(list(product(range(5), range(3))))


def slow(known, values, noise):
    """Return means and deviations by matrices that are inverted."""
    at = AT / np.array([4.0, 2.0])
    amplitude = (max(values) - min(values)) / 2

    def together(one, other):
        return amplitude**2 * math.exp(-sum((one - other) ** 2) / (2 * LENGTH**2))

    inside = np.array([[together(at[a], at[b]) for b in known] for a in known])
    inside += np.eye(len(known)) * (noise**2 + 1e-8 * amplitude**2)
    across = np.array([[together(one, at[b]) for b in known] for one in at])
    inverse, centre = np.linalg.inv(inside), np.mean(values)
    left = [amplitude**2 - row @ inverse @ row for row in across]
    return centre + across @ inverse @ (np.array(values) - centre), np.sqrt(left)


def test_it_is_that_of_matrices_written_out():
    known, values = np.array([0, 4, 8, 14]), np.array([0.5, 0.6, 0.8, 0.9])
    found = Expectations(AT).of(known, values, 0.02)
    for one, other in zip(found, slow(known, values, 0.02), strict=True):
        assert one == pytest.approx(other, rel=1e-6)


def test_known_points_are_met_and_others_lie_between():
    known, values = np.array([0, 14]), np.array([0.5, 0.9])
    mean, spread = Expectations(AT).of(known, values, 1e-4)
    assert mean[known] == pytest.approx(values, abs=1e-3) and (spread[known] < 1e-3).all()
    assert 0.5 < mean[7] < 0.9 and spread[7] > 0.05


def test_one_value_alone_and_no_spread():
    mean, spread = Expectations(np.array([[0], [0]])).of(np.array([0, 1]), np.array([0.5, 0.5]), 0.01)
    assert mean == pytest.approx([0.5, 0.5]) and np.isfinite(spread).all() and (spread > 0).all()
