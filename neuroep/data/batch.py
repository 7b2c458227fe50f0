"""One minibatch: clamped word vectors and labels, the only thing the data side hands to an engine."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from neuroep.errors import DataError, unknown


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
    key : tuple of str and int
        What the draws of a chip are keyed by while it settles these samples, for example ``("train", 12)``; so what was
        read in between, and a resume, change nothing. Empty leaves it to the engine, which counts clamped batches.
    kinds : mapping of str to numpy.ndarray
        By sequence, where it is known: (real tokens of all samples,) a whole number for each token, sample after
        sample. Tokens of one number have the very same vector, so that an engine may compute once what they share.

    Raises
    ------
    DataError
        If shapes disagree between the sequences or with the labels, labels, lengths or kinds are no whole numbers,
        there is no sample, or a vector is not finite.
    """

    inputs: Mapping[str, TokenVectors]
    labels: np.ndarray
    key: tuple[str | int, ...] = ()
    kinds: Mapping[str, np.ndarray] = field(default_factory=dict)

    def keyed(self, *key: str | int) -> Batch:
        """Return the same samples with this key."""
        other = copy.copy(self)  # what is in it has been checked
        object.__setattr__(other, "key", key)
        return other

    def __post_init__(self) -> None:
        if self.labels.ndim != 1 or self.labels.dtype.kind not in "iu" or not len(self.labels):
            shape, kind = self.labels.shape, self.labels.dtype
            raise DataError(f"batch: labels are {kind} of shape {shape}: expected whole numbers, one for each sample")
        for name, (vectors, lengths) in self.inputs.items():
            if vectors.ndim != 3:
                raise DataError(f"batch: '{name}' has shape {vectors.shape}: expected (batch, tokens, dim)")
            if len(vectors) != len(self.labels) or lengths.shape != (len(vectors),):
                sizes = f"{len(vectors)} vectors, {lengths.shape} lengths, {len(self.labels)} labels"
                raise DataError(f"batch: '{name}' has {sizes}: all must agree")
            if lengths.dtype.kind not in "iu":
                raise DataError(f"batch: lengths of '{name}' are {lengths.dtype}: expected whole numbers")
            if not all(np.isfinite(sample).all() for sample in vectors):
                raise DataError(f"batch: '{name}' holds vectors that are not finite")
            if lengths.size and not 0 <= lengths.min() <= lengths.max() <= vectors.shape[1]:
                span = f"{lengths.min()} to {lengths.max()}"
                raise DataError(f"batch: lengths of '{name}' run from {span}: allowed are 0 to {vectors.shape[1]}")
        for name, kinds in self.kinds.items():
            if name not in self.inputs:
                raise DataError(f"batch: kinds of tokens of '{name}': {unknown('sequence', name, self.inputs)}")
            tokens = int(self.inputs[name].lengths.sum())
            if kinds.shape != (tokens,) or kinds.dtype.kind not in "iu":
                given = f"{kinds.dtype} of shape {kinds.shape}"
                raise DataError(f"batch: kinds of tokens of '{name}' are {given}: expected whole numbers ({tokens},)")

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(self.labels)
