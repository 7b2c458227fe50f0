"""Corpora of token ids with their word vectors, and the minibatches made of them.

Token ids and one small table of word vectors are all that stays in memory; :func:`batches` embeds lazily.

    corpus = load("reviews", tokens=40)
    for batch in batches(corpus.splits["train"], corpus.vectors, 100, order="shuffled", epoch=0):
        ...
"""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy
from neuroep.data.batching import ORDERS, batch_count, batches
from neuroep.data.corpus import Corpus, Ragged, Split
from neuroep.data.loading import NAMES, load
from neuroep.data.tokens import tokenise

__all__ = ["NAMES", "ORDERS", "Corpus", "Ragged", "Split", "batch_count", "batches", "load", "tokenise"]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
