# Tested by tests/hw_models/arrays/test_cells.py.
"""Where the steps up and down of every device of an array are alike: its symmetry point.

    s+ f+(w*) = s- f-(w*)        found by halving between the bounds, from weight 0, on single pulses without noise

A device whose steps balance nowhere is driven to a bound by alternate pulses, which is then its point; one whose steps
are alike everywhere, or that no pulse moves, has weight 0.

Source: Kim et al., arXiv:1907.10228, 2019.
"""

from __future__ import annotations

import numpy as np

from hw_models.arrays.pulses import PulsedDevices

HALVINGS = 26
"""Of the range: single precision."""


def symmetry_points(devices: PulsedDevices) -> np.ndarray:
    """Return the symmetry points of devices, (out, in) in their precision."""
    quiet = devices.pulse.model_copy(update={"noise": 0.0, "noise_base": 0.0, "noise_state": 0.0, "table_noise": None})
    twin = PulsedDevices(quiet, devices.shape, devices.seed, devices.name, devices.run, "float64", devices.limits)
    own, one = twin.devices, np.ones(devices.shape, dtype=np.int64)
    low, high = (np.broadcast_to(each, devices.shape).astype(np.float64) for each in (own.low, own.high))
    middle = np.clip(np.zeros(devices.shape), low, high)
    for _ in range(HALVINGS):
        up, down = middle.copy(), middle.copy()
        twin.apply(up, one, 0 * one, 0)
        twin.apply(down, 0 * one, one, 0)
        drift = (up - middle) - (middle - down)
        low, high = np.where(drift >= 0, middle, low), np.where(drift <= 0, middle, high)
        middle = (low + high) / 2
    return middle.astype(devices.dtype)
