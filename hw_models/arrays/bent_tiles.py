# Tested by tests/hw_models/arrays/test_bent_wires.py.
"""One side of a tile whose devices are no resistors and whose wires resist, as reads of a crossbar need it.

Signals sent as widths of pulses drive a line with the whole read voltage for their share of the time. What flows then
changes as one line after the other ends, |x_1| <= |x_2| <= ..., and the charge is

    Q = sum_d (|x_d| - |x_(d-1)|) I(sign(x) [|x| >= |x_d|])
"""

from __future__ import annotations

import numpy as np

from hw_models.arrays.bent_wires import BentTile

Array = np.ndarray
MICRO = 1e-6
"""S in a uS."""


class BentPair:
    """One side of a tile, driven from either end.

    Parameters
    ----------
    tile : BentTile
        Driven forward, its conductances the means of reads.
    scale : float
        What turns uS into the unit of currents, sign of the side in.
    """

    def __init__(self, tile: BentTile, scale: float) -> None:
        self.tile, self.back, self.scale = tile, tile.turned, scale

    def read(self, share: Array, turned: bool, in_time: bool, reads: Array | None = None) -> Array:
        """Return currents (rows, sensed) of drives (rows, driven), shares of the full scale.

        Parameters
        ----------
        share : numpy.ndarray
            (rows, driven).
        turned : bool
            Whether bit lines are driven and word lines sensed.
        in_time : bool
            Whether shares are those of the time, not of the voltage.
        reads : numpy.ndarray, optional
            (rows, bit, word) what each read finds of every device [uS]; default the means.
        """
        g = None if reads is None else reads.transpose(0, 2, 1).astype(np.float64) * MICRO
        found = self._charge(share, g, turned) if in_time else self._currents(share, g, turned)
        return found * (self.scale / MICRO)

    def _currents(self, share: Array, g: Array | None, turned: bool) -> Array:
        if not turned:
            return self.tile.currents(share, g)
        g = None if g is None else g[:, ::-1, ::-1].transpose(0, 2, 1)
        return self.back.currents(share[:, ::-1], g)[:, ::-1]

    def _charge(self, share: Array, g: Array | None, turned: bool) -> Array:
        """Return what flows until the last pulse has ended."""
        found = []
        for row, signals in enumerate(share):
            ends = np.unique(np.abs(signals[signals != 0]))
            on = np.sign(signals) * (np.abs(signals) >= ends[:, None])
            own = None if g is None else np.broadcast_to(g[row], (len(ends), *g.shape[1:]))
            lasts = np.diff(ends, prepend=0.0)
            found.append(lasts @ self._currents(on, own, turned))
        return np.stack(found) if found else np.zeros((0, self.tile.g.shape[0 if turned else 1]))
