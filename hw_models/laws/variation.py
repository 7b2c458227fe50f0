"""What differs from device to device: ranges, gains, faults; conductances in uS, float32 in and out.

Every random number comes in as an argument: ``z`` a standard normal, ``u`` a uniform in [0, 1). Shapes broadcast.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hw_models.laws.curves import Array, ConductanceRange, single


class Varied(ConductanceRange, Protocol):
    """What is asked of a device."""

    @property
    def mismatch(self) -> float: ...

    @property
    def stuck_low(self) -> float: ...

    @property
    def stuck_high(self) -> float: ...


def bounds(z_min: Array, z_max: Array, device: Varied) -> tuple[Array, Array]:
    """Return every device's lowest and highest conductance [uS]; a range turned round is empty, at its lower end."""
    low = np.maximum(single(z_min) * (device.g_min_spread * device.g_min) + device.g_min, 0)
    high = single(z_max) * (device.g_max_spread * device.g_max) + device.g_max
    return low, np.maximum(high, low)


def gains(z: Array, device: Varied) -> Array:
    """Return the gain max(0, 1 + mismatch z) with which every device conducts."""
    return np.maximum(single(z) * device.mismatch + 1, 0)


def stuck(u: Array, device: Varied) -> tuple[Array, Array]:
    """Return the masks of devices stuck at g_min (u < stuck_low) and at g_max (u >= 1 - stuck_high)."""
    low = single(u) < device.stuck_low
    return low, (single(u) >= 1 - device.stuck_high) & ~low
