"""A corpus in memory: ragged token ids, labels, and the vectors of the words which occur.

A sample is one sequence of token ids (sentiment) or two (premise and hypothesis). Ids number the rows of
``Corpus.vectors``; there is no id for padding or for unknown words, which are dropped before they get here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from neuroep.errors import DataError, unknown


@dataclass(frozen=True, eq=False)
class Ragged:
    """Sequences of different lengths, end to end in one array.

    Parameters
    ----------
    ids : numpy.ndarray
        (total,) int32, token ids of all samples one after the other.
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
        """Return the token ids of one sample, (tokens,) int32, as a view."""
        place = range(len(self))[index]
        return self.ids[self.offsets[place] : self.offsets[place + 1]]

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


@dataclass(frozen=True, eq=False)
class Split:
    """Samples of one split.

    Parameters
    ----------
    tokens : mapping of str to Ragged
        Token ids by name of the sequence, ``{"text": ...}`` or ``{"premise": ..., "hypothesis": ...}``.
    labels : numpy.ndarray
        (samples,) int64, class numbers.

    Raises
    ------
    DataError
        If a sequence and the labels disagree in the number of samples.
    """

    tokens: Mapping[str, Ragged]
    labels: np.ndarray

    def __post_init__(self) -> None:
        for name, ragged in self.tokens.items():
            if len(ragged) != len(self.labels):
                raise DataError(f"split: {len(ragged)} samples of '{name}' but {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> Split:
        """Return the samples ``indices``, (samples,) int or a slice's worth of them, in that order."""
        chosen = np.asarray(indices)
        return Split({name: ragged.take(chosen) for name, ragged in self.tokens.items()}, self.labels[chosen])

    def cut(self, tokens: Mapping[str, int]) -> Split:
        """Keep at most the first ``tokens[name]`` tokens of each sequence."""
        return Split({name: ragged.cut(tokens[name]) for name, ragged in self.tokens.items()}, self.labels)


class Coverage(NamedTuple):
    """What of a split's text the word vectors know, at full length."""

    tokens: int
    """Running tokens."""
    known: int
    """Of them with a vector; the others are dropped."""
    empty: int
    """Samples with a sequence of which no token has a vector."""
    dropped: int
    """Rows without a gold label, left out."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """A labelled corpus and its word vectors.

    Parameters
    ----------
    name : str
        What was asked for, for example ``"imdb"``.
    sequences : tuple of str
        ``("text",)`` or ``("premise", "hypothesis")``.
    classes : tuple of str
        Names of the classes; a label is an index into it.
    words : tuple of str
        Words which occur, in the order of the vectors' file; a token id is an index into it.
    vectors : numpy.ndarray
        (vocabulary, dim) float32, word vectors.
    splits : mapping of str to Split
        ``"train"``, mostly ``"test"``, sometimes ``"validation"``.
    fingerprint : str
        Hash of all ids, labels, words and vectors, and of how they were cut and chosen. Equal data have equal
        fingerprints wherever the files lie and whatever their format.
    coverage : mapping of str to Coverage
        By split, before anything is cut or chosen; empty for generated corpora, whose words all have a vector.
    """

    name: str
    sequences: tuple[str, ...]
    classes: tuple[str, ...]
    words: tuple[str, ...]
    vectors: np.ndarray
    splits: Mapping[str, Split]
    fingerprint: str
    coverage: Mapping[str, Coverage] = field(default_factory=dict)

    @property
    def dim(self) -> int:
        """Size of a word vector."""
        return int(self.vectors.shape[1])

    def split(self, name: str) -> Split:
        """Return one split.

        Raises
        ------
        DataError
            If the corpus has no such split.
        """
        if name not in self.splits:
            raise DataError(f"data '{self.name}': {unknown('split', name, self.splits)}")
        return self.splits[name]


def with_fingerprint(corpus: Corpus) -> Corpus:
    """Return the corpus with the hash of its contents as its fingerprint."""
    return replace(corpus, fingerprint=content_hash(corpus))


def content_hash(corpus: Corpus) -> str:
    """Return the hash of everything in a corpus except its name, fingerprint and coverage."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((corpus.sequences, corpus.classes, list(corpus.splits))).encode())
    digest.update("\n".join(corpus.words).encode())
    _update(digest, corpus.vectors)
    for split in corpus.splits.values():
        _update(digest, split.labels)
        for name in corpus.sequences:
            _update(digest, split.tokens[name].ids)
            _update(digest, split.tokens[name].offsets)
    return digest.hexdigest()


def _update(digest: hashlib.blake2b, array: np.ndarray) -> None:
    digest.update(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data if array.size else b"")
