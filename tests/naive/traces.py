"""Slow twin of measured devices: one device, one pulse at a time, in float64, straight from the equations.

Shares no line with the arrays of pulsed devices, nor with what is fitted to traces.
"""

from __future__ import annotations

import math

import numpy as np


def factors(response, w, high, low):
    """Factors of a step up and of one down of the devices that tests measure."""
    if response == "constant":
        return 1.0, 1.0
    if response == "linear":
        return 1 - 0.4 * w, 1 + 0.6 * w
    if response == "soft_bounds":
        return 1 - w / high, 1 - w / low
    if response == "exponential":
        return 1 - 0.15 * math.exp(1.2 * w), 1 - 0.1 * math.exp(-1.5 * w)
    if response == "power":
        return ((high - w) / (high - low)) ** 1.5, ((w - low) / (high - low)) ** 0.7
    x = (w - low) / (high - low)  # a table: steps rise from 0.6 to 1.4 in the middle, and fall again
    return 1.4 - 1.6 * abs(x - 0.5), 0.8 + 0.4 * x


def measure(
    response, seed, *, devices=30, pulses=100, cycles=4, dw_min=0.04, dw_min_spread=0.0, up_down=0.0,
    up_down_spread=0.0, w_max_spread=0.0, w_min_spread=0.0, noise=0.0, noise_base=0.0, multiple=None, reading=0.0,
    g_min=10.0, g_max=30.0,
):  # fmt: skip
    """Return conductances (devices, readings) [uS] and directions; ``reading`` is in uS."""
    draw = np.random.default_rng(seed).normal
    directions = cycles * ([1] * pulses + [-1] * pulses)
    rows = []
    for _ in range(devices):
        step = dw_min * max(1 + dw_min_spread * draw(), 0.0)
        tilt = up_down + up_down_spread * draw()
        up, down = step * (1 + min(tilt, 0.0)), step * (1 - max(tilt, 0.0))
        high, low = 1 + w_max_spread * draw(), -(1 + w_min_spread * draw())
        w, row = low, [low]
        for sign in directions:
            size = (up if sign > 0 else down) * factors(response, w, high, low)[0 if sign > 0 else 1]
            many = 1.0 if multiple is None else multiple((w - low) / (high - low))
            sigma = noise * many * abs(size) + noise_base * (up if sign > 0 else down)
            w = min(max(w + sign * (size + sigma * draw()), low), high)
            row.append(w)
        rows.append([g_min + (g_max - g_min) / 2 * (w + 1) + reading * draw() for w in row])
    return np.array(rows), np.array(directions)
