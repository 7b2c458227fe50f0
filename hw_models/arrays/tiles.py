# Tested by tests/hw_models/arrays/test_crossbar.py.
"""What the devices of a crossbar do to a product, as matrices: their mean read and its variance.

Each (row tile, column tile) of a side has word and bit lines of its own; G+ and G- are separate arrays, reference
lines are the last of their tile. Without wires the noise of a product of signals x with one line, its devices
independent and fresh in every read, is

    additive      sigma^2 sum_j x_j^2           for each side
    otherwise     sum_j x_j^2 v_j               a second product, with x^2

Behind wires the mean is that of G_eff (:mod:`hw_models.arrays.wires`) at the conductances m - Z v, with mean m and
variance v of a read and the impedance Z of the lines: a fluctuation dg counts as dg - Z dg^2 to second order. Between
two solutions of the network (Wires.refresh_every) its share and beside are kept, G_eff = share G + beside, and what it
does to noise. Noise there belongs to every tile as a whole: :mod:`hw_models.arrays.line_noise`. Devices that are no
resistors are solved with the drives of every read: :mod:`hw_models.arrays.bent_wires`; the matrices are then those of
resistors.
"""

from __future__ import annotations

import logging
import math
from typing import NamedTuple

import numpy as np

from hw_models.arrays import line_noise, wires
from hw_models.arrays.bent_tiles import MICRO, BentPair
from hw_models.arrays.bent_wires import BentTile
from hw_models.arrays.planes import Plane, Side
from hw_models.arrays.programming import BLOCK, Array, Devices
from hw_models.arrays.slow_noise import SlowNoise
from hw_models.arrays.traps import TrappedDevices
from hw_models.kernels.blocks import Run, blocks
from hw_models.laws.curves import Seconds

_log = logging.getLogger(__name__)

NOTHING = np.zeros((), dtype=np.float32)
"""Variance that is not there [uS^2]."""


class Job(NamedTuple):
    """One building of the matrices."""

    planes: list[Plane]
    held: Array
    fresh: bool
    turn: int
    solve: bool


