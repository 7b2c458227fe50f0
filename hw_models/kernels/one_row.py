# Tested by tests/hw_models/arrays/test_direct.py.
"""A read of one sample in one pass: conversion of its lines, sums of every tile, noise and conversion of the currents.

Of one sample every weight is used once, so that a product is as fast as weights come from memory; calls of a library
for every tile, and of kernels before and behind it, would take as long again. Sums over the lines of a tile are taken
over whole multiples of :data:`WIDE` lines, of which those of other tiles are driven by 0.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import VECTOR, kernel
from hw_models.kernels.noise import convert, sense, sense_varied

WIDE = 64
"""Lines that a sum takes at a time."""


@kernel
def driven(x, levels):
    """Return the codes (1, n) of one sample's lines (1, n), and how many were at the stop."""
    codes = np.empty_like(x)
    return codes, convert(x, codes, levels[0], levels[1], levels[2])


@kernel
def sense_tiles(current, varied, sigma, floor, key, counter, grid, factor, total, column):
    """Add the converted currents (tiles, sensed) to the total; return how many were at the stop.

    ``varied`` are their variances, (0, 0) where tiles have one deviation, ``sigma`` (tiles,), (0,) for none.
    """
    stops, n, first = 0, current.shape[1], np.int64(0)  # a number written into a call has a type of its own
    for tile in range(current.shape[0]):
        now, number = current[tile].reshape(1, n), counter[1] + tile * counter[2]
        if varied.shape[0] == 0:
            own = sigma[tile : tile + 1]
            stops += sense(
                now, own, key, counter[0], number, first, grid[0], grid[1], grid[2], factor, total, column
            )
        else:
            own = varied[tile].reshape(1, n)
            stops += sense_varied(
                now, own, floor, key, counter[0], number, first, grid[0], grid[1], grid[2], factor, total, column
            )
    return stops


@kernel(fastmath=VECTOR, inline="always")
def _deviations(codes, edges, spread):
    """Return sqrt(size sum x^2 + floor) of every tile (tiles,), (0,) without."""
    real, tiles = codes.dtype.type, edges.shape[0] - 1
    sigma = np.empty(tiles if spread[0] > 0 or spread[1] > 0 else 0, codes.dtype)
    for tile in range(sigma.shape[0]):
        part, squared = codes[0, edges[tile] - edges[0] : edges[tile + 1] - edges[0]], real(0)
        for k in range(part.shape[0]):
            squared += part[k] * part[k]
        sigma[tile] = np.sqrt(real(spread[0]) * squared + real(spread[1]))
    return sigma


@kernel(fastmath=VECTOR, inline="always")
def _rows(lines, begins, wides, matrix, out):
    """Write the sums of every tile and row of a matrix, out (tiles, rows); four rows at a time."""
    tiles, many, zero = out.shape[0], out.shape[1], lines.dtype.type(0)
    for row in range(0, many - 3, 4):
        for tile in range(tiles):
            begin, line = begins[tile], lines[tile, : wides[tile]]
            end = begin + line.shape[0]
            one, two, three, four = (
                matrix[row, begin:end], matrix[row + 1, begin:end], matrix[row + 2, begin:end],
                matrix[row + 3, begin:end],
            )  # fmt: skip
            a, b, c, d = zero, zero, zero, zero
            for k in range(line.shape[0]):
                x = line[k]
                a += x * one[k]
                b += x * two[k]
                c += x * three[k]
                d += x * four[k]
            out[tile, row], out[tile, row + 1], out[tile, row + 2], out[tile, row + 3] = a, b, c, d
    for row in range(many - many % 4, many):
        for tile in range(tiles):
            begin, line = begins[tile], lines[tile, : wides[tile]]
            one, a = matrix[row, begin : begin + line.shape[0]], zero
            for k in range(line.shape[0]):
                a += line[k] * one[k]
            out[tile, row] = a


