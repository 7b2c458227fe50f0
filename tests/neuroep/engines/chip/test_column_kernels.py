"""Digital work on columns: one weight at a time in double precision, and the laws of what is rounded at random."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuroep.engines.chip.rules import column_kernels

pytestmark = pytest.mark.kernels
DRAWS = np.random.default_rng(0)
SHAPE, COLUMNS, AT, BEGIN = (5, 12), 6, 2, 7
"""Columns from 7 on of an array are those from 2 on of what is read."""


def read(dtype: str) -> np.ndarray:
    return DRAWS.normal(size=(SHAPE[0], COLUMNS)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("keep", "most"), [(None, math.inf), (0.1, math.inf), (0.0, 2.0), (None, 1.0)])
def test_what_is_gathered_leaves_in_whole_pulses(keep, most, dtype):
    moved, rates = read(dtype), DRAWS.uniform(-3, 3, COLUMNS - AT).astype(dtype)
    gathered, whole = DRAWS.uniform(-1, 1, SHAPE).astype(dtype), np.full(moved.shape, 77, np.int32)
    expected, numbers = gathered.astype(np.float64), whole.copy()
    for i in range(1, 4):
        for j, rate in enumerate(rates):
            own = expected[i, BEGIN + j] + float(moved[i, AT + j]) * float(rate)
            number = min(max(math.trunc(own), -most), most)
            numbers[i, AT + j] = number
            expected[i, BEGIN + j] = own - number if keep is None else own * (keep if number else 1)
    real = np.dtype(dtype).type
    how = real(most), real(-1 if keep is None else keep)
    found = column_kernels.gather(1, 4, AT, BEGIN, moved, rates, gathered, *how, whole)
    np.testing.assert_array_equal(whole, numbers)
    np.testing.assert_allclose(gathered, expected, rtol=0, atol=1e-6)
    assert found == (np.count_nonzero(numbers[1:4, AT:]), 0) and found[0] > 3


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_counted(wrong):
    moved = np.zeros((2, 3))
    moved[1, 2] = wrong
    args = moved, np.ones(3), np.zeros((2, 3))
    whole = np.zeros((2, 3), np.int32)
    assert column_kernels.gather(0, 2, 0, 0, *args, np.inf, -1.0, whole)[1] == 1
    assert column_kernels.round_off(0, 2, *args, np.inf, whole)[1] == 1
    assert column_kernels.not_finite(moved) == 1
    assert column_kernels.not_finite(np.zeros((3, 2))) == 0


@pytest.mark.parametrize("most", [math.inf, 1.0])
def test_rounding_at_random_keeps_the_mean(most):
    """x = rate read of 0.3, -0.3, 2.5 and 3: whole numbers next to it, whose mean is x where none is cut."""
    drawn = DRAWS.random((4000, 4)).astype(np.float32)
    whole = np.empty(drawn.shape, np.int32)
    moved, rates = np.full((4000, 4), 0.5), np.array([0.6, -0.6, 5.0, 6.0])
    some, bad = column_kernels.round_off(0, 4000, moved, rates, drawn, most, whole)
    for column, x in enumerate((0.3, -0.3, 2.5, 3.0)):
        near = {min(max(number, -most), most) for number in (math.floor(x), math.ceil(x))}
        assert set(np.unique(whole[:, column])) == near
        if most == math.inf:
            assert abs(whole[:, column].mean() - x) < 0.04
    assert (some, bad) == (np.count_nonzero(whole), 0)


def test_a_reference_follows_what_is_read():
    moved, reference = read("float64"), DRAWS.normal(size=SHAPE)
    eta, begins = np.array([0.1, 0.5, 1.0, 0.3]), np.array([True, False, False, False])
    expected, apart = reference.copy(), np.zeros_like(moved)
    for i in range(1, 4):
        for j in range(4):
            old = moved[i, AT + j] if begins[j] else reference[i, BEGIN + j]
            apart[i, AT + j] = moved[i, AT + j] - old
            expected[i, BEGIN + j] = old + eta[j] * apart[i, AT + j]
    found = np.zeros_like(moved)
    column_kernels.follow(1, 4, AT, BEGIN, moved, begins, eta, reference, found)
    np.testing.assert_allclose(reference, expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose(found, apart, rtol=0, atol=1e-15)
    assert found[1, AT] == 0 and abs(found[1, AT + 1]) > 0


def test_weights_beyond_are_those_that_lie_there_without_what_they_stray():
    stored = np.array([[0.5, 0.61, -0.61, -0.75, 0.0], [0.8, -0.9, np.nan, 0.05, -0.05]])
    left_out = np.zeros(stored.shape, bool)
    left_out[1, 0] = True
    expected = sum(
        max(abs(w) - 0.1, 0) > (0.5 if w > 0 else 0.6)
        for w, out in zip(stored.ravel(), left_out.ravel(), strict=True) if not out
    )  # fmt: skip
    assert column_kernels.beyond(stored, left_out, 0.1, 0.5, -0.6) == expected == 3
    assert column_kernels.beyond(stored, left_out, 0.0, 0.04, -0.04) == 7
