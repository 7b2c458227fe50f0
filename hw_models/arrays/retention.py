# Tested by tests/hw_models/arrays/test_retention.py.
"""What devices keep of what they conduct above g_min while no pulse comes, by the clock of the chip.

    kept = exp(-t/tau),    tau = retention exp(spread z)      t since the last update [s], z of the device

as charge leaks off a capacitor. Of a pair both devices lose it, each by a z of its own, and of a weight beside its
reference too. Reference lines (reference "analog"), which no pulse moves, lose it of what they were programmed with.
What is read between two updates is what was left at the last one, and of that, where devices are read later than their
last write (``device.age``), what is left then.

Source: leakage of capacitor cells, Li et al., Symposium on VLSI Technology 2018; log-normal spread: ours.
"""

from __future__ import annotations

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
    began : float
        When they were programmed [s].
    """

    def __init__(self, device: Device, shape: tuple[int, int], place: tuple[int, str]) -> None:
        self.device, self.shape, self.place, self.since = device, shape, place, 0.0
        self.began = 0.0
        self._found: dict[int, np.ndarray] = {}

    def rates(self, side: int = 0) -> np.ndarray:
        """Return 1/tau of every first or second device of a weight [1/s], (out, in), or (1, 1) where all are alike."""
        if self.device.retention_spread and side not in self._found:
            self._found[side] = self._drawn(self.shape, side)
        return self._found[side] if self.device.retention_spread else self._drawn((1, 1))

    def _drawn(self, shape: tuple[int, int], side: int = 0, first: int = 0) -> np.ndarray:
        rate, spread = 1 / (self.device.retention or np.inf), self.device.retention_spread
        if not spread:
            return np.full((1, 1), rate)
        z = normals(key(*self.place, "retention"), 0, side, shape, first, dtype="float64")
        return np.asarray(rate * np.exp(-spread * z))

    def programmed(self, now: float) -> None:
        """Note that all devices are written at a time [s]."""
        self.since = self.began = now

    def beside(self, lines: int, first: int, ahead: float = 0.0) -> np.ndarray:
        """Return what reference lines have kept since they were programmed, for reads so much later; (lines, in).

        The first is drawn by this number.
        """
        return np.exp(-(max(self.since - self.began, 0.0) + ahead) * self._drawn((lines, self.shape[1]), 0, first))

    def kept(self, now: float, sides: int = 1) -> list[np.ndarray]:
        """Return what first and second devices have kept since this was asked last, as of :meth:`rates`."""
        passed, self.since = max(now - self.since, 0.0), now
        return self.after(passed, sides)

    def after(self, seconds: float, sides: int = 1) -> list[np.ndarray]:
        """Return what first and second devices keep for so many seconds, as of :meth:`rates`."""
        return [np.exp(-seconds * self.rates(side)) for side in range(sides)]
