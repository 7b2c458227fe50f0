"""The generated corpora: their grammar, that they are fair, and that counting words is not enough."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from neuroep.data import TextCorpus, generated, pairs, reviews, tokenise
from neuroep.data.baseline import linear_accuracy
from neuroep.errors import DataError


@pytest.fixture(scope="module", params=generated.NAMES)
def corpus(request: pytest.FixtureRequest) -> TextCorpus:
    """Return each of the corpora at its own size."""
    return generated.build(request.param)


def texts(corpus: TextCorpus, split: str) -> list[tuple[str, ...]]:
    """Return the samples as sentences."""
    sequences = [corpus.splits[split].tokens[name] for name in corpus.sequences]
    count = len(corpus.splits[split])
    return [tuple(" ".join(corpus.words[i] for i in ragged[n]) for ragged in sequences) for n in range(count)]


def test_sizes_and_balance(corpus: TextCorpus) -> None:
    """As documented: classes balanced over both splits, no sample twice, samples short."""
    sizes = {"reviews": (2000, 1000), "pairs": (3000, 1000)}[corpus.name]
    assert tuple(len(split) for split in corpus.splits.values()) == sizes
    counts = np.bincount(np.concatenate([split.labels for split in corpus.splits.values()]))
    assert counts.max() - counts.min() <= 1
    for split in corpus.splits.values():
        shares = np.bincount(split.labels) / len(split)
        assert np.all(np.abs(shares - 1 / len(corpus.classes)) < 0.04)
    everything = texts(corpus, "train") + texts(corpus, "test")
    assert len(set(everything)) == len(everything)
    longest = max(ragged.lengths.max() for split in corpus.splits.values() for ragged in split.tokens.values())
    assert longest <= {"reviews": 24, "pairs": 10}[corpus.name]


def test_what_is_made_once_is_nobody_s_to_change(corpus: TextCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are drawn once for all corpora of a process, and no two of these have an array in common."""
    monkeypatch.setattr(generated, "_distinct", None)
    one, other = (generated.build(corpus.name) for _ in range(2))
    for split, held in one.splits.items():
        one.vectors[:] = 0
        held.labels[:] = 0
        for ragged in held.tokens.values():
            ragged.ids[:] = 0
        again, first = other.splits[split], corpus.splits[split]
        assert np.array_equal(again.labels, first.labels) and again.labels.any()
        assert all(np.array_equal(again.tokens[name].ids, first.tokens[name].ids) for name in held.tokens)
    assert np.array_equal(other.vectors, corpus.vectors) and other.vectors.any()
    assert other.fingerprint == corpus.fingerprint


def test_every_word_is_used_and_is_a_token(corpus: TextCorpus) -> None:
    """The lexicon has no idle word, and the tokeniser keeps every sentence."""
    used = np.concatenate([ragged.ids for split in corpus.splits.values() for ragged in split.tokens.values()])
    assert np.array_equal(np.unique(used), np.arange(len(corpus.words)))
    for sample in texts(corpus, "test")[:50]:
        assert all(tokenise(text) == text.split() for text in sample)


def test_vectors_are_long_enough_for_attention(corpus: TextCorpus) -> None:
    """Words which carry the meaning have a length of about 4 to 6 in 32 dimensions."""
    assert corpus.vectors.shape[1] == 32
    assert corpus.vectors.dtype == np.float32
    lengths = np.linalg.norm(corpus.vectors, axis=1)
    assert 4 < lengths.mean() < 6
    assert lengths.max() < 7


def test_same_seed_same_texts(corpus: TextCorpus) -> None:
    """The seed decides the texts, never the vectors."""
    again, other = generated.build(corpus.name), generated.build(corpus.name, seed=1)
    assert again.fingerprint == corpus.fingerprint
    assert other.fingerprint != corpus.fingerprint
    assert np.array_equal(other.vectors, corpus.vectors)


