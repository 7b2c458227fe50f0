"""Ragged token ids: as they went in, taken, cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from neuroep.data import Ragged

SEQUENCES = st.lists(st.lists(st.integers(0, 99), max_size=6), max_size=8)


def as_lists(ragged: Ragged) -> list[list[int]]:
    """Return the samples as lists."""
    return [ragged[i].tolist() for i in range(len(ragged))]


@given(SEQUENCES)
def test_ragged_holds_its_sequences(sequences: list[list[int]]) -> None:
    """Ids, lengths and single samples come back as they went in."""
    ragged = Ragged.from_sequences(sequences)
    assert as_lists(ragged) == sequences
    assert ragged.lengths.tolist() == [len(s) for s in sequences]
    assert (ragged.ids.dtype, ragged.offsets.dtype) == (np.int32, np.int64)


@given(SEQUENCES.filter(len), st.data())
def test_take_picks_samples_in_order(sequences: list[list[int]], data: st.DataObject) -> None:
    """Any indices, repeated ones too, pick those samples."""
    indices = data.draw(st.lists(st.integers(0, len(sequences) - 1)))
    taken = Ragged.from_sequences(sequences).take(np.array(indices, dtype=np.int64))
    assert as_lists(taken) == [sequences[i] for i in indices]


@given(SEQUENCES, st.integers(1, 7))
def test_cut_keeps_the_beginning(sequences: list[list[int]], tokens: int) -> None:
    """Samples keep their first tokens."""
    assert as_lists(Ragged.from_sequences(sequences).cut(tokens)) == [s[:tokens] for s in sequences]


def test_single_samples_count_from_both_ends() -> None:
    """An index works like a list's, and is refused like a list's."""
    ragged = Ragged.from_sequences([[1, 2], [3]])
    assert ragged[-1].tolist() == [3]
    with pytest.raises(IndexError):
        ragged[2]
