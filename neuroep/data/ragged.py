"""Sequences of token ids of different lengths, end to end in one array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Ragged:
    """Sequences of different lengths, end to end in one array.

    Parameters
    ----------
    ids : numpy.ndarray
        (total,) int32, or uint16 once :meth:`narrowed`, token ids of all samples one after the other.
    offsets : numpy.ndarray
        (samples + 1,) int64; sample ``i`` is ``ids[offsets[i]:offsets[i + 1]]``.
    """

    ids: np.ndarray
    offsets: np.ndarray

    @classmethod
    def from_sequences(cls, sequences: Iterable[Sequence[int]]) -> Ragged:
        """Join sequences of token ids.

        Parameters
        ----------
        sequences : iterable of sequence of int
            One per sample; an empty one is allowed.
        """
        arrays = [np.asarray(sequence, dtype=np.int32) for sequence in sequences]
        ids = np.concatenate(arrays) if arrays else np.empty(0, np.int32)
        return cls(ids, offsets_of(np.array([len(a) for a in arrays], dtype=np.int64)))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        """Return the token ids of one sample, (tokens,), as a view."""
        place = range(len(self))[index]
        return self.ids[self.offsets[place] : self.offsets[place + 1]]

    def narrowed(self, words: int) -> Ragged:
        """Return the same in two bytes a token, where that many words have room there."""
        return Ragged(self.ids.astype(np.uint16), self.offsets) if words <= 2**16 else self

    @property
    def lengths(self) -> np.ndarray:
        """(samples,) int64, tokens of each sample."""
        return np.diff(self.offsets)

    def take(self, indices: np.ndarray) -> Ragged:
        """Return the samples ``indices`` (samples,), in that order."""
        return self._gather(self.offsets[:-1][indices], self.lengths[indices])

    def cut(self, tokens: int) -> Ragged:
        """Keep at most the first ``tokens`` tokens of every sample."""
        lengths = self.lengths
        if not len(lengths) or lengths.max() <= tokens:
            return self
        return self._gather(self.offsets[:-1], np.minimum(lengths, tokens))

    def _gather(self, starts: np.ndarray, lengths: np.ndarray) -> Ragged:
        offsets = offsets_of(lengths)
        source = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return Ragged(self.ids[source], offsets)


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """Return the (samples + 1,) int64 offsets which belong to (samples,) lengths."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
