# Tested by tests/hw_models/arrays/test_retention.py.
"""What devices keep of what they conduct above g_min while no pulse comes, by the clock of the chip.

    kept = exp(-t/tau),    tau = retention exp(spread z)      t since the last update [s], z of the device

as charge leaks off a capacitor. Of a pair both devices lose it, of a weight beside its reference too. What is read
between two updates is what was left at the last one.

Source: leakage of capacitor cells, Li et al., Symposium on VLSI Technology 2018; log-normal spread: ours.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hw_models.chip import Device
from hw_models.kernels.random import key, normals


class Retention:
    """Of the devices of one array.

    Parameters
    ----------
    device : Device
        With a retention.
    shape : tuple of int
        (out, in).
    place : tuple
        Seed and name of the array.

    Attributes
    ----------
    since : float
        When devices lost something last, on the clock of the chip [s].
    """

    def __init__(self, device: Device, shape: tuple[int, int], place: tuple[int, str]) -> None:
        self.device, self.shape, self.place, self.since = device, shape, place, 0.0

    @cached_property
    def rates(self) -> np.ndarray:
        """1/tau of every device [1/s], (out, in), or (1, 1) where they are alike."""
        rate, spread = 1 / (self.device.retention or np.inf), self.device.retention_spread
        if not spread:
            return np.full((1, 1), rate)
        return rate * np.exp(-spread * normals(key(*self.place, "retention"), 0, 0, self.shape, dtype="float64"))

    def kept(self, now: float) -> np.ndarray:
        """Return the share that every device has kept since this was asked last, of the shape of ``rates``."""
        passed, self.since = max(now - self.since, 0.0), now
        return np.exp(-passed * self.rates)
