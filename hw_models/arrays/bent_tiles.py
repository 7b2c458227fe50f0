# Tested by tests/hw_models/arrays/test_bent_wires.py.
"""One side of a tile whose devices are no resistors and whose wires resist, as reads of a crossbar need it.

Noise of reads is one of conductances: those of every device are drawn for every drive and solved with the rest, so that
all outputs of a tile see them through the network as it is (:mod:`hw_models.arrays.bent_wires`).

Signals sent as widths of pulses drive a line with the whole read voltage for their share of the time. What flows then
changes as one line after the other ends, |x_1| <= |x_2| <= ..., and the charge is

    Q = sum_d (|x_d| - |x_(d-1)|) I(sign(x) [|x| >= |x_d|])
"""

from __future__ import annotations

import numpy as np

from hw_models.arrays.bent_wires import BentTile
from hw_models.kernels.random import normals
from hw_models.laws.read_noise import ReadNoise

Array = np.ndarray
MICRO = 1e-6
"""S in a uS."""
MOST = 2**22
"""Most conductances of devices drawn at a time."""


class BentPair:
    """One side of a tile, driven from either end.

    Parameters
    ----------
    tile : BentTile
        Driven forward, its conductances the means of reads.
    scale : float
        What turns uS into the unit of currents, sign of the side in.
    g, sigma : numpy.ndarray or None
        (word, bit) conductance now and standard deviation of a read [uS]; None without noise.
    """

    def __init__(self, tile: BentTile, scale: float, g: Array | None, sigma: Array | None) -> None:
        self.tile, self.back, self.scale = tile, tile.turned, scale
        self.g, self.sigma = g, sigma

    def read(
        self, share: Array, turned: bool, in_time: bool, law: ReadNoise, draws: tuple[Array, int, int, int]
    ) -> Array:
        """Return currents (rows, sensed) of drives (rows, driven), shares of the full scale.

        Parameters
        ----------
        share : numpy.ndarray
            (rows, driven).
        turned : bool
            Whether bit lines are driven and word lines sensed.
        in_time : bool
            Whether shares are those of the time, not of the voltage.
        law : ReadNoise
            Of the devices.
        draws : tuple
            Key, number of the read, tile and first row.
        """
        size, (key, step, number, first) = self.tile.g.size, draws
        rows = max(1, MOST // max(size, 1))
        parts = []
        for a in range(0, len(share), rows):
            part, g = share[a : a + rows], None
            if self.g is not None and self.sigma is not None:
                g = normals(key, step, number, (len(part), size), first + a)
                law.reads(g, self.g.ravel(), self.sigma.ravel())
                g = g.reshape(-1, *self.tile.g.shape).astype(np.float64) * MICRO
            parts.append(self._charge(part, g, turned) if in_time else self._currents(part, g, turned))
        sensed = self.tile.g.shape[0 if turned else 1]
        found = np.concatenate(parts) if parts else np.zeros((0, sensed))
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
        return np.stack(found)
