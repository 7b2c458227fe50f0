"""Corpora of words: what their fingerprint covers, and what they say of themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuroep.data import Ragged, Split, TextCorpus
from neuroep.data.text_corpus import Coverage, content_hash, with_fingerprint


def small_corpus() -> TextCorpus:
    """Return a corpus of two splits and three words."""
    split = Split({"text": Ragged.from_sequences([[0, 1], [2], []])}, np.array([0, 1, 1]))
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    splits = {"train": split, "test": split.take(np.array([1]))}
    return with_fingerprint(TextCorpus("table", ("text",), ("no", "yes"), ("a", "b", "c"), vectors, splits, ""))


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


def test_tokens_are_words() -> None:
    """Pictures and the linear model see words and their counts."""
    corpus = small_corpus()
    train = corpus.split("train")
    assert corpus.names(train.tokens["text"], 0) == ("a", "b")
    assert corpus.features(train, ("text",)).toarray().tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 0]]
    found = corpus.embed(train.tokens["text"])
    np.testing.assert_array_equal(found.vectors[0], corpus.vectors[:2])


def test_facts_are_the_words_and_their_coverage() -> None:
    """The record of a run holds them in this order, as version 0.1 wrote them."""
    corpus = replace(small_corpus(), coverage={"train": Coverage(9, 6, 1, 2)})
    assert list(corpus.facts()) == ["words", "coverage"]
    assert corpus.facts()["coverage"] == {"train": {"tokens": 9, "known": 6, "empty": 1, "dropped": 2}}


def test_a_narrowed_corpus_is_the_same_in_two_bytes_a_token() -> None:
    """Where there are more words than that, ids keep four."""
    corpus = small_corpus()
    narrow = corpus.narrowed()
    ids = narrow.splits["train"].tokens["text"].ids
    assert ids.dtype == np.uint16 and ids.tolist() == [0, 1, 2]
    assert content_hash(narrow) == narrow.fingerprint == corpus.fingerprint
    counts = [each.features(each.splits["train"], ("text",)).toarray() for each in (narrow, corpus)]
    np.testing.assert_array_equal(*counts)
    batches = [next(iter(each.batches("train", 3))) for each in (narrow, corpus)]
    np.testing.assert_array_equal(batches[0].inputs["text"].vectors, batches[1].inputs["text"].vectors)
    np.testing.assert_array_equal(narrow.kinds(narrow.splits["train"].tokens["text"]) - 1, [-1, 0, 1])
    assert Ragged.from_sequences([[70000]]).narrowed(2**16 + 1).ids.tolist() == [70000]


def test_words_are_looked_up_here_or_by_the_engine() -> None:
    """Rows of the table are the ids, and their vectors those of the batch that is looked up here."""
    corpus = small_corpus()
    here, there = (next(iter(corpus.batches("train", 3, looked_up=each))) for each in (True, False))
    words = there.inputs["text"]
    ids = corpus.splits["train"].tokens["text"].ids
    assert words.table is corpus.table and words.rows[words.rows >= 0].tolist() == ids.tolist()
    np.testing.assert_array_equal(words.embedded().vectors, here.inputs["text"].vectors)
    np.testing.assert_array_equal(words.lengths, here.inputs["text"].lengths)
