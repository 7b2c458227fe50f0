# Tested by tests/hw_models/arrays/test_last_writes.py.
"""What the last write of every device left, where a programming leaves most of them alone (``update.write_threshold``).

A weight a, a share of the range, is written again where it is to move by more than the threshold since it was,

    |a_new - a_written| > threshold

with all its devices: the pair, and every slice. The others keep their conductance with its programming error, their
draws of relaxation and of the drift exponent, and their age; their weight follows the range of the array if that moves.
Draws of a write are those of its programming, whoever else is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

Array = np.ndarray


class Written(NamedTuple):
    """Of the devices of one slice and side of some output lines, (lines, in) each."""

    target: Array
    """[uS], as the device can take it."""
    g: Array
    """What programming left [uS]."""


class LastWrites:
    """Targets, conductances and draws of all devices but reference lines.

    Parameters
    ----------
    devices : tuple of int
        (slices, sides, out, in).
    drawn : tuple of str
        Draws of a programming that act after it.
    """

    def __init__(self, devices: tuple[int, int, int, int], drawn: tuple[str, ...]) -> None:
        names = ("target", "g", *drawn)
        self._kept = {name: np.zeros(devices, dtype=np.float32) for name in names}
        self.drawn = drawn

    def of(self, where: tuple[int, int], first: int, count: int) -> Written:
        """Return what was written of ``count`` output lines from ``first``."""
        target, g = (self._kept[name][*where, first : first + count] for name in ("target", "g"))
        return Written(target, g)

    def draws(self, what: str, where: tuple[int, int], first: int, count: int) -> Array:
        """Return the standard normals of these devices' last write."""
        return self._kept[what][*where, first : first + count]

    def put(self, where: tuple[int, int], first: int, which: Array, values: Mapping[str, Array]) -> None:
        """Take over what was written, by name, of the weights of a mask (lines, in)."""
        for name, found in values.items():
            self._kept[name][*where, first : first + len(which)][which] = found[which]

    def state(self) -> Iterator[tuple[str, Array]]:
        """Yield all by name, copied."""
        for name, values in self._kept.items():
            yield f"last_{name}", values.copy()

    def load(self, state: Mapping[str, Array]) -> None:
        """Take over :meth:`state`."""
        for name, values in self._kept.items():
            values[:] = state[f"last_{name}"]
