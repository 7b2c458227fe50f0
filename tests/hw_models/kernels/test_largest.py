"""Largest numbers by their bits against NumPy's comparisons."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.kernels.largest import highest, largest

DRAWS = np.random.default_rng(0)


@pytest.mark.parametrize("count", [0, 1, 5, 300])
@pytest.mark.parametrize("shift", [-9.0, 0.0, 9.0])
def test_they_are_those_of_comparisons(count, shift):
    row = (DRAWS.normal(size=count) + shift).astype(np.float32)
    assert highest(row) == row.max(initial=-np.inf)
    assert largest(row) == np.abs(row).max(initial=0)


@pytest.mark.parametrize("values", [[0.0, -0.0], [-0.0], [1e-45, -1e-45], [-np.inf, 3.0], [np.inf, 1.0], [-np.inf]])
def test_of_zeros_of_the_smallest_and_of_the_largest(values):
    row = np.array(values, dtype=np.float32)
    assert highest(row) == row.max()
    assert largest(row) == np.abs(row).max()


@pytest.mark.parametrize("place", [0, 7, 39])
@pytest.mark.parametrize("nan", [np.nan, -np.nan])
def test_of_no_number(place, nan):
    row = DRAWS.normal(size=40).astype(np.float32)
    row[place] = nan
    row[20] = np.inf
    assert np.isnan(largest(row))
    if not np.signbit(row[place]):
        assert np.isnan(highest(row))
