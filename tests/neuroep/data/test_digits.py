"""The embedded digits: all there, split once and for all, and no harder than they should be."""

from __future__ import annotations

import numpy as np

from neuroep import data
from neuroep.data import digits
from neuroep.data.baseline import linear_accuracy


def test_they_are_those_of_the_repository():
    corpus = digits.build()
    assert {name: len(split) for name, split in corpus.splits.items()} == {"train": 1348, "test": 449}
    values = np.concatenate([split.tokens["signal"].read() for split in corpus.splits.values()])
    labels = np.concatenate([split.labels for split in corpus.splits.values()])
    assert values.shape == (1797, 8, 8)
    assert (values.min(), values.max(), int(values.sum())) == (0, 16, 561718)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert corpus.classes == tuple("0123456789")


def test_every_seed_is_judged_by_the_same_samples():
    first, second = (data.load("digits", tokens=8, validation=0.2, seed=seed) for seed in (0, 1))
    rows = [corpus.split("test").tokens["signal"].rows.tolist() for corpus in (first, second)]
    assert rows[0] == rows[1]
    assert first.fingerprint != second.fingerprint


def test_a_linear_model_reads_them():
    """Logistic regression on the 64 numbers: 96.4 %."""
    assert 0.955 < linear_accuracy(data.load("digits", tokens=8)) < 0.975