class Tiles:
    """Builds the matrices of one crossbar and keeps what its wires left of every device.

    Parameters
    ----------
    devices : Devices
        The devices.
    noise : SlowNoise
        What of their read noise lasts.
    traps : TrappedDevices
        Those that have a trap.
    """

    def __init__(self, devices: Devices, noise: SlowNoise, traps: TrappedDevices) -> None:
        self.noise = noise
        self.devices, self.layout, self.wires, self.device = devices, devices.layout, devices.wires, devices.device
        self.law = self.device.noise
        self.traps = traps
        noisy = self.device.noisy
        self.beside = traps.acts
        self.uniform = self.law.uniform and not devices.wired and not self.beside
        self.bent = devices.wired and not self.device.current_voltage.linear
        self.lined = noisy and devices.wired and not self.bent
        fast = noisy and not self.lined and not self.bent
        self.exact = fast and self.layout.exact_noise
        self.by_device = self.exact or (noisy and self.bent)
        self.varied = fast and not self.uniform and not self.exact
        self.kept: dict[str, Array] = {}
        self.networks: dict[tuple[int, int, int, int], line_noise.LineNetwork] = {}
        self.told = False

    def planes(self, held: Array, fresh: bool, turn: int, solve: bool, run: Run) -> tuple[list[Plane], float]:
        """Return the matrices of all slices, and the ratio of summed conductances at programming and now.

        Parameters
        ----------
        held : numpy.ndarray
            (out, in) normalised weights: to be programmed if ``fresh``, else as the devices hold them.
        fresh : bool
            Whether programming acts.
        turn : int
            Number of the programming.
        solve : bool
            Whether to solve the wires anew.
        run : callable
            Runs blocks of outputs.
        """
        own = self.devices
        bent = own.bends or (fresh and own.writes) or bool(self.noise.classes.slow) or self.traps.acts
        factors = own.targets(held[:1, :1])[1]
        found = [self._empty(held, bent, k, float(factor)) for k, factor in enumerate(factors)]
        if not (bent or self.varied or self.exact):
            return found, 1.0
        job = Job(found, held, fresh, turn, solve)

        def block(first: int, last: int) -> Array:
            return self._fill(job, (first, last))

        def tile(c: int, _: int) -> Array:
            return self._fill_wired(job, c)

        if own.wired:
            sums = run(tile, blocks(len(own.column_tiles), 1))
            self._tell(found)
        else:
            sums = [self._fill_references(job)] if own.references else []
            sums += run(block, blocks(len(held), max(1, BLOCK // max(held.shape[1], 1))))
        before, now = np.sum(sums, axis=0)
        ratio = float(before / now) if now > 0 else 1.0
        return [self._compensated(plane, ratio) for plane in found] if own.digital else found, ratio

    def _compensated(self, plane: Plane, ratio: float) -> Plane:
        """Return the plane with the middle that is subtracted behind the compensation, by currents ahead of it."""
        if not self.device.drift_compensation or ratio == 1:
            return plane
        plane.mean[:] += plane.mean.dtype.type(plane.zero * (1 - 1 / ratio))
        return plane._replace(zero=plane.zero / ratio)

    def _empty(self, held: Array, bent: bool, k: int, factor: float) -> Plane:
        """Return matrices to be filled; the mean is the held weight itself where it is what is read."""
        own, (outputs, inputs) = self.devices, held.shape
        read = np.empty_like(held) if bent else held
        variance = np.empty_like(held) if self.varied else None
        shape = (len(own.column_tiles), inputs)
        reference = np.empty(shape, held.dtype) if self.varied and own.references else None
        middle = np.full(shape, own.zeros[k], held.dtype) if own.references else None
        zero = float(own.unit * own.zeros[k]) if own.digital else 0.0
        sides = []
        for side in range(own.sides if self.by_device else 0):
            g, sigma, mean = (np.empty((outputs + own.references, inputs), dtype=np.float32) for _ in range(3))
            sides.append(Side(g, mean if self.law.shifts else g, sigma, -1.0 if side else 1.0))
        uniform = (self.device.read_noise * own.unit) ** 2 * self.noise.rest if self.uniform else 0.0
        return Plane(read, variance, reference, middle, zero, uniform, factor, sides, {}, {})

    def _fill(self, job: Job, outputs: tuple[int, int]) -> Array:
        """Fill the rows of some outputs, without wires; return sums of G programmed and now."""
        own, (first, last), unit, sums = self.devices, outputs, job.held.dtype.type(self.devices.unit), np.zeros(2)
        numbers = np.arange(first, last)
        for (k, side), _, before, now in own.lines(job.held[first:last], first, job.fresh, job.turn):
            sums += before.sum(dtype=np.float64), now.sum(dtype=np.float64)
            mean, variance = self._moments(before, now, numbers, (k, side))
            plane = job.planes[k]
            self._put_mean(job, (k, side), outputs, mean)
            if plane.variance is not None:
                part = plane.variance[first:last]
                part[:] = variance * unit**2 + (part if side else 0)
            if plane.sides:
                plane.sides[side].put(numbers, now, self._sigma(before, now, numbers, side), self.law)
        return sums

    def _fill_references(self, job: Job) -> Array:
        """Fill what belongs to reference lines without wires; return their sums of G programmed and now."""
        own, size, sums = self.devices, len(job.held), np.zeros(2)
        lines = np.zeros((own.references, job.held.shape[1]), dtype=job.held.dtype)
        counts, numbers = np.array([[b - a] for a, b in own.reference_lines]), size + np.arange(own.references)
        for (k, side), _, before, now in own.lines(lines, size, job.fresh, job.turn):
            sums += before.sum(dtype=np.float64), now.sum(dtype=np.float64)
            mean, variance = self._moments(before, now, numbers, (k, side))
            plane = job.planes[k]
            if plane.middle is not None:
                plane.middle[:] = own.averaged(mean)
            if plane.reference is not None:
                plane.reference[:] = own.averaged(variance) / counts * own.unit**2
            if plane.sides:
                plane.sides[side].put(numbers, now, self._sigma(before, now, numbers, side), self.law)
        return sums

    def _put_mean(self, job: Job, where: tuple[int, int], outputs: tuple[int, int], mean: Array) -> None:
        """Put the mean of reads of one side's lines into the weights of its slice."""
        own, (k, side), (first, last), plane = self.devices, where, outputs, job.planes[where[0]]
        if plane.mean is job.held:
            return
        part, unit = plane.mean[first:last], job.held.dtype.type(own.unit)
        if own.digital:
            part[:] = (mean - mean.dtype.type(own.zeros[k])) * unit
        elif plane.middle is not None:
            part[:] = (mean - plane.middle[own.tile_of[first:last]]) * unit
        elif side == 0:
            np.multiply(mean, unit, out=part)
        else:
            part -= mean * unit

    def _moments(self, before: Array, now: Array, numbers: Array, where: tuple[int, int]) -> tuple[Array, Array]:
        """Return mean and variance of reads at the devices of lines of these numbers, given their slow noise.

        Of what is drawn device by device it is in the draws.
        """
        if not (self.device.read_noise or self.beside):
            return now, now
        level, sigma, more = self._levels(before, now, numbers, where)
        mean, variance = self.law.moments(level, sigma)
        return mean, variance + more if self.beside else variance

    def _levels(self, before: Array, now: Array, numbers: Array, where: tuple[int, int]) -> tuple[Array, Array, Array]:
        """Return what reads vary about, by what deviation of their law, and the variance beside that [uS, uS, uS^2]."""
        sigma, level, more = self._sigma(before, now, numbers, where[1]), now, NOTHING
        if self.traps.acts:
            more = np.zeros_like(now)
            moved, variance = self.traps.found(where, numbers, now)
            level, more = (now, more) if self.by_device else (now + moved, more + variance)
        slow = None if self.by_device else self.noise.perturbation(where, numbers)
        if slow is not None:
            level, sigma = level + sigma * slow, sigma * np.float32(math.sqrt(max(self.noise.rest, 0.0)))
        return level, sigma, more

    def _sigma(self, before: Array, now: Array, numbers: Array, side: int) -> Array:
        """Return the standard deviations of reads at the devices."""
        written, kept = self.devices.settled.holding(before), None
        if written is not None:
            kept = written.share = self.law.kept(before, self.device) if written.share is None else written.share
        return self.law.sigma(now, before, self.device, self._age(numbers, side), kept)

    def _age(self, numbers: Array, side: int) -> Seconds:
        """Return the seconds since the last write, where the law asks for them."""
        return self.devices.age(numbers, side) if self.device.flickers else 0.0

    def _fill_wired(self, job: Job, c: int) -> Array:
        """Fill one column tile, reference lines in it; return sums of G programmed and now."""
        own, size, sums, (first, last) = self.devices, len(job.held), np.zeros(2), self.devices.column_tiles[c]
        begin, end = own.reference_lines[c] if own.references else (0, 0)
        numbers = np.concatenate([np.arange(first, last), size + np.arange(begin, end)])
        blank = np.zeros((end - begin, job.held.shape[1]), job.held.dtype)
        lines = own.lines(job.held[first:last], first, job.fresh, job.turn)
        beside = list(own.lines(blank, size + begin, job.fresh, job.turn)) if own.references else []
        for number, ((k, side), _, before, now) in enumerate(lines):
            if beside:
                before, now = (np.concatenate(both) for both in zip((before, now), beside[number][2:], strict=True))
            sums += before.sum(dtype=np.float64), now.sum(dtype=np.float64)
            mean, variance = self._moments(before, now, numbers, (k, side))
            read, plane = np.empty_like(mean), job.planes[k]
            counted = mean - self._lost(mean, variance) if self.lined else mean
            for r, (a, b) in enumerate(own.row_tiles):
                cut = slice(a, b)
                g, network = self._network((k, side, r, c), numbers, cut, counted, variance, job.solve)
                share, left = wires.attenuation(g, network.effective)
                read[:, cut] = share.T * counted[:, cut] + left.T / MICRO
                if self.bent:
                    plane.bent[r, c, side] = self._bent_pair(side, mean[:, cut])
                if self.lined:
                    level, sigma, more = self._levels(before, now, numbers, (k, side))
                    sigma = np.sqrt(sigma**2 + more) if self.beside else sigma
                    tile = [values[:, cut] * own.unit for values in (level, mean, sigma)]
                    self._put_noise(plane, (r, c, side), network, variance[:, cut] * own.unit**2, tile)
            if plane.sides:
                plane.sides[side].put(numbers, now, self._sigma(before, now, numbers, side), self.law)
            if plane.middle is not None:
                plane.middle[c] = read[last - first :].mean(0)
            self._put_mean(job, (k, side), (first, last), read[: last - first])
        return sums

    def _bent_pair(self, side: int, mean: Array) -> BentPair:
        """Return one side of a tile for Newton's method; mean (lines, in) [uS]."""
        line, law = self.wires, self.device.current_voltage
        tile = BentTile(mean.T.astype(np.float64) * MICRO, line.r_word, line.r_bit, law, self.device)
        return BentPair(tile, float(self.devices.unit) * (-1 if side else 1))

    def _lost(self, mean: Array, variance: Array) -> Array:
        """Return Z v [uS] of the devices of a column tile, at most their mean; nothing where that is below 0."""
        line, lost, held = self.wires, np.empty_like(mean), np.maximum(mean, 0)
        for a, b in self.devices.row_tiles:
            ohm = wires.impedance(held[:, a:b].T * MICRO, line.r_word, line.r_bit).T
            lost[:, a:b] = ohm * MICRO * variance[:, a:b]
        return np.minimum(lost, held)

    def _network(
        self, place: tuple[int, int, int, int], numbers: Array, cut: slice, mean: Array, variance: Array, solve: bool
    ) -> tuple[Array, line_noise.LineNetwork]:
        """Return the conductances (word, bit) [S] at which a tile was solved last, and its solution.

        Noise that lasts may bring the mean of reads below 0, of devices that hardly conduct: such are solved as open,
        and what they pass is in the share that the wires leave of it.
        """
        line, names = self.wires, [f"{what}.{place[0]}.{place[1]}" for what in ("solved", "spread")]
        if not self.kept:
            g, spread = mean[:, cut], variance[:, cut]
        else:
            if solve:
                for name, values in zip(names, (mean, variance), strict=True):
                    self.kept[name][numbers, cut] = values[:, cut]
            g, spread = (self.kept[name][numbers, cut] for name in names)
        g = np.maximum(g.T.astype(np.float64), 0) * MICRO
        if self.kept and not solve and place in self.networks:
            return g, self.networks[place]
        noisy = spread.T.astype(np.float64) if self.lined else None
        found = line_noise.solve(g, line.r_word, line.r_bit, noisy, self.layout.exact_noise)
        if self.kept:
            self.networks[place] = found
        return g, found

    def _put_noise(
        self,
        plane: Plane,
        where: tuple[int, int, int],
        network: line_noise.LineNetwork,
        variance: Array,
        tile: list[Array],
    ) -> None:
        """Put the noise of one tile and side, in units of a; ``tile`` is g now, mean of a read, sigma (lines, in)."""
        own, (r, c, side) = self.devices, where
        outputs = own.combined(c)
        if network.drives is not None:
            forward, transposed = network.drives
            plane.noise["forward", r, c, side] = forward.fast(variance.T, outputs)
            plane.noise["transposed", r, c, side] = transposed.fast(variance, None)
            return
        g, mean, sigma = (np.ascontiguousarray(values.T, dtype=np.float32).ravel() for values in tile)
        sign, (across, transfer) = np.float32(-1 if side else 1), network.tensors()
        sensed = transfer if outputs is None else transfer @ outputs.astype(np.float32)
        own_draws = g, mean, sigma, self.law
        plane.noise["forward", r, c, side] = line_noise.Exact(across, sensed * sign, *own_draws)
        plane.noise["transposed", r, c, side] = line_noise.Exact(transfer, across * sign, *own_draws)

    def _tell(self, planes: list[Plane]) -> None:
        """Say once how many tiles leave the fast form of their noise."""
        if self.told or not self.lined or self.layout.exact_noise:
            return
        found = [noise for plane in planes for noise in plane.noise.values()]
        off = sum(isinstance(noise, line_noise.Exact) and noise.large for noise in found)
        if off:
            self.told = True
            _log.warning(
                "%s: read noise of %d of %d tiles is drawn device by device, as their wires take too much of the "
                "current for noise at the outputs; smaller crossbar.rows and columns, or wires, are faster",
                self.devices.place[1], off // 2, len(found) // 2,
            )  # fmt: skip

    def allot(self) -> None:
        """Make room for what is kept between two solutions of the wires: mean and variance of reads [uS] at the last.

        The solutions themselves stay in memory alone; they are found again from these.
        """
        own = self.devices
        if own.wired and self.wires.refresh_every > 1 and not self.kept:
            shape = (own.shape[0] + own.references, own.shape[1])
            for k in range(own.slices):
                for side in range(own.sides):
                    for what in ("solved", "spread"):
                        self.kept[f"{what}.{k}.{side}"] = np.zeros(shape, dtype=np.float32)
