# Tested by tests/neuroep/engines/numba/test_attention.py.
"""Held logits of sequences in which tokens occur more than once: one column of logits for each kind of pattern.

Queries differ even where tokens are the same, as reads of a chip draw noise, patterns do not. Of a sample with m
patterns of u kinds, M and E = exp(M - rowmax) are computed of u columns and copied to where the others stand. Shapes as
in :mod:`neuroep.engines.numba.attention_kernels`; a product of fewer columns rounds differently.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from hw_models.kernels.compiling import bound, kernel, unbound
from hw_models.kernels.exponential import exponential
from neuroep.engines.numba.attention_kernels import LANES, exp_double, largest_of

exp = unbound
"""Of one precision; :func:`hold` fills it in."""


@kernel
def _sort(kinds, keys, slots, rows, column):
    """Copy one of each kind of patterns to the head of ``rows``; return their number.

    Parameters
    ----------
    kinds : (k,)
        Of the patterns of a sample.
    keys : (k or more, d)
        They.
    slots : (all kinds,)
        -1 everywhere, before and after.
    rows : (k or more, d)
        Written.
    column : (k or more,)
        Written: which of the rows each pattern is.
    """
    count = 0
    for j in range(kinds.shape[0]):
        slot = slots[kinds[j]]
        if slot < 0:
            slot = slots[kinds[j]] = count
            rows[count] = keys[j]
            count += 1
        column[j] = slot
    for j in range(kinds.shape[0]):
        slots[kinds[j]] = -1
    return count


@kernel
def _spread(few, column, row):
    """Write what each pattern has of the values of the kinds."""
    for j in range(row.shape[0]):
        row[j] = few[column[j]]


def _hold(first, last, drive, offsets, keys, key_count, kind, kinds, key_offsets, kappa, logits, scaled):
    """Write M of samples [first, last), and E where ``scaled`` has room for it.

    ``drive`` is (real queries, d) packed, ``kind`` (real patterns,) from 0 to ``kinds``, ``offsets`` and
    ``key_offsets`` (b + 1,) say where samples begin in them.
    """
    slots, most = np.full(kinds, -1, np.int32), np.max(key_count[first:last])
    rows, column = np.empty((most, keys.shape[2]), keys.dtype), np.empty(most, np.int32)
    lanes = np.empty(LANES, logits.dtype)
    for b in range(first, last):
        k, begin, end = key_count[b], offsets[b], offsets[b + 1]
        if k == 0 or end == begin:
            continue
        place = key_offsets[b]
        count = _sort(kind[place : place + k], keys[b], slots, rows, column)
        product = np.dot(drive[begin:end], rows[:count].T)
        for t in range(end - begin):
            few = product[t]
            for i in range(count):
                few[i] *= kappa
            _spread(few, column[:k], logits[b, t, :k])
            if scaled.size:
                top = largest_of(few, lanes)
                for i in range(count):
                    few[i] = exp(few[i] - top)
                _spread(few, column[:k], scaled[b, t, :k])


@cache
def hold(dtype: str) -> Callable[..., None]:
    """Return :func:`_hold` of ``float32`` or ``float64``, compiled at its first call."""
    own = exponential if dtype == "float32" else exp_double
    return kernel(bound(_hold, dtype, exp=own))
