# Tested by tests/hw_models/arrays/test_device_reads.py.
"""Noise of a product drawn device by device, in one pass over the devices: draws, and what they are of a device.

A read of a device finds g + sigma z, or max(0, g + sigma z) where its law is rectified, and is off its mean by

    g + sigma z - mean        or        max(0, g + sigma z) - mean

in units of a with the sign of its side. A line of n devices has the draws of a row of n numbers,
:mod:`hw_models.kernels.noise`, its row the number of the line in all samples, its tile that of slice and side.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import kernel, wide
from hw_models.kernels.noise import CHUNK, LANES, normal, schedule, scratch, words


@kernel
def long_row(keys, n, row, tile, step, bits, z):
    """Write the standard normals of a row of n to the front of z, (4 ceil(n/4) + LANES,) float32 or more."""
    wide()
    blocks = (n + 3) // 4
    for first in range(0, blocks, CHUNK):
        count = min(CHUNK, blocks - first)
        whole = (count + LANES - 1) // LANES * LANES
        words(keys, first, row, tile, step, whole, bits)
        # Of a single stretch the next word writes over what is left over; of several it would be lost.
        length = whole if blocks <= CHUNK else count
        for word in range(4):
            begin = word * blocks + first
            drawn, part = bits[word], z[begin : begin + length]
            for i in range(part.shape[0]):
                part[i] = normal(drawn[i])


@kernel
def deviations(sides, rectified, key, counter, out):
    """Write what one sample's read of every device is off, in the order of operations of the laws.

    Parameters
    ----------
    sides : tuple
        g, mean and sigma, each a tuple of (lines, n) float32 by side [uS], and what turns uS into the unit of currents,
        float32 by side.
    rectified : bool
        Whether no read is below 0.
    key, counter : numpy.ndarray, (int, int, int)
        Of the draws: the number of the read, of slice and side, and of the sample's first line.
    out : numpy.ndarray
        (lines, n) float32.
    """
    wide()
    g, mean, sigma, scales = sides
    step, tile, first = counter
    lines, n = out.shape
    keys, bits, z = schedule(key), scratch(), np.empty(n + 4 + LANES, np.float32)
    for line in range(lines):
        found = out[line]
        for side in range(len(sigma)):
            long_row(keys, n, first + line, tile + side, step, bits, z)
            now, middle, deviation, scale = g[side][line], mean[side][line], sigma[side][line], scales[side]
            for i in range(n):
                read = z[i] * deviation[i] + now[i]
                read = np.float32(0) if rectified and read < np.float32(0) else read
                off = (read - middle[i]) * scale
                found[i] = off if side == 0 else found[i] + off
