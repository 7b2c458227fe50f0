# Tested by tests/neuroep/engines/chip/test_attention.py.
"""Kernel of attention with explicit weights: one sample at a time, exponentials on a grid."""

from __future__ import annotations

import math

import numpy as np

from hw_models.kernels.compiling import kernel


@kernel
def soften(logits, levels, dt, weights):
    """Move explicit weights of one sample: p <- p + dt (e / sum e - p), e = exp(x - max x) of each row.

    Parameters
    ----------
    logits : (n, k)
        Of the real queries and patterns; overwritten.
    levels : float
        e is rounded to multiples of 1/levels; 0 keeps it exact.
    dt : float
        Time step.
    weights : (queries, patterns)
        Read and written in its first n rows and k columns.
    """
    one = logits.dtype.type(1)
    for t in range(logits.shape[0]):
        row, kept = logits[t], weights[t]
        top = row[0]
        for j in range(row.shape[0]):
            top = max(top, row[j])
        total = row.dtype.type(0)
        for j in range(row.shape[0]):
            value = math.exp(row[j] - top)
            if levels > 0:
                value = np.rint(value * levels) / levels
            row[j] = value
            total += row[j]
        scale = one / total
        for j in range(row.shape[0]):
            kept[j] += dt * (row[j] * scale - kept[j])
