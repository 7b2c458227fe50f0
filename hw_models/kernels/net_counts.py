# Tested by tests/hw_models/arrays/test_net_counts.py.
"""Kernel of counters of coincidences; what they are for: :mod:`hw_models.arrays.net_counts`.

Words of trains as in :mod:`hw_models.kernels.trains`.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import bit_count, kernel
from hw_models.kernels.trains import LINES, NOTHING, SIGN


@kernel
def _count_row(lines, line, low, high, counters):
    """Count the coincidences of one row of trains with one line, up or down; return them and what did not fit."""
    met, lost = NOTHING, NOTHING
    for j in range(counters.shape[0]):
        hits = bit_count(lines[j] & line & LINES)
        met += hits
        step = np.int32(hits)
        count = counters[j] + (-step if (lines[j] ^ line) & SIGN else step)
        kept = min(max(count, low), high)
        lost += np.uint64(abs(count - kept))
        counters[j] = kept
    return met, lost


@kernel
def count(first, last, pre, post, low, high, counters):
    """Count the coincidences of all trains at some rows of counters, train by train; return them and what did not fit.

    pre (n, in), post (n, out) words; counters (out, in) int32, which stay between low and high.
    """
    met, lost = 0, 0
    for i in range(first, last):
        for n in range(pre.shape[0]):
            if post[n, i] & LINES:
                found, beyond = _count_row(pre[n], post[n, i], low, high, counters[i])
                met += np.int64(found)
                lost += np.int64(beyond)
    return met, lost
