# Tested by tests/hw_models/arrays/test_slow_noise.py.
"""Carried noise of every device of a crossbar, for reads that are drawn device by device; classes: slow_noise.py.

Of every process, sample and device a normal moves from read to read, forward or transposed, as
z <- a z + sqrt(1 - a^2) n. A sample begins where the one before it on the same copy of the chip did, moved on by the
time between the two, and its normals n have that correlation to those of the sample before. Traps go on likewise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from hw_models.arrays.planes import Side
from hw_models.arrays.programming import Array
from hw_models.arrays.slow_noise import SlowNoise
from hw_models.arrays.traps import TrappedDevices
from hw_models.kernels.random import normals, uniforms
from hw_models.reading import Entries

Place = tuple[int, int]
"""Slice and side."""


class DeviceNoise:
    """Carried noise of the devices of one crossbar; see the module.

    Parameters
    ----------
    noise : SlowNoise
        Classes of processes, and the clock.
    traps : TrappedDevices
        Those that have a trap, and whether slow ones are filled.
    alone : bool
        Whether it is of the reads of one product alone, see :class:`hw_models.arrays.carried.Carried`.
    """

    def __init__(self, noise: SlowNoise, traps: TrappedDevices, alone: bool = False) -> None:
        self.noise, self.traps, self.law, self.alone = noise, traps, noise.law, alone
        self.filled: dict[Place, Array] = {}
        self.alike: dict[Place, Array] = {}
        self.kept: dict[Place, Array] = {}
        self.before: dict[Place, Array] = {}
        self.processes: tuple[int, ...] = ()
        self.shares: tuple[float, ...] = ()
        self.old: tuple[int, ...] = ()
        self.moved = 0.0
        self.ended = np.zeros((0, 0))
        self.followed: dict[Place, Array] = {}
        self.left = np.zeros(0)
        self.seen = 0.0
        self.carries = self.follows = self.again = False

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Go on inside, and be what it was afterwards."""
        kept = dict(self.__dict__)
        self.kept, self.before = dict(self.kept), dict(self.before)
        self.filled, self.alike = dict(self.filled), dict(self.alike)
        try:
            yield
        finally:
            self.__dict__.update(kept)

    def rotate(self) -> None:
        """Begin a batch: of those before the last samples stay, one for each copy of the chip."""
        self.before, self.old, self.ended = self.last()
        self.followed, self.left = self.last_traps()
        self.kept, self.filled = {}, {}

    def last(self) -> tuple[dict[Place, Array], tuple[int, ...], Array]:
        """Return the devices' noise of the last samples (processes, copies, lines, in), their processes, and when each
        was read last (processes, copies) [s]; a copy that had no sample in this batch keeps what was before."""
        if not self.kept:
            return self.before, self.old, self.ended
        clock, count = self.noise.clock, len(self.processes)
        at = clock.last(next(iter(self.kept.values())).shape[1])
        found = {place: values[:, at] for place, values in self.kept.items()}
        ended, idle = np.tile(self.moved + at // clock.copies * clock.sample, (count, 1)), slice(len(at), None)
        if self.ended.shape[1] > len(at):
            known = [self.old.index(k) if k in self.old else -1 for k in self.processes]
            none = np.array(known) < 0
            ended = np.hstack([ended, np.where(none[:, None], -np.inf, self.ended[known, idle])])
            found = {place: np.hstack([own, self.before[place][known, idle]]) for place, own in found.items()}
        return found, self.processes, ended

    def last_traps(self) -> tuple[dict[Place, Array], Array]:
        """Return which traps are filled in the last samples (copies, lines, in), and when each was read last (copies,)
        [s], as :meth:`last` does."""
        if not self.filled:
            return self.followed, self.left
        clock = self.noise.clock
        at = clock.last(len(next(iter(self.filled.values()))))
        idle = slice(len(at), None)
        left = np.concatenate([self.seen + at // clock.copies * clock.sample, self.left[idle]])
        found = {}
        for place, values in self.filled.items():
            older = [self.followed[place][idle]] if self.followed else []
            found[place] = np.concatenate([values[at], *older])
        return found, left

    def move(self, rows: int, held: bool, draws: tuple[Array, int]) -> None:
        """Move the noise of all devices on to a read of so many rows; ``draws`` are key and number of the read."""
        noise, clock, own = self.noise, self.noise.clock, self.noise.devices
        processes, spectrum = noise.classes.carried, noise.classes.spectrum
        lasts = noise.active and (self.alone or rows == clock.samples or not held)
        self.carries, self.follows = bool(processes) and lasts, self.traps.acts and lasts
        if self.follows:
            self._move_traps(rows, draws)
        if not self.carries:
            return
        taus, now, self.shares = spectrum.taus[list(processes)], clock.time, tuple(spectrum.shares[list(processes)])
        if self.alone:
            processes, taus, self.shares = (0,), taus[-1:], (sum(self.shares),)
        samples = rows == clock.samples and not self.alone
        shape = (rows, own.shape[0] + own.references, own.shape[1])
        places = [(k, side) for k in range(own.slices) for side in range(own.sides)]
        fresh = not self.kept or self.processes != processes or self.kept[0, 0].shape[1] != rows
        decay = np.exp(-(now - self.moved) / taus)
        if not fresh and (decay == 1).all():
            return
        copies = clock.copies if samples else rows
        apart = np.exp(-clock.sample / taus)
        for place in places:
            new = np.empty((len(processes), *shape), dtype=np.float32)
            old = self._old(place, processes) if fresh and samples else {}
            for at, process in enumerate(processes):
                tile = 64 * process + 2 * place[0] + place[1]
                z = normals(draws[0], draws[1], tile, (rows * shape[1], shape[2])).reshape(shape)
                for row in range(rows):
                    if row >= copies:
                        _mix(z[row], apart[at], z[row - copies])
                    elif process in old and row < len(old[process]):
                        since = max(now - float(self.ended[self.old.index(process), row]), 0.0)
                        _mix(z[row], math.exp(-since / taus[at]), old[process][row])
                if not fresh:
                    _mix(z, decay[at], self.kept[place][at])
                new[at] = z
            self.kept[place] = new
        self.processes, self.moved = processes, now

    def _old(self, place: Place, processes: tuple[int, ...]) -> dict[int, Array]:
        """Return the noise of the last samples of the batch before, by process."""
        if place not in self.before:
            return {}
        return {k: self.before[place][self.old.index(k)] for k in processes if k in self.old}

    @property
    def plain(self) -> bool:
        """Whether a read finds of a device what one normal of its own says, now."""
        remembers = self.noise.banded and self.noise.active
        return not (remembers or self.traps.acts) and (self.law.gaussian or self.law.rectified)

    def reads(self, z: Array, place: Place, sample: int, side: Side, draws: tuple[Array, int]) -> Array:
        """Return what a read finds of all devices of one sample (lines, in) [uS], of fresh normals, which it may take.

        ``draws`` are key and number of the read, for what is fresh in it beside the normals.
        """
        if self.noise.banded and self.noise.active:
            self.mix(z, place, sample)
        g = side.g
        if self.traps.acts:
            g = g + self._trapped(place, sample, g, draws)
        self.law.reads(z, g, side.sigma)
        return z

    def _move_traps(self, rows: int, draws: tuple[Array, int]) -> None:
        """Let every trap of every sample capture and emit until this read; a sample follows the one before it.

        With exp(-T/tau), T the time between two samples on one copy of the chip, a trap does as in the sample before
        for all of a batch, or else on its own: so at any moment since they began they are correlated by that.
        """
        clock, p, shape = self.noise.clock, np.float32(self.traps.p), (rows, *self.traps.shape)
        passed, samples = clock.time - self.seen, rows == clock.samples and not self.alone
        copies, self.again = clock.copies if samples else rows, False
        for place in self.traps.places:
            tau, tile = self.traps.of(place).tau, 4096 + 2 * place[0] + place[1]
            old = self.filled.get(place)
            if old is not None and len(old) == rows:
                if not passed:
                    self.again = True
                    return
                chance = p + (old - p) * np.exp(-passed / tau)
                found = uniforms(*draws, tile, (rows * shape[1], shape[2])).reshape(shape) < chance
                for row in range(copies, rows):
                    np.copyto(found[row], found[row - copies], where=self.alike[place][row])
                self.filled[place] = found
                continue
            found = uniforms(*draws, tile, (rows * shape[1], shape[2])).reshape(shape)
            apart = np.exp(-clock.sample / tau)
            before, alike = self.followed.get(place, ()) if samples else (), np.zeros(shape, bool)
            for row in range(rows):
                if row >= copies:
                    alike[row] = found[row] < apart
                    anew = found[row] - apart < (1 - apart) * p
                    found[row] = np.where(alike[row], found[row - copies], anew)
                elif row < len(before):
                    since = max(clock.time - float(self.left[row]), 0.0)
                    found[row] = found[row] < p + (before[row] - p) * np.exp(-since / tau)
                else:
                    found[row] = found[row] < p
            self.alike[place] = alike
            self.filled[place] = found > 0
        self.seen = clock.time

    def state(self) -> tuple[dict[str, object], list[Array]]:
        """Return what the next batch begins with: numbers; noise and traps of the last samples, and when of each."""
        (last, processes, ended), (traps, left) = self.last(), self.last_traps()
        about: dict[str, object] = {"places": sorted(last), "old": processes, "followed": sorted(traps)}
        noise, filled = ([values[place] for place in sorted(values)] for values in (last, traps))
        return about, [*noise, ended, *filled, left]

    def load(self, about: Entries, arrays: Iterator[Array]) -> None:
        """Take over :meth:`state`."""
        self.before = {(int(k), int(side)): next(arrays) for k, side in about["places"]}
        self.kept, self.filled, self.old = {}, {}, tuple(about["old"])
        if "ended" in about:  # of one time for all copies, as checkpoints had it
            copies = next((values.shape[1] for values in self.before.values()), 0)
            self.ended = np.full((len(self.old), copies), float(about["ended"]))
            return
        self.ended = next(arrays)
        self.followed = {(int(k), int(side)): next(arrays) for k, side in about["followed"]}
        self.left = next(arrays)

    def _trapped(self, place: Place, sample: int, g: Array, draws: tuple[Array, int]) -> Array:
        """Return how far traps move the devices in a read of one sample [uS]."""
        traps, numbers, p = self.traps, np.arange(len(g)), np.float32(self.traps.p)
        amplitude, tau = traps.amplitude(place, numbers, g), traps.of(place).tau
        tile = 64 + 2 * place[0] + place[1]
        fresh = uniforms(*draws, tile, g.shape, sample * len(g)) < p
        filled = self.filled[place][sample] if self.follows else fresh
        if self.follows and self.again:  # within a read such a trap has switched many times
            filled = np.where(tau < traps.fastest, fresh, filled)
        if traps.filled:
            filled = np.where(tau > traps.slowest, traps.filled[place], filled)
        return np.asarray(amplitude * (p - filled), dtype=np.float32)

    def mix(self, z: Array, place: Place, sample: int) -> None:
        """Turn fresh normals of all devices (lines, in) of one sample into what its read finds, in place."""
        classes = self.noise.classes
        carried = classes.carried if self.carries else ()
        z *= np.float32(math.sqrt(max(self.noise.rest - classes.share(carried), 0.0)))
        slow = self.noise.perturbation(place, np.arange(len(z)))
        if slow is not None:
            z += slow
        for at in range(len(self.shares) if carried else 0):
            z += self.kept[place][at, sample] * np.float32(math.sqrt(self.shares[at]))


def _mix(z: Array, a: float, values: Array) -> None:
    """Replace normals by a values + sqrt(1 - a^2) z."""
    z *= np.float32(math.sqrt(max(1 - a * a, 0.0)))
    z += np.float32(a) * values
