# Tested by tests/hw_models/test_wear.py.
"""How many pulses every device of an array got, and how many are beyond what a device takes (``device.endurance``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Wear(NamedTuple):
    """Of the devices of one array."""

    name: str
    """Of the array."""
    pulses: np.ndarray
    """(devices of a weight, out, in) pulses that every device got."""
    endurance: float
    """Pulses that a device takes."""

    @property
    def mean(self) -> float:
        """Mean number of pulses of a device; 0 without devices."""
        return float(self.pulses.mean()) if self.pulses.size else 0.0

    @property
    def most(self) -> float:
        """Pulses of the device that got most."""
        return float(self.pulses.max(initial=0))

    @property
    def worn(self) -> float:
        """Share of devices beyond their endurance."""
        return float((self.pulses > self.endurance).mean()) if self.pulses.size else 0.0

    @property
    def first(self) -> tuple[int, int, int]:
        """Which device wears out first: of a weight (0 is G+), output, input."""
        side, output, source = np.unravel_index(int(np.argmax(self.pulses)), self.pulses.shape)
        return int(side), int(output), int(source)

    def histogram(self, bins: int = 40) -> tuple[np.ndarray, np.ndarray]:
        """Return shares of devices by their pulses and the edges of the bins, from 0 to the device with most."""
        counts, edges = np.histogram(self.pulses, bins=bins, range=(0, max(self.most, 1.0)))
        return counts / max(self.pulses.size, 1), edges

    def left(self, updates: int) -> float:
        """Return after how many further updates like those so far the first device is worn; inf without pulses."""
        return max(self.endurance - self.most, 0.0) / (self.most / updates) if self.most and updates else float("inf")


def first_of(wears: Iterable[Wear]) -> Wear | None:
    """Return the array whose fullest device is nearest to its endurance; None of none."""
    return max(wears, key=lambda wear: wear.most / wear.endurance, default=None)
