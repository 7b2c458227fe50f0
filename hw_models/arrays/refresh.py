# Tested by tests/hw_models/arrays/test_refresh.py.
"""Refresh of one-sided pairs: when, how many, how they are written again, and what it costs.

Devices that only grow end at their bound. Every ``refresh_every`` updates, whether or not they gave an array
pulses, both devices of all its pairs are read, r+- = s+- + refresh_noise xi, and a pair is refreshed where

    max(r+, r-) > refresh_above w_max   and   min(r+, r-) > refresh_lesser w_max

at most ``refresh_most`` of them, those with the largest device first. Both devices are reset,

    s = reset + reset_spread z + reset_noise xi        z of the device, xi of the reset

and |r+ - r-| is written on the one that was larger in round(missing/dw_min) pulses: once open loop, in further rounds
after another read of the pairs by what the difference still lacks.

Counted: two products for every input line and look, which drive each device once, pulses as all others, and a pulse
for every reset. They take their time one after the other: products, a slot of each input with a pair that is reset, and
as many as its neediest device takes, both devices of a pair and all tiles side by side.

Sources: OneSidedUnitCell of aihwkit 1.2; Nandakumar et al., Front. Neurosci. 14:406, 2020.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hw_models.arrays.pulses import Tiles
from hw_models.kernels import random as randomness

if TYPE_CHECKING:
    from hw_models.arrays.cells import DeviceCells

Array = np.ndarray


class Taken(NamedTuple):
    """What a refresh took beside the pulses of the update."""

    products: int = 0
    """Reads of columns, one after the other."""
    slots: int = 0
    """Of pulses, all inputs one after the other."""


class Refresh:
    """Refreshes the pairs of one array; parameters: its cells."""

    def __init__(self, cells: DeviceCells) -> None:
        self.cells, self.cell, self.pulse = cells, cells.cell, cells.pulse

    def run(self) -> Taken:
        """Look at all pairs and refresh those that need it; return what it took."""
        cells = self.cells
        read, products = self._read(0), self._look()
        chosen = self.chosen(read)
        if not chosen.any():
            return Taken(products)
        wanted = read[0] - read[1]
        slots = self._reset(chosen)
        for turn in range(self.cell.refresh_rounds):
            if turn:
                read, products = self._read(turn), products + self._look()
            slots += self._write(chosen, wanted, read[0] - read[1] if turn else np.zeros_like(wanted), turn)
        cells.counts[2] += int(chosen.sum())
        cells.moved([chosen] * 2)
        return Taken(products, slots)

    def chosen(self, read: list[Array]) -> Array:
        """Return which pairs are refreshed, a mask (out, in), of the states as they are read."""
        full = self.pulse.w_max
        large, small = np.maximum(*read) / full, np.minimum(*read) / full
        found = (large > self.cell.refresh_above) & (small > self.cell.refresh_lesser)
        most = self.cell.refresh_most
        if most is not None and found.sum() > most:
            order = np.argsort(np.where(found, -large, np.inf), axis=None, kind="stable")
            found = np.zeros(found.size, bool)
            found[order[:most]] = True
            found = found.reshape(large.shape)
        return found

    def _draws(self, what: str, side: int, number: int) -> Array:
        cells = self.cells
        key = randomness.key(cells.seed, "pulse", cells.sides[side].name, what)
        return randomness.normals(key, number, 0, cells.shape).astype(cells.dtype, copy=False)

    def _read(self, turn: int) -> list[Array]:
        """Return the states of both devices as they are read."""
        cells, number = self.cells, int(self.cells.counts[1]) * (self.cell.refresh_rounds + 1) + turn
        found = cells.read()
        if not self.cell.refresh_noise:
            return [state.copy() for state in found]
        size = cells.dtype.type(self.cell.refresh_noise)
        return [state + size * self._draws("refresh read", side, number) for side, state in enumerate(found)]

    def _look(self) -> int:
        """Count a look at all pairs, column by column, one device of a pair after the other; return its products."""
        bar, products = self.cells.crossbar, 2 * self.cells.shape[1]
        bar.tally.add(bar.name, "forward", products, bar.shape)
        bar.meter_lines(np.arange(bar.shape[1]))
        return products

    def _reset(self, chosen: Array) -> int:
        """Reset both devices of pairs; return the slots that takes."""
        cells, own, number = self.cells, self.cell, int(self.cells.counts[1])
        for side, state in enumerate(cells.states):
            value = np.full(cells.shape, own.reset, cells.dtype)
            if own.reset_spread:
                value += cells.dtype.type(own.reset_spread) * self._draws("reset", side, 0)
            if own.reset_noise:
                value += cells.dtype.type(own.reset_noise) * self._draws("reset again", side, number)
            np.copyto(state, value, where=chosen & cells.sides[side].responsive)
            cells.sides[side].cut(state)
            if cells.pulses is not None:
                cells.pulses[side] += chosen
            cells.sides[side].reset(chosen, self._tiles)
        cells.counts[3] += 2 * int(chosen.sum())
        return cells.sides[0].slots

    @property
    def _tiles(self) -> Tiles:
        own = self.cells.crossbar.devices
        return own.column_tiles, own.row_tiles

    def _write(self, chosen: Array, wanted: Array, there: Array, turn: int) -> int:
        """Give what is missing to differences in pulses; return the slots that takes."""
        cells, most, first = self.cells, np.zeros(self.cells.shape, np.int64), 0
        for side, sign in enumerate((1, -1)):
            missing = np.where(chosen & (sign * wanted > 0), sign * (wanted - there), 0)
            numbers = np.rint(np.maximum(missing, 0) / self.pulse.dw_min).astype(np.int64)
            if numbers.any():
                most, none = np.maximum(most, numbers), np.zeros_like(numbers)
                number = int(cells.counts[1]) * self.cell.refresh_rounds + turn
                cells.sides[side].apply(cells.states[side], numbers, none, number, self._tiles, "refresh")
                first += 0 if side else cells.sides[0].slots
        slots = max(int(most[i:j, a:b].max(axis=0, initial=0).sum()) for (i, j), (a, b) in product(*self._tiles))
        if slots > first:  # the first devices' are written down
            cells.tally.add(cells.name, "slot", slots - first, cells.shape)
        return slots
