# Tested by tests/neuroep/engines/numba/test_differences.py.
"""Kernels of nudged phases in differences; equations in :mod:`neuroep.engines.differences`.

Shapes: batch b, nudges r, queries n, patterns m, dim d. Differences have the rows of all nudges below each other, row
``r * batch + b`` that of sample b. ``free`` (b, n, m) is p of the free state, of flat layers packed, row t of sample b
from ``offsets[b] + t * widths[b]`` on; pooled layers have it as a product
p_tj = ``scales[b, t]`` ``free[b, t, j]`` ``tilts[b, j]`` of what is held of the batch. ``query_count[b]`` and
``key_count[b]`` are real queries and patterns; patterns from ``telling[b]`` on are zero vectors, whose logits and
values a nudge does not change, and share in the sums as one. All take a range [first, last) of samples. Where a kernel
takes ``places``, its samples are those that are still there: rows of differences are theirs, and what is held of the
whole batch, ``free`` too, is that of sample ``places[b]``. ``changes`` (r, b, 2) gets of every nudge and sample the
largest change of a difference, NaN if there is one, and the largest difference.

Exponentials are of the precision of the arrays, :func:`of`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from hw_models.kernels import scalar
from hw_models.kernels.compiling import VECTOR, bound, kernel, unbound, written_out
from neuroep.network.potentials import NEAR, NEWTON_STEPS

exp_less_one = less_one = tilted_row = steep_row = tilted = unbound
"""Of one precision; :func:`of` fills them in."""
Kernel = Callable[..., None]
FAR = 60.0
"""Where a logit is further than that above their mean, p changes hands and is computed as a softmax."""


def _exp_less_one(x: float) -> float:
    """e^x - 1 in double precision."""
    return math.expm1(x)


@kernel(fastmath=VECTOR, inline="always")
def _sums(weights, row):
    """Return the sum of p and that of p x over one row."""
    whole, mean = row.dtype.type(0), row.dtype.type(0)
    for j in range(row.shape[0]):
        whole += weights[j]
        mean += weights[j] * row[j]
    return whole, mean


@kernel
def _largest(row):
    size = row.dtype.type(0)
    for j in range(row.shape[0]):
        size = max(size, abs(row[j]))
    return size


@kernel
def _highest(row):
    """Largest number; a loop, since Numba's own would take over the flags of the kernel that calls it."""
    top = row[0]
    for j in range(1, row.shape[0]):
        top = max(top, row[j])
    return top


@kernel
def _scale(row, factor):
    for j in range(row.shape[0]):
        row[j] = factor * row[j]


def _less_one(row, shift):
    """x <- e^(x - shift) - 1 of one row."""
    for j in range(row.shape[0]):
        row[j] = exp_less_one(row[j] - shift)


@kernel(fastmath=VECTOR, inline="always")
def _beyond(row, limit):
    """Count the logits above a limit."""
    found = 0
    for j in range(row.shape[0]):
        found += row[j] > limit
    return found


@kernel
def _settled_row(weights, row, rest):
    """x <- softmax(ln p + x) - p of one row: of logits so far apart that p changes hands."""
    zero = row.dtype.type(0)
    top = zero if rest > 0 else row.dtype.type(-np.inf)
    for j in range(row.shape[0]):
        top = max(top, row[j]) if weights[j] > 0 else top
    total = rest * math.exp(-top) if rest > 0 else zero
    for j in range(row.shape[0]):
        row[j] = weights[j] * math.exp(min(row[j] - top, zero))
        total += row[j]
    for j in range(row.shape[0]):
        row[j] = row[j] / total - weights[j]


def _tilted_row(weights, row, more):
    """x <- p (E - c)/(1 + c) of one row of logits x that p gains.

    Where there are ``more``, what p lacks of 1 here is that of patterns whose logits gain 0.
    """
    one = row.dtype.type(1)
    whole, mean = _sums(weights, row)
    rest = one - whole if more else row.dtype.type(0)
    far = row.dtype.type(FAR)
    if _beyond(row, mean + far) or (rest > 0 and mean + far < 0):
        _settled_row(weights, row, rest)
    else:
        less_one(row, mean)
        _, change = _sums(weights, row)
        if more:
            change += rest * exp_less_one(-mean)
        factor = one / (one + change)
        for j in range(row.shape[0]):
            row[j] = factor * weights[j] * (row[j] - change)


@kernel
def _noted(new, old, changes):
    """Write ``new`` over ``old`` (both 1-d), and what has changed into ``changes`` (2,), where a NaN stays."""
    change, size = changes[0], changes[1]
    for i in range(old.shape[0]):
        moved = abs(new[i] - old[i])
        if moved > change or np.isnan(moved):
            change = moved
        size = max(size, abs(new[i]))
        if np.isnan(moved):
            break
    old[:] = new
    changes[0], changes[1] = change, size


