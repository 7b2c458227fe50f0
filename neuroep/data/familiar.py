# Tested by tests/neuroep/runs/test_damage.py.
"""Whether a corpus has the word vectors that weights were trained with, seen from a few words.

A network is at home in the vectors it learned from; with others of the same length its answers mean nothing, and
nothing else would show it. A checkpoint keeps digests of the vectors of some words, chosen by a hash of the word alone,
so that other data with the same vectors share most of them.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

import numpy as np
import xxhash

from neuroep.errors import DataError

KEPT = 256
"""Words whose vectors are kept: enough to meet in another text that shares only 3 % of the vocabulary."""


def digests(words: Sequence[str], vectors: np.ndarray) -> dict[str, str]:
    """Return digests of the ``vectors`` (vocabulary, dim) of the words whose hashes are smallest."""
    chosen = heapq.nsmallest(KEPT, range(len(words)), key=lambda row: _hash(words[row]))
    return {words[row]: _of(vectors[row]) for row in chosen}


def check(kept: Mapping[str, str], words: Sequence[str], vectors: np.ndarray, name: str, source: str) -> None:
    """Refuse a corpus whose word vectors are others.

    Parameters
    ----------
    kept : mapping
        From :func:`digests`; empty where nothing is known.
    words : sequence of str
        Of what is to be read by the weights.
    vectors : numpy.ndarray
        (vocabulary, dim), theirs.
    name : str
        Of the corpus, for the error's line.
    source : str
        Where the weights come from, for the error's line.

    Raises
    ------
    DataError
        Naming a word whose vector differs, or if no word is known.
    """
    if not kept:
        return
    rows = {word: row for row, word in enumerate(words) if word in kept}
    for word, row in rows.items():
        if _of(vectors[row]) != kept[word]:
            found = f"'{word}' has another vector than '{source}' was trained with"
            raise DataError(f"data '{name}': {found}: give those of the training as data.vectors")
    if not rows:
        raise DataError(f"data '{name}': none of the words that '{source}' was trained with has a vector")


def _hash(word: str) -> int:
    return xxhash.xxh3_64_intdigest(word.encode("utf-8", "surrogatepass"))


def _of(vector: np.ndarray) -> str:
    return xxhash.xxh3_64_hexdigest(np.ascontiguousarray(vector).data)
