# Tested by tests/hw_models/arrays/test_population.py.
"""How the response to pulses differs from device to device, and from pulse to pulse.

Every random number comes in as an argument: ``z`` a standard normal, ``u`` a uniform in [0, 1). Shapes broadcast.

=========================  =====================================================================================
step of a device           normal: dw_min max(1 + spread z, 0);  log_normal: dw_min exp(spread z), dw_min its median
two that go together       z' = rho z + sqrt(1 - rho^2) z2, so that z and z' have the correlation rho
noise of a step            normal: 1 + noise z;  log_normal: exp(q z - q^2/2), q^2 = ln(1 + noise^2): the same mean and
                           variance, and no step is turned round
corrupt devices            u < corrupt: no step moves them, and they are stuck at a weight uniform in their range;
                           u >= 1 - unresponsive: no step moves them, and they keep what they were programmed with
=========================  =====================================================================================

Source: log-normal steps and corrupt devices of arrays of resistive memory, Gong, Rasch et al., IEDM 2022, as in
aihwkit 1.2 (dw_min_dtod_log_normal, corrupt_devices_prob).
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
LAWS = ("normal", "log_normal")
"""Names of distributions."""


def steps(z: Array, spread: float, law: str) -> Array:
    """Return what the step of every device is to dw_min, from standard normals; these are overwritten."""
    z *= z.dtype.type(spread)
    if law == "log_normal":
        return np.exp(z, out=z)
    z += z.dtype.type(1)
    return np.maximum(z, z.dtype.type(0), out=z)


def together(z: Array, other: Array, correlation: float) -> Array:
    """Return standard normals of that correlation with ``z``."""
    one = z.dtype.type
    return one(correlation) * z + one(np.sqrt(1 - correlation**2)) * other


def log_normal(noise: float, law: str) -> tuple[np.float32, np.float32, np.float32]:
    """Return (r, h, noise) of draws (exp(r xi - h) - 1)/noise of mean 0 and variance 1; noise 0: they stay normal."""
    if law == "normal" or not noise:
        return np.float32(0), np.float32(0), np.float32(0)
    square = np.log1p(noise**2)
    return np.float32(np.sqrt(square)), np.float32(square / 2), np.float32(noise)


def lost(u: Array, corrupt: float, unresponsive: float) -> tuple[Array, Array]:
    """Return the masks of devices that are stuck at a weight of their own, and of those that keep theirs."""
    stuck = u < corrupt
    return stuck, (u >= 1 - unresponsive) & ~stuck


def stuck_at(u: Array, low: Array, high: Array, reach: float | None) -> Array:
    """Return weights uniform between the bounds, and within ``reach`` of 0 where there is one."""
    if reach is not None:
        low, high = np.clip(-reach, low, high), np.clip(reach, low, high)
    return low + (high - low) * u.astype(low.dtype, copy=False)
