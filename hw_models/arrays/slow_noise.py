# Tested by tests/hw_models/arrays/test_slow_noise.py.
"""Read noise with a time: what of it a crossbar keeps from one read to the next, once its chip has a clock.

The noise of a device is a sum of relaxation processes (:mod:`hw_models.laws.spectrum`). By their time constants tau and
the durations of the chip they are of three classes:

    slow       tau above six batches       matrices of the devices, moved on by exp(-dt/tau) once a batch: a
                                           perturbation of the conductances, the same for both directions
    carried    from a third of a sweep up  normals at the outputs, by sample and direction, carried through its phases
    white      faster                      fresh in every read

Slow processes are exact. Carried ones are of the sum over a line, sum_j x_j n_j, and follow its signal x as
:mod:`hw_models.kernels.carried` says: the covariance of two reads with signals x and x' is exact as far as either has
a part along the signal that the noise is kept of, in the metric of the line's variance averaged over the sensed
lines. Approximated: what lies beside it counts as white, and once a signal has turned (cos^2 < .98) noise is kept of
the new one, and what an earlier one had beside it is forgotten; the noise of forward and transposed reads of one
array, which share the devices, is independent (their covariance is one device's of many); of rows that are not the
samples of a batch, as the tokens of a held input or single columns, carried processes last for one product, its
repeats and the digits of its codes; behind wires they are white; slow ones behind wires that are solved at every
building move on when something is written. Copies of the chip share the slow part. The digits of a code each find
their part of what is carried for the whole code. Thermal noise is white.
Processes are moved on by whole multiples of a fourth of tau, from a phase of it that differs by process and batch.
Where devices are read earlier than before (``read_at``) they move back as they move on: such processes, and traps, are
the same in either direction of time.

``exact_noise`` draws every process of every device (:mod:`hw_models.arrays.device_noise`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from hw_models.arrays.programming import Array, Devices
from hw_models.clock import Clock
from hw_models.errors import ChipError
from hw_models.kernels.carried import MOST
from hw_models.kernels.random import key, normals
from hw_models.laws.spectrum import WHITE, Spectrum
from hw_models.reading import Entries

FAST = 3.0
"""Sweeps over the time constant of a process from which it counts as white."""
SLOW = 6.0
"""Time constant of a process over a batch above which it is of the devices."""
FINE = 4.0
"""Moves of a process within its time constant."""
GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it are spread evenly over the unit interval, whole parts left out."""


class Classes(NamedTuple):
    """Processes by class, as numbers of the spectrum."""

    spectrum: Spectrum
    slow: tuple[int, ...]
    carried: tuple[int, ...]

    def share(self, which: tuple[int, ...]) -> float:
        """Return the share of the variance of some."""
        return float(sum(self.spectrum.shares[k] for k in which))


NOTHING = Classes(WHITE, (), ())


def classified(spectrum: Spectrum, interval: float, batch: float) -> Classes:
    """Return the classes of processes on a chip that reads every ``interval`` seconds, ``batch`` seconds long."""
    taus = spectrum.taus.tolist()
    slow = tuple(k for k, tau in enumerate(taus) if tau > SLOW * batch)
    carried = tuple(k for k, tau in enumerate(taus) if interval / FAST <= tau <= SLOW * batch)
    return Classes(spectrum, slow, carried[-MOST:])


def phase(batch: int, process: int) -> float:
    """Return where between two moves a process begins, from 0 to 1: evenly spread over batches."""
    return (batch + 1) * (process + 1) * GOLDEN % 1


