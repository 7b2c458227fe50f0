# Tested by tests/neuroep/engines/chip/test_updates.py.
"""Mixed precision: the optimiser moves an accumulator chi; whole granules of it go to the devices as pulses.

    chi <- optimiser(chi, g)
    every n_s updates  n = trunc(chi/granule), W <- W + n dw_W by pulses, chi <- chi - n granule

Analog: W. Digital: chi, the outer products of g, the optimiser's moments. With ``update.verify.tolerance``
the loop is closed (:mod:`.verified`): chi is then what the devices are read to lack.

Source: Nandakumar et al., Front. Neurosci. 14:406, 2020.
"""

from __future__ import annotations

import numpy as np

from neuroep.engines.chip.rules.in_memory import InMemory
from neuroep.engines.chip.rules.rule import Place
from neuroep.engines.chip.rules.scaling import tolerance
from neuroep.engines.chip.rules.verified import Verified
from neuroep.learning.contrast import Contrast

SINGLE = 1000
"""Most pulses of a device that are given one by one; more are given in one step of their mean and spread."""


class MixedPrecision(InMemory):
    """Digital accumulation, whole granules as pulses; see the module.

    Attributes
    ----------
    near : float
        Tolerance of updates in a closed loop, a share of the weight range; 0 where the loop is open.
    """

    accumulates = True

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        self.near = tolerance(place.chip)  # how weights are programmed goes by it
        super().__init__(place, weight, bias)
        self.loop: Verified | None = None
        if self.near:
            self.digital.weight[:] = weight
            self.loop = Verified(self.pulsed_arrays[0], self.near, self.kept)

    @property
    def programming_rounds(self) -> int:
        """None where updates close the loop, of which the first finds what programming left."""
        return 0 if self.near else super().programming_rounds

    def update(self, contrast: Contrast, rate: float) -> int:
        """Accumulate, then move whole granules; return how many weights are not finite."""
        bad = self.digital.update(contrast, rate)
        if bad:
            return bad
        every = self.chip.update.of_transfer("every")
        if isinstance(every, int) and self.updates % every:
            return self._idle()
        self._wait()
        self.seconds = 0.0
        moved = self._give(self._whole(), self.updates) if self.loop is None else self._follow(self.loop)
        return moved or self._widen()

    def _whole(self) -> np.ndarray:
        """Return the pulses that chi asks for, (out, in), and take them off it."""
        chi = self.digital.weight
        granule = chi.dtype.type((self.chip.update.granule or self.chip.device.granule) * self.crossbar.weight_range)
        whole = np.trunc(chi / granule)
        chi -= whole * granule
        return np.asarray(whole)

    def _follow(self, loop: Verified) -> int:
        """Give pulses until devices are read near enough, or so many times; return as :meth:`update` does."""
        wanted = self.digital.weight
        loop.begin(wanted)
        if not loop.read_at_all:
            self._reads(loop, np.arange(self.crossbar.shape[1]))
        rounds = self.chip.update.rounds
        for number in range(rounds):
            whole = loop.lacking(wanted)
            columns = np.flatnonzero(whole.any(axis=0))
            if not columns.size:
                break
            bad = self._give(whole, self.updates * rounds + number)
            if bad:
                return bad
            self._reads(loop, columns)
        return 0

    def _reads(self, loop: Verified, columns: np.ndarray) -> None:
        """Read columns of the devices, which takes its time."""
        self.seconds += loop.read(columns)

    def _give(self, whole: np.ndarray, number: int) -> int:
        """Give whole numbers of pulses, (out, in), whose draws ``number`` keys; return how many are not finite."""
        up, down = np.maximum(whole, 0), np.maximum(-whole, 0)
        most = int(max(up.max(initial=0), down.max(initial=0)))
        if most <= SINGLE:
            up, down = up.astype(np.int64), down.astype(np.int64)
        for each in self.pulsed_arrays:
            tiles = each.crossbar.devices.column_tiles, each.crossbar.devices.row_tiles
            each.devices.apply(each.crossbar.stored, up, down, number, tiles)
        self.seconds += self._pulsing()
        return self._pulsed()

    def _widen(self) -> int:
        """Write the weights with twice the range if it is time to; in a closed loop they are then read anew."""
        before, bad = self.crossbar.weight_range, super()._widen()
        if self.loop is not None and before != self.crossbar.weight_range:
            self._reads(self.loop, np.arange(self.crossbar.shape[1]))
        return bad

    def _grown(self) -> np.ndarray:
        """Return what the range is to follow: in a closed loop what the devices are to be."""
        return super()._grown() if self.loop is None else self.digital.weight / self.crossbar.weight_range

    def _idle(self) -> int:
        """Let an update pass in which no granule is moved."""
        self.seconds = 0.0
        self._leak()
        self._reread_faded()
        return 0


RULE = MixedPrecision
