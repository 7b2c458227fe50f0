# Tested by tests/hw_models/arrays/test_bent_wires.py.
"""Currents of tiles whose devices are no resistors behind their wires, within a product; see bent_wires.py.

Noise of reads is one of conductances: that of every device is drawn for every sample, as with ``exact_noise``, and
solved with the rest.
"""

from __future__ import annotations

import numpy as np

from hw_models.arrays.device_reads import Reading, read
from hw_models.arrays.stored import StoredWeights

Array = np.ndarray
MOST = 2**21
"""Most conductances of devices at a time."""


def rows(stored: StoredWeights, most: int) -> int:
    """Return the most samples of a block: fewer where all devices of the array are solved for each."""
    return min(most, max(1, MOST // max(stored.devices.count, 1))) if stored.tiles.bent else most


class BentBlock:
    """Currents of one block of samples.

    Parameters
    ----------
    product : Reading
        The product.
    first, last : int
        Samples.
    """

    def __init__(self, product: Reading, first: int, last: int) -> None:
        self.product, self.first, self.last = product, first, last
        self._drawn: dict[tuple[int, int], Array] = {}

    def forward(self, current: Array, place: tuple[int, int], x: Array) -> None:
        """Write the currents of one row tile, all outputs; ``place`` is slice and row tile, x (rows, in)."""
        own, (k, r) = self.product.stored.devices, place
        for c, (i, j) in enumerate(own.column_tiles):
            lines = self._sides(k, (r, c), x, False)
            outputs = own.combined(c)
            current[:, i:j] = lines if outputs is None else lines @ outputs
        self._without_middle(current, k, x)

    def transposed(self, current: Array, place: tuple[int, int, int], s: Array) -> None:
        """Write the currents of a column tile at one row tile; ``place`` is slice, column tile and row tile."""
        k, c, r = place
        current[:] = self._sides(k, (r, c), s, True)
        self._without_middle(current, k, s)

    def _sides(self, k: int, place: tuple[int, int], drives: Array, turned: bool) -> Array:
        """Return the currents of a tile in units of a; ``place`` is row and column tile."""
        stored, full = self.product.stored, self.product.full
        in_time = stored.converters.dac.encoding != "amplitude"
        supply = self.product.supply_of(self.first, self.last)  # conductances are higher by it, not voltages
        share = np.clip(drives.astype(np.float64) / (full * supply), -1, 1)
        total = np.zeros(())
        for number in range(stored.devices.sides):
            pair = self.product.planes[k].bent[(*place, number)]
            total = total + pair.read(share, turned, in_time, self._conductances(k, number, place))
        return total * full * supply

    def _conductances(self, k: int, number: int, place: tuple[int, int]) -> Array | None:
        """Return what reads find of a tile's devices (rows, lines, in) [uS]; None without noise."""
        if not self.product.planes[k].sides:
            return None
        if (k, number) not in self._drawn:
            found = [read(self.product, k, number, sample) for sample in range(self.first, self.last)]
            self._drawn[k, number] = np.stack(found)
        own = self.product.stored.devices
        (a, b), lines = own.row_tiles[place[0]], np.arange(*own.column_tiles[place[1]])
        if own.references:
            lines = np.concatenate([lines, own.shape[0] + np.arange(*own.reference_lines[place[1]])])
        return self._drawn[k, number][:, lines, a:b]

    def _without_middle(self, current: Array, k: int, drives: Array) -> None:
        """Take the middle of a digital reference off, as the means of all products lack it."""
        zero = self.product.planes[k].zero
        if zero:
            current -= drives.sum(1)[:, None] * current.dtype.type(zero)
