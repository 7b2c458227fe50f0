# Tested by tests/neuroep/data/test_generated.py.
"""Words with features, and the word vectors made of them.

The generated corpora need vectors which carry meaning the way trained ones do: words of one kind share a direction, and
every word has a part of its own. A vector is the concatenation

    x = [ scale * features of the word | identity of the word ]

whose identity part is Gaussian with a given root-mean-square length. With vectors of length 4 to 6, the logits of the
attention at kappa = 1/sqrt(dim) are large enough to matter from the first epoch on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from neuroep.randomness import generator

Features = Mapping[str, float]
"""Values of a word's features by name; those not named are 0."""


class Lexicon(NamedTuple):
    """Words, their ids, and their vectors."""

    words: tuple[str, ...]
    ids: Mapping[str, int]
    vectors: np.ndarray
    """(vocabulary, dim) float32."""


def lexicon(
    features: Mapping[str, Features], names: tuple[str, ...], *, dim: int, scale: float, identity: float, key: str
) -> Lexicon:
    """Make the vectors of some words.

    Parameters
    ----------
    features : mapping of str to mapping
        Features of each word, in the order of the ids.
    names : tuple of str
        The features, in the order of their dimensions.
    dim : int
        Size of a vector; what the features leave is identity.
    scale : float
        Value of a feature of 1.
    identity : float
        Root-mean-square length of the identity part.
    key : str
        Key of the identity part, the same for the same corpus.
    """
    words = tuple(features)
    place = {name: i for i, name in enumerate(names)}
    meaning = np.zeros((len(words), len(names)))
    for row, word in enumerate(words):
        for name, value in features[word].items():
            meaning[row, place[name]] = value
    own = dim - len(names)
    noise = generator(0, "word identity", key).standard_normal((len(words), own)) * (identity / np.sqrt(own))
    vectors = np.hstack([scale * meaning, noise]).astype(np.float32)
    return Lexicon(words, {word: i for i, word in enumerate(words)}, vectors)


def pick(draw: np.random.Generator, options: Sequence[str]) -> str:
    """Draw one of some words."""
    return options[int(draw.integers(len(options)))]
