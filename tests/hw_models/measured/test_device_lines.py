"""Lines through many devices at once, against one device after the other by a plain weighted fit."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.measured.device_lines import lines, middle, rows_of, scale_of


def readings(seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three devices of 6, 9 and 30 readings, in mixed order: device, x and y of slope 2 and noise 0.1."""
    draw = np.random.default_rng(seed)
    device = draw.permutation(np.repeat([0, 1, 2], [6, 9, 30]))
    x = draw.uniform(0, 1, 45)
    return device, x, device + 2 * x + 0.1 * draw.normal(size=45)


def test_readings_go_to_rows_and_back() -> None:
    device, x, _ = readings()
    rows = rows_of(device)
    assert rows.seen.sum(axis=1).tolist() == [6, 9, 30]
    assert rows.of(x)[1][rows.seen[1]].tolist() == x[device == 1].tolist()
    assert rows.back(rows.of(x)).tolist() == x.tolist()


def test_medians_are_those_of_each_row() -> None:
    values, seen = np.array([[3.0, -1, 2, 9], [4, 1, -7, 2]]), np.array([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=bool)
    assert middle(values, seen).tolist() == [2.0, 3.0]


@pytest.mark.parametrize("far", [0.0, 3.0])
def test_lines_are_those_of_one_device_after_the_other(far: float) -> None:
    device, x, y = readings()
    y[np.flatnonzero(device == 2)[4]] += far
    rows = rows_of(device)
    found = lines(rows.of(x), rows.of(y), rows.seen)
    for d in range(3):
        own = device == d
        w = np.ones(own.sum())
        for _ in range(50):
            b, a = np.polyfit(x[own], y[own], 1, w=np.sqrt(w))
            left = y[own] - a - b * x[own]
            scale = max(float(scale_of(found.left, rows.seen)[d]), float(np.median(scale_of(found.left, rows.seen))))
            w = np.minimum(1.0, 3 * scale / np.maximum(np.abs(left), 1e-300))
        assert (found.offset[d], found.slope[d]) == pytest.approx((a, b), abs=2e-3)
        assert b == pytest.approx(2, abs=0.5)


def test_errors_of_slopes_are_as_large_as_they_scatter() -> None:
    """Of six readings each: by their own scatter alone the variance of a device was a half or twice of it."""
    draw = np.random.default_rng(3)
    x = np.tile(np.linspace(0, 1, 6), (2000, 1))
    found = lines(x, 0.1 * draw.normal(size=x.shape), np.ones_like(x, dtype=bool))
    truth = 0.1**2 / ((x[0] - x[0].mean()) ** 2).sum()
    assert found.slope.var() == pytest.approx(truth, rel=0.1)
    assert found.variance.mean() == pytest.approx(truth, rel=0.1)
    assert found.variance.std() < 0.1 * truth


def test_many_starts_at_once() -> None:
    device, x, y = readings()
    rows = rows_of(device)
    both = lines(np.stack([rows.of(x), 2 * rows.of(x)]), rows.of(y), rows.seen)
    assert both.slope[0] == pytest.approx(2 * both.slope[1])
    assert both.at(np.stack([rows.of(x), 2 * rows.of(x)]))[0] == pytest.approx(
        (rows.of(y) - both.left[0]) * rows.seen + both.at(np.stack([rows.of(x)] * 2))[0] * ~rows.seen
    )
