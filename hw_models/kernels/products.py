"""Matrix products of few rows, in the faster of two orders.

Weights are stored as (outputs, inputs), and a forward product is x @ W.T. BLAS packs the second matrix of a product,
and packs a transposed one slowly: with few rows that takes longer than the multiplications. The same sums as
(W @ x.T).T take 0.4 to 0.9 of the time, the copy that turns them back among it, with 2 to 96 rows of 128 outputs or
more (OpenBLAS, AVX-512; more rows hide the packing, fewer outputs the gain). In single precision both orders give the
same bits there; in double precision they do not, and nothing is turned.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
ROWS, OUTPUTS = (2, 96), 128
"""Fewest and most rows, and fewest outputs, of products that are turned."""


def multiply(one: Array, other: Array, out: Array) -> None:
    """Write ``one @ other``.

    Parameters
    ----------
    one : numpy.ndarray
        (rows, n).
    other : numpy.ndarray
        (n, outputs); ``W.T`` of a stored W, or a matrix as it lies in memory.
    out : numpy.ndarray
        (rows, outputs); written.
    """
    turned = ROWS[0] <= len(one) <= ROWS[1] and other.shape[1] >= OUTPUTS and other.dtype == np.float32
    if turned and other.strides[0] == other.itemsize and len(other) > 1:
        out[...] = np.matmul(other.T, one.T).T
    else:
        np.matmul(one, other, out=out)


def product(one: Array, other: Array) -> Array:
    """Return ``one @ other`` of one type, computed as by :func:`multiply`."""
    found = np.empty((len(one), other.shape[1]), dtype=other.dtype)
    multiply(one, other, found)
    return found
