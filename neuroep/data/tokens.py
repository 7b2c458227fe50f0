"""Text to token ids.

Lower case, the line-break mark ``<br />`` removed, then words with their contraction (``don't``) kept whole and every
other mark on its own. Unknown words are dropped: a sentence keeps only tokens which have a vector.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping

import numpy as np

from neuroep.data.ragged import Ragged, offsets_of

TOKENISER = 1
"""Version of :func:`tokenise`, part of the key of cached sets; to be raised with every change of its result."""

_TOKEN = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[^\sa-z0-9]")


def tokenise(text: str) -> list[str]:
    """Split a text into tokens.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    list of str
        Tokens in lower case; no token holds white space.

    Examples
    --------
    >>> tokenise("It isn't bad,<br />is it?")
    ['it', "isn't", 'bad', ',', 'is', 'it', '?']
    """
    return _TOKEN.findall(text.lower().replace("<br />", " "))


def encode(texts: Iterable[str], rows: Mapping[str, int]) -> Ragged:
    """Turn texts into rows of a table of word vectors.

    Parameters
    ----------
    texts : iterable of str
        One text per sample.
    rows : mapping of str to int
        Row of each known word.

    Returns
    -------
    Ragged
        Rows of the known tokens, in order; a text without any gives an empty sample.
    """
    return encode_counted(texts, rows)[0]


def encode_counted(texts: Iterable[str], rows: Mapping[str, int]) -> tuple[Ragged, int]:
    """Turn texts into rows as :func:`encode` does, and count all tokens, the unknown ones included."""
    ids = array("i")
    lengths = array("q")
    row_of = rows.get
    count = 0
    for text in texts:
        tokens = tokenise(text)
        known = [row for token in tokens if (row := row_of(token)) is not None]
        ids.extend(known)
        lengths.append(len(known))
        count += len(tokens)
    return Ragged(np.array(ids, dtype=np.int32), offsets_of(np.array(lengths, dtype=np.int64))), count


def compact(sequences: list[Ragged], words: int) -> tuple[np.ndarray, list[Ragged]]:
    """Renumber ids so that only words which occur are counted.

    Parameters
    ----------
    sequences : list of Ragged
        All sequences of all splits, ids below ``words``.
    words : int
        Number of words before.

    Returns
    -------
    kept : numpy.ndarray
        (vocabulary,) int64, the old ids which occur, ascending.
    renumbered : list of Ragged
        The sequences with ids into ``kept``.
    """
    occurs = np.zeros(words, dtype=bool)
    for ragged in sequences:
        occurs[ragged.ids] = True
    renumber = (np.cumsum(occurs) - 1).astype(np.int32)
    return np.flatnonzero(occurs), [Ragged(renumber[ragged.ids], ragged.offsets) for ragged in sequences]
