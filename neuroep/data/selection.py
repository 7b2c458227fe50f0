"""What of a corpus is kept: tokens per sequence, held-out and limited training samples."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from neuroep.data.border import whole_number
from neuroep.data.corpus import Corpus
from neuroep.errors import DataError
from neuroep.randomness import generator

Chosen = TypeVar("Chosen", bound=Corpus)


def check_selection(validation: float, limit: int | None) -> None:
    """Refuse a share outside [0, 1) and a limit below 1, with a DataError."""
    if not 0 <= validation < 1:
        raise DataError(f"validation {validation}: allowed are 0 to below 1")
    if limit is not None and limit < 1:
        raise DataError(f"limit {limit}: allowed are 1 and more, or none")


def per_sequence(sequences: tuple[str, ...], tokens: int | Sequence[int]) -> dict[str, int]:
    """Return the longest sample kept, by sequence.

    Parameters
    ----------
    sequences : tuple of str
        Names of the sequences.
    tokens : int or sequence of int
        One number for all, or one for each.

    Raises
    ------
    DataError
        If the count of numbers is another, or one is below 1.
    """
    if isinstance(tokens, Sequence) and not isinstance(tokens, str):
        given: list[object] = list(tokens)
    else:
        given = [tokens] * len(sequences)
    longest = [whole_number("tokens", value) for value in given]
    if len(longest) != len(sequences):
        raise DataError(f"tokens {longest}: one number is needed for each of {', '.join(sequences)}, or one for all")
    for number in longest:
        if number < 1:
            raise DataError(f"tokens {number}: allowed are 1 and more")
    return dict(zip(sequences, longest, strict=True))


def hold_out(corpus: Chosen, share: float) -> Chosen:
    """Take a test split off the training samples of a corpus that has none.

    The draw depends on the number of samples alone, on no seed: runs of other seeds are judged by the same samples.

    Raises
    ------
    DataError
        If there is a test split already, or one of the two would be empty.
    """
    if "test" in corpus.splits:
        raise DataError(f"test = {share}: data '{corpus.name}' has a test split of its own")
    train = corpus.split("train")
    held = round(share * len(train)) if 0 < share < 1 else 0
    if not 0 < held < len(train):
        allowed = "allowed are shares between 0 and 1"
        raise DataError(f"test = {share}: leaves an empty split out of {len(train)} samples; {allowed}")
    drawn = generator(0, "test").permutation(len(train))
    splits = {**corpus.splits, "train": train.take(np.sort(drawn[held:])), "test": train.take(np.sort(drawn[:held]))}
    fingerprint = hashlib.blake2b(repr((corpus.fingerprint, float(share))).encode(), digest_size=16).hexdigest()
    return corpus.with_splits(splits, fingerprint)


def select(corpus: Chosen, tokens: Mapping[str, int], validation: float, limit: int | None, seed: int) -> Chosen:
    """Cut samples, hold out validation samples, and limit the training samples.

    Parameters
    ----------
    corpus : Corpus
        All samples at full length.
    tokens : mapping of str to int
        Longest sample kept, by sequence; the end is cut off.
    validation : float
        Share of the training samples held out where the corpus has no validation split.
    limit : int or None
        Most training samples kept of the rest.
    seed : int
        Key of both choices.

    Raises
    ------
    DataError
        If nothing would be left in the training or the validation split.
    """
    splits = dict(corpus.splits)
    train = splits["train"]
    if validation and "validation" not in splits:
        held = round(validation * len(train))
        if not 0 < held < len(train):
            raise DataError(f"validation {validation}: leaves an empty split out of {len(train)} training samples")
        drawn = generator(seed, "validation").permutation(len(train))
        splits["validation"] = train.take(np.sort(drawn[:held]))
        train = train.take(np.sort(drawn[held:]))
    if limit is not None and limit < len(train):
        train = train.take(np.sort(generator(seed, "limit").permutation(len(train))[:limit]))
    splits["train"] = train
    order = [name for name in ("train", "validation", "test") if name in splits]
    how = (corpus.fingerprint, sorted(tokens.items()), float(validation), limit, seed if validation or limit else 0)
    fingerprint = hashlib.blake2b(repr(how).encode(), digest_size=16).hexdigest()
    return corpus.with_splits({name: splits[name].cut(tokens) for name in order}, fingerprint)
