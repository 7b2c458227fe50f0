"""The largest number of a row in single precision, in loops that compute several at once.

Comparing numbers keeps a loop from that, as NaN has no place in their order. Comparing bits does not: as whole numbers,
those of positive numbers are in the same order, and those of a NaN beyond infinity.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import kernel


@kernel
def highest(row):
    """Return the largest of a row of float32, -inf of none; a NaN without a sign is larger than all numbers."""
    bits = row.view(np.int32)
    top = np.int32(-0x7F800001)  # of -inf
    for j in range(bits.shape[0]):
        each = bits[j]
        top = max(top, each ^ ((each >> np.int32(31)) & np.int32(0x7FFFFFFF)))
    return np.int32(top ^ ((top >> np.int32(31)) & np.int32(0x7FFFFFFF))).view(np.float32)


@kernel
def largest(row):
    """Return the largest of a row of float32 without their signs, 0 of none; NaN if there is one."""
    bits = row.view(np.uint32)
    top = np.uint32(0)
    for j in range(bits.shape[0]):
        top = max(top, bits[j] & np.uint32(0x7FFFFFFF))
    return np.uint32(top).view(np.float32)
