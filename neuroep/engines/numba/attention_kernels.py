# Tested by tests/neuroep/engines/numba/test_attention.py.
"""Kernels of the Hopfield attention layer: one sample after another, real tokens only.

Shapes: batch b, queries n, patterns m, dim d; ``query_count[b]`` and ``key_count[b]`` are the real ones among them. All
take a range [first, last) of samples, so that a driver can hand blocks to threads. Held logits M = kappa D X^T come
from the clamped query drive D and patterns X. Where a kernel takes ``places``, its samples are those of a batch that
are still there: ``feedback``, ``value`` and ``changes`` have a row for each, and what is held of the whole batch, the
weights too, is that of sample ``places[b]``. ``changes[b]`` gets max|delta a|, NaN if there is one.

Flat read-out: ``p = softmax(M + kappa F X^T)``, ``a = p X`` for feedback F of each token.

Pooled read-out ``z = sum_t a_t / sqrt(n)``: every token sees the same feedback v / sqrt(n), so the logits only gain a
row vector ``c = kappa X v / sqrt(n)`` and, with ``E = exp(M - rowmax)`` held per batch,

    e = exp(c - max c),   r = 1 / (E e),   p_tj = r_t E_tj e_j,   z = X^T (e * E^T r) / sqrt(n)

which costs n exponentials and one pass over E per step. Where E e underflows, the row is computed from M itself.
The state of such a layer is c alone. Source: Ramsauer et al., ICLR 2021, for the layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from hw_models.kernels.compiling import VECTOR, bound, kernel, unbound
from hw_models.kernels.exponential import exponential

LANES = 16
"""Entries of a row that are compared at a time."""
exp = unbound
"""Of one precision; :func:`exponentiate` fills it in."""


@kernel
def exp_double(x):
    """Return e^x in double precision."""
    return math.exp(x)


@kernel
def hold_logits(first, last, drive, offsets, keys, key_count, kappa, logits):
    """Write M of samples [first, last); ``drive`` is (real tokens, d) packed, ``offsets`` (b + 1,)."""
    for b in range(first, last):
        k = key_count[b]
        begin, end = offsets[b], offsets[b + 1]
        if k > 0 and end > begin:
            logits[b, : end - begin, :k] = kappa * np.dot(drive[begin:end], keys[b, :k].T)


@kernel
def clear_padding(first, last, query_count, key_count, logits):
    """Write 0 beside what :func:`hold_logits` writes."""
    for b in range(first, last):
        n, k = (query_count[b], key_count[b]) if query_count[b] > 0 and key_count[b] > 0 else (0, 0)
        logits[b, :n, k:] = 0
        logits[b, n:] = 0


@kernel
def _softmax_row(row):
    """Softmax in place over one contiguous row."""
    top = row[0]
    for j in range(row.shape[0]):
        top = max(top, row[j])
    total = row.dtype.type(0)
    for j in range(row.shape[0]):
        value = math.exp(row[j] - top)
        row[j] = value
        total += value
    scale = row.dtype.type(1) / total
    for j in range(row.shape[0]):
        row[j] *= scale


@kernel
def _store(new, value):
    """Write ``new`` over ``value`` (both 1-d); return the largest change, NaN if there is one."""
    largest = value.dtype.type(0)
    for i in range(value.shape[0]):
        change = abs(new[i] - value[i])
        if not change <= largest:
            largest = change
            if np.isnan(change):
                break
    value[:] = new
    return largest


@kernel
def attend_flat(
    first, last, places, logits, keys, query_count, key_count, feedback, kappa, dt, weights, value, changes
):  # fmt: skip
    """Move a flat attention layer; ``feedback``, ``value`` (b, n d), ``weights`` (b, n, m)."""
    dim = keys.shape[2]
    for b in range(first, last):
        h = places[b]
        n, k = query_count[h], key_count[h]
        if n == 0 or k == 0:
            continue
        patterns = keys[h, :k]
        row = logits[h, :n, :k].copy()
        if feedback.size:
            row += kappa * np.dot(feedback[b, : n * dim].copy().reshape((n, dim)), patterns.T)
        for t in range(n):
            _softmax_row(row[t])
        if dt < 1:
            row = weights[h, :n, :k] + dt * (row - weights[h, :n, :k])
        weights[h, :n, :k] = row
        changes[b] = _store(np.dot(row, patterns).reshape(n * dim), value[b, : n * dim])


@kernel
def largest_of(row, lanes):
    """Return the largest of a row; as many at a time as there are ``lanes``, which are overwritten."""
    width = lanes.shape[0]
    whole = row.shape[0] // width * width
    top = row[0]
    if whole > 0:
        lanes[:] = row[:width]
        for start in range(width, whole, width):
            part = row[start : start + width]
            for lane in range(width):
                lanes[lane] = part[lane] if part[lane] > lanes[lane] else lanes[lane]
        for lane in range(width):
            top = max(top, lanes[lane])
    for j in range(whole, row.shape[0]):
        top = max(top, row[j])
    return top


def _exponentiate(first, last, logits, query_count, key_count, scaled):
    """Write E = exp(M - rowmax) of samples [first, last)."""
    lanes = np.empty(LANES, logits.dtype)
    for b in range(first, last):
        k = key_count[b]
        for t in range(query_count[b] if k > 0 else 0):
            row, out = logits[b, t, :k], scaled[b, t, :k]
            top = largest_of(row, lanes)
            for j in range(k):
                out[j] = exp(row[j] - top)


@cache
def exponentiate(dtype: str) -> Callable[..., None]:
    """Return :func:`_exponentiate` of ``float32`` or ``float64``, compiled at its first call."""
    own = exponential if dtype == "float32" else exp_double
    return kernel(bound(_exponentiate, dtype, exp=own))


@kernel
def _tilt(shift):
    """Return e^(c - max c)."""
    return np.exp(shift - shift.max())


@kernel(fastmath=VECTOR, inline="always")
def _tilted_sum(row, tilt):
    total = row.dtype.type(0)
    for j in range(tilt.shape[0]):
        total += row[j] * tilt[j]
    return total


@kernel
def _add_scaled(total, row, factor):
    for j in range(total.shape[0]):
        total[j] += factor * row[j]


@kernel
def _scaled_product(row, tilt, factor, out):
    for j in range(out.shape[0]):
        out[j] = factor * row[j] * tilt[j]


@kernel
def _exact_row(logits, shift):
    """Softmax of M_t + c from the logits themselves."""
    row = logits + shift
    _softmax_row(row)
    return row


@kernel(fastmath=VECTOR, inline="always")
def _column_sums(logits, scaled, n, shift, floor):
    """Return sum_t p_tj over the n queries, (patterns,); rows are contiguous, so that the sums vectorise."""
    k = shift.shape[0]
    tilt = _tilt(shift)
    sums, exact = np.zeros_like(tilt), np.zeros_like(tilt)
    one = tilt.dtype.type(1)
    for t in range(n):
        total = _tilted_sum(scaled[t, :k], tilt)
        if total > floor:
            _add_scaled(sums, scaled[t, :k], one / total)
        else:
            exact += _exact_row(logits[t, :k], shift)
    return sums * tilt + exact


@kernel(fastmath=VECTOR)
def attend_pooled(
    first, last, places, logits, scaled, keys, query_count, key_count, feedback, kappa, floor, shift, value, changes
):  # fmt: skip
    """Move a pooled attention layer; ``feedback``, ``value`` (b, d), ``shift`` c (b, m)."""
    for b in range(first, last):
        h = places[b]
        n, k = query_count[h], key_count[h]
        if n == 0 or k == 0:
            continue
        patterns = keys[h, :k]
        factor = value.dtype.type(1 / math.sqrt(n))
        if feedback.size:
            shift[h, :k] = (kappa * factor) * np.dot(patterns, feedback[b].copy())
        else:
            shift[h, :k] = 0
        sums = _column_sums(logits[h], scaled[h], n, shift[h, :k], floor)
        changes[b] = _store(factor * np.dot(sums, patterns), value[b])


@kernel(fastmath=VECTOR, inline="always")
def pooled_weights(logits, scaled, n, shift, floor):
    """Return p of one sample from c, (n queries, patterns)."""
    k = shift.shape[0]
    tilt = _tilt(shift)
    weights = np.empty((n, k), dtype=logits.dtype)
    one = tilt.dtype.type(1)
    for t in range(n):
        total = _tilted_sum(scaled[t, :k], tilt)
        if total > floor:
            _scaled_product(scaled[t, :k], tilt, one / total, weights[t])
        else:
            weights[t] = _exact_row(logits[t, :k], shift)
    return weights


@kernel(fastmath=VECTOR)
def mix_pooled(first, last, logits, scaled, query_count, key_count, shift, floor, dt, weights):
    """Move explicit weights of samples [first, last) towards those of c: p <- p + dt (p(c) - p)."""
    for b in range(first, last):
        n, k = query_count[b], key_count[b]
        if n > 0 and k > 0:
            goal = pooled_weights(logits[b], scaled[b], n, shift[b, :k], floor)
            weights[b, :n, :k] += dt * (goal - weights[b, :n, :k])


@kernel
def read_pooled(first, last, keys, query_count, key_count, weights, value, changes):
    """Write z = X^T sum_t p_t / sqrt(n) from explicit weights (relaxed dynamics)."""
    for b in range(first, last):
        n, k = query_count[b], key_count[b]
        if n == 0 or k == 0:
            continue
        sums = weights[b, :n, :k].copy().sum(axis=0)
        factor = value.dtype.type(1 / math.sqrt(n))
        changes[b] = _store(factor * np.dot(sums, keys[b, :k]), value[b])


@kernel
def token_rows(first, last, keys, offsets, key_count, plus, minus, factor_plus, factor_minus, rows):
    """Write ``(factor_plus p+ + factor_minus p-) X`` of every real query, packed (real tokens, d), from p+ and p-."""
    for b in range(first, last):
        k = key_count[b]
        begin, end = offsets[b], offsets[b + 1]
        if end == begin:
            continue
        if k == 0:
            rows[begin:end] = 0
            continue
        n = end - begin
        mixed = factor_plus * plus[b, :n, :k] + factor_minus * minus[b, :n, :k]
        rows[begin:end] = np.dot(mixed, keys[b, :k])


@kernel(fastmath=VECTOR)
def token_rows_pooled(
    first, last, logits, scaled, keys, offsets, key_count, plus, minus, floor, factor_plus, factor_minus, rows
):
    """As :func:`token_rows`, from the states c+ and c- of a pooled layer."""
    for b in range(first, last):
        k = key_count[b]
        begin, end = offsets[b], offsets[b + 1]
        if end == begin:
            continue
        if k == 0:
            rows[begin:end] = 0
            continue
        n = end - begin
        mixed = factor_plus * pooled_weights(logits[b], scaled[b], n, plus[b, :k], floor)
        mixed += factor_minus * pooled_weights(logits[b], scaled[b], n, minus[b, :k], floor)
        rows[begin:end] = np.dot(mixed, keys[b, :k])
