"""What the devices of a crossbar do to a product, as matrices: their mean read, its variance, both with the wires.

Each (row tile, column tile) of a side has word and bit lines of its own; G+ and G- are separate arrays, a reference
column is the last of its tile. With G_eff of :mod:`hw_models.wires`, G_eff = share G + beside, a read of a device with
mean m and variance v counts as G_eff + share (m - G) with variance share^2 v: its noise passes the lines as its
current does. Between two solutions of the network share and beside are kept (Wires.refresh_every).

Noise of a product of signals x with one line, its devices independent and fresh in every read:

    additive, no wires   sigma^2 sum_j x_j^2           for each side
    otherwise            sum_j x_j^2 v_j               a second product, with x^2
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from hw_models import devices, wires
from hw_models.blocks import Run, blocks
from hw_models.mapping import BLOCK, Array, Devices

MICRO = 1e-6
"""S in a uS."""


class Side(NamedTuple):
    """Devices of one side of a slice, for draws device by device: (lines, in), reference lines last."""

    g: Array
    """Conductance now [uS]."""
    mean: Array
    """Mean of a read [uS]; the very g where the law does not clip."""
    sigma: Array
    """Standard deviation of a read [uS]."""
    share: Array
    """Share of a device's current that the lines leave."""
    sign: float

    def put(self, numbers: Array, g: Array, sigma: Array, share: Array) -> None:
        """Fill some lines."""
        self.g[numbers], self.sigma[numbers], self.share[numbers] = g, sigma, share
        if self.mean is not self.g:
            self.mean[numbers] = devices.rectified_moments(g, sigma)[0]


