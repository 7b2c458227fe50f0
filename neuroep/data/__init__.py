"""Corpora of words or of numbers, and the minibatches made of them.

Of words, token ids and one small table of vectors are all that stays in memory; arrays of numbers may be mapped from a
disk. Batches are embedded when they are asked for.

    corpus = load("reviews", tokens=40)
    for batch in corpus.batches("train", 100, order="shuffled", epoch=0):
        ...

:func:`from_arrays` makes a corpus of the numbers at hand.
"""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy
from neuroep.data.arrays import from_arrays
from neuroep.data.batching import ORDERS, batch_count, batches
from neuroep.data.catalogue import NAMES
from neuroep.data.corpus import Corpus
from neuroep.data.loading import load
from neuroep.data.ragged import Ragged
from neuroep.data.splits import Split
from neuroep.data.text_corpus import TextCorpus
from neuroep.data.tokens import tokenise

__all__ = [
    "NAMES",
    "ORDERS",
    "Corpus",
    "Ragged",
    "Split",
    "TextCorpus",
    "batch_count",
    "batches",
    "from_arrays",
    "load",
    "tokenise",
]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
