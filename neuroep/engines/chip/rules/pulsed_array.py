# Tested by tests/neuroep/engines/chip/test_updates.py.
"""One array whose weights change by pulses: its crossbar, and the responses of its devices."""

from __future__ import annotations

import numpy as np

from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Chip
from hw_models.tally import Tally
from neuroep.engines.chip.rules.rule import EDGE
from neuroep.engines.numba.substrate import Setting


class PulsedArray:
    """The devices of one crossbar, that of a transposed path among them.

    Parameters
    ----------
    crossbar : Crossbar
        Programmed; its weights are cut to the devices' own bounds.
    chip : Chip
        Of it.
    setting : Setting
        Seed, threads, dtype.
    tally : Tally
        Of pulses.
    """

    def __init__(self, crossbar: Crossbar, chip: Chip, setting: Setting, tally: Tally) -> None:
        self.crossbar, self.disturbs = crossbar, chip.device.disturb > 0
        where, limits = (crossbar.shape, setting.seed, crossbar.name), crossbar.devices.weight_bounds()
        run, dtype = setting.workers.run, setting.dtype
        self.devices = PulsedDevices(chip.device.pulse, *where, run, dtype, limits, tally)
        self._before: np.ndarray | None = None
        self._cut()
        crossbar.refresh()

    def _cut(self) -> None:
        """Cut the weights to the devices' own bounds."""
        self.devices.cut(self.crossbar.stored)

    def wait(self) -> None:
        """Note what the devices hold before pulses come."""
        self._before = self.crossbar.stored.copy() if self.disturbs else None

    def pulsed(self) -> int:
        """Let neighbours feel the pulses; return how many weights are not finite."""
        stored = self.crossbar.stored
        if self._before is not None:
            stored += self.crossbar.felt(stored - self._before, in_turn=False)
            self._cut()
        return int(stored.size - np.count_nonzero(np.isfinite(stored)))

    def at_bounds(self) -> float:
        """Return the share of devices at their bounds."""
        own, stored = self.devices.devices, self.crossbar.stored
        return float(((stored >= own.high * EDGE) | (stored <= own.low * EDGE)).mean())
