# Tested by tests/hw_models/arrays/test_variances.py.
"""Squares of signals in bfloat16, the upper 16 bits of single precision, rounded to the nearest and half to even."""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import kernel

U = np.uint32


@kernel
def squares(x, begin, end, out):
    """Write x^2 of the columns of x (rows, n) float32 from ``begin`` up to ``end``, out (rows, end - begin) uint16."""
    for row in range(x.shape[0]):
        line, target = x[row, begin:end], out[row]
        for i in range(line.shape[0]):
            square = np.float32(line[i] * line[i])
            bits = square.view(U)
            # A square that is no number must not be rounded to infinity.
            rounded = U(U(bits + U(0x7FFF) + U(U(bits >> U(16)) & U(1))) >> U(16))
            target[i] = np.uint16(rounded if square == square else U(0x7FC0))
