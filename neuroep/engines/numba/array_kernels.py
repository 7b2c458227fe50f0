# Tested by tests/neuroep/engines/numba/test_arrays.py.
"""Kernels that apply a learning rule to one tile of an ideal array: each weight is read and written once.

``weight`` and the moments are whole parameters (rows, columns), contiguous, ``gradient`` the summed outer products of
their tile [top, bottom) x [left, right), which are multiplied by ``scale`` on the way. Of whole arrays the compiler
knows that a row lies side by side, which it does not know of a view, and computes several weights at once. Each kernel
returns the number of weights of the tile that are not finite afterwards. Equations stand in
:mod:`neuroep.learning.optimisers`.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import kernel

U = np.uint32


@kernel
def _not_finite(row):
    bad = 0
    for j in range(row.shape[0]):
        bad += not np.isfinite(row[j])
    return bad


@kernel(error_model="numpy", inline="always")
def _adam_row(weights, means, squares, gradients, scale, rate, keep, beta1, beta2, rest1, rest2, step, root, eps):
    """Adam step of one row."""
    for j in range(weights.shape[0]):
        g = scale * gradients[j]
        m = beta1 * means[j] + rest1 * g
        v = beta2 * squares[j] + rest2 * g * g
        w = keep * weights[j] - step * (m / (np.sqrt(v) / root + eps))
        means[j] = m
        squares[j] = v
        weights[j] = w


@kernel(error_model="numpy")
def adam(
    weight, first, second, top, bottom, left, right, gradient, scale, rate, keep, beta1, beta2, rest1, rest2,
    correction1, correction2, eps,
):  # fmt: skip
    """Adam step; ``rest`` is 1 - beta, ``correction`` 1 - beta^t, ``keep`` 1 - rate * weight_decay.

    In what precision it is computed, that of ``rest`` says: with all else in single precision, doubles take it twice as
    long as memory takes to bring the weights.
    """
    bad, step, root = 0, rate / correction1, np.sqrt(correction2)
    for i in range(top, bottom):
        weights, means, squares = weight[i, left:right], first[i, left:right], second[i, left:right]
        _adam_row(
            weights, means, squares, gradient[i - top], scale, rate, keep, beta1, beta2, rest1, rest2, step, root, eps
        )
        bad += _not_finite(weights)
    return bad


@kernel(error_model="numpy")
def adam_halves(
    halves, first, second, top, bottom, left, right, gradient, scale, rate, keep, beta1, beta2, rest1, rest2,
    correction1, correction2, eps,
):  # fmt: skip
    """Adam step of weights in halves, (rows, 2 columns) uint16; see :func:`split_rows`."""
    bad, step, root = 0, rate / correction1, np.sqrt(correction2)
    n, weights = halves.shape[1] // 2, np.empty(right - left, dtype=np.float32)
    for i in range(top, bottom):
        high, low = halves[i, left:right], halves[i, n + left : n + right]
        means, squares = first[i, left:right], second[i, left:right]
        _joined(high, low, weights)
        _adam_row(
            weights, means, squares, gradient[i - top], scale, rate, keep, beta1, beta2, rest1, rest2, step, root, eps
        )
        _split(weights, high, low)
        bad += _not_finite(weights)
    return bad


@kernel
def sgd(weight, momentum, top, bottom, left, right, gradient, scale, rate, keep, beta):
    """Heavy-ball step; with ``beta`` 0 the momentum array may be empty and is not touched."""
    bad = 0
    for i in range(top, bottom):
        weights, gradients = weight[i, left:right], gradient[i - top]
        for j in range(right - left):
            m = scale * gradients[j]
            if beta != 0:
                m += beta * momentum[i, left + j]
                momentum[i, left + j] = m
            weights[j] = keep * weights[j] - rate * m
        bad += _not_finite(weights)
    return bad


@kernel
def sgd_halves(halves, momentum, top, bottom, left, right, gradient, scale, rate, keep, beta):
    """Heavy-ball step of weights in halves."""
    bad, n, weights = 0, halves.shape[1] // 2, np.empty((1, right - left), dtype=np.float32)
    moments = np.zeros((1, right - left), dtype=np.float32)
    for i in range(top, bottom):
        high, low = halves[i, left:right], halves[i, n + left : n + right]
        if beta != 0:
            moments[0] = momentum[i, left:right]
        _joined(high, low, weights[0])
        place = 0, 1, 0, right - left
        bad += sgd(weights, moments, *place, gradient[i - top : i - top + 1], scale, rate, keep, beta)
        if beta != 0:
            momentum[i, left:right] = moments[0]
        _split(weights[0], high, low)
    return bad


@kernel
def _joined(high, low, weights):
    """Write the weights of two halves, (n,) each."""
    bits = weights.view(np.uint32)
    for j in range(weights.shape[0]):
        last = U(low[j])
        upper = U(U(high[j]) - U(last >> U(15)))
        bits[j] = U(upper << U(16)) | last


@kernel
def _split(weights, high, low):
    """Write the halves of weights, (n,) each; a NaN becomes one that rounding does not carry to 0 or infinity."""
    bits = weights.view(np.uint32)
    for j in range(weights.shape[0]):
        each = bits[j]
        each = U(each | U(0x7FFFFFFF)) ^ U(0x003FFFFF) if U(each & U(0x7FFFFFFF)) > U(0x7F800000) else each
        high[j] = np.uint16(U(each + U(0x8000)) >> U(16))
        low[j] = np.uint16(each & U(0xFFFF))


@kernel
def split_rows(weight, halves):
    """Turn weights (rows, columns) float32, contiguous, into halves where they are, and say so in ``halves`` (1,).

    In the memory of a row lie the first 16 bits of all its weights, then the last 16 bits. The first are the weights in
    bfloat16, rounded to the nearest and half away from 0; the first of the last bits tells which way it was rounded.
    """
    n = weight.shape[1]
    row = np.empty(n, dtype=np.float32)
    for i in range(weight.shape[0]):
        row[:] = weight[i]
        both = weight[i].view(np.uint16)
        _split(row, both[:n], both[n:])
    halves[0] = True


@kernel
def join_rows(weight, halves):
    """Turn halves into weights where they are, (rows, columns) float32, contiguous, and say so in ``halves``, (1,)."""
    n = weight.shape[1]
    row = np.empty(n, dtype=np.float32)
    for i in range(weight.shape[0]):
        both = weight[i].view(np.uint16)
        _joined(both[:n], both[n:], row)
        weight[i] = row
    halves[0] = False