@kernel(fastmath=VECTOR)
def forward(x, mean, variance, edges, levels, spread, key, counter, grid, factor, total):
    """Add the converted currents of one sample to the total; return how many signals and readings were at the stop.

    Parameters
    ----------
    x : numpy.ndarray
        (1, in) signals.
    mean, variance : numpy.ndarray
        (out, in) of the devices; the variance (0, 0) where currents of a tile have one deviation.
    edges : numpy.ndarray
        (tiles + 1,) ends of the tiles.
    levels, grid : tuple of float
        Step, low and high of the DAC, and of the ADC.
    spread : (float, float)
        What is multiplied with the sum of a tile's x^2, and added to it or to the variances, to be a variance.
    key, counter : numpy.ndarray, (int, int, int)
        Of the draws: the number of the read, of the first tile, and what is between those of tiles.
    factor : float
        Digital factor.
    total : numpy.ndarray
        (1, out), added to.
    """
    codes, stops = driven(x[:, edges[0] : edges[-1]], levels)
    (n, inputs), first, tiles = mean.shape, edges[0], edges.shape[0] - 1
    begins, wides, widest = np.empty(tiles, np.int64), np.empty(tiles, np.int64), 0
    for tile in range(tiles):
        wides[tile] = min((edges[tile + 1] - edges[tile] + WIDE - 1) // WIDE * WIDE, inputs)
        begins[tile] = min(edges[tile], inputs - wides[tile])
        widest = max(widest, wides[tile])
    lines, current = np.zeros((tiles, widest), x.dtype), np.empty((tiles, n), x.dtype)
    for tile in range(tiles):
        for k in range(edges[tile], edges[tile + 1]):
            lines[tile, k - begins[tile]] = codes[0, k - first]
    _rows(lines, begins, wides, mean, current)
    varied = np.empty((0 if variance.shape[0] == 0 else tiles, n), x.dtype)
    sigma = _deviations(codes, edges, spread)
    if varied.shape[0] > 0:
        for tile in range(tiles):
            for k in range(wides[tile]):
                lines[tile, k] *= lines[tile, k]
        _rows(lines, begins, wides, variance, varied)
    return stops, sense_tiles(current, varied, sigma, spread[1], key, counter, grid, factor, total, np.int64(0))


@kernel(fastmath=VECTOR, inline="always")
def _columns(line, matrix, first, column, out):
    """Write the sum of rows of a matrix from ``first`` on, from a column on, weighted by a line."""
    rows, n, end = line.shape[0], out.shape[0], column + out.shape[0]
    out[:] = 0
    for row in range(0, rows - 3, 4):
        at = first + row
        one, two = matrix[at, column:end], matrix[at + 1, column:end]
        three, four = matrix[at + 2, column:end], matrix[at + 3, column:end]
        a, b, c, d = line[row], line[row + 1], line[row + 2], line[row + 3]
        for k in range(n):
            out[k] += (a * one[k] + b * two[k]) + (c * three[k] + d * four[k])
    for row in range(rows - rows % 4, rows):
        one, a = matrix[first + row, column:end], line[row]
        for k in range(n):
            out[k] += a * one[k]


@kernel(fastmath=VECTOR)
def transposed(x, mean, variance, edges, levels, spread, key, counter, grid, factor, total, column, width):
    """As :func:`forward` of signals (1, out) for so many inputs from a column on, total (1, in)."""
    codes, stops = driven(x, levels)
    tiles = edges.shape[0] - 1
    current = np.empty((tiles, width), x.dtype)
    varied = np.empty((0 if variance.shape[0] == 0 else tiles, width), x.dtype)
    for tile in range(tiles):
        _columns(codes[0, edges[tile] : edges[tile + 1]], mean, edges[tile], column, current[tile])
    sigma = _deviations(codes, edges, spread)
    if varied.shape[0] > 0:
        for k in range(codes.shape[1]):
            codes[0, k] *= codes[0, k]
        for tile in range(tiles):
            _columns(codes[0, edges[tile] : edges[tile + 1]], variance, edges[tile], column, varied[tile])
    return stops, sense_tiles(current, varied, sigma, spread[1], key, counter, grid, factor, total, column)
