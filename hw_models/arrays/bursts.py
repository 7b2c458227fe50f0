# Tested by tests/hw_models/arrays/test_bursts.py.
"""Whole numbers of pulses for the devices of some columns, all of a device up or all of them down, given one by one.

Inputs of a tile are pulsed in turn, each for as many slots as its neediest device takes up, then down; tiles side by
side. Only columns that get pulses are looked at. Draws: :mod:`hw_models.kernels.bursts`, keyed by the tile of at most
DEVICES, which shapes alone decide.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from hw_models.arrays.played import PlayedDevices
from hw_models.kernels import bursts as burst_kernels
from hw_models.kernels.blocks import blocks

DEVICES = 16384
"""Most devices of one tile."""
MOST = np.iinfo(np.int32).max
"""Most pulses of a device."""


class ColumnRun(NamedTuple):
    """Columns that follow each other."""

    at: int
    """Where they begin among those of the numbers."""
    first: int
    """The first of them."""
    number: int


def runs(columns: np.ndarray) -> list[ColumnRun]:
    """Return columns, each once, as runs of those that follow each other."""
    edges = [0, *(np.flatnonzero(np.diff(columns) != 1) + 1).tolist(), len(columns)]
    return [ColumnRun(a, int(columns[a]), b - a) for a, b in itertools.pairwise(edges) if b > a]


def run_of(columns: np.ndarray) -> slice | np.ndarray:
    """Return columns that follow each other as a slice, of which NumPy makes no copy."""
    found = runs(columns)
    return slice(found[0].first, found[0].first + found[0].number) if len(found) == 1 else columns


def whole_numbers(values: np.ndarray) -> np.ndarray:
    """Return whole numbers as int32, cut to what that holds: more pulses would never end."""
    return np.clip(values, -MOST, MOST).astype(np.int32)


class Bursts:
    """Pulses for columns of an array.

    Parameters
    ----------
    numbers : numpy.ndarray
        (out, columns) int32 pulses, down where negative.
    columns : numpy.ndarray
        Which columns these are, each once.
    """

    def __init__(self, numbers: np.ndarray, columns: np.ndarray) -> None:
        self.numbers, self.columns, self.runs = np.ascontiguousarray(numbers), columns, runs(columns)

    def rising(self) -> Bursts:
        """Return the pulses up alone."""
        return Bursts(np.maximum(self.numbers, 0), self.columns)

    def turned(self) -> Bursts:
        """Return as many pulses the other way."""
        return Bursts(-self.numbers, self.columns)

    def needed(self, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[int, int]:
        """Return the slots that a tile with these outputs and inputs takes, and the pulses of its devices."""
        slots = pulses = 0
        for at, first, number in self.runs:
            a, b = max(columns[0] - first, 0), min(columns[1] - first, number)
            if a < b:
                found = burst_kernels.needed(self.numbers, *rows, at + a, at + b)
                slots, pulses = slots + int(found[0]), pulses + int(found[1])
        return slots, pulses

    def give(self, devices: PlayedDevices, weights: np.ndarray, key: np.ndarray, step: int) -> None:
        """Move the weights (out, in) of devices, in place; key and step are those of the draws."""
        kernel = burst_kernels.of(devices.response.factors, devices.response.multiple if devices.wide else None)
        own, tiles = (weights, devices.devices, devices.law, devices.noise, devices.shape_of_noise), self._tiles()

        def task(first: int, last: int) -> None:
            for number in range(first, last):
                tile, begin = tiles[number]
                kernel(tile, begin, self.numbers, *own, (key, step, number))

        devices.run(task, blocks(len(tiles), 1))
        if devices.given is not None:
            for at, first, number in self.runs:
                devices.given[:, first : first + number] += np.abs(self.numbers[:, at : at + number])

    def _tiles(self) -> list[tuple[tuple[int, int, int, int], int]]:
        """Return rows and columns of all tiles, and which column of the array the first of the numbers would be."""
        found = []
        for at, first, number in self.runs:
            for a, b in blocks(number, burst_kernels.WIDTH):
                for rows in blocks(len(self.numbers), DEVICES // (b - a)):
                    found.append(((*rows, at + a, at + b), first - at))
        return found
