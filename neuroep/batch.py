"""One minibatch: clamped word vectors and labels, the only thing the data side hands to an engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neuroep.errors import DataError


class TokenVectors(NamedTuple):
    """Word vectors of one sequence per sample."""

    vectors: np.ndarray
    """(batch, tokens, dim), zero beyond each sample's length."""
    lengths: np.ndarray
    """(batch,) number of real tokens, 0 allowed."""


@dataclass(frozen=True)
class Batch:
    """Clamped inputs and labels of one minibatch.

    Parameters
    ----------
    inputs : mapping of str to TokenVectors
        One entry per sequence of the network, for example ``{"text": ...}`` or ``{"premise": ..., "hypothesis": ...}``.
    labels : numpy.ndarray
        (batch,) class numbers.

    Raises
    ------
    DataError
        If shapes disagree between the sequences or with the labels.
    """

    inputs: Mapping[str, TokenVectors]
    labels: np.ndarray

    def __post_init__(self) -> None:
        for name, (vectors, lengths) in self.inputs.items():
            if vectors.ndim != 3:
                raise DataError(f"batch: '{name}' has shape {vectors.shape}: expected (batch, tokens, dim)")
            if len(vectors) != len(self.labels) or lengths.shape != (len(vectors),):
                sizes = f"{len(vectors)} vectors, {lengths.shape} lengths, {len(self.labels)} labels"
                raise DataError(f"batch: '{name}' has {sizes}: all must agree")
            if lengths.size and not 0 <= lengths.min() <= lengths.max() <= vectors.shape[1]:
                span = f"{lengths.min()} to {lengths.max()}"
                raise DataError(f"batch: lengths of '{name}' run from {span}: allowed are 0 to {vectors.shape[1]}")

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(self.labels)
