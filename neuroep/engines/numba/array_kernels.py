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


@kernel
def _not_finite(row):
    bad = 0
    for j in range(row.shape[0]):
        bad += not np.isfinite(row[j])
    return bad


@kernel(error_model="numpy")
def adam(
    weight, first, second, top, bottom, left, right, gradient, scale, rate, keep, beta1, beta2, rest1, rest2,
    correction1, correction2, eps,
):  # fmt: skip
    """Adam step; ``rest`` is 1 - beta, ``correction`` 1 - beta^t, ``keep`` 1 - rate * weight_decay.

    In what precision it is computed, that of ``rest`` says: with all else in single precision, doubles take it twice as
    long as memory takes to bring the weights.
    """
    bad = 0
    step = rate / correction1
    root = np.sqrt(correction2)
    for i in range(top, bottom):
        weights, means, squares = weight[i, left:right], first[i, left:right], second[i, left:right]
        gradients = gradient[i - top]
        for j in range(right - left):
            g = scale * gradients[j]
            m = beta1 * means[j] + rest1 * g
            v = beta2 * squares[j] + rest2 * g * g
            w = keep * weights[j] - step * (m / (np.sqrt(v) / root + eps))
            means[j] = m
            squares[j] = v
            weights[j] = w
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
