# Tested by tests/neuroep/engines/numba/test_arrays.py.
"""Kernels that apply a learning rule to one tile of an ideal array: each weight is read and written once.

Arrays are 2-d views of one tile: ``weight``, the moments and the summed outer products ``gradient``, which is
multiplied by ``scale`` on the way. Each kernel returns the number of weights that are not finite afterwards. Equations
stand in :mod:`neuroep.learning.optimisers`.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import kernel


@kernel(error_model="numpy")
def adam(weight, first, second, gradient, scale, rate, keep, beta1, beta2, correction1, correction2, eps):
    """Adam step; ``correction`` is 1 - beta^t, ``keep`` is 1 - rate * weight_decay."""
    bad = 0
    step = rate / correction1
    root = np.sqrt(correction2)
    for i in range(weight.shape[0]):
        for j in range(weight.shape[1]):
            g = scale * gradient[i, j]
            m = beta1 * first[i, j] + (1 - beta1) * g
            v = beta2 * second[i, j] + (1 - beta2) * g * g
            w = keep * weight[i, j] - step * (m / (np.sqrt(v) / root + eps))
            first[i, j] = m
            second[i, j] = v
            weight[i, j] = w
            bad += not np.isfinite(w)
    return bad


@kernel
def sgd(weight, momentum, gradient, scale, rate, keep, beta):
    """Heavy-ball step; with ``beta`` 0 the momentum array may be empty and is not touched."""
    bad = 0
    for i in range(weight.shape[0]):
        for j in range(weight.shape[1]):
            m = scale * gradient[i, j]
            if beta != 0:
                m += beta * momentum[i, j]
                momentum[i, j] = m
            w = keep * weight[i, j] - rate * m
            weight[i, j] = w
            bad += not np.isfinite(w)
    return bad
