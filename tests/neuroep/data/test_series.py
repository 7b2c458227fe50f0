"""Samples of numbers in one padded array: taken, cut, and windowed without being read."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep.data.series import Series

VALUES = np.arange(2 * 10 * 3, dtype=np.float64).reshape(2, 10, 3)


def make(lengths=(10, 7)) -> Series:
    return Series(VALUES, np.arange(2), np.array(lengths))


def slowly(values: np.ndarray, length: int, window: int, stride: int) -> list[list[float]]:
    """Cut one sample into windows, one after the other."""
    starts = range(0, length - window + 1, stride)
    return [[x for point in values[start : start + window] for x in point] for start in starts]


def test_points_are_tokens_unless_a_window_is_said():
    series = make()
    assert (len(series), series.channels, series.points.tolist()) == (2, 3, [10, 7])
    np.testing.assert_array_equal(series.tokens_of(series.read()), VALUES)


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (3, 3), (3, 1), (4, 2), (7, 5), (2, 1)])
def test_windows_hold_their_points_one_after_the_other(window, stride):
    series = make().windowed(window, stride)
    tokens = series.tokens_of(series.read())
    for row, length in enumerate((10, 7)):
        expected = slowly(VALUES[row], length, window, stride)
        assert series.lengths[row] == len(expected)
        np.testing.assert_array_equal(tokens[row, : len(expected)], expected)


def test_a_sample_shorter_than_a_window_has_no_token():
    series = make((10, 2)).windowed(3, 3)
    assert series.lengths.tolist() == [3, 0]
    assert series.points.tolist() == [9, 0]
    empty = series.take(np.array([1]))
    assert empty.tokens_of(empty.read()).shape == (1, 0, 9)


def test_take_and_cut():
    series = make().windowed(2, 2).take(np.array([1, 0, 1])).cut(4)
    assert series.lengths.tolist() == [3, 4, 3]
    assert series.read().shape == (3, 8, 3)
    np.testing.assert_array_equal(series.read()[1], VALUES[0, :8])


def test_chunks_are_the_points_that_tokens_cover(monkeypatch):
    from neuroep.data import series as module

    expected = np.concatenate([VALUES[0, :9], VALUES[1, :6]])
    for size in (1, 1 << 24):
        monkeypatch.setattr(module, "_CHUNK", size)
        np.testing.assert_array_equal(np.concatenate(list(make().windowed(3, 3).chunks())), expected)
