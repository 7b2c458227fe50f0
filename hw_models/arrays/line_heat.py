# Tested by tests/hw_models/arrays/test_time_by_hand.py and tests/hw_models/laws/test_heat.py.
"""Thermal noise of the currents of sensed lines: that of all devices of a line, driven or not.

A resistor's current has the variance 4 k T G B [A^2] at any voltage (Nyquist, Phys. Rev. 32:110, 1928; Johnson, Phys.
Rev. 32:97, 1928). A signal of the DAC's full scale R (1 without one) is the read voltage V, so that in units of
products of one sensed line of a tile

    variance        unit^2 R^2 heat sum_j G_j       heat = 4 k T B/V^2 [uS], :mod:`hw_models.laws.heat`

over all its devices, both of a pair, as they conduct now. Reference lines count by what comes of them: forward all
outputs of a tile lack the mean of its L lines, which has 1/L of their mean variance; transposed their devices lie on
the sensed line as all others do. It is white: fresh in every read, digit, slice and tile, ahead of the ADC.

Behind wires the sums of G are the same: what falls along the lines, and their own noise, are left out of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hw_models.arrays.programming import BLOCK, Array, Devices
from hw_models.kernels.blocks import blocks
from hw_models.kernels.random import normals


class LineHeat(NamedTuple):
    """Standard deviations of the currents of all lines, in units of a, at a full scale of 1 (float64)."""

    forward: Array
    """(slices, row tiles, out)."""
    transposed: Array
    """(slices, column tiles, in), reference lines in it."""
    references: Array
    """(slices, row tiles, column tiles) of the mean of the reference lines; (slices, row tiles, 0) without."""


class ReadHeat(NamedTuple):
    """Thermal noise of one product."""

    lines: Array
    """(slices, tiles, sensed lines) standard deviations."""
    shared: Array
    """(slices, tiles, column tiles) of what all outputs of a column tile have in common; 0 of these where nothing."""
    tile_of: Array
    """Column tile of every output."""
    key: Array
    """Key of the draws."""
    step: int
    """Number of the read."""

    def add(self, current: Array, place: tuple[int, int, int], number: int, first: int) -> None:
        """Add it to the currents (rows, lines) of a tile; ``place`` is slice, tile and first line, number its draws'.

        ``first`` is the number of the first row.
        """
        (k, tile, line), (rows, lines) = place, current.shape
        beside = self.shared[k, tile]
        z = normals(self.key, self.step, number, (rows, lines + len(beside)), first)
        current += (z[:, :lines] * self.lines[k, tile, line : line + lines]).astype(current.dtype)
        if len(beside):
            current -= (z[:, lines:] * beside)[:, self.tile_of].astype(current.dtype)


def line_heat(devices: Devices, held: Array, fresh: bool, turn: int) -> LineHeat:
    """Return the thermal noise of all lines of what devices conduct now; see :meth:`Devices.conductances`."""
    (outputs, inputs), rows, columns = devices.shape, devices.row_tiles, devices.column_tiles
    forward = np.zeros((devices.slices, len(rows), outputs))
    transposed = np.zeros((devices.slices, len(columns), inputs))
    shared = np.zeros((devices.slices, len(rows), len(columns) if devices.references else 0))
    for c, (begin, end) in enumerate(columns):
        for start, stop in blocks(end - begin, max(1, BLOCK // max(inputs, 1))):
            first, last = begin + start, begin + stop
            for (k, _), _, _, g in devices.lines(held[first:last], first, fresh, turn):
                transposed[k, c] += g.sum(0, dtype=np.float64)
                for r, (a, b) in enumerate(rows):
                    forward[k, r, first:last] += g[:, a:b].sum(1, dtype=np.float64)
    if devices.references:
        blank = np.zeros((devices.references, inputs), dtype=held.dtype)
        for (k, _), _, _, g in devices.lines(blank, outputs, fresh, turn):
            for c, (begin, end) in enumerate(devices.reference_lines):
                transposed[k, c] += g[begin:end].sum(0, dtype=np.float64)
                for r, (a, b) in enumerate(rows):
                    shared[k, r, c] += g[begin:end, a:b].sum(dtype=np.float64) / (end - begin) ** 2
    size = devices.heat.noise * float(devices.unit) ** 2
    return LineHeat(*(np.sqrt(size * sums) for sums in (forward, transposed, shared)))
