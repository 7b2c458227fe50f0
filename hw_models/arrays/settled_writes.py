# Tested by tests/hw_models/arrays/test_settled_writes.py.
"""What a programming has left for good, kept until the next one: a read that comes later asks only for what has moved.

Matrices of a chip whose noise has a time are built anew for every batch. What was written, which devices are stuck,
gains and exponents of drift are the same in all of them, and finding them, draws and all, is half of the work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
MOST = 1 << 22
"""Devices of a crossbar up to which it is kept: 16 bytes of each."""
Place = tuple[int, int, int, int]
"""Slice, side, first line, number of lines."""


@dataclass
class SettledWrite:
    """Devices of some lines of one side of a slice, (lines, in)."""

    target: Array
    """What they were to be written with [uS]."""
    g: Array
    """Conductance after programming, stuck ones and gains in [uS]."""
    stuck: Array | None
    """Which are stuck; None for none."""
    nu: Array | None = None
    """Exponents of drift, once they were asked for."""
    share: Array | None = None
    """What read noise goes by of it, :meth:`hw_models.laws.read_noise.ReadNoise.kept`, once it was asked for."""


class SettledWrites:
    """Of the devices of one crossbar, as their last programming left them."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Keep nothing of what was written before."""
        self._turn = -1
        self._found: dict[Place, SettledWrite] = {}
        self._holding: dict[int, SettledWrite] = {}

    def of(self, turn: int, place: Place) -> SettledWrite | None:
        """Return what the programming of that number left at a place, None where that is not known."""
        return self._found.get(place) if turn == self._turn else None

    def put(self, turn: int, place: Place, found: SettledWrite, devices: int) -> None:
        """Keep what it left, unless the crossbar has too many devices."""
        if devices > MOST:
            return
        if turn != self._turn:
            self.forget()
            self._turn = turn
        self._found[place] = self._holding[id(found.g)] = found

    def holding(self, g: Array) -> SettledWrite | None:
        """Return that of which these very conductances are, None where none is."""
        return self._holding.get(id(g))