class Plane(NamedTuple):
    """One slice as matrices in units of a: products are ``x @ mean.T`` and ``s @ mean``."""

    mean: Array
    """(out, in), the mean of a read."""
    variance: Array | None
    """(out, in) of a read, both sides together; None without read noise or where :attr:`uniform` says it."""
    reference: Array | None
    """(column tiles, in) variance of the mean of the reference lines; None as variance and without such lines."""
    middle: Array | None
    """(column tiles, in) mean read of the reference lines; None without such lines."""
    zero: float
    """What is subtracted digitally: the conductance of weight 0 over the drift compensation; else 0."""
    uniform: float
    """Variance of a read of one device where all have the same."""
    factor: float
    """Digital weight of the slice."""
    sides: list[Side]
    """Filled for exact noise."""


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
    """

    def __init__(self, devices: Devices) -> None:
        self.devices, self.chip, self.device = devices, devices.chip, devices.device
        self.uniform = self.device.read_noise_law == "additive" and not devices.wired
        self.exact = self.chip.crossbar.exact_noise and self.device.read_noise > 0
        self.varied = self.device.read_noise > 0 and not self.uniform and not self.exact
        self.clips = self.device.read_noise > 0 and self.device.read_noise_law == "pcm"
        self.kept: dict[str, Array] = {}

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
        bent = own.bends or (fresh and own.writes)
        factors = own.targets(held[:1, :1])[1]
        found = [self._empty(held, bent, k, float(factor)) for k, factor in enumerate(factors)]
        if not (bent or self.varied or self.exact):
            return found, 1.0
        job = Job(found, held, fresh, turn, solve)

        def block(first: int, last: int) -> Array:
            return self._fill(job, (first, last), None)

        def tile(c: int, _: int) -> Array:
            return self._fill(job, own.column_tiles[c], c)

        if own.wired:
            sums = run(tile, blocks(len(own.column_tiles), 1))
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
        for side in range(own.sides if self.exact else 0):
            g, sigma, mean = (np.empty((outputs + own.references, inputs), dtype=np.float32) for _ in range(3))
            sides.append(Side(g, mean if self.clips else g, sigma, np.ones_like(g), -1.0 if side else 1.0))
        uniform = (self.device.read_noise * own.unit) ** 2 if self.uniform else 0.0
        return Plane(read, variance, reference, middle, zero, uniform, factor, sides)

    def _fill(self, job: Job, outputs: tuple[int, int], tile: int | None) -> Array:
        """Fill the rows of some outputs, with wires those of one column tile; return sums of G programmed and now."""
        own, (first, last), held = self.devices, outputs, job.held
        sums, n, unit, size = np.zeros(2), last - first, held.dtype.type(own.unit), len(held)
        beside: Iterable[Any] = repeat(None)
        numbers = np.arange(first, last)
        if tile is not None and own.references:
            begin, end = own.reference_lines[tile]
            beside = own.lines(np.zeros((end - begin, held.shape[1]), held.dtype), size + begin, job.fresh, job.turn)
            numbers = np.append(numbers, size + np.arange(begin, end))
        both = zip(own.lines(held[first:last], first, job.fresh, job.turn), beside, strict=False)
        for ((k, side), _, before, now), reference in both:
            if reference is not None:
                before, now = np.concatenate([before, reference[2]]), np.concatenate([now, reference[3]])
            sums += before.sum(dtype=np.float64), now.sum(dtype=np.float64)
            mean, variance, sigma, share = self._read(before, now, (k, side), numbers, job.solve)
            plane = job.planes[k]
            if plane.middle is not None and tile is not None:
                own_lines = mean[n:].mean(0), variance[n:].mean(0) / len(mean[n:])
                self._put_references(plane, slice(tile, tile + 1), *own_lines)
            if plane.mean is not held:
                part = plane.mean[first:last]
                if own.digital:
                    part[:] = (mean[:n] - mean.dtype.type(own.zeros[k])) * unit
                elif plane.middle is not None:
                    part[:] = (mean[:n] - plane.middle[own.tile_of[first:last]]) * unit
                elif side == 0:
                    np.multiply(mean, unit, out=part)
                else:
                    part -= mean * unit
            if plane.variance is not None:
                part = plane.variance[first:last]
                part[:] = variance[:n] * unit**2 + (part if side else 0)
            if plane.sides:
                plane.sides[side].put(numbers, now, sigma, share)
        return sums

    def _fill_references(self, job: Job) -> Array:
        """Fill what belongs to reference lines without wires; return their sums of G programmed and now."""
        own, size, sums = self.devices, len(job.held), np.zeros(2)
        numbers = size + np.arange(own.references)
        lines = np.zeros((own.references, job.held.shape[1]), dtype=job.held.dtype)
        counts = np.array([[b - a] for a, b in own.reference_lines])
        for (k, side), _, before, now in own.lines(lines, size, job.fresh, job.turn):
            sums += before.sum(dtype=np.float64), now.sum(dtype=np.float64)
            mean, variance, sigma, share = self._read(before, now, (k, side), numbers, False)
            self._put_references(job.planes[k], slice(None), own.averaged(mean), own.averaged(variance) / counts)
            if job.planes[k].sides:
                job.planes[k].sides[side].put(numbers, now, sigma, share)
        return sums

    def _put_references(self, plane: Plane, tiles: slice, mean: Array, variance: Array) -> None:
        """Fill mean and variance of the mean of the reference lines of some column tiles."""
        if plane.middle is not None:
            plane.middle[tiles] = mean
        if plane.reference is not None:
            plane.reference[tiles] = variance * self.devices.unit**2

    def _read(
        self, before: Array, now: Array, where: tuple[int, int], numbers: Array, solve: bool
    ) -> tuple[Array, Array, Array, Array]:
        """Return mean and variance of reads at the end of the lines, sigma at the device, share; (lines, in)."""
        device = self.device
        mean, variance = devices.read_moments(now, before, device) if device.read_noise else (now, now)
        sigma = devices.read_sigma(now, before, device) if self.exact else now
        if not self.devices.wired:
            return mean, variance, sigma, np.ones_like(now)
        share, beside = self._lines(now, where, numbers, solve)
        return share * mean + beside, variance * share**2, sigma, share

    def _lines(self, now: Array, where: tuple[int, int], numbers: Array, solve: bool) -> tuple[Array, Array]:
        """Return share and beside of one column tile, all of its row tiles."""
        own, line = self.devices, self.chip.wires
        names = [f"{what}.{where[0]}.{where[1]}" for what in ("share", "beside")]
        if not solve:
            return self.kept[names[0]][numbers], self.kept[names[1]][numbers]
        share, beside = np.empty(now.shape), np.empty(now.shape)
        for a, b in own.row_tiles:
            g = now[:, a:b].T * MICRO
            parts = wires.attenuation(g, wires.effective(g, line.r_word, line.r_bit))
            share[:, a:b], beside[:, a:b] = parts[0].T, parts[1].T / MICRO
        if line.refresh_every > 1:
            for name, values in zip(names, (share, beside), strict=True):
                self.kept[name][numbers] = values
            return self._lines(now, where, numbers, False)
        return share, beside

    def allot(self) -> None:
        """Make room for what is kept between two solutions of the wires."""
        own = self.devices
        if own.wired and self.chip.wires.refresh_every > 1 and not self.kept:
            shape = (own.shape[0] + own.references, own.shape[1])
            for k in range(own.slices):
                for side in range(own.sides):
                    for what in ("share", "beside"):
                        self.kept[f"{what}.{k}.{side}"] = np.zeros(shape, dtype=np.float32)
