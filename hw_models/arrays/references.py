# Tested by tests/hw_models/arrays/test_cells.py.
"""The reference devices of weights: where they are programmed, by what they err, and which are programmed again.

    r = r_0 + mean + spread z, not below the state of 0 uS        z of the device

**Where.** A weight holds what is between the bounds of its device less r, so the symmetry point w* is no place for r
where it is anywhere: a device of constant steps that differ has it at a bound, and could hold one sign alone. Unset,
r_0 of weights is w* up to rms w* = :data:`FARTHEST` of the nearer mean bound, else 0; a fast array is read against w*
in any case, as there its devices come to rest.

**Again.** Whenever weights w are programmed, r is programmed again, up to ``reference_rounds`` times in all and each
time with a z of its own, where the device, at w + r cut to its bounds, is off by more than dw_min.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hw_models.arrays.symmetry import symmetry_points
from hw_models.kernels import random as randomness

if TYPE_CHECKING:
    from hw_models.arrays.cells import DeviceCells

Array = np.ndarray
FARTHEST = 0.5
"""Of the way from weight 0 to the nearer bound: rms of symmetry points that are references of weights."""
ROUNDS = 64
"""Of programming references again that have draws of their own, in each programming."""


class References:
    """The references of one array.

    Parameters
    ----------
    cells : DeviceCells
        Whose they are.
    rests : bool
        Whether what is read of the devices is how far they are from where they come to rest.

    Attributes
    ----------
    states : numpy.ndarray
        (out, in) r.
    """

    def __init__(self, cells: DeviceCells, rests: bool) -> None:
        self.cells, self.cell, self.pulse = cells, cells.cell, cells.pulse
        self.aimed = self._aim(rests)
        self.states = self._programmed()

    def _aim(self, rests: bool) -> Array:
        """Return r_0."""
        cells, at = self.cells, self.cell.reference_at
        if at == "middle":
            return np.zeros(cells.shape, cells.dtype)
        points = symmetry_points(cells.sides[0])
        far = float(np.sqrt(np.square(points, dtype=np.float64).mean())) if points.size else 0.0
        if at is None and not rests and far > FARTHEST * min(self.pulse.w_max, -self.pulse.w_min):
            points.fill(0)
        return points

    def _programmed(self, number: int = 0) -> Array:
        """Return what programming leaves of r_0; ``number`` keys the draws of those that are programmed again."""
        cells = self.cells
        found = self.aimed + cells.dtype.type(self.cell.reference_mean)
        if self.cell.reference_spread:
            z = randomness.normals(randomness.key(cells.seed, "pulse", cells.name, "reference"), number, 0, cells.shape)
            found += cells.dtype.type(self.cell.reference_spread) * z.astype(cells.dtype, copy=False)
        return np.maximum(found, cells.dtype.type(cells.least), out=found)

    def program(self, aimed: Array) -> None:
        """Program them to these states."""
        self.aimed = aimed.copy()
        self.states[:] = self._programmed()

    def again(self, weights: Array, state: Array) -> None:
        """Program those again beside which devices, whose state is moved likewise, do not hold their weights."""
        bar = self.cells.crossbar
        for number in range(1, self.cell.reference_rounds):
            missed = np.abs(state - self.states - weights) > self.pulse.dw_min
            if not missed.any():
                return
            np.copyto(self.states, self._programmed(bar.programmings * ROUNDS + number), where=missed)
            bar.tally.add(bar.name, "write", int(missed.sum()), bar.shape)
            np.copyto(state, weights + self.states, where=missed)
            self.cells.sides[0].cut(state)
