# Tested by tests/hw_models/arrays/test_traps.py.
"""Traps in the devices of a crossbar: which have one, its times, and whether it is filled; law: laws/telegraph.py.

By the durations of the chip, as in :mod:`hw_models.arrays.slow_noise`: traps slower than six batches are filled or
empty for a batch, a change of their conductance for both directions; of those down to a third of a sweep the sum over
a line is carried through the phases of a sample, as relaxation processes of their time constants, two for each decade,
with the variance that they have on that line; faster ones are white. At the outputs normals stand for the sum over the
devices of a line, of its variance and covariance in time; that few traps make it less than normal is left out, and so
are reference lines and wires, where carried traps are white. ``exact_noise`` follows every trap of every device.
Without a clock all are white.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from hw_models.arrays.programming import Array, Devices
from hw_models.kernels.random import key, normals, uniforms
from hw_models.laws.spectrum import RATIO
from hw_models.laws.telegraph import TELEGRAPH
from hw_models.reading import Entries


class Traps(NamedTuple):
    """Traps of one slice and side, (lines, in) each."""

    there: Array
    """Whether a device has one."""
    z: Array
    """Normals of the amplitude."""
    tau: Array
    """Relaxation time [s]."""


class TrappedDevices:
    """The traps of one crossbar.

    Parameters
    ----------
    devices : Devices
        The devices.

    Attributes
    ----------
    acts : bool
        Whether any device has a trap.
    p : float
        Share of time that a trap is filled.
    slowest, fastest : float
        Relaxation times above which a trap stands still for a batch, and below which it is white [s].
    """

    def __init__(self, devices: Devices) -> None:
        self.devices, self.device = devices, devices.device
        self.acts = self.device.rtn_share > 0
        self.p = TELEGRAPH.filled(self.device)
        self.keys = {what: key(*devices.place, what) for what in ("trap", "trap amplitude", "trap time", "trap state")}
        self.filled: dict[tuple[int, int], Array] = {}
        self._traps: dict[tuple[int, int], Traps] = {}
        self.variances: dict[tuple[int, int], Array] = {}
        self.restart()

    def restart(self) -> None:
        """Begin anew, as no read has seen any of it."""
        self.slowest = self.fastest = math.inf
        self.moves, self.moved, self.filled, self.variances = 0, 0.0, {}, {}

    @property
    def shape(self) -> tuple[int, int]:
        """Lines of one slice and side, reference lines last."""
        return self.devices.shape[0] + self.devices.references, self.devices.shape[1]

    @property
    def places(self) -> list[tuple[int, int]]:
        """All slices and sides."""
        return [(k, side) for k in range(self.devices.slices) for side in range(self.devices.sides)]

    def of(self, where: tuple[int, int]) -> Traps:
        """Return the traps of a slice and side."""
        if where not in self._traps:
            tile = 2 * where[0] + where[1]
            there = self.devices.drawn(uniforms, self.keys["trap"], 0, tile) < self.device.rtn_share
            z = self.devices.drawn(normals, self.keys["trap amplitude"], 0, tile)
            u = self.devices.drawn(uniforms, self.keys["trap time"], 0, tile)
            self._traps[where] = Traps(there, z, TELEGRAPH.tau(u, self.device))
        return self._traps[where]

    def move(self, now: float, slowest: float, fastest: float) -> None:
        """Let traps capture and emit until now, and sort them by the durations of the chip."""
        if not self.acts:
            return
        self.slowest, self.fastest = slowest, fastest
        passed = abs(now - self.moved)  # back as well, where devices are read earlier than before
        if self.filled and not passed:
            return
        for where in self.places:
            u = self.devices.drawn(uniforms, self.keys["trap state"], self.moves, 2 * where[0] + where[1])
            chance: Array | float = self.p
            if self.filled.keys() >= {where}:
                chance = self.p + (self.filled[where] - self.p) * np.exp(-passed / self.of(where).tau)
            self.filled = {**self.filled, where: u < chance}
        self.moved, self.moves = now, self.moves + 1

    def amplitude(self, where: tuple[int, int], numbers: Array, g: Array) -> Array:
        """Return dG [uS] of devices of these lines that conduct g, 0 without a trap."""
        traps = self.of(where)
        return np.where(traps.there[numbers], TELEGRAPH.amplitude(g, traps.z[numbers], self.device), np.float32(0))

    def found(self, where: tuple[int, int], numbers: Array, g: Array) -> tuple[Array, Array]:
        """Return how far slow traps move these devices, and the variance of the others [uS, uS^2]; both are kept."""
        amplitude, traps = self.amplitude(where, numbers, g), self.of(where)
        slow, p = traps.tau[numbers] > self.slowest, np.float32(self.p)
        moved = np.where(slow, amplitude * (p - self._filled(where, numbers)), np.float32(0))
        variance = np.where(slow, np.float32(0), amplitude**2 * p * (1 - p))
        self.variances.setdefault(where, np.zeros(self.shape, dtype=np.float32))[numbers] = variance
        return moved, variance

    def _filled(self, where: tuple[int, int], numbers: Array) -> Array:
        return self.filled[where][numbers] if self.filled else np.full((len(numbers), self.shape[1]), self.p)

    def total(self, k: int, way: str, unit: float, lines: tuple[int, int]) -> Array:
        """Return the variance of traps that are not slow on every sensed line of a slice (n,); see :meth:`binned`."""
        return sum((self._sums(variance, way, lines) for variance, _ in self._sides(k)), np.zeros(1)) * unit**2

    def binned(self, k: int, way: str, unit: float, lines: tuple[int, int]) -> tuple[Array, Array]:
        """Return time constants (bins,) of carried traps of a slice, and their variance on every sensed line (bins, n).

        In units of a, for drives of the same size on these lines; ``way`` is a direction. A time constant is the
        geometric mean of its traps', by their variances.
        """
        if not 0 < self.fastest < self.slowest:  # reads a time of 0 apart: no trap is between slow and fast
            return np.zeros(0), np.zeros((0, 1))
        edges = np.arange(math.log(self.fastest), math.log(self.slowest) + math.log(RATIO), math.log(RATIO))
        logs = [(np.log(tau), variance) for variance, tau in self._sides(k)]
        places, found, taus = [np.digitize(log, edges) - 1 for log, _ in logs], [], []
        for b in range(len(edges) - 1):
            inside = [(np.where(at == b, each, 0), log) for at, (log, each) in zip(places, logs, strict=True)]
            each = sum((self._sums(part, way, lines) for part, _ in inside), np.zeros(1))
            whole = float(sum(self._sums(part * log, way, lines).sum() for part, log in inside))
            if each.any():
                found.append(each * unit**2)
                taus.append(math.exp(whole / each.sum()))
        return np.array(taus), np.stack(found) if found else np.zeros((0, 1))

    def _sides(self, k: int) -> list[tuple[Array, Array]]:
        """Return variance [uS^2] and relaxation time of the traps of both sides, reference lines left out."""
        outputs, sides = self.devices.shape[0], range(self.devices.sides)
        return [(self.variances[k, side][:outputs], self.of((k, side)).tau[:outputs]) for side in sides]

    @staticmethod
    def _sums(variance: Array, way: str, lines: tuple[int, int]) -> Array:
        own = slice(*lines)
        part = variance[:, own].sum(1, dtype=np.float64) if way == "forward" else variance[own].sum(0, dtype=np.float64)
        return np.asarray(part)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Go on inside, and be what it was afterwards."""
        kept = dict(self.__dict__)
        self.variances = {where: values.copy() for where, values in self.variances.items()}
        try:
            yield
        finally:
            self.__dict__.update(kept)

    def state(self) -> tuple[dict[str, object], list[Array]]:
        """Return what decides later states: numbers, and which traps are filled."""
        return {"moves": self.moves, "moved": self.moved}, [self.filled[where] for where in self.places if self.filled]

    def load(self, about: Entries, arrays: Iterator[Array]) -> None:
        """Take over :meth:`state`."""
        self.moves, self.moved = int(about["moves"]), float(about["moved"])
        self.filled = {where: next(arrays) for where in self.places} if self.moves else {}
