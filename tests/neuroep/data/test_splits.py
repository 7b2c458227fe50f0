"""Splits: tokens of every kind stay with their labels."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep.data import Ragged, Split
from neuroep.data.series import Series
from neuroep.errors import DataError


def test_split_refuses_labels_of_another_number() -> None:
    """Every sequence has one sample per label."""
    with pytest.raises(DataError, match="2 samples of 'text' but 1 labels"):
        Split({"text": Ragged.from_sequences([[0], [1]])}, np.array([0]))


def test_split_takes_and_cuts() -> None:
    """Tokens and labels stay together."""
    whole = Split({"text": Ragged.from_sequences([[0, 1], [2], []])}, np.array([0, 1, 1]))
    split = whole.take(np.array([2, 0])).cut({"text": 1})
    assert len(split) == 2
    assert [split.tokens["text"][i].tolist() for i in range(2)] == [[], [0]]
    assert split.labels.tolist() == [1, 0]


def test_split_takes_and_cuts_numbers() -> None:
    """Numbers stay together with their labels as words do."""
    values = np.arange(12.0).reshape(3, 4, 1)
    split = Split({"signal": Series(values, np.arange(3), np.array([4, 2, 1]))}, np.array([0, 1, 1]))
    taken = split.take(np.array([2, 0])).cut({"signal": 3})
    assert taken.labels.tolist() == [1, 0]
    assert taken.tokens["signal"].lengths.tolist() == [1, 3]
    np.testing.assert_array_equal(taken.tokens["signal"].read()[1, :, 0], [0, 1, 2])
