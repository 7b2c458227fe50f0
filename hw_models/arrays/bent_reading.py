# Tested by tests/hw_models/arrays/test_bent_wires.py.
"""Currents of tiles whose devices are no resistors behind their wires, within a product; see bent_wires.py."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hw_models.arrays.planes import Plane
from hw_models.arrays.stored import StoredWeights

Array = np.ndarray


class Reading(Protocol):
    """What is asked of a product."""

    stored: StoredWeights
    planes: list[Plane]
    tiles: int
    full: float
    step: int

    @property
    def device_key(self) -> Array:
        """Key of the noise of devices."""
        ...


def forward(product: Reading, current: Array, place: tuple[int, int], x: Array, first: int) -> None:
    """Write the currents of one row tile, all outputs; ``place`` is slice and row tile, x (rows, in)."""
    own, (k, tile) = product.stored.devices, place
    for c, (i, j) in enumerate(own.column_tiles):
        number = (k * product.tiles + tile) * len(own.column_tiles) + c
        lines = _all_sides(product, (k, tile, c), x, False, (number, first))
        outputs = own.combined(c)
        current[:, i:j] = lines if outputs is None else lines @ outputs
    _without_middle(current, product.planes[k], x)


def transposed(product: Reading, current: Array, place: tuple[int, int, int], s: Array, first: int) -> None:
    """Write the currents of a column tile at one row tile; ``place`` is slice, column tile and row tile."""
    k, c, r = place
    number = (k * product.tiles + c) * len(product.stored.devices.row_tiles) + r
    current[:] = _all_sides(product, (k, r, c), s, True, (number, first))
    _without_middle(current, product.planes[k], s)


def _all_sides(
    product: Reading, place: tuple[int, int, int], drives: Array, turned: bool, draws: tuple[int, int]
) -> Array:
    """Return the currents of a tile in units of a; ``place`` is slice, row and column tile."""
    (k, r, c), (number, first), stored = place, draws, product.stored
    in_time = stored.converters.dac.encoding == "pulse_width"
    share = np.clip(drives.astype(np.float64) / product.full, -1, 1)
    total = np.zeros(())
    for side in range(stored.devices.sides):
        counter = product.device_key, product.step, 2 * number + side, first
        total = total + product.planes[k].bent[r, c, side].read(share, turned, in_time, stored.tiles.law, counter)
    return total * product.full


def _without_middle(current: Array, plane: Plane, drives: Array) -> None:
    """Take the middle of a digital reference off, as the means of all products lack it."""
    if plane.zero:
        current -= drives.sum(1)[:, None] * current.dtype.type(plane.zero)
