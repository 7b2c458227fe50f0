"""Minibatches: samples in a reproducible order, embedded when they are asked for (numbers: in :mod:`.signals`).

The order is a function of (seed, epoch) alone, so a resumed run sees the same batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from hw_models.kept_memory import KeptMemory, sparse
from neuroep.data.batch import Batch, TokenVectors, WordRows, WordTable
from neuroep.data.border import whole_number
from neuroep.data.ragged import Ragged
from neuroep.data.splits import Split
from neuroep.errors import DataError, unknown
from neuroep.randomness import generator

ORDERS = ("shuffled", "length")
"""Orders of :func:`batches` besides None, the order of the split."""

_POOL_BATCHES = 50
_LARGE = 1 << 25
"""Bytes from which a batch that is a quarter padding gets pages of its own, none of which padding takes."""


def batch_count(split: Split, size: int) -> int:
    """Return the number of batches of ``size`` samples, a smaller last one included.

    Raises
    ------
    DataError
        If ``size`` is below 1.
    """
    return -(-len(split) // _check_size(size))


def minibatches(
    split: Split,
    vectors_of: Callable[..., TokenVectors | WordRows],
    size: int,
    *,
    sequences: Sequence[str] | None = None,
    order: str | None = None,
    seed: int = 0,
    epoch: int = 0,
    kinds_of: Callable[..., np.ndarray | None] | None = None,
) -> Iterator[Batch]:
    """Go once through a split, batch by batch; most call :meth:`neuroep.data.Corpus.batches`, which knows its tokens.

    Parameters
    ----------
    split : Split
        The samples.
    vectors_of : callable
        Returns the vectors of the tokens of a batch, padded with zeros to its longest sample, or their rows of a table.
    size : int
        Samples per batch; the last batch is smaller where the split does not divide, and is kept.
    sequences : sequence of str, optional
        Names of the sequences wanted; all of the split's by default.
    order : {None, "shuffled", "length"}
        Order of the split; a permutation keyed by (seed, epoch); or that permutation sorted by length within pools of
        50 batches and cut into batches, which come in shuffled order: batches of similar lengths need little padding.
    seed, epoch : int
        Key of the permutation.
    kinds_of : callable, optional
        Returns the kinds of the tokens of a batch, those of a ``Batch``, or None where they are not known.

    Yields
    ------
    Batch
        Vectors (batch, tokens, dim) float32, padded with zeros to the longest sample of the batch.

    Raises
    ------
    DataError
        If ``size`` is below 1, or the order or a sequence is unknown.
    """
    size, epoch = _check_size(size), whole_number("epoch", epoch, "from 0")
    wanted = tuple(split.tokens) if sequences is None else tuple(sequences)
    for name in wanted:
        if name not in split.tokens:
            raise DataError(unknown("sequence", name, split.tokens))

    def batch(chosen: np.ndarray) -> Batch:
        taken = {name: split.tokens[name].take(chosen) for name in wanted}
        found = {} if kinds_of is None else {name: kinds_of(tokens) for name, tokens in taken.items()}
        kinds = {name: each for name, each in found.items() if each is not None}
        return Batch({name: vectors_of(tokens) for name, tokens in taken.items()}, split.labels[chosen], kinds=kinds)

    return (batch(chosen) for chosen in places(split, size, order, seed, epoch))


def batches(
    split: Split[Ragged],
    vectors: np.ndarray,
    size: int,
    *,
    sequences: Sequence[str] | None = None,
    order: str | None = None,
    seed: int = 0,
    epoch: int = 0,
) -> Iterator[Batch]:
    """Go once through samples of token ids, with ``vectors`` (vocabulary, dim) of their own; see :func:`minibatches`.

    For words that are in no corpus; ``corpus.batches(...)`` does the same with its own vectors.
    """
    how = (split, partial(embed, vectors=vectors), size)
    return minibatches(*how, sequences=sequences, order=order, seed=seed, epoch=epoch, kinds_of=kinds)


def kinds(ragged: Ragged) -> np.ndarray:
    """Return what tells the tokens of a batch apart, (real tokens,): their ids."""
    return ragged.ids.astype(np.int32, copy=False)


def _check_size(size: int) -> int:
    number = whole_number("batch size", size)
    if number < 1:
        raise DataError(f"batch size {number}: allowed are 1 and more")
    return number


def places(split: Split, size: int, order: str | None, seed: int = 0, epoch: int = 0) -> list[np.ndarray]:
    """Return the sample numbers of each batch; see :func:`minibatches`."""
    if order is None:
        return _chunks(np.arange(len(split)), size)
    if order not in ORDERS:
        raise DataError(unknown("order", order, ("none", *ORDERS)))
    permutation = generator(seed, "order", epoch).permutation(len(split))
    if order == "shuffled":
        return _chunks(permutation, size)
    lengths = [ragged.lengths for ragged in split.tokens.values()]
    found: list[np.ndarray] = []
    for pool in _chunks(permutation, size * _POOL_BATCHES):
        found += _chunks(_by_length(pool, lengths, size), size)
    full = [chosen for chosen in found if len(chosen) == size]
    smaller = [chosen for chosen in found if len(chosen) < size]
    return [full[i] for i in generator(seed, "batch order", epoch).permutation(len(full))] + smaller


def _by_length(pool: np.ndarray, lengths: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Sort by the first length; of pairs, sort strips of a few batches by the second length after that."""
    ordered = pool[np.argsort(lengths[0][pool], kind="stable")]
    for more in lengths[1:]:
        strips = _chunks(ordered, size * math.isqrt(_POOL_BATCHES))
        ordered = np.concatenate([strip[np.argsort(more[strip], kind="stable")] for strip in strips])
    return ordered


def _chunks(numbers: np.ndarray, size: int) -> list[np.ndarray]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def embed(ragged: Ragged, vectors: np.ndarray, memory: KeptMemory | None = None) -> TokenVectors:
    """Look word vectors up and pad with zeros.

    Parameters
    ----------
    ragged : Ragged
        Token ids of the samples of a batch.
    vectors : numpy.ndarray
        (vocabulary, dim) word vectors.
    memory : KeptMemory, optional
        Where the result lies, which is otherwise new.

    Returns
    -------
    TokenVectors
        Vectors (batch, tokens, dim) float32 with ``tokens`` the longest sample's, at least 1, and lengths (batch,).
    """
    lengths = ragged.lengths
    tokens = max(1, int(lengths.max(initial=0)))
    shape, single = (len(ragged), tokens, vectors.shape[1]), np.dtype(np.float32)
    if math.prod(shape) * single.itemsize >= _LARGE and 4 * int(lengths.sum()) <= 3 * len(ragged) * tokens:
        padded = sparse(shape, single)
        for sample, rows in enumerate(padded):
            rows[: lengths[sample]] = vectors[ragged[sample]]
        return TokenVectors(padded, lengths)
    padded = np.empty(shape, single) if memory is None else memory.empty(shape, single)
    for sample, rows in enumerate(padded):
        ids = ragged[sample]
        rows[: len(ids)] = vectors[ids]
        rows[len(ids) :] = 0
    return TokenVectors(padded, lengths)


def rows(ragged: Ragged, table: WordTable) -> WordRows:
    """Return the samples of a batch as rows of a table, -1 beyond each one's end."""
    lengths = ragged.lengths
    real = np.arange(max(1, int(lengths.max(initial=0)))) < lengths[:, None]
    found = np.full(real.shape, -1, dtype=np.int32)
    found[real] = ragged.ids
    return WordRows(found, lengths, table)
