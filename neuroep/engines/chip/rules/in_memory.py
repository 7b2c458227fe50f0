# Tested by tests/neuroep/engines/chip/test_updates.py.
"""What the rules share whose weights are the devices' own, on one crossbar.

An array of the transposed path's own gets the same pulses, which its devices answer in their own way: the two drift
apart as they learn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hw_models.arrays.cells import Cells
from hw_models.arrays.crossbar import Crossbar
from neuroep.engines.chip.rules.pulsed_array import PulsedArray
from neuroep.engines.chip.rules.rule import LearningRule, Place


class InMemory(LearningRule):
    """Weights that are the devices' own."""

    decays = False
    accumulates = False
    """Whether the optimiser moves a digital matrix beside them."""

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        self.chip, setting = place.chip, place.setting
        crossbar = self._crossbar(weight.shape)
        crossbar.program(weight)
        both = (crossbar, *([] if crossbar.other is None else [crossbar.other]))
        self.pulsed_arrays = [PulsedArray(each, self.chip, setting, self.tally) for each in both]
        self.digital = self._ideal(np.zeros_like(weight) if self.accumulates else weight[:, :0], bias)

    def health(self) -> dict[str, float]:
        """Return the share of devices at their bounds."""
        return {"weights_at_range": float(np.mean([each.at_bounds() for each in self.pulsed_arrays]))}

    @property
    def devices(self) -> Cells:
        """Those of the forward path."""
        return self.pulsed_arrays[0].devices

    def _wait(self) -> None:
        """Let the devices leak since the last update, and note what they hold before pulses come."""
        self.crossbar.leak()
        for each in self.pulsed_arrays:
            each.wait()

    def _pulsed(self) -> int:
        """Read the devices anew after pulses; return how many weights are not finite."""
        bad = sum(each.pulsed() for each in self.pulsed_arrays)
        self.seconds += max(each.seconds for each in self.pulsed_arrays)
        if not bad:
            self.crossbar.elapse()
            self.crossbar.reread()
        return bad

    def state(self) -> dict[str, np.ndarray]:
        """Return the devices' weights, of all crossbars by their shares, what the optimiser keeps, and crossbars."""
        kept = super().state()
        if self.accumulates:
            kept["accumulated"] = kept["weight"]
        return kept | {"weight": self._sum(_stored)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what the optimiser keeps, and the crossbar."""
        super().load(state)
        if self.accumulates:
            self.digital.weight[:] = state["accumulated"]


def _stored(crossbar: Crossbar) -> np.ndarray:
    """Return what the devices of a crossbar hold, in weight units."""
    return crossbar.stored * np.asarray(crossbar.weight_range, crossbar.dtype)
