# Tested by tests/hw_models/arrays/test_crossbar.py.
"""Reads of a product drawn device by device: ``exact_noise``, and devices that bend behind their wires."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hw_models.arrays.planes import Plane
from hw_models.arrays.stored import StoredWeights
from hw_models.kernels import device_draws
from hw_models.kernels.blocks import Run, blocks
from hw_models.kernels.random import normals

Array = np.ndarray


class Reading(Protocol):
    """What is asked of a product."""

    stored: StoredWeights
    planes: list[Plane]
    full: float
    step: int
    rows: int
    tiles: int
    ends: list[int]
    driven: Array
    run: Run

    @property
    def device_key(self) -> Array:
        """Key of the noise of devices."""
        ...

    def supply_of(self, first: int, last: int) -> float | Array:
        """Return the supply of some rows."""
        ...


def read(product: Reading, k: int, number: int, sample: int) -> Array:
    """Return what one sample's read finds of every device of a slice and side (lines, in) [uS], references last."""
    stored, side = product.stored, product.planes[k].sides[number]
    z = normals(product.device_key, product.step, 2 * k + number, side.g.shape, sample * len(side.g))
    draws = product.device_key, product.step
    return stored.by_device.reads(z, (k, number), sample, side, draws)


def deviation(product: Reading, k: int, sample: int) -> Array:
    """Return what one sample's read of every device is off (lines, in) in units of a, reference lines last."""
    unit = np.float32(product.stored.devices.unit)
    plane, by_device = product.planes[k], product.stored.by_device
    if by_device.plain:
        columns = (tuple(side[at] for side in plane.sides) for at in range(3))
        sides = (*columns, tuple(side.sign * unit for side in plane.sides))
        found, first = np.empty_like(plane.sides[0].g), sample * len(plane.sides[0].g)
        counter = product.step, 2 * k, first
        device_draws.deviations(sides, by_device.law.rectified, product.device_key, counter, found)
        return found
    total = np.zeros_like(plane.sides[0].g)
    for number, side in enumerate(plane.sides):
        z = read(product, k, number, sample)
        z -= side.mean
        total += z * (side.sign * unit)
    return total


def draw(product: Reading, forward: bool, taken: Array | None) -> Array:
    """Return the noise of all currents, drawn device by device (slices, tiles, rows, sensed lines)."""
    own, (outputs, inputs) = product.stored.devices, product.stored.shape
    shape = (len(product.planes), product.tiles, product.rows, outputs if forward else inputs)
    found = np.empty(shape, dtype=product.driven.dtype)

    def sample(row: int, _: int) -> None:
        for k in range(len(product.planes)):
            off, x = deviation(product, k, row), product.driven[row]
            for tile in range(product.tiles):
                i, j = product.ends[tile], product.ends[tile + 1]
                if forward:
                    lines = off[:, i:j] @ x[i:j]
                    found[k, tile, row] = lines[:outputs]
                    if own.references:
                        found[k, tile, row] -= own.averaged(lines[outputs:])[own.tile_of]
                else:
                    found[k, tile, row] = x[i:j] @ off[i:j]
                    if taken is not None:
                        first, last = own.reference_lines[tile]
                        found[k, tile, row] -= taken[row, tile] * off[outputs + first : outputs + last].mean(0)

    product.run(sample, blocks(product.rows, 1) if product.rows else [])
    return found


def add_behind_wires(product: Reading, current: Array, k: int, tile: int, x: Array, first: int) -> None:
    """Add the noise of one row tile behind wires to the currents of all outputs."""
    own, plane = product.stored.devices, product.planes[k]
    for c, (i, j) in enumerate(own.column_tiles):
        for side in range(own.sides):
            number = ((k * own.sides + side) * product.tiles + tile) * len(own.column_tiles) + c
            noise = plane.noise["forward", tile, c, side]
            current[:, i:j] += noise.draw(x, product.device_key, product.step, number, first)
