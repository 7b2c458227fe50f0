# Tested by tests/neuroep/engines/chip/test_updates.py.
"""Digital: the optimiser moves a float master copy, and the devices of one crossbar are programmed with it.

The master copy is an exact array (:mod:`neuroep.engines.numba.arrays`), which applies the learning rate.
"""

from __future__ import annotations

import numpy as np

from hw_models import durations
from neuroep.engines.chip.rules.rule import EDGE, LearningRule, Place
from neuroep.learning.contrast import Contrast


class Digital(LearningRule):
    """Float master copy; see the module."""

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        self.every = place.chip.update.reprogram_every
        crossbar = self._crossbar(weight.shape)
        self.digital = self._ideal(weight, bias)
        crossbar.program(self.digital.weight)

    @property
    def written(self) -> np.ndarray:
        """The master copy."""
        return self.digital.weight

    def update(self, contrast: Contrast, rate: float) -> int:
        """Move the master copy and program the devices; return how many weights are not finite."""
        bad, self.seconds = self.digital.update(contrast, rate), 0.0
        if bad:
            return bad
        self.crossbar.leak()
        if self.updates % self.every == 0:
            self.crossbar.elapse()
            self.crossbar.program(self.digital.weight)
            self.seconds = durations.reprogramming(self.place.chip.timing, self.crossbar.rows_written)
        elif self.place.chip.device.leak:
            self.crossbar.reread()
        return bad

    def health(self) -> dict[str, float]:
        """Return the share of master weights at or beyond the range of the devices."""
        if self.crossbar.ideal:
            return {"weights_at_range": 0.0}  # nothing is cut where nothing is converted
        edge = self.crossbar.weight_range * EDGE
        return {"weights_at_range": float((np.abs(self.digital.weight) >= edge).mean())}


RULE = Digital
