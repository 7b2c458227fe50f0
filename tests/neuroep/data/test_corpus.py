"""What every kind of corpus offers: splits by name, batches, what a checkpoint keeps, plain facts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neuroep import data
from neuroep.data import Corpus
from neuroep.data.baseline import linear_accuracy
from neuroep.errors import DataError

KINDS = ["reviews", "pairs", "digits"]


@pytest.fixture(scope="module", params=KINDS)
def corpus(request: pytest.FixtureRequest) -> Corpus:
    """Return a corpus of each kind."""
    return data.load(request.param, tokens=6, limit=60)


def test_corpus_names_its_splits(corpus: Corpus) -> None:
    """A split is found by name; an unknown name gets the nearest one."""
    assert corpus.split("test") is corpus.splits["test"]
    with pytest.raises(DataError, match="unknown split 'tset': allowed are train, test; did you mean 'test'"):
        corpus.split("tset")


def test_batches_of_a_name_or_of_samples(corpus: Corpus) -> None:
    """Both give the same; every sample comes once, with its label, padded with zeros."""
    train = corpus.split("train")
    found = list(corpus.batches("train", 25, order="shuffled", seed=1, epoch=2))
    again = list(corpus.batches(train, 25, order="shuffled", seed=1, epoch=2))
    assert [batch.size for batch in found] == [25, 25, 10]
    assert sorted(np.concatenate([batch.labels for batch in found])) == sorted(train.labels)
    for one, other in zip(found, again, strict=True):
        for name in corpus.sequences:
            vectors, lengths = one.inputs[name]
            assert (vectors.dtype, vectors.shape[2]) == (np.float32, corpus.dim)
            assert not vectors[np.arange(vectors.shape[1]) >= lengths[:, None]].any()
            np.testing.assert_array_equal(vectors, other.inputs[name].vectors)


def test_batches_that_cannot_be(corpus: Corpus) -> None:
    """Each fault is one line."""
    for arguments, order, line in (
        (("tset", 5), None, "unknown split"),
        (("test", 0), None, "batch size 0"),
        (("test", 5), "random", "unknown order"),
    ):
        with pytest.raises(DataError, match=line):
            corpus.batches(*arguments, order=order)


def test_what_is_kept_is_at_home(corpus: Corpus) -> None:
    """It is plain text, and the corpus it comes from is read as before."""
    kept = json.loads(json.dumps(corpus.kept()))
    assert all(isinstance(value, str) for value in kept.values())
    home = corpus.at_home(kept, "run")
    name = corpus.sequences[0]
    pairs = [next(one.batches("test", 9)).inputs[name].vectors for one in (corpus, home)]
    np.testing.assert_array_equal(*pairs)
    assert home.fingerprint == corpus.fingerprint


def test_what_is_said_of_it_is_plain(corpus: Corpus) -> None:
    """Facts go into a run's record, names below pictures."""
    json.dumps(corpus.facts(), allow_nan=False)
    test = corpus.split("test")
    tokens = test.tokens[corpus.sequences[0]]
    assert len(corpus.names(tokens, 3)) == tokens.lengths[3]
    assert corpus.token in ("word", "token")


def test_a_linear_model_is_fitted_to_each(corpus: Corpus) -> None:
    """Every split has the same features, and training samples can be told apart by them."""
    features = [corpus.features(corpus.split(name), corpus.sequences) for name in ("train", "test")]
    assert features[0].shape[1] == features[1].shape[1]
    itself = corpus.with_splits({**corpus.splits, "test": corpus.split("train")})
    assert linear_accuracy(itself, penalty=1e-3) > 1 / len(corpus.classes)
    assert all(isinstance(text, str) for text in corpus.baseline)