class SlowNoise:
    """The slow processes of the devices of one crossbar, and the classes of all.

    Parameters
    ----------
    devices : Devices
        Whose noise it is.
    clock : Clock
        Of the chip.

    Attributes
    ----------
    active : bool
        Whether read noise has a time at all, that of traps included.
    banded : bool
        Whether its processes do.
    classes : Classes
        As of the last move.
    rest : float
        Share of the variance that is not slow.
    """

    def __init__(self, devices: Devices, clock: Clock) -> None:
        self.devices, self.clock = devices, clock
        device = devices.device
        self.law = device.noise
        banded = device.read_noise > 0 and self.law.band(device, 0.0) is not None
        self.active = clock.passes and (banded or device.rtn_share > 0)
        self.banded = banded
        self.key = key(*devices.place, "slow noise")
        self.moved: dict[int, float] = {}
        self.processes: dict[int, Array] = {}
        self._sum: Array | None = None
        self.restart()

    def restart(self) -> None:
        """Begin anew, as no read has seen any of it."""
        self.classes, self.rest = NOTHING, 1.0
        self.moved, self.processes, self._sum = {}, {}, None
        self.moves, self.batches, self.edge = 0, -1, math.nan

    @property
    def due(self) -> bool:
        """Whether a batch has ended since the processes were moved."""
        return self.active and self.clock.batches != self.batches

    def move(self, age: float, again: bool = False) -> None:
        """Move the slow processes on to now, and sort all by the durations of the chip.

        Parameters
        ----------
        age : float
            Since the write [s].
        again : bool
            Sort them as they were sorted before, at the moment of that: where a state is taken over, whose last batch
            may have taken much longer or shorter than those before. The next batch moves them on.
        """
        if not self.active:
            return
        if math.isnan(self.edge) or not (again or self.edge / 4 <= self.clock.batch <= self.edge * 4):
            self.edge = self.clock.batch
        band = (self.law.band(self.devices.device, age) if self.banded else None) or WHITE
        self.classes = classified(band, self.clock.interval, self.edge)
        self.rest = max(1.0 - self.classes.share(self.classes.slow), 0.0)
        self.batches, now = self.batches if again else self.clock.batches, self.devices.now
        kept = {k: self.processes[k] for k in self.classes.slow if k in self.processes}
        changed = kept.keys() != self.processes.keys()
        self.processes = kept
        for k in self.classes.slow:
            tau = float(band.taus[k])
            if k not in kept:
                kept[k], self.moved[k] = self._normals(k), now - phase(0, k) * tau / FINE
                changed = True
            elif passed := math.trunc((now - self.moved[k]) * FINE / tau) * tau / FINE:
                a, z = math.exp(-abs(passed) / tau), self._normals(k)
                z *= np.float32(math.sqrt(1 - a * a))
                z += kept[k] * np.float32(a)
                kept[k], self.moved[k] = z, self.moved[k] + passed
                changed = True
        self.moves += changed
        self._sum = None

    def _normals(self, process: int) -> Array:
        """Return fresh normals of all devices (slices x sides, lines, in), reference lines last."""
        own = self.devices
        count, lines = own.slices * own.sides, own.shape[0] + own.references
        found = normals(self.key, self.moves, process, (count * lines, own.shape[1]))
        return found.reshape(count, lines, own.shape[1])

    def perturbation(self, where: tuple[int, int], numbers: Array) -> Array | None:
        """Return the slow noise of devices of these lines of (slice, side) over the sigma of a read, (lines, in)."""
        if not self.classes.slow:
            return None
        if self._sum is None:
            shares = self.classes.spectrum.shares
            total = np.zeros_like(self.processes[self.classes.slow[0]])
            for k in self.classes.slow:
                total += self.processes[k] * np.float32(math.sqrt(shares[k]))
            self._sum = total
        first, last = int(numbers[0]), int(numbers[-1]) + 1
        lines: Array | slice = slice(first, last) if last - first == len(numbers) else numbers
        found: Array = self._sum[where[0] * self.devices.sides + where[1], lines]
        return found

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Go on inside, and be what it was afterwards."""
        kept = dict(self.__dict__)
        self.moved, self.processes = dict(self.moved), dict(self.processes)
        try:
            yield
        finally:
            self.__dict__.update(kept)

    def state(self) -> tuple[dict[str, object], list[Array]]:
        """Return what decides later draws: numbers, and matrices."""
        numbers = sorted(self.processes)
        about = {
            "processes": [[k, self.moved[k]] for k in numbers],
            "moves": self.moves,
            "batches": self.batches,
            "edge": None if math.isnan(self.edge) else self.edge,
        }
        return about, [self.processes[k] for k in numbers]

    def load(self, about: Entries, matrices: Iterator[Array]) -> None:
        """Take over :meth:`state`, its matrices flat one after the other."""
        own = self.devices
        shape = (own.slices * own.sides, own.shape[0] + own.references, own.shape[1])
        self.processes, self.moved = {}, {}
        for k, when in about["processes"]:
            values = next(matrices)
            if values.size != math.prod(shape):
                raise ChipError(f"{own.place[1]}: slow noise of {values.size} devices, the crossbar has {shape}")
            self.processes[int(k)], self.moved[int(k)] = values.reshape(shape), float(when)
        self.moves, self.batches = int(about["moves"]), int(about["batches"])
        edge = about["edge"]
        self.edge = math.nan if edge is None else float(edge)
        self._sum = None