def test_generation_is_quick() -> None:
    """Both together take a fraction of a second of a processor, whatever else runs."""
    start = time.process_time()
    for name in generated.NAMES:
        generated.build(name)
    assert time.process_time() - start < 5


def test_labels_of_reviews_follow_the_rule() -> None:
    """The deciding aspect's adjective and a negation give the label of every review."""
    corpus = generated.build("reviews")
    for (text,), label in zip(texts(corpus, "test"), corpus.splits["test"].labels, strict=True):
        present = text.split()
        (aspect,) = (a for a in reviews.ASPECTS.values() if set(a.focus) & set(present))
        negated = bool(set(reviews.NEGATIONS) & set(present))
        good = bool(set(aspect.good) & set(present))
        assert good != bool(set(aspect.bad) & set(present))
        assert label == (good != negated)


def test_joining_words_follow_the_judgements() -> None:
    """``but`` stands between judgements which differ, whatever the adjectives are."""
    good = {word for aspect in reviews.ASPECTS.values() for word in aspect.good}
    bad = {word for aspect in reviews.ASPECTS.values() for word in aspect.bad}
    corpus = generated.build("reviews", train=300, test=1)
    for (text,) in texts(corpus, "train"):
        verdicts, joins, negated = [], [], False
        for word in text.split():
            negated = negated or word in reviews.NEGATIONS
            if word in good | bad:
                verdicts.append((word in good) != negated)
                negated = False
            if word in reviews.CONTRAST + reviews.AGREEMENT:
                joins.append(word in reviews.CONTRAST)
        assert joins == [a != b for a, b in pairwise(verdicts)]


def test_labels_of_pairs_follow_the_rule() -> None:
    """The relation worked out from the words of both sentences is the label of every pair."""
    corpus = generated.build("pairs")
    for split in corpus.splits:
        for sample, label in zip(texts(corpus, split), corpus.splits[split].labels, strict=True):
            assert pairs.relation_of(*sample) == corpus.classes[label]


@pytest.mark.parametrize(
    ("premise", "hypothesis", "relation"),
    [
        ("a girl is now running in the park", "a person is still moving", "entailment"),
        ("a girl is now running in the park", "a girl is now running outdoors", "entailment"),
        ("a person is now running", "a girl is now running", "neutral"),
        ("a girl is now running", "a girl is now running in the park", "neutral"),
        ("a girl is now running", "a nurse is now running", "contradiction"),
        ("a girl is now running in the park", "a girl is now running indoors", "contradiction"),
        ("a girl is now running", "a girl is not sleeping", "entailment"),
        ("a girl is now running", "a person is never moving", "contradiction"),
        ("a person is now running", "a farmer is not running", "neutral"),
    ],
)
def test_relations_by_hand(premise: str, hypothesis: str, relation: str) -> None:
    """Examples a person can check."""
    assert pairs.relation_of(premise, hypothesis) == relation


def test_counting_words_is_not_enough(corpus: TextCorpus) -> None:
    """The baseline stays well below what attention reaches (0.99 on both), yet above chance."""
    low, high = {"reviews": (0.52, 0.70), "pairs": (0.40, 0.60)}[corpus.name]
    assert low < linear_accuracy(corpus) < high


def test_hypothesis_alone_says_nothing() -> None:
    """It is drawn before the label: 1,000 samples at chance scatter by 0.015."""
    accuracy = linear_accuracy(generated.build("pairs"), sequences=("hypothesis",))
    assert abs(accuracy - 1 / 3) < 4 * 0.015


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"name": "review"}, "unknown generated data 'review': .*did you mean 'reviews'"),
        ({"name": "pairs", "train": 0}, "train 0: allowed are 1 and more"),
        ({"name": "pairs", "test": -1}, "test -1: allowed are 1 and more"),
    ],
)
def test_corpora_which_cannot_be(options: dict, line: str) -> None:
    """Unknown names and empty splits."""
    with pytest.raises(DataError, match=line):
        generated.build(**options)