def _tilted(rows, n, k, free, place, width, kappa, more):
    """Turn products dF X^T of n queries of every nudge (r, n, k or more) with k patterns into dp; beyond k it is 0.

    p of the first query begins at ``free[place]``, and every row of it is so wide.
    """
    for r in range(rows.shape[0]):
        for t in range(n):
            row, start = rows[r, t, :k], place + t * width
            _scale(row, kappa)
            tilted_row(free[start : start + k], row, more)
            rows[r, t, k:] = 0


def _flat(
    first, last, places, start, stop, free, offsets, widths, keys, query_count, key_count, telling, feedback, kappa,
    value, changes,
):  # fmt: skip
    """Move queries [start, stop) of a flat layer by their ``feedback``; ``value`` (r b, n d) is that of all."""
    batch, dim = places.shape[0], keys.shape[2]
    for b in range(first, last):
        h = places[b]
        n, k = min(query_count[h], stop) - start, telling[h]
        if n <= 0 or k == 0:
            continue
        patterns = keys[h, :k]
        for r in range(changes.shape[0]):
            row = r * batch + b
            rows = np.dot(feedback[row, : n * dim].copy().reshape((n, dim)), patterns.T)
            place = offsets[h] + start * widths[h]
            tilted(rows.reshape((1, n, k)), n, k, free, place, widths[h], kappa, k < key_count[h])
            moved = value[row, start * dim : (start + n) * dim]
            _noted(np.dot(rows, patterns).reshape(n * dim), moved, changes[r, b])


@kernel(fastmath=VECTOR)
def factorise(first, last, scaled, query_count, key_count, shift, floor, scales, tilts):
    """Write scales and tilts of samples whose pooled layer has the state c in ``shift`` (b, m).

    ``scaled`` (b, n, m) is E of :mod:`neuroep.engines.numba.attention_kernels`. Returns whether no row underflows.
    """
    for b in range(first, last):
        n, k = query_count[b], key_count[b]
        if n == 0 or k == 0:
            continue
        tilt = tilts[b, :k]
        tilt[:] = np.exp(shift[b, :k] - _highest(shift[b, :k]))
        for t in range(n):
            total, row = tilt.dtype.type(0), scaled[b, t, :k]
            for j in range(k):
                total += row[j] * tilt[j]
            if not total > floor:
                return False
            scales[b, t] = tilt.dtype.type(1) / total
    return True


@kernel
def _free_row(rows, scale, tilt, out):
    """Write p of one query."""
    for j in range(out.shape[0]):
        out[j] = scale * rows[j] * tilt[j]


def _pooled(
    first, last, places, free, scales, tilts, keys, query_count, key_count, telling, feedback, kappa, value, changes
):  # fmt: skip
    """Move a pooled layer by the ``feedback`` (r b, d); ``value`` (r b, d).

    All rows gain the same logits, so that exponentials are taken once, unless they are large: E then goes with a shift
    of each row's own.
    """
    batch, nudges = places.shape[0], changes.shape[0]
    one = value.dtype.type(1)
    weights = np.empty(keys.shape[1], dtype=value.dtype)
    for b in range(first, last):
        h = places[b]
        n, k = query_count[h], telling[h]
        if n == 0 or k == 0:
            continue
        patterns = keys[h, :k]
        factor = value.dtype.type(1 / math.sqrt(n))
        gained, sums = np.empty((nudges, k), dtype=value.dtype), np.zeros((nudges, k), dtype=value.dtype)
        for r in range(nudges):
            gained[r] = (kappa * factor) * np.dot(patterns, feedback[r * batch + b].copy())
        common, own, row, shared = gained.copy(), gained[0].copy(), weights[:k], _largest(gained.reshape(-1)) <= one
        for r in range(nudges):
            less_one(common[r], value.dtype.type(0))
        for t in range(n):
            _free_row(free[h, t], scales[h, t], tilts[h], row)
            for r in range(nudges):
                if shared:
                    _, change = _sums(row, common[r])
                    _add_tilted(sums[r], row, common[r], change, one / (one + change))
                else:
                    own[:] = gained[r]
                    steep_row(row, own, k < key_count[h])
                    _add(sums[r], own)
        for r in range(nudges):
            _noted(factor * np.dot(sums[r], patterns), value[r * batch + b], changes[r, b])


@kernel
def _add(sums, row):
    for j in range(sums.shape[0]):
        sums[j] += row[j]


@kernel
def _add_tilted(sums, weights, row, change, factor):
    for j in range(sums.shape[0]):
        sums[j] += factor * weights[j] * (row[j] - change)


