"""Cutting, holding out and limiting samples."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep.data import Ragged, Split, TextCorpus
from neuroep.data.selection import check_selection, per_sequence, select
from neuroep.data.text_corpus import with_fingerprint
from neuroep.errors import DataError


def make(samples: int = 100, *, validation: bool = False) -> TextCorpus:
    """Return a corpus whose first token is the number of the sample."""
    split = Split({"text": Ragged.from_sequences([[i, 0, 0] for i in range(samples)])}, np.arange(samples) % 2)
    splits = {"train": split, "test": split.take(np.arange(5))}
    if validation:
        splits["validation"] = split.take(np.arange(3))
    vectors = np.ones((samples, 2), np.float32)
    words = tuple(f"w{i}" for i in range(samples))
    return with_fingerprint(TextCorpus("table", ("text",), ("no", "yes"), words, vectors, splits, ""))


def numbers(corpus: TextCorpus, split: str) -> list[int]:
    """Return the numbers of a split's samples."""
    ragged = corpus.splits[split].tokens["text"]
    return [int(ragged[i][0]) for i in range(len(ragged))]


def chosen(
    validation: float = 0.0, limit: int | None = None, seed: int = 0, corpus: TextCorpus | None = None
) -> TextCorpus:
    """Select from a corpus, at most 2 tokens each."""
    return select(corpus or make(), {"text": 2}, validation, limit, seed)


def test_everything_is_cut_and_kept_in_order() -> None:
    """Without more settings only the lengths change."""
    corpus = chosen()
    assert numbers(corpus, "train") == list(range(100))
    assert corpus.splits["train"].tokens["text"].lengths.tolist() == [2] * 100
    assert list(corpus.splits) == ["train", "test"]


def test_validation_is_held_out_of_train() -> None:
    """Both parts keep the order, share nothing, and the test split stays."""
    corpus = chosen(validation=0.2)
    train, held = numbers(corpus, "train"), numbers(corpus, "validation")
    assert (len(train), len(held)) == (80, 20)
    assert sorted(train + held) == list(range(100))
    assert train == sorted(train)
    assert held == sorted(held)
    assert numbers(corpus, "test") == list(range(5))
    assert list(corpus.splits) == ["train", "validation", "test"]


def test_own_validation_split_is_left_alone() -> None:
    """A share is only held out where the source has no such split."""
    corpus = chosen(validation=0.2, corpus=make(validation=True))
    assert len(corpus.splits["train"]) == 100
    assert numbers(corpus, "validation") == [0, 1, 2]


def test_limits_are_nested_and_mixed() -> None:
    """A smaller limit draws part of a larger one, out of the whole split; the held-out samples do not change."""
    small, large = chosen(0.1, 10), chosen(0.1, 30)
    assert len(small.splits["train"]) == 10
    assert set(numbers(small, "train")) < set(numbers(large, "train"))
    assert max(numbers(large, "train")) > 50
    assert numbers(small, "validation") == numbers(large, "validation")
    assert len(chosen(limit=1000).splits["train"]) == 100


def test_choice_depends_on_the_seed() -> None:
    """The same seed chooses the same samples."""
    assert numbers(chosen(0.2, 20, seed=1), "train") == numbers(chosen(0.2, 20, seed=1), "train")
    assert numbers(chosen(0.2, 20, seed=1), "train") != numbers(chosen(0.2, 20, seed=2), "train")
    assert numbers(chosen(0.2, 20, seed=1), "validation") != numbers(chosen(0.2, 20, seed=2), "validation")


def test_fingerprint_covers_the_choice() -> None:
    """Every setting has its own; a seed which chooses nothing does not count."""
    corpora = [chosen(), chosen(0.1), chosen(limit=10), chosen(limit=10, seed=1), chosen(0.1, seed=1)]
    corpora.append(select(make(), {"text": 3}, 0.0, None, 0))
    assert len({corpus.fingerprint for corpus in corpora}) == len(corpora)
    assert chosen(seed=1).fingerprint == chosen(seed=2).fingerprint


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_nothing_may_be_left_empty(share: float) -> None:
    """Neither part of the training split may vanish."""
    with pytest.raises(DataError, match="leaves an empty split out of 100 training samples"):
        chosen(validation=share)


@pytest.mark.parametrize(
    ("validation", "limit"), [(1.0, None), (-0.1, None), (float("nan"), None), (0.0, 0), (0.0, -5)]
)
def test_shares_and_limits_are_checked(validation: float, limit: int | None) -> None:
    """The line names the setting."""
    with pytest.raises(DataError, match="limit" if limit is not None else "validation"):
        check_selection(validation, limit)


def test_tokens_per_sequence() -> None:
    """One number for all, or one for each."""
    pair = ("premise", "hypothesis")
    assert per_sequence(pair, 5) == {"premise": 5, "hypothesis": 5}
    assert per_sequence(pair, (5, np.int64(7))) == {"premise": 5, "hypothesis": 7}
    assert per_sequence(("text",), [600]) == {"text": 600}


@pytest.mark.parametrize(
    ("tokens", "line"), [(0, "tokens 0: allowed"), ((3, -1), "tokens -1"), ((1, 2, 3), "one number")]
)
def test_wrong_tokens_are_refused(tokens: int | tuple[int, ...], line: str) -> None:
    """Neither zero nor the wrong count."""
    with pytest.raises(DataError, match=line):
        per_sequence(("premise", "hypothesis"), tokens)
