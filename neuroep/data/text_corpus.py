"""A corpus of words in memory: ragged token ids, labels, and the vectors of the words which occur.

A sample is one sequence of token ids (sentiment) or two (premise and hypothesis). Ids number the rows of
``TextCorpus.vectors``; there is no id for padding or for unknown words, which are dropped before they get here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from hw_models.kept_memory import KeptMemory
from neuroep.data import familiar
from neuroep.data.batch import TokenVectors, WordRows, WordTable
from neuroep.data.batching import embed, kinds, rows
from neuroep.data.corpus import Corpus
from neuroep.data.ragged import Ragged
from neuroep.data.splits import Split

if TYPE_CHECKING:
    from scipy.sparse import csr_array


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
class TextCorpus(Corpus):
    """A labelled corpus of words and their vectors.

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
    splits: Mapping[str, Split[Ragged]]
    fingerprint: str
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    _memory: KeptMemory = field(default_factory=KeptMemory, init=False, repr=False)

    token: ClassVar[str] = "word"
    baseline: ClassVar[tuple[str, str]] = ("bag of words", "logistic regression on word counts")

    @property
    def dim(self) -> int:
        """Size of a word vector."""
        return int(self.vectors.shape[1])

    def embed(self, tokens: Ragged) -> TokenVectors:  # type: ignore[override]
        """Look the word vectors up; see :func:`neuroep.data.batching.embed`."""
        return embed(tokens, self.vectors, self._memory)

    @cached_property
    def table(self) -> WordTable:
        """The vectors of all words, for engines that look them up themselves."""
        return WordTable(self.vectors)

    def words_of(self, tokens: Ragged) -> WordRows:  # type: ignore[override]
        """Return the ids of the words."""
        return rows(tokens, self.table)

    def kinds(self, tokens: Ragged) -> np.ndarray:  # type: ignore[override]
        """Return the ids of the words."""
        return kinds(tokens)

    def names(self, tokens: Ragged, sample: int) -> tuple[str, ...]:  # type: ignore[override]
        """Return the words of a sample."""
        return tuple(self.words[token] for token in tokens[sample])

    def features(self, split: Split, sequences: tuple[str, ...]) -> csr_array:
        """Return the sparse (samples, sequences * words) counts of each word."""
        from scipy.sparse import csr_array, hstack

        blocks = []
        for name in sequences:
            ragged, words = split.tokens[name], len(self.words)
            ones = np.ones(len(ragged.ids))
            ids = ragged.ids.astype(np.int32)
            block = csr_array((ones, ids, ragged.offsets), shape=(len(ragged), words), copy=True)
            block.sum_duplicates()
            blocks.append(block)
        return hstack(blocks, format="csr")

    def kept(self) -> dict[str, str]:
        """Return digests of the vectors of some words, see :mod:`neuroep.data.familiar`."""
        return familiar.digests(self.words, self.vectors)

    def at_home(self, kept: Mapping[str, str], source: str) -> TextCorpus:
        """Return itself; word vectors that the weights do not know are refused."""
        familiar.check(kept, self.words, self.vectors, self.name, source)
        return self

    def facts(self) -> dict[str, object]:
        """Return the number of words, and how much of the text they cover."""
        coverage = {name: found._asdict() for name, found in self.coverage.items()}
        return {"words": len(self.words), "coverage": coverage}

    def with_splits(self, splits: Mapping[str, Split], fingerprint: str | None = None) -> TextCorpus:
        """Return the corpus with other samples."""
        return replace(self, splits=splits, fingerprint=self.fingerprint if fingerprint is None else fingerprint)

    def narrowed(self) -> TextCorpus:
        """Return the corpus with ids of tokens in two bytes each, where they have room there."""

        def narrow(split: Split[Ragged]) -> Split[Ragged]:
            tokens = {name: ragged.narrowed(len(self.words)) for name, ragged in split.tokens.items()}
            return Split(tokens, split.labels)

        return self.with_splits({name: narrow(split) for name, split in self.splits.items()})


def with_fingerprint(corpus: TextCorpus) -> TextCorpus:
    """Return the corpus with the hash of its contents as its fingerprint."""
    return replace(corpus, fingerprint=content_hash(corpus))


def content_hash(corpus: TextCorpus) -> str:
    """Return the hash of everything in a corpus except its name, fingerprint and coverage."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((corpus.sequences, corpus.classes, list(corpus.splits))).encode())
    digest.update("\n".join(corpus.words).encode())
    _update(digest, corpus.vectors)
    for split in corpus.splits.values():
        _update(digest, split.labels)
        for name in corpus.sequences:
            _update(digest, split.tokens[name].ids.astype(np.int32, copy=False))
            _update(digest, split.tokens[name].offsets)
    return digest.hexdigest()


def _update(digest: hashlib.blake2b, array: np.ndarray) -> None:
    digest.update(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data if array.size else b"")
