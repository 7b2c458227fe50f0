"""One minibatch: clamped word vectors and labels, the only thing the data side hands to an engine."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from hw_models.text import shown
from neuroep.errors import DataError, unknown


class TokenVectors(NamedTuple):
    """Word vectors of one sequence per sample."""

    vectors: np.ndarray
    """(batch, tokens, dim), zero beyond each sample's length."""
    lengths: np.ndarray
    """(batch,) number of real tokens, 0 allowed."""


@dataclass(frozen=True, eq=False)
class WordTable:
    """Vectors that tokens are looked up in, found finite once for all batches.

    Parameters
    ----------
    vectors : numpy.ndarray
        (words, dim).

    Raises
    ------
    DataError
        If one is not finite.
    """

    vectors: np.ndarray

    def __post_init__(self) -> None:
        if not np.isfinite(self.vectors).all():
            raise DataError("the table of word vectors holds some that are not finite")


class WordRows(NamedTuple):
    """One sequence per sample as rows of a table, for an engine that looks them up where it computes."""

    rows: np.ndarray
    """(batch, tokens) rows of the table, -1 beyond each sample's length."""
    lengths: np.ndarray
    """(batch,) number of real tokens, 0 allowed."""
    table: WordTable

    def embedded(self) -> TokenVectors:
        """Return their vectors."""
        vectors = self.table.vectors[self.rows]
        vectors[self.rows < 0] = 0
        return TokenVectors(vectors, self.lengths)


@dataclass(frozen=True)
class Batch:
    """Clamped inputs and labels of one minibatch.

    Parameters
    ----------
    inputs : mapping of str to TokenVectors or WordRows
        One entry per sequence of the network, for example ``{"text": ...}`` or ``{"premise": ..., "hypothesis": ...}``.
        Rows of words are quicker on engines that look them up, :attr:`neuroep.engines.engine.Engine.looks_up`.
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
        there is no sample, a vector is not finite, or a row is none of its table.
    """

    inputs: Mapping[str, TokenVectors | WordRows]
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
        for name, held in self.inputs.items():
            tokens, lengths = held.rows if isinstance(held, WordRows) else held.vectors, held.lengths
            if tokens.ndim != (2 if isinstance(held, WordRows) else 3):
                wanted = "(batch, tokens)" if isinstance(held, WordRows) else "(batch, tokens, dim)"
                raise DataError(f"batch: '{name}' has shape {tokens.shape}: expected {wanted}")
            if len(tokens) != len(self.labels) or lengths.shape != (len(tokens),):
                sizes = f"{len(tokens)} vectors, {lengths.shape} lengths, {len(self.labels)} labels"
                raise DataError(f"batch: '{name}' has {sizes}: all must agree")
            if lengths.dtype.kind not in "iu":
                raise DataError(f"batch: lengths of '{name}' are {lengths.dtype}: expected whole numbers")
            if isinstance(held, TokenVectors) and not all(np.isfinite(sample).all() for sample in tokens):
                raise DataError(f"batch: '{name}' holds vectors that are not finite")
            if lengths.size and not 0 <= lengths.min() <= lengths.max() <= tokens.shape[1]:
                span = f"{lengths.min()} to {lengths.max()}"
                raise DataError(f"batch: lengths of '{name}' run from {span}: allowed are 0 to {tokens.shape[1]}")
            if isinstance(held, WordRows):
                _check_rows(name, held)
        for name, kinds in self.kinds.items():
            if name not in self.inputs:
                raise DataError(f"batch: kinds of tokens of '{name}': {unknown('sequence', name, self.inputs)}")
            count = int(self.inputs[name].lengths.sum())
            if kinds.shape != (count,) or kinds.dtype.kind not in "iu":
                given = f"{kinds.dtype} of shape {kinds.shape}"
                raise DataError(f"batch: kinds of tokens of '{name}' are {given}: expected whole numbers ({count},)")

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(self.labels)


def _check_rows(name: str, words: WordRows) -> None:
    """Refuse rows that no table has, and rows beyond a sample's length."""
    rows, count = words.rows, len(words.table.vectors)
    if rows.dtype.kind != "i":
        raise DataError(f"batch: rows of '{name}' are {rows.dtype}: expected whole numbers")
    real = np.arange(rows.shape[1]) < words.lengths[:, None]
    if not np.array_equal(rows >= 0, real) or rows.max(initial=-1) >= count:
        wanted = f"0 to {count - 1} for every token, and -1 beyond a sample's end"
        raise DataError(f"batch: rows of '{name}' are {shown(rows.tolist())}: expected {wanted}")
