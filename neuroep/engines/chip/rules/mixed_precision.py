# Tested by tests/neuroep/engines/chip/test_updates.py.
"""Mixed precision: the optimiser moves an accumulator chi; whole granules of it go to the devices as pulses.

    chi <- optimiser(chi, g)
    every n_s updates  n = trunc(chi/granule), W <- W + n dw_W by pulses, chi <- chi - n granule

Analog: W. Digital: chi, the outer products of g, the optimiser's moments.

Source: Nandakumar et al., Front. Neurosci. 14:406, 2020.
"""

from __future__ import annotations

import numpy as np

from neuroep.engines.chip.rules.in_memory import InMemory
from neuroep.learning.contrast import Contrast

SINGLE = 1000
"""Most pulses of a device that are given one by one; more are given in one step of their mean and spread."""


class MixedPrecision(InMemory):
    """Digital accumulation, whole granules as pulses; see the module."""

    accumulates = True

    def update(self, contrast: Contrast, rate: float) -> int:
        """Accumulate, then move whole granules; return how many weights are not finite."""
        chi = self.digital.weight
        bad = self.digital.update(contrast, rate)
        if bad:
            return bad
        every = self.chip.update.of_transfer("every")
        if isinstance(every, int) and self.updates % every:
            return self._idle()
        self._wait()
        granule = (self.chip.update.granule or self.chip.device.granule) * self.crossbar.weight_range
        whole = np.trunc(chi / chi.dtype.type(granule))
        chi -= whole * chi.dtype.type(granule)
        up, down = np.maximum(whole, 0), np.maximum(-whole, 0)
        most = int(max(up.max(initial=0), down.max(initial=0)))
        if most <= SINGLE:
            up, down = up.astype(np.int64), down.astype(np.int64)
        for each in self.pulsed_arrays:
            tiles = each.crossbar.devices.column_tiles, each.crossbar.devices.row_tiles
            each.devices.apply(each.crossbar.stored, up, down, self.updates, tiles)
        self.seconds = self._pulsing()
        return self._pulsed() or self._widen()

    def _idle(self) -> int:
        """Let an update pass in which no granule is moved."""
        self.seconds = 0.0
        self._leak()
        self._reread_faded()
        return 0


RULE = MixedPrecision
