"""The bag-of-words yardstick."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep.data import Ragged, Split, TextCorpus, generated
from neuroep.data.baseline import linear_accuracy
from neuroep.data.text_corpus import content_hash
from neuroep.errors import DataError


def make(samples: int, rule: str) -> TextCorpus:
    """Return samples of two words out of four whose label counts them, or compares them."""
    draw = np.random.default_rng(0)
    ids = draw.integers(0, 4, (samples, 2))
    labels = (ids == 3).any(axis=1) if rule == "count" else ids[:, 0] == ids[:, 1]
    split = Split({"text": Ragged.from_sequences(ids.tolist())}, labels.astype(np.int64))
    splits = {"train": split, "test": split}
    return TextCorpus("table", ("text",), ("no", "yes"), tuple("abcd"), np.eye(4, dtype=np.float32), splits, "")


def test_linear_rules_are_found() -> None:
    """A class which a count decides is learned exactly."""
    assert linear_accuracy(make(400, "count"), penalty=0.01) == 1.0


def test_comparisons_are_not() -> None:
    """A class which is no linear function of counts is not."""
    assert linear_accuracy(make(400, "compare")) < 0.8


def test_agrees_with_scikit_learn() -> None:
    """The same objective, minimised by another library."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    corpus = generated.build("reviews", train=400, test=300)
    counts = {}
    for name, split in corpus.splits.items():
        counts[name] = np.zeros((len(split), len(corpus.words)))
        for sample in range(len(split)):
            np.add.at(counts[name][sample], split.tokens["text"][sample], 1)
    model = linear_model.LogisticRegression(C=0.5, tol=1e-8, max_iter=1000)
    model.fit(counts["train"], corpus.splits["train"].labels)
    theirs = model.score(counts["test"], corpus.splits["test"].labels)
    assert abs(linear_accuracy(corpus) - theirs) <= 2 / 300


def test_corpus_is_left_as_it_was() -> None:
    """Counting sorts token ids; it must sort a copy."""
    corpus = generated.build("pairs", train=50, test=50)
    linear_accuracy(corpus)
    assert content_hash(corpus) == corpus.fingerprint


def test_unknown_splits_and_sequences() -> None:
    """One line each."""
    corpus = make(20, "count")
    with pytest.raises(DataError, match="no sequence 'premise'"):
        linear_accuracy(corpus, sequences=("premise",))
    with pytest.raises(DataError, match="unknown split 'test'"):
        linear_accuracy(TextCorpus(*list(vars(corpus).values())[:5], {"train": corpus.splits["train"]}, ""))
