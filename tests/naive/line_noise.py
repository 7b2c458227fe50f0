"""Slow twin of read noise behind wires: the whole network is solved anew for every draw of its conductances."""

from __future__ import annotations

import numpy as np


def nodal(g, r_word, r_bit):
    """Nodal matrices (draws, 2 m n, 2 m n) of conductances (draws, m, n), word nodes first; all ends held at 0 V."""
    draws, m, n = g.shape
    matrix = np.zeros((draws, 2 * m * n, 2 * m * n))

    def word(i, j):
        return i * n + j

    def bit(i, j):
        return m * n + i * n + j

    def join(a, b, s):
        matrix[:, a, a] += s
        if b is not None:
            matrix[:, b, b] += s
            matrix[:, a, b] -= s
            matrix[:, b, a] -= s

    for i in range(m):
        for j in range(n):
            join(word(i, j), word(i, j - 1) if j else None, 1 / r_word)
            join(bit(i, j), bit(i + 1, j) if i + 1 < m else None, 1 / r_bit)
            join(word(i, j), bit(i, j), g[:, i, j])
    return matrix


def currents(g, r_word, r_bit, rows=None, columns=None):
    """Currents out of the bit lines with voltages at the rows (draws, n), or out of the word lines (draws, m)."""
    draws, m, n = g.shape
    right = np.zeros((draws, 2 * m * n))
    if rows is not None:
        right[:, np.arange(m) * n] = np.asarray(rows) / r_word
    else:
        right[:, m * n + (m - 1) * n + np.arange(n)] = np.asarray(columns) / r_bit
    voltage = np.linalg.solve(nodal(g, r_word, r_bit), right[..., None])[..., 0]
    if rows is not None:
        return voltage[:, m * n + (m - 1) * n :] / r_bit
    return voltage[:, np.arange(m) * n] / r_word


def covariance(g, variance, r_word, r_bit, rows=None, columns=None):
    """Covariance of the sensed currents to first order, by a central difference of the network for each device."""
    m, n = g.shape
    step = 1e-4 * g.max()
    total = 0.0
    for i, j in np.ndindex(m, n):
        both = np.stack([g, g])
        both[0, i, j] += step
        both[1, i, j] -= step
        high, low = currents(both, r_word, r_bit, rows, columns)
        slope = (high - low) / (2 * step)
        total = total + variance[i, j] * np.outer(slope, slope)
    return total
