"""Slow twins of cells: one device, one pulse at a time, in double precision."""

from __future__ import annotations

import numpy as np


class Device:
    """One device with a step, bounds and a slope of its own; affine responses."""

    def __init__(self, own, place, state):
        found = [float(field[place[0] if len(field) > 1 else 0, place[1]]) for field in own]
        self.up, self.down, self.high, self.low, self.c_up, self.c_down = found
        self.state = float(state)

    def pulse(self, up):
        """Take one pulse without noise."""
        step = self.up * (1 - self.c_up * self.state) if up else -self.down * (1 - self.c_down * self.state)
        self.state = min(max(self.state + step, self.low), self.high)


def weight_after(kind, plus, minus, ways):
    """Weight of a pair behind pulses of these ways."""
    for up in ways:
        if kind == "one_sided":
            (plus if up else minus).pulse(True)
        else:
            plus.pulse(up)
            minus.pulse(not up)
    return plus.state - minus.state


def balance(up, down, low, high):
    """State at which steps up and down are alike, from a dense grid; a bound where they are so nowhere."""
    grid = np.linspace(low, high, 20_001)
    drift = up(grid) - down(grid)
    if (drift > 0).all():
        return high
    if (drift < 0).all():
        return low
    return float(grid[np.argmin(np.abs(drift))])


def refreshed(plus, minus, above, lesser, full, step):
    """States of a pair behind an open-loop refresh of soft devices that are reset to 0."""
    large, small = max(plus, minus) / full, min(plus, minus) / full
    if not (large > above and small > lesser):
        return plus, minus
    state = 0.0
    for _ in range(round(abs(plus - minus) / step)):
        state += step * (1 - state / full)
    return (state, 0.0) if plus > minus else (0.0, state)