def _rows_pooled(
    first, last, free, scales, tilts, keys, offsets, key_count, kappa, plus, minus, factor_plus, factor_minus, rows
):  # fmt: skip
    """Write ``(factor_plus dp+ + factor_minus dp-) X`` of every real query, packed (real tokens, d).

    ``plus`` and ``minus`` (b, d) are the changes of feedback of two nudges.
    """
    one = rows.dtype.type(1)
    for b in range(first, last):
        k = key_count[b]
        begin, n = offsets[b], offsets[b + 1] - offsets[b]
        if n == 0:
            continue
        if k == 0:
            rows[begin : begin + n] = 0
            continue
        patterns, scale = keys[b, :k], kappa * rows.dtype.type(1 / math.sqrt(n))
        up, down = scale * np.dot(patterns, plus[b].copy()), scale * np.dot(patterns, minus[b].copy())
        shared = max(_largest(up), _largest(down)) <= one
        mixed, weights = np.empty((n, k), dtype=rows.dtype), np.empty(k, dtype=rows.dtype)
        if shared:
            less_one(up, rows.dtype.type(0))
            less_one(down, rows.dtype.type(0))
        for t in range(n):
            _free_row(free[b, t], scales[b, t], tilts[b], weights)
            out = mixed[t]
            if shared:
                _, change = _sums(weights, up)
                _, other = _sums(weights, down)
                first_factor, second_factor = factor_plus / (one + change), factor_minus / (one + other)
                for j in range(k):
                    out[j] = weights[j] * (first_factor * (up[j] - change) + second_factor * (down[j] - other))
            else:
                own, opposite = up.copy(), down.copy()
                steep_row(weights, own, False)
                steep_row(weights, opposite, False)
                for j in range(k):
                    out[j] = factor_plus * own[j] + factor_minus * opposite[j]
        rows[begin : begin + n] = np.dot(mixed, patterns)


