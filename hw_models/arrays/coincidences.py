# Tested by tests/hw_models/arrays/test_trains.py.
"""Coincidences of the trains of lines: ready to be counted for every device, or queued to be played."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hw_models.arrays.trains import Fired, Packed, Playable, Tile
from hw_models.kernels import trains as train_kernels

Side = tuple[np.ndarray, np.ndarray]
Words = tuple[Side, Side, tuple[Side, Side]]
"""Post and pre of trains that go up, of those that go down, and of those with signs: words, and signs beside them."""


class Packs(NamedTuple):
    """Packed trains whose coincidences can be counted: those that go up and those that go down, or all with signs."""

    up: Packed | None
    down: Packed | None
    mixed: Packed | None

    @property
    def words(self) -> Words:
        """Post and pre of each as kernels take them, without any words where there are none."""
        some = next(each for each in self if each is not None)
        none = Packed(*((side[0][:0], side[1][:0]) for side in some))
        up, down, mixed = (none if each is None else each for each in self)
        return (up.post[0], up.pre[0]), (down.post[0], down.pre[0]), (mixed.post, mixed.pre)


def packs(trains: Fired, way: np.ndarray) -> Packs:
    """Pack trains of some terms; ``way`` of each term."""
    if not way.all():
        return Packs(None, None, trains.packed())
    ways = np.tile(way, len(trains.length) // len(way))
    up, down = (trains.packed(ways == sign) if sign in way else None for sign in (1.0, -1.0))
    return Packs(up, down, None)


class Coincidences:
    """Queues the pulses of chosen devices of one tile, as :meth:`PlayedDevices.play` asks for them."""

    def __init__(self, tile: Tile, given: Playable, chosen: np.ndarray | None, one_way: bool = False) -> None:
        self.tile, self.given, self.chosen, self.one_way = tile, given, chosen, one_way
        self.position, self.word = np.zeros(tile[1] - tile[0], dtype=np.int64), 0

    def _next(self, waits: np.ndarray, ups: np.ndarray) -> int | None:
        """Queue what comes next; return how many pulses, None when all have been given."""
        (post, pre, length), packed = self.given
        if packed is None:
            return train_kernels.meet(*self.tile, pre, post, length, self.position, waits, ups) or None
        if self.word == len(packed.post[0]):
            return None
        self.word += 1
        return int(train_kernels.meet_packed(*self.tile, self.word - 1, packed.pre, packed.post, waits, ups))

    def __call__(self, waits: np.ndarray, ups: np.ndarray) -> int:
        """Fill empty queues; return how many pulses, 0 when all have been given."""
        while (found := self._next(waits, ups)) is not None:
            if found and self.chosen is not None:
                found = train_kernels.keep(self.chosen, waits)
            if found and self.one_way:
                found = train_kernels.rising(waits, ups)
            if found:
                return int(found)
        return 0
