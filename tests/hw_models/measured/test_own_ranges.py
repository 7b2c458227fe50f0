"""An exponential whose range begins where a device does, and no one knows where."""

from __future__ import annotations

import math

import numpy as np

from hw_models.measured import curves, laws
from hw_models.measured.arrays import curves_of
from hw_models.measured.laws import FittedResponse
from hw_models.measured.own_ranges import with_own_ends
from hw_models.measured.pulse_fields import shape_of
from hw_models.measured.reader import Reader

A, GAMMA = -0.1, -2.5
"""Of steps s (1 - A exp(gamma z)) up; those down are s."""
WAY = 3 * ([1] * 60 + [-1] * 60)


def drawn(seed: int, spread: float, noise: float) -> laws.Scaled:
    """Draw five devices from their own lower bounds, which differ, as weights of 5 to 15 uS."""
    random = np.random.default_rng(seed)
    rows = []
    for low in -1 + spread * np.linspace(-1, 1, 5):
        w, row = low, []
        for sign in (0, *WAY):
            z = 2 * w / (1 - low)
            step = 0.004 * (1 - A * math.exp(GAMMA * z) if sign > 0 else 2.0)
            w = max(w + sign * step * (1 + noise * random.normal()), low)
            row.append(w)
        rows.append(row)
    found = curves_of(10 + 5 * np.array(rows), WAY)
    return laws.scaled(found, (5.0, 15.0), (False, False), curves.reaching(found))


def read(fitted: FittedResponse) -> Reader:
    return Reader(fitted, np.zeros(len(fitted.best.shared)))


def test_a_range_that_begins_where_a_device_does_is_left_open() -> None:
    fitted = laws.fit(drawn(0, 0.3, 0.3), "exponential", form=("noise",))
    one = read(fitted)
    other, found = with_own_ends(fitted), shape_of(one, {})
    assert other is not None and other.data.reached == (True, False)
    assert one.shared("gamma_up").low > GAMMA
    assert found["gamma_up"].low < GAMMA < found["gamma_up"].high
    assert found["a_up"].low < A < found["a_up"].high
    assert not found["a_up"].told


def test_one_range_is_that_of_all_where_no_device_lies_beyond_it() -> None:
    assert with_own_ends(laws.fit(drawn(0, 0.0, 1.0), "exponential", form=("noise",))) is None
