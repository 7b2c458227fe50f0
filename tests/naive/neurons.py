"""Slow twin of the dense neurons: one at a time, the nudged minimiser by bisection of its stationarity condition."""

from __future__ import annotations

import math

import numpy as np

RANGES = {"hard_sigmoid": (0.0, 1.0), "smooth_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "linear": (-1e6, 1e6)}


def state(name, slope, u):
    """s = grad G*(u)."""
    if name == "hard_sigmoid":
        return min(max(slope * u, 0.0), 1.0)
    if name == "smooth_sigmoid":
        return 0.5 * (1.0 + math.tanh(0.5 * u))
    return math.tanh(u) if name == "tanh" else u


def energy(name, slope, s):
    """G(s)."""

    def x_log_x(x):
        return x * math.log(x) if x > 0 else 0.0

    if name == "hard_sigmoid":
        return s * s / (2 * slope)
    if name == "smooth_sigmoid":
        return x_log_x(s) + x_log_x(1 - s)
    return 0.5 * (x_log_x(1 + s) + x_log_x(1 - s)) if name == "tanh" else 0.5 * s * s


def minimiser(name, slope, u, y, beta):
    """State at which s = grad G*(u - beta (s - y)), found by 200 bisections of its range."""
    low, high = RANGES[name]
    for _ in range(200):
        s = 0.5 * (low + high)
        if state(name, slope, u - beta * (s - y)) > s:
            low = s
        else:
            high = s
    return 0.5 * (low + high)


def respond(name, slope, product, feedback, old, target, beta, mode, dt):
    """Return the moved states, (batch, size); ``mode`` is free, minimiser or synchronous."""
    moved = np.zeros(old.shape)
    for b in range(old.shape[0]):
        for i in range(old.shape[1]):
            u = float(product[b, i]) + (float(feedback[b, i]) if feedback.size else 0.0)
            s = float(old[b, i])
            if mode == "free":
                new = state(name, slope, u)
            elif mode == "minimiser":
                new = minimiser(name, slope, u, float(target[b, i]), beta)
            else:
                new = state(name, slope, u - beta * (s - float(target[b, i])))
            moved[b, i] = s + dt * (new - s)
    return moved
