# Tested by tests/neuroep/engines/chip/test_updates.py.
"""Pulsed, in memory: rank-1 pulse trains of what the two ends saw; no gradient is ever computed.

    W <- W - lr g/r  on average, by trains of pulses        r = 1 without scaling (:mod:`.scaling`)

Analog: W. Digital: nothing but how large trains are. Source: Gokmen and Vlasov, Front. Neurosci. 10:333, 2016.
"""

from __future__ import annotations

from neuroep.engines.chip.rules.rule import CROSSBAR
from neuroep.engines.chip.rules.trained import TrainedInMemory
from neuroep.learning.contrast import Contrast


class Pulsed(TrainedInMemory):
    """Pulse trains of what the two ends saw; see the module."""

    def update(self, contrast: Contrast, rate: float) -> int:
        """Send the trains of one batch; return how many weights are not finite."""
        wanted = self._wanted(contrast, rate)
        self._wait()
        granule = self.crossbar.weight_range * self.chip.device.granule
        change = wanted.rate * wanted.share
        self.seconds = self._send(CROSSBAR, wanted.terms, change, wanted.rate / granule if self.scaled else 0.0)
        return self._pulsed() or self._widen()


RULE = Pulsed
