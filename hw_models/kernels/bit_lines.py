# Tested by tests/hw_models/arrays/test_wires.py.
"""Admittance of one bit line as a matrix, for :mod:`hw_models.arrays.wires`: O(m^2), without its inverse by solves.

The inverse of a tridiagonal matrix is known by its factors from both ends. With t = 1/r_bit, g_i the devices and nodes
from the top, what a node and all above it, or it and all below it, take from a source at it are

    a_i = g_i + t a_(i-1)/(t + a_(i-1)),   a_0 = g_0
    b_i = g_i + t b_(i+1)/(t + b_(i+1)),   b_(m-1) = g_(m-1) + t

and with A_i = a_i + b_i - 2 g_i, what the wire alone takes there, the impedances and the admittance of the line are

    Z_ii = 1/(g_i + A_i),            Z_ik = Z_(i+1)k t/(t + a_i), i < k
    S_ii = g_i A_i/(g_i + A_i),      S_ik = -g_i g_k Z_ik

All terms are positive and nothing cancels. Source: Meurant, SIAM J. Matrix Anal. Appl. 13:707, 1992, theorem 2.3.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import kernel

SQUARE = 16
"""Side of the blocks in which a matrix is turned: rows of both stay in the first-level cache."""


@kernel(error_model="numpy")
def add_line(g, r_word, r_bit, admittance, inside, sensed):
    """Add the admittance of a bit line to that of what is behind it.

    Parameters
    ----------
    g : numpy.ndarray
        (m,) conductances of its devices [S].
    r_word, r_bit : float
        One segment of a word line and of the bit line [ohm], above 0.
    admittance : numpy.ndarray
        (m, m) symmetric [S], its upper triangle read; all of it is written.
    inside : numpy.ndarray
        (m, m), written: the upper triangle of 1 + r_word times that.
    sensed : numpy.ndarray
        (m,), written: currents out of the line's end with 1 V at one node of the word lines [S].
    """
    m, t = g.shape[0], 1.0 / r_bit
    above, ratio, row = np.empty(m), np.empty(m), np.empty(m)
    took = 0.0
    for i in range(m):
        above[i] = took
        ratio[i] = t / (t + (g[i] + took))
        took = ratio[i] * (g[i] + took)
    below = t
    for i in range(m - 1, -1, -1):
        wire = above[i] + below
        for k in range(i + 1, m):
            row[k] *= ratio[i]
        row[i] = 1.0 / (g[i] + wire)
        own, line, target = g[i], admittance[i], inside[i]
        for k in range(i + 1, m):
            line[k] -= own * (g[k] * row[k])
            target[k] = r_word * line[k]
        line[i] += own * (wire * row[i])
        target[i] = 1.0 + r_word * line[i]
        sensed[i] = own * row[m - 1] * t
        below = t * (own + below) / (t + (own + below))
    mirror(admittance)


@kernel
def mirror(matrix):
    """Write the upper triangle of a matrix (m, m) to the lower one."""
    m = matrix.shape[0]
    for first in range(0, m, SQUARE):
        for begin in range(first, m, SQUARE):
            for i in range(first, min(first + SQUARE, m)):
                for k in range(max(begin, i + 1), min(begin + SQUARE, m)):
                    matrix[k, i] = matrix[i, k]
