"""Pulses of every device: shares, histogram, what wears out first."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.wear import Wear, first_of


def test_numbers_of_one_array():
    pulses = np.array([[[1.0, 5.0], [0.0, 12.0]], [[2.0, 3.0], [11.0, 0.0]]])
    wear = Wear("a", pulses, 10.0)
    assert (wear.mean, wear.most, wear.worn, wear.first) == (4.25, 12.0, 0.25, (0, 1, 1))
    shares, edges = wear.histogram(4)
    np.testing.assert_allclose(edges, [0, 3, 6, 9, 12])
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.0, 0.25])
    assert wear.left(6) == 0.0
    assert wear._replace(endurance=24.0).left(6) == pytest.approx(6.0)


def test_what_wears_out_first_is_nearest_to_its_own_end():
    one, other = Wear("a", np.full((1, 2, 2), 9.0), 10.0), Wear("b", np.full((1, 2, 2), 50.0), 100.0)
    assert first_of([one, other]) is one and first_of([]) is None


def test_arrays_without_devices_or_pulses():
    wear = Wear("a", np.zeros((1, 0, 3)), 10.0)
    assert wear.mean == wear.most == wear.worn == 0.0
    assert Wear("a", np.zeros((1, 2, 2)), 10.0).left(3) == float("inf")
