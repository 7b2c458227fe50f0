"""Slow twin of a closed loop of updates: one device, one round, one pulse, one read at a time, in plain floats."""

from __future__ import annotations

import math

KEEP, PATIENCE = 0.97, 1.02


class Looped:
    """One weight: its device, what it was read as, and its tolerance; weights are shares of the range.

    ``up`` and ``down`` are the steps of the device at weight 0, ``slopes`` what a step loses by its state, ``noise``
    the spread of a step as a share of it, ``write`` that of what is read about the state, ``draw`` a source of normals.
    """

    def __init__(self, up, down, low, high, slopes, state, draw, noise=0.0, write=0.0, stuck=False, offset=0.0):
        self.up, self.down, self.low, self.high, self.slopes = up, down, low, high, slopes
        self.state, self.draw, self.noise, self.write, self.stuck = state, draw, noise, write, stuck
        self.offset, self.seen, self.pulses = offset, None, 0

    @property
    def weight(self):
        """What products read."""
        return self.state + self.offset

    def pulse(self, upwards):
        """Take a pulse."""
        self.pulses += 1
        if self.stuck:
            return
        size, slope = (self.up, self.slopes[0]) if upwards else (-self.down, self.slopes[1])
        step = size * (1 - slope * self.state)
        step += self.noise * abs(step) * self.draw() if self.noise else 0.0
        self.state = min(max(self.state + step, self.low), self.high)

    def read(self, spread):
        """Be read."""
        self.seen = self.weight + (spread * self.draw() if spread else 0.0)


class Column:
    """The devices of one input line, which are read together; ``largest`` is the step that pulses are counted by."""

    def __init__(self, devices, largest, tolerance, rounds, bounds, spread=0.0):
        self.devices, self.largest, self.least, self.rounds, self.spread = devices, largest, tolerance, rounds, spread
        self.tolerances, self.bounds, self.reads = [tolerance] * len(devices), bounds, 0

    def update(self, wanted):
        """Follow what devices are to be; return that, kept within the bounds of the mean device."""
        wanted = [min(max(each, self.bounds[0]), self.bounds[1]) for each in wanted]
        self.tolerances = [min(max(KEEP * e, self.least), 1.0) for e in self.tolerances]
        if self.devices[0].seen is None:
            self.look()
        for _ in range(self.rounds):
            off = []
            for number, device in enumerate(self.devices):
                chi = wanted[number] - device.seen
                if abs(chi) <= self.tolerances[number]:
                    continue
                off.append(number)
                self.tolerances[number] *= PATIENCE
                for _ in range(max(math.floor(abs(chi) / self.largest + 1e-3), 1)):
                    device.pulse(chi > 0)
                device.offset = device.write * self.draw_of(device) if device.write else device.offset
            if not off:
                break
            self.look()
        return wanted

    @staticmethod
    def draw_of(device):
        """Return a normal of a device's own."""
        return device.draw()

    def look(self):
        """Read all devices."""
        self.reads += 1
        for device in self.devices:
            device.read(self.spread)
