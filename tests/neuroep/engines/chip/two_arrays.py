"""The smallest learning rule with two arrays: what a checkpoint and pictures must not forget the second of."""

from __future__ import annotations

import numpy as np

from neuroep.engines.chip.rules.pulsed import Pulsed
from neuroep.engines.chip.rules.rule import CROSSBAR, Place
from neuroep.learning.contrast import Contrast


class TwoArrays(Pulsed):
    """W = A/2 + C, with A at 0 to begin with; trains go to C, and every update moves all of A up by 0.01."""

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        self.further = self._crossbar(weight.shape, "further")
        self.further.program(np.zeros_like(weight))
        self.shares = {CROSSBAR: 1.0, "further": 0.5}

    def update(self, contrast: Contrast, rate: float) -> int:
        """Move both."""
        self.further.stored[:] += 0.01
        self.further.refresh()
        return super().update(contrast, rate)
