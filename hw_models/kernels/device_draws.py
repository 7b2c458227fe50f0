# Tested by tests/hw_models/arrays/test_device_reads.py.
"""Noise of a product drawn device by device, in one pass: draws, what they are of a device, sums over driven lines.

A read of a device finds g + sigma z, or max(0, g + sigma z) where its law is rectified, and is off its mean by

    sigma z        or        max(0, g + sigma z) - mean

in units of a with the sign of its side. A line of n devices has the draws of a row of n numbers,
:mod:`hw_models.kernels.noise`, its row the number of the line in all samples, its tile that of slice and side.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import VECTOR, kernel
from hw_models.kernels.noise import CHUNK, LANES, normal, schedule, scratch, words


@kernel
def long_row(keys, n, row, tile, step, bits, z):
    """Write the standard normals of a row of n to the front of z, (4 ceil(n/4) + LANES,) float32 or more."""
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


@kernel(fastmath=VECTOR, inline="always")
def _off(sides, line, rectified, keys, counter, bits, z, found):
    """Write what the devices of a line are off."""
    g, mean, sigma, scales = sides
    step, tile, first = counter
    found[:] = 0
    for side in range(len(sigma)):
        long_row(keys, found.shape[0], first + line, tile + side, step, bits, z)
        deviation, scale = sigma[side][line], np.float32(scales[side])
        if rectified:
            now, middle = g[side][line], mean[side][line]
            for i in range(found.shape[0]):
                read = now[i] + deviation[i] * z[i]
                found[i] += scale * ((read if read > np.float32(0) else np.float32(0)) - middle[i])
        else:
            for i in range(found.shape[0]):
                found[i] += scale * (deviation[i] * z[i])


@kernel(fastmath=VECTOR)
def forward(x, edges, sides, rectified, key, counter, out):
    """Write the noise of the currents of one sample.

    Parameters
    ----------
    x : numpy.ndarray
        (in,) what lines are driven with.
    edges : numpy.ndarray
        (tiles + 1,) ends of the tiles.
    sides : tuple
        g, mean and sigma, each a tuple of (out, in) float32 by side [uS], and what turns uS into the unit of currents.
    rectified : bool
        Whether no read is below 0.
    key, counter : numpy.ndarray, (int, int, int)
        Of the draws: the number of the read, of slice and side, and of the sample's first line.
    out : numpy.ndarray
        (tiles, out).
    """
    lines, n = sides[2][0].shape
    keys, bits, found = schedule(key), scratch(), np.empty(n, np.float32)
    z = np.empty(n + 4 + LANES, np.float32)
    for line in range(lines):
        _off(sides, line, rectified, keys, counter, bits, z, found)
        for tile in range(edges.shape[0] - 1):
            part, driven, total = found[edges[tile] : edges[tile + 1]], x[edges[tile] : edges[tile + 1]], x.dtype.type(0)
            for i in range(part.shape[0]):
                total += part[i] * driven[i]
            out[tile, line] = total


@kernel(fastmath=VECTOR)
def transposed(x, edges, sides, rectified, key, counter, out):
    """As :func:`forward` of what (out,) lines are driven with, out (tiles, in)."""
    n = sides[2][0].shape[1]
    keys, bits, found = schedule(key), scratch(), np.empty(n, np.float32)
    z = np.empty(n + 4 + LANES, np.float32)
    for tile in range(edges.shape[0] - 1):
        sums = out[tile]
        sums[:] = 0
        for line in range(edges[tile], edges[tile + 1]):
            _off(sides, line, rectified, keys, counter, bits, z, found)
            driven = x[line]
            for i in range(n):
                sums[i] += found[i] * driven
