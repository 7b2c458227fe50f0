"""Labelled samples of one split, whatever their tokens are: words or numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from neuroep.errors import DataError


class TokenSequences(Protocol):
    """One sequence of every sample: :class:`neuroep.data.ragged.Ragged` ids of words, or a series of numbers."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    @property
    def lengths(self) -> np.ndarray:
        """(samples,) int64, tokens of each sample."""
        ...

    def take(self: Kind, indices: np.ndarray) -> Kind:
        """Return the samples ``indices`` (samples,), in that order."""
        ...

    def cut(self: Kind, tokens: int) -> Kind:
        """Keep at most the first ``tokens`` tokens of every sample."""
        ...


Kind = TypeVar("Kind", bound=TokenSequences)


@dataclass(frozen=True, eq=False)
class Split(Generic[Kind]):
    """Samples of one split.

    Parameters
    ----------
    tokens : mapping of str to TokenSequences
        Tokens by name of the sequence: ``{"text": ...}``, ``{"premise": ..., "hypothesis": ...}``, ``{"signal": ...}``.
    labels : numpy.ndarray
        (samples,) int64, class numbers.

    Raises
    ------
    DataError
        If a sequence and the labels disagree in the number of samples.
    """

    tokens: Mapping[str, Kind]
    labels: np.ndarray

    def __post_init__(self) -> None:
        for name, held in self.tokens.items():
            if len(held) != len(self.labels):
                raise DataError(f"split: {len(held)} samples of '{name}' but {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> Split[Kind]:
        """Return the samples ``indices``, (samples,) int or a slice's worth of them, in that order."""
        chosen = np.asarray(indices)
        return Split({name: held.take(chosen) for name, held in self.tokens.items()}, self.labels[chosen])

    def cut(self, tokens: Mapping[str, int]) -> Split[Kind]:
        """Keep at most the first ``tokens[name]`` tokens of each sequence."""
        return Split({name: held.cut(tokens[name]) for name, held in self.tokens.items()}, self.labels)
