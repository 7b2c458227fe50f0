"""Gains of devices, which part of the error of writes they are, and what is left without them.

A device d achieves (1 + m_d) of each target: r = m_d v + e at v = target/g_max, m of variance tau^2 over the devices
and e of s(v)^2. The best m of a device alone is

    y = sum v r/s^2/B,      B = sum v^2/s^2,      of variance 1/B,

and its share k = tau^2/(tau^2 + 1/B) the best with the others known. What is left without k y has the variance
s^2 (1 - k v^2/(s^2 B)): it is brought back to s^2, or few rows of a device would tell too small an error.

s is a parabola, fitted to what is left, in turn. With rows weighted alike the variances of y came out too small: errors
are largest where targets are, and with these the parts of rows in y. Of 30 devices without gains one set in six was
said to have some.
"""

from __future__ import annotations

import numpy as np

from hw_models.measured.error_polynomial import fitted, sigma_at
from hw_models.measured.population import Estimate, between, moderated

Array = np.ndarray
ROUNDS = 3
ORDER, LEAST = 2, 0.1
"""Of s, and the least of s, as a share of its root mean square."""


def without_gains(v: Array, r: Array, device: Array, write: Array) -> tuple[Array, Estimate]:
    """Return residuals without the gains of devices, (rows,) [uS], and the spread of r/v between devices [uS].

    Parameters
    ----------
    v, r : numpy.ndarray
        (rows,) targets over g_max, and what was achieved less the target [uS].
    device, write : numpy.ndarray
        (rows,) numbers of the device, and of the write: rows of one write, at several ages, have one gain and one draw.
    """
    first, many = np.unique(write, return_index=True)[1], int(device.max()) + 1
    once, aim, own = np.bincount(write, r) / np.bincount(write), v[first], device[first]
    free = np.maximum(np.bincount(own, minlength=many) - 1.0, 1.0)
    aims = np.bincount(own, aim, many) > 0
    # To begin with, rows weigh alike and gains go as a whole: what gains add to errors would take many rounds to leave.
    base = np.where(aims, np.bincount(own, aim**2, many), 1.0)
    y = np.bincount(own, aim * once, many) / base
    cleared = (once - y[own] * aim) / np.sqrt(np.maximum(1 - aim**2 / base[own], 0.05))
    for _ in range(ROUNDS):
        sigma = sigma_at(fitted(ORDER, aim, cleared, None), aim, None)
        w = 1 / np.maximum(sigma, LEAST * float(np.sqrt(np.mean(cleared**2))) + 1e-300) ** 2
        base = np.where(aims, np.bincount(own, w * aim**2, many), 1.0)
        y = np.bincount(own, w * aim * once, many) / base
        square = np.bincount(own, w * (once - y[own] * aim) ** 2, many) / free
        error = np.zeros(many)
        error[aims] = moderated(square[aims], free[aims]) / base[aims]
        found = between(y[aims], error[aims])
        tau2 = found.spread.value**2
        kept = np.where(aims & (tau2 > 0), tau2 / np.maximum(tau2 + error, 1e-300), 0.0)
        best = found.mean + kept * (y - found.mean)
        rest = np.sqrt(np.maximum(1 - (kept / base)[own] * w * aim**2, 1e-3))
        cleared = (once - best[own] * aim) / rest
    return (r - best[device] * v) / rest[write], found.spread
