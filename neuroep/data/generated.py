"""The two generated corpora, ``reviews`` and ``pairs``: no file, no network, made anew in a moment.

Their texts come from the small grammars of :mod:`neuroep.data.reviews` and :mod:`neuroep.data.pairs`. No sample occurs
twice, classes are balanced, and the test split comes from the same grammar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from neuroep.data import pairs, reviews
from neuroep.data.lexicon import Lexicon
from neuroep.data.splits import Split
from neuroep.data.text_corpus import TextCorpus, with_fingerprint
from neuroep.data.tokens import encode
from neuroep.errors import DataError, unknown
from neuroep.randomness import generator

NAMES = ("reviews", "pairs")
"""Names of the generated corpora."""


class _Grammar(NamedTuple):
    sequences: tuple[str, ...]
    classes: tuple[str, ...]
    words: Callable[[], Lexicon]
    sample: Callable[[np.random.Generator, int], tuple[str, ...]]
    train: int
    test: int


_GRAMMARS = {
    "reviews": _Grammar(("text",), reviews.CLASSES, reviews.words, lambda d, c: (reviews.sample(d, c),), 2000, 1000),
    "pairs": _Grammar(("premise", "hypothesis"), pairs.CLASSES, pairs.words, pairs.sample, 3000, 1000),
}


def build(name: str, *, train: int | None = None, test: int | None = None, seed: int = 0) -> TextCorpus:
    """Generate a corpus.

    Parameters
    ----------
    name : {"reviews", "pairs"}
        Which grammar.
    train, test : int, optional
        Samples of each split: 2,000 and 1,000 reviews, 3,000 and 1,000 pairs by default.
    seed : int
        Key of the texts; the word vectors are always the same.

    Raises
    ------
    DataError
        If the name is unknown or a split would be empty.
    """
    if name not in NAMES:
        raise DataError(unknown("generated data", name, NAMES))
    grammar = _GRAMMARS[name]
    sizes = {"train": grammar.train if train is None else train, "test": grammar.test if test is None else test}
    for split, size in sizes.items():
        if size < 1:
            raise DataError(f"{split} {size}: allowed are 1 and more samples")
    made = _made(name, sizes["train"], sizes["test"], seed)
    return replace(made, vectors=made.vectors.copy(), splits=deepcopy(made.splits))


@lru_cache(maxsize=4)
def _made(name: str, train: int, test: int, seed: int) -> TextCorpus:
    """Generate a corpus: once, as to draw its words takes as long as an epoch of a small network."""
    grammar = _GRAMMARS[name]
    lexicon = grammar.words()
    texts, labels = _distinct(grammar, generator(seed, "generated", name), train + test)
    parts = {"train": slice(0, train), "test": slice(train, None)}
    splits = {split: _split(grammar, lexicon, texts[part], labels[part]) for split, part in parts.items()}
    corpus = TextCorpus(name, grammar.sequences, grammar.classes, lexicon.words, lexicon.vectors, splits, "")
    return with_fingerprint(corpus)


def _distinct(grammar: _Grammar, draw: np.random.Generator, count: int) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Draw samples, classes in turn within a shuffled deck, none of them twice."""
    classes = len(grammar.classes)
    deck = np.tile(np.arange(classes), -(-count // classes))[:count]
    labels = deck[draw.permutation(count)]
    seen: set[tuple[str, ...]] = set()
    texts = []
    for label in labels.tolist():
        text = grammar.sample(draw, label)
        while text in seen:
            text = grammar.sample(draw, label)
        seen.add(text)
        texts.append(text)
    return texts, labels.astype(np.int64)


def _split(grammar: _Grammar, lexicon: Lexicon, texts: Iterable[tuple[str, ...]], labels: np.ndarray) -> Split:
    columns = zip(grammar.sequences, zip(*texts, strict=True), strict=True)
    return Split({name: encode(column, lexicon.ids) for name, column in columns}, labels)
