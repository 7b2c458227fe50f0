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

import numpy as np

from hw_models.kernels import scalar
from hw_models.kernels.compiling import VECTOR, bound, kernel, unbound, written_out

exp = unbound
"""Of one precision; :func:`of` fills it in."""


def _exp(x: float) -> float:
    """e^x in double precision."""
    return math.exp(x)


@kernel(fastmath=VECTOR, inline="always")
def _top(held, row, kappa, fed):
    """Turn a row of products into logits, and return the largest of them and 0."""
    top = row.dtype.type(0)
    for j in range(row.shape[0]):
        logit = held[j] + kappa * row[j] if fed else held[j]
        row[j] = logit
        top = max(top, logit)
    return top


@kernel
def _stored(new, value):
    """Write ``new`` over ``value`` (both 1-d); return the largest change, NaN if there is one."""
    largest, strange = value.dtype.type(0), 0
    for i in range(value.shape[0]):
        change = abs(new[i] - value[i])
        value[i] = new[i]
        largest = change if change > largest else largest
        strange |= change != change
    return value.dtype.type(math.nan) if strange else largest


def _attend(
    first, last, places, logits, keys, query_count, key_count, telling, feedback, kappa, weights, value, changes
):  # fmt: skip
    """Move a flat layer at once; arrays as of :func:`neuroep.engines.numba.attention_kernels.attend_flat`."""
    dim, fed, one = keys.shape[2], feedback.size > 0, value.dtype.type(1)
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
        for t in range(n):
            row = rows[t]
            top = _top(logits[h, t, :k], row, kappa, fed)
            rest = exp(-top)
            total = value.dtype.type(whole - k) * rest
            for j in range(k):
                share = exp(row[j] - top)
                row[j] = share
                total += share
            scale = one / total
            for j in range(k):
                row[j] *= scale
            weights[h, t, :k] = row
            weights[h, t, k:whole] = rest * scale
        new = states[: n * dim]
        if k > 0:
            np.dot(rows, patterns, new.reshape((n, dim)))
        else:
            new[:] = 0
        changes[b] = _stored(new, value[b, : n * dim])


@cache
def of(dtype: str) -> Callable[..., None]:
    """Return the kernel of ``float32`` or ``float64``, compiled at its first call."""
    own = written_out(scalar.exp if dtype == "float32" else _exp, flagged=True)
    return kernel(bound(_attend, dtype, exp=own), fastmath=VECTOR, error_model="numpy")
