# Tested by tests/neuroep/engines/numba/test_attention.py.
r"""Flat attention over sequences whose padding takes part: all padded patterns as one term.

Shapes: batch b, queries n, patterns m, dim d. The patterns of sample b from ``telling[b]`` on are zero vectors. Their
logits are 0 whatever the feedback is, and so are their values, so that of the softmax over m patterns

.. math:: p_{tj} = e^{l_{tj} - \hat l_t} / S_t, \qquad
          S_t = \sum_{j < k} e^{l_{tj} - \hat l_t} + (m - k)\, e^{-\hat l_t}, \qquad l = M + \kappa F X^T

only the k = ``telling[b]`` first are computed; the others have :math:`e^{-\hat l_t} / S_t` each. Exponentials are of
the precision of the arrays, :func:`of`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from hw_models.kernels import largest, scalar
from hw_models.kernels.compiling import VECTOR, bound, kernel, unbound, written_out

exp = share = highest = unbound
"""Of one precision; :func:`of` fills them in."""


def _exp(x: float) -> float:
    """e^x in double precision."""
    return math.exp(x)


@kernel(fastmath=VECTOR, inline="always")
def _driven(held, row, kappa, fed):
    """Turn a row of products into logits."""
    for j in range(row.shape[0]):
        row[j] = held[j] + kappa * row[j] if fed else held[j]


def _highest(row):
    """Largest number, -inf of none."""
    top = row.dtype.type(-math.inf)
    for j in range(row.shape[0]):
        top = max(top, row[j])
    return top


@kernel
def _stored(new, value):
    """Write ``new`` over ``value`` (both 1-d); return the largest change, NaN if there is one."""
    most, strange = value.dtype.type(0), 0
    for i in range(value.shape[0]):
        change = abs(new[i] - value[i])
        value[i] = new[i]
        most = change if change > most else most
        strange |= change != change
    return value.dtype.type(math.nan) if strange else most


def _share(rows, logits, n, k, whole, kappa, fed, weights):
    """Turn products F X^T of n queries with k patterns (n, k or more) into p, there and in ``weights`` (n, patterns).

    ``logits`` are M; columns of ``rows`` beyond k become 0. Without padding (``whole`` is k) nothing is folded.
    """
    zero, one = rows.dtype.type(0), rows.dtype.type(1)
    for t in range(n):
        row = rows[t, :k]
        _driven(logits[t, :k], row, kappa, fed)
        top = max(highest(row), zero) if whole > k else highest(row)
        rest = exp(-top) if whole > k else zero
        total = rows.dtype.type(whole - k) * rest
        for j in range(k):
            part = exp(row[j] - top)
            row[j] = part
            total += part
        scale = one / total
        for j in range(k):
            row[j] *= scale
        weights[t, :k] = row
        weights[t, k:whole] = rest * scale
        rows[t, k:] = zero


def _attend(
    first, last, places, logits, keys, query_count, key_count, telling, feedback, kappa, weights, value, changes
):  # fmt: skip
    """Move a flat layer at once; arrays as of :func:`neuroep.engines.numba.attention_kernels.attend_flat`."""
    dim, fed = keys.shape[2], feedback.size > 0
    most, widest = 0, 0
    for b in range(first, last):
        most, widest = max(most, query_count[places[b]]), max(widest, telling[places[b]])
    products = np.empty(most * widest, dtype=value.dtype)
    states = np.empty(most * dim, dtype=value.dtype)
    for b in range(first, last):
        h = places[b]
        n, k, whole = query_count[h], telling[h], key_count[h]
        if n == 0:
            continue
        patterns, rows = keys[h, :k], products[: n * k].reshape((n, k))
        if fed and k > 0:
            np.dot(feedback[b, : n * dim].copy().reshape((n, dim)), patterns.T, rows)
        share(rows, logits[h], n, k, whole, kappa, fed, weights[h])
        new = states[: n * dim]
        if k > 0:
            np.dot(rows, patterns, new.reshape((n, dim)))
        else:
            new[:] = 0
        changes[b] = _stored(new, value[b, : n * dim])


class FoldedKernels(NamedTuple):
    """Kernels of one precision."""

    attend: Callable[..., None]
    share: Callable[..., None]
    """To be written out in other kernels."""


@cache
def of(dtype: str) -> FoldedKernels:
    """Return the kernels of ``float32`` or ``float64``, compiled at their first call."""
    own = written_out(scalar.exp if dtype == "float32" else _exp, flagged=True)
    flags: dict[str, object] = {"fastmath": VECTOR, "error_model": "numpy"}
    most = largest.highest if dtype == "float32" else kernel(_highest)
    share = kernel(bound(_share, dtype, exp=own, highest=most), **flags, inline="always")
    return FoldedKernels(kernel(bound(_attend, dtype, share=share), **flags), share)
