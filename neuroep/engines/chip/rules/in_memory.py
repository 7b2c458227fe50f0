# Tested by tests/neuroep/engines/chip/test_updates.py.
"""What the rules share whose weights are the devices' own, on one crossbar."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hw_models.arrays.pulses import PulsedDevices
from neuroep.engines.chip.rules.rule import EDGE, LearningRule, Place


class InMemory(LearningRule):
    """Weights that are the devices' own."""

    _before: np.ndarray | None = None
    accumulates = False
    """Whether the optimiser moves a digital matrix beside them."""

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        self.chip, setting = place.chip, place.setting
        crossbar = self._crossbar(weight.shape)
        crossbar.program(weight)
        where = (weight.shape, setting.seed, crossbar.name)
        limits = crossbar.devices.weight_bounds()
        run, dtype = setting.workers.run, setting.dtype
        self.devices = PulsedDevices(self.chip.device.pulse, *where, run, dtype, limits, self.tally)
        self._bound()
        self.digital = self._ideal(np.zeros_like(weight) if self.accumulates else weight[:, :0], bias)

    def health(self) -> dict[str, float]:
        """Return the share of devices at their bounds."""
        own, stored = self.devices.devices, self.crossbar.stored
        return {"weights_at_range": float(((stored >= own.high * EDGE) | (stored <= own.low * EDGE)).mean())}

    def _bound(self) -> None:
        """Cut what was programmed to the devices' own bounds."""
        own, stored = self.devices.devices, self.crossbar.stored
        np.clip(stored, own.low, own.high, out=stored)
        self.crossbar.refresh()

    def _wait(self) -> None:
        """Let the devices leak since the last update, and note what they hold before pulses come."""
        self.crossbar.leak()
        self._before = self.crossbar.stored.copy() if self.chip.device.disturb else None

    def _pulsed(self) -> int:
        """Read the devices anew after pulses; return how many weights are not finite."""
        stored = self.crossbar.stored
        if self._before is not None:
            own = self.devices.devices
            stored += self.crossbar.felt(stored - self._before, in_turn=False)
            np.clip(stored, own.low, own.high, out=stored)
        bad = int(stored.size - np.count_nonzero(np.isfinite(stored)))
        if not bad:
            self.crossbar.elapse()
            self.crossbar.refresh()
        return bad

    def state(self) -> dict[str, np.ndarray]:
        """Return the devices' weights, what the optimiser keeps, and the crossbar."""
        kept = super().state()
        if self.accumulates:
            kept["accumulated"] = kept["weight"]
        stored = self.crossbar.stored
        return kept | {"weight": stored * np.asarray(self.crossbar.weight_range, stored.dtype)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what the optimiser keeps, and the crossbar."""
        super().load(state)
        if self.accumulates:
            self.digital.weight[:] = state["accumulated"]