def _mix(first, last, free, keys, query_count, key_count, feedback, kappa, pooled, dt, weights):
    """Move explicit differences ``weights`` (r b, n, m): dp <- dp + dt (dp* - dp)."""
    batch, dim = keys.shape[0], keys.shape[2]
    for b in range(first, last):
        n, k = query_count[b], key_count[b]
        if n == 0 or k == 0:
            continue
        patterns = keys[b, :k]
        factor = weights.dtype.type(1 / math.sqrt(n)) if pooled else weights.dtype.type(1)
        for r in range(weights.shape[0] // batch):
            row = r * batch + b
            width = dim if pooled else n * dim
            rows = np.dot(feedback[row, :width].copy().reshape((width // dim, dim)), patterns.T)
            for t in range(n):
                gained = (kappa * factor) * rows[0 if pooled else t]
                steep_row(free[b, t, :k], gained, False)
                kept = weights[row, t]
                for j in range(k):
                    kept[j] += dt * (gained[j] - kept[j])


@kernel
def read(first, last, keys, query_count, key_count, pooled, weights, value, changes):
    """Write what the next synapse reads of explicit differences ``weights`` (r b, n, m) into ``value``."""
    batch, dim = keys.shape[0], keys.shape[2]
    for b in range(first, last):
        n, k = query_count[b], key_count[b]
        if n == 0 or k == 0:
            continue
        patterns = keys[b, :k]
        for r in range(changes.shape[0]):
            row = r * batch + b
            moved = weights[row, :n, :k].copy()
            if pooled:
                factor = value.dtype.type(1 / math.sqrt(n))
                _noted(factor * np.dot(moved.sum(axis=0), patterns), value[row], changes[r, b])
            else:
                _noted(np.dot(moved, patterns).reshape(n * dim), value[row, : n * dim], changes[r, b])


class DifferenceKernels(NamedTuple):
    """Kernels of attention in one precision."""

    flat: Kernel
    pooled: Kernel
    rows_pooled: Kernel
    mix: Kernel
    tilted: Kernel
    """To be written out in other kernels."""


@cache
def of(dtype: str) -> DifferenceKernels:
    """Return the kernels of ``float32`` or ``float64``, compiled at their first call."""
    exp = written_out(scalar.exp_less_one if dtype == "float32" else _exp_less_one, flagged=True)
    inlined: dict[str, object] = {"fastmath": VECTOR, "error_model": "numpy", "inline": "always"}
    row = kernel(bound(_less_one, dtype, exp_less_one=exp), **inlined)
    tilted = kernel(bound(_tilted_row, dtype, exp_less_one=exp, less_one=row), **inlined)
    # Where logits are far apart, or time steps small, it is called: written out it takes a minute to compile.
    steep = kernel(bound(_tilted_row, f"{dtype}-steep", exp_less_one=exp, less_one=row), error_model="numpy")
    names: dict[str, Kernel] = {"tilted_row": tilted, "less_one": row, "steep_row": steep}
    names["tilted"] = kernel(bound(_tilted, dtype, **names), **inlined)
    flat, pooled, rows_pooled, mix = (
        kernel(bound(one, dtype, **names), fastmath=VECTOR) for one in (_flat, _pooled, _rows_pooled, _mix)
    )
    return DifferenceKernels(flat, pooled, rows_pooled, mix, names["tilted"])


@kernel
def _gained(code, place, w):
    """d of a neuron whose drive has changed by w: smooth sigmoid (1), tanh (2), linear (3).

    1 + s E is written as (1 - s) + s e^w, which nothing is subtracted in.
    """
    if code == 3:
        return w
    low = place if code == 1 else 0.5 * (1 + place)
    high = 1 - place if code == 1 else 0.5 * (1 - place)
    if not low * high > 0:
        return 0.0 * w
    scale = 1.0 if code == 1 else 2.0
    x = scale * w
    if x <= 0:
        return scale * low * high * math.expm1(x) / (high + low * math.exp(x))
    return -scale * low * high * math.expm1(-x) / (low + high * math.exp(-x))


@kernel
def _root(code, place, drive, y, beta):
    """Return w = drive - beta (place + d(w) - y): Newton steps inside a bracket, as of the nudged neuron itself."""
    bottom = 0.0 if code == 1 else -1.0
    aim = drive + beta * (y - place)
    low, high = aim - beta * (bottom - place), aim - beta * (1.0 - place)
    if low > high:
        low, high = high, low
    rise = place * (1 - place) if code == 1 else 1 - place * place
    w = aim / (1 + beta * rise)
    if not low <= w <= high:
        w = 0.5 * (low + high)
    before = high - low
    for _ in range(NEWTON_STEPS):
        d = _gained(code, place, w)
        s = place + d
        rise = s * (1 - s) if code == 1 else 1 - s * s
        excess = w - aim + beta * d
        if excess > 0:
            high = w
        else:
            low = w
        step = excess / (1 + beta * rise)
        if w - step < low or w - step > high or abs(step) > max(NEAR, 0.5 * abs(before)):
            step = w - 0.5 * (low + high)
        before = step
        w -= step
    return w


@kernel
def _clipped(place, x):
    """d of a hard sigmoid that would stand x away from its place without its bounds."""
    least, most = -place, 1 - place
    inside = least if x < least else (most if x > most else x)
    state = 0.0 if place < 0 else (1.0 if place > 1 else place)
    return inside + (place - state)


@kernel
def displace(place, product, feedback, moved, target, beta, code, slope, mode, dt, changes):
    """Move the differences of one dense layer for one nudge.

    Parameters
    ----------
    place : (batch, size)
        Where the free drive puts a hard sigmoid, the free state of other neurons.
    product, feedback : (batch, size) or (0, 0)
        Changes of the drive; empty for none.
    moved : (batch, size)
        Read and written.
    target : (batch, size) or (0, 0)
        y, used when ``mode`` is not free.
    beta, code, slope, mode, dt
        Nudge, potential, one of FREE / MINIMISER / SYNCHRONOUS of :mod:`neuroep.engines.numba.neurons`, time step.
    changes : (batch, 2)
        Gets max|delta d| of every sample, NaN if there is one and the rest of the row is left, and max|d|.
    """
    for b in range(moved.shape[0]):
        change, size = moved.dtype.type(0), moved.dtype.type(0)
        for i in range(moved.shape[1]):
            z, old = place[b, i], moved[b, i]
            drive = moved.dtype.type(0)
            if product.size:
                drive += product[b, i]
            if feedback.size:
                drive += feedback[b, i]
            if mode == 2:
                state = min(max(z, 0.0), 1.0) if code == 0 else z
                drive -= beta * (state + old - target[b, i])
            if code == 0:
                x = (drive + beta * (target[b, i] - z)) / (1 / slope + beta) if mode == 1 else slope * drive
                new = _clipped(z, x)
            elif mode != 1:
                new = _gained(code, z, drive)
            elif code == 3:
                new = (drive + beta * (target[b, i] - z)) / (1 + beta)
            else:
                new = _gained(code, z, _root(code, z, drive, target[b, i], beta))
            if dt < 1:
                new = old + dt * (new - old)
            moved[b, i] = new
            step = abs(new - old)
            if not step <= change:
                change = step
            if np.isnan(step):
                break
            size = max(size, abs(new))
        changes[b, 0], changes[b, 1] = change, size
