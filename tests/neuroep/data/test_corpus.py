"""Ragged token ids, splits and corpora."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from neuroep.data import Ragged, Split, TextCorpus
from neuroep.data.text_corpus import content_hash, with_fingerprint
from neuroep.errors import DataError

SEQUENCES = st.lists(st.lists(st.integers(0, 99), max_size=6), max_size=8)


def as_lists(ragged: Ragged) -> list[list[int]]:
    """Return the samples as lists."""
    return [ragged[i].tolist() for i in range(len(ragged))]


def small_corpus() -> TextCorpus:
    """Return a corpus of two splits and three words."""
    split = Split({"text": Ragged.from_sequences([[0, 1], [2], []])}, np.array([0, 1, 1]))
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    splits = {"train": split, "test": split.take(np.array([1]))}
    return with_fingerprint(TextCorpus("table", ("text",), ("no", "yes"), ("a", "b", "c"), vectors, splits, ""))


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


def test_split_refuses_labels_of_another_number() -> None:
    """Every sequence has one sample per label."""
    with pytest.raises(DataError, match="2 samples of 'text' but 1 labels"):
        Split({"text": Ragged.from_sequences([[0], [1]])}, np.array([0]))


def test_split_takes_and_cuts() -> None:
    """Tokens and labels stay together."""
    split = small_corpus().splits["train"].take(np.array([2, 0])).cut({"text": 1})
    assert len(split) == 2
    assert as_lists(split.tokens["text"]) == [[], [0]]
    assert split.labels.tolist() == [1, 0]


def test_corpus_names_its_splits() -> None:
    """A split is found by name; an unknown name gets the nearest one."""
    corpus = small_corpus()
    assert corpus.dim == 2
    assert corpus.split("test") is corpus.splits["test"]
    with pytest.raises(DataError, match="unknown split 'tset': allowed are train, test; did you mean 'test'"):
        corpus.split("tset")


def test_fingerprint_covers_all_contents() -> None:
    """Every part of the contents changes the hash; the name does not."""
    corpus = small_corpus()
    train, test = corpus.splits["train"], corpus.splits["test"]
    changed = [
        replace(corpus, classes=("no", "perhaps")),
        replace(corpus, words=("a", "b", "d")),
        replace(corpus, vectors=corpus.vectors + 1),
        replace(corpus, splits={"train": train}),
        replace(corpus, splits={"train": train, "test": replace(test, labels=1 - test.labels)}),
        replace(corpus, splits={"train": train.take(np.array([0, 1, 0])), "test": test}),
    ]
    assert content_hash(replace(corpus, name="other")) == corpus.fingerprint
    assert len({corpus.fingerprint, *map(content_hash, changed)}) == len(changed) + 1
