"""A labelled data set as everything that trains and evaluates sees it: sequences, dim, classes, fingerprint, batches.

WordRows are one kind of it (:class:`neuroep.data.text_corpus.TextCorpus`), numbers another
(:class:`neuroep.data.signals.SignalCorpus`). What differs by kind is how tokens become vectors, what a token is called,
and what of the training data weights depend on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

import numpy as np

from hw_models.text import shown
from neuroep.data.batch import Batch, TokenVectors, WordRows
from neuroep.data.batching import minibatches
from neuroep.data.splits import Split, TokenSequences
from neuroep.errors import DataError, unknown


class Corpus(ABC):
    """Labelled samples in memory or mapped from a disk, and the vectors of their tokens.

    Attributes
    ----------
    name : str
        What was asked for, for example ``"imdb"``.
    sequences : tuple of str
        Names of a sample's sequences: ``("text",)``, ``("premise", "hypothesis")``, ``("signal",)``.
    classes : tuple of str
        Names of the classes; a label is an index into it.
    splits : mapping of str to Split
        ``"train"``, mostly ``"test"``, sometimes ``"validation"``.
    fingerprint : str
        Hash of all samples and of how they were cut and chosen. Equal data have equal fingerprints wherever the files
        lie and whatever their format.
    """

    name: str
    sequences: tuple[str, ...]
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    fingerprint: str

    token: ClassVar[str]
    """What a token is called: ``"word"``."""
    baseline: ClassVar[tuple[str, str]]
    """What pages call :func:`neuroep.data.baseline.linear_accuracy`, and what it is: ``("bag of words", ...)``."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length of a token's vector."""

    @abstractmethod
    def embed(self, tokens: TokenSequences) -> TokenVectors:
        """Return the vectors of the samples of a batch, zero beyond each sample's length.

        Parameters
        ----------
        tokens : TokenSequences
            One sequence of the samples, of this corpus's kind.

        Returns
        -------
        TokenVectors
            Vectors (batch, tokens, dim) float32 with ``tokens`` the longest sample's, at least 1; lengths (batch,).
        """

    def words_of(self, tokens: TokenSequences) -> TokenVectors | WordRows:
        """Return one sequence of a batch as rows of a table, where tokens have one; else as :meth:`embed`."""
        return self.embed(tokens)

    def kinds(self, tokens: TokenSequences) -> np.ndarray | None:
        """Return the ``kinds`` of one sequence of a batch, None where no tokens are known to be alike."""
        return None

    @abstractmethod
    def names(self, tokens: TokenSequences, sample: int) -> tuple[str, ...]:
        """Return what pictures call the tokens of one sample: the words, or numbers."""

    @abstractmethod
    def features(self, split: Split, sequences: tuple[str, ...]) -> np.ndarray:
        """Return the (samples, features) array, or sparse array, that a linear model is held against a network by."""

    @abstractmethod
    def kept(self) -> dict[str, str]:
        """Return what a checkpoint keeps of the data, so that its weights meet the same inputs later."""

    @abstractmethod
    def at_home(self, kept: Mapping[str, str], source: str) -> Self:
        """Return the corpus as weights know it that were trained with other samples.

        Parameters
        ----------
        kept : mapping
            From :meth:`kept`; empty where nothing is known.
        source : str
            Where the weights come from, for the error's line.

        Raises
        ------
        DataError
            If these data cannot be read by those weights.
        """

    @abstractmethod
    def facts(self) -> dict[str, object]:
        """Return what the record of a run says of this kind of data, as JSON can hold it."""

    @abstractmethod
    def with_splits(self, splits: Mapping[str, Split], fingerprint: str | None = None) -> Self:
        """Return the corpus with other samples: a part of its own, chosen by whoever asks.

        Parameters
        ----------
        splits : mapping of str to Split
            The samples.
        fingerprint : str, optional
            Theirs, where the training samples are others: what is learned of them is learned anew. Default keeps both.
        """

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

    def batches(
        self,
        split: Split | str,
        size: int,
        *,
        order: str | None = None,
        seed: int = 0,
        epoch: int = 0,
        looked_up: bool = True,
    ) -> Iterator[Batch]:
        """Go once through a split, batch by batch.

        Parameters
        ----------
        split : Split or str
            Samples of this corpus, or the name of a split.
        size, order, seed, epoch
            As of :func:`neuroep.data.batching.minibatches`.
        looked_up : bool
            Whether words are looked up here; else batches hold them as rows of their table, for an engine that
            ``looks_up`` itself.

        Yields
        ------
        Batch
            Vectors (batch, tokens, dim) float32 of every sequence, and labels.

        Raises
        ------
        DataError
            If there is no such split, ``size`` is below 1, or the order is unknown.
        """
        if not isinstance(split, str | Split):
            raise DataError(f"split is {shown(split)}: give the name of one, or samples of this corpus")
        samples = self.split(split) if isinstance(split, str) else split
        return minibatches(
            samples,
            self.embed if looked_up else self.words_of,
            size,
            sequences=self.sequences,
            order=order,
            seed=seed,
            epoch=epoch,
            kinds_of=self.kinds,
        )
