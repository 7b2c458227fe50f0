# Tested by tests/hw_models/arrays/test_slow_noise.py.
"""Noise carried from read to read through the phases of a sample; classes and approximations: slow_noise.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from hw_models.arrays.programming import Array
from hw_models.arrays.slow_noise import FINE, Classes, SlowNoise, phase
from hw_models.clock import Clock
from hw_models.kernels import carried as kernels
from hw_models.kernels.arithmetic import ArrayArithmetic, Lasting
from hw_models.kernels.carried import MOST

STEP = 1 / FINE
"""Time between two moves of a process over its time constant."""


class Kept(NamedTuple):
    """Carried noise of one tile in one direction, for all samples of a batch or the last one on each copy."""

    anchor: Array
    """(rows, driven) signal that noise is kept of."""
    norm: Array
    """(rows,) its square in the metric of the variances; 0 before there was one."""
    link: Array
    """(rows,) its cosine to that of the sample before."""
    latent: Array
    """(processes, rows, sensed) of unit variance, float32."""
    total: Array
    """(rows, sensed) sum over the processes, by the roots of their shares, float32."""
    moved: Array
    """(processes,) when each was moved last, of the first sample [s]; of last samples (processes, copies), of each."""
    processes: tuple[int, ...]
    """Numbers of the processes in the spectrum."""

    @classmethod
    def fresh(cls, shape: tuple[int, int, int], processes: tuple[int, ...], dtype: np.dtype, now: float) -> Kept:
        """Return noise of nothing yet; the shape is (rows, driven, sensed)."""
        rows, driven, sensed = shape
        latent = np.zeros((len(processes), rows, sensed), dtype=np.float32)
        anchor, norm, link = np.zeros((rows, driven), dtype), np.zeros(rows, dtype), np.zeros(rows, np.float32)
        total = np.zeros((rows, sensed), np.float32)
        return cls(anchor, norm, link, latent, total, np.full(len(processes), now), processes)

    def last(self, clock: Clock, before: Kept | None) -> Kept:
        """Return the last samples of a batch, by copies; those that had none keep what was ``before``."""
        at = clock.last(len(self.norm))
        moved = self.moved[:, None] + at // clock.copies * clock.sample
        ends = self.anchor[at], self.norm[at], self.link[at], self.latent[:, at], self.total[at], moved
        found = Kept(*ends, self.processes)
        return found if before is None or len(before.norm) <= len(at) else found.beside(before)

    def beside(self, before: Kept) -> Kept:
        """Return this with the further copies of a batch ``before``; where processes are new they have no past."""
        idle = slice(len(self.norm), None)
        latent = np.zeros((len(self.processes), *before.total[idle].shape), np.float32)
        moved = np.full(latent.shape[:2], -np.inf)
        for at, process in enumerate(self.processes):
            if process in before.processes:
                where = before.processes.index(process)
                latent[at], moved[at] = before.latent[where, idle], before.moved[where, idle]
        pairs = ((self.anchor, before.anchor), (self.norm, before.norm), (self.link, before.link))
        anchor, norm, link = (np.concatenate([own, old[idle]]) for own, old in pairs)
        latents, total = np.hstack([self.latent, latent]), np.concatenate([self.total, before.total[idle]])
        return Kept(anchor, norm, link, latents, total, np.hstack([self.moved, moved]), self.processes)


class Strengths(NamedTuple):
    """What the traps of a line's devices add to its noise, as relaxation processes."""

    numbers: tuple[int, ...]
    """Of the processes."""
    taus: Array
    """(processes,) [s]."""
    shares: Array
    """(processes, sensed) of the variance that is not slow."""
    rest: Array
    """(sensed,) share that is not of traps."""


class Share:
    """What a read of one tile finds of its carried noise, over the deviation of what is not slow.

    It is good until the tile's next read in this direction, which writes it anew.

    Parameters
    ----------
    sums : numpy.ndarray
        (rows, sensed) of the signals that noise is kept of, float32.
    cosines : numpy.ndarray
        (2, rows) cosines of the signals to those, and how much of the variance lasts, which are their squares, float32.
    shares : numpy.ndarray
        (sensed,) of the variance that is carried, float32.
    """

    __slots__ = ("_whole", "cosines", "shares", "sums")

    def __init__(self, sums: Array, cosines: Array, shares: Array) -> None:
        self.sums, self.cosines, self.shares = self._whole = sums, cosines, shares

    @property
    def found(self) -> Array:
        """(rows, sensed), float32."""
        return self.cosines[0, :, None] * self.sums

    @property
    def lasting(self) -> Array:
        """(rows,) squared cosine of the signals to those that noise is kept of, float32."""
        return self.cosines[1]

    @property
    def white(self) -> Array:
        """(rows,) share of the variance that is fresh, where all lines are alike."""
        return np.maximum(1 - self.lasting * self.shares[:1], 0)

    def part(self, signals: Array, whole: Array, metric: Array) -> Share:
        """Return what a digit of the signals of this read finds: its part along them, so that digits add up to it.

        With the digits x_d of x = sum_d w_d x_d, noise sqrt(v(x_d)) c_d found, c_d = <x_d, x>/|x_d||x| in the metric.
        """
        size = np.sqrt((np.square(signals) @ metric) * (np.square(whole) @ metric))
        cosine: Array = np.divide((signals * whole) @ metric, size, out=np.zeros_like(size), where=size > 0)
        return Share(self.found, np.stack([cosine.astype(np.float32), self.lasting]), self.shares)

    def of(self, first: int, last: int, lines: slice | None) -> tuple[Array, Array, Array]:
        """Return sums, cosines and shares of some rows and sensed lines, for the kernel; None is all lines."""
        whole = last - first == len(self.sums)
        if whole and lines is None:
            return self._whole
        cosines = self.cosines if whole else np.ascontiguousarray(self.cosines[:, first:last])
        if lines is None:
            return self.sums[first:last], cosines, self.shares
        return np.ascontiguousarray(self.sums[first:last, lines]), cosines, self.shares[lines]


def brought(shares: list[list[Share]], rows: int, device: ArrayArithmetic) -> list[list[Lasting]]:
    """Bring to a device what so many rows find, by slice and tile, in one transfer."""
    parts = [[share.of(0, rows, None) for share in tiles] for tiles in shares]
    if not any(parts):
        return []
    there = device.bring(np.concatenate([each.ravel() for tiles in parts for part in tiles for each in part]))
    found: list[list[Lasting]] = []
    at = 0
    for tiles in parts:
        found.append([])
        for part in tiles:
            ends = at + np.cumsum([0, *(each.size for each in part)])
            own = zip(ends[:-1], ends[1:], part, strict=True)
            found[-1].append(tuple(there[i:j].reshape(each.shape) for i, j, each in own))
            at = int(ends[-1])
    return found


class Going(NamedTuple):
    """Noise of one tile in one direction while a batch goes on."""

    kept: Kept
    state: tuple[Array, ...]
    """Its arrays, for the kernel."""
    start: tuple[Array, Array, Array, Array]
    """What the batch began with: last samples before, by copies (anchor, norm, latent), and the decay since."""
    taus: Array
    """(processes,) time constants [s]."""
    weights: Array
    """(processes, sensed) roots of their shares of what is not slow, float32."""
    squares: Array
    """(rows,) those of the signals of the last read in the metric."""
    share: Share
    """What the last read found."""
    classes: Classes
    """As they were when it began."""


class Carried:
    """Carried noise of all tiles of one crossbar.

    Parameters
    ----------
    noise : SlowNoise
        Classes of processes, and the clock.
    dtype : numpy.dtype
        Of signals.
    alone : bool
        Whether it is of the reads of one product alone, of rows that are not the samples of a batch: all of them at one
        moment, so that what is carried is one process, and nothing before or behind.
    """

    def __init__(self, noise: SlowNoise, dtype: np.dtype, alone: bool = False) -> None:
        self.noise, self.dtype, self.alone = noise, dtype, alone
        self.trapped = noise.clock.passes and noise.devices.device.rtn_share > 0
        self.going: dict[tuple[str, int], Going] = {}
        self.before: dict[tuple[str, int], Kept] = {}

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Go on inside, and be what it was afterwards."""
        kept = dict(self.__dict__)
        self.going, self.before = dict(self.going), dict(self.before)
        try:
            yield
        finally:
            self.__dict__.update(kept)

    def rotate(self) -> None:
        """Begin a batch: of the last one its last samples stay, one for each copy of the chip."""
        self.before = self.ended()
        self.going = {}

    def ended(self) -> dict[tuple[str, int], Kept]:
        """Return the last samples of the batch that has ended, or of the one before while none has begun."""
        clock = self.noise.clock
        found = {place: going.kept.last(clock, self.before.get(place)) for place, going in self.going.items()}
        return found or self.before

    def carries(self, rows: int, held: bool) -> bool:
        """Tell whether reads of so many rows are carried: those of samples, and inputs that are read in every sweep."""
        samples = self.alone or rows == self.noise.clock.samples or not held
        return (self.trapped or len(self.noise.classes.carried) > 0) and samples

    def read(
        self,
        place: tuple[str, int],
        signals: Array,
        metric: Array,
        sensed: int,
        draws: tuple[Array, int],
        strengths: Callable[[], Strengths | None] | None = None,
    ) -> Share:
        """Return what one tile's read of signals (rows, driven) finds.

        Parameters
        ----------
        place : tuple
            Direction and number of the tile.
        signals : numpy.ndarray
            (rows, driven).
        metric : numpy.ndarray
            (driven,) variance of each line's devices, the mean over the sensed ones.
        sensed : int
            Lines.
        draws : tuple
            Key, and number of the read.
        strengths : callable, optional
            Returns what traps add to the processes, asked once for a batch.
        """
        clock, going = self.noise.clock, self.going.get(place)
        if going is None or going.classes is not self.noise.classes or len(going.squares) != len(signals):
            going = self._begun(place, (*signals.shape, sensed), strengths() if strengths else None)
        times = clock.now + clock.within, clock.sample, going.taus, STEP, len(going.start[1])
        noise, behind = (going.state, going.weights, times), (*draws, place[1], going.squares, going.share.cosines)
        if kernels.carry(signals, metric, *noise, *behind):
            kernels.turn(signals, metric, *noise, going.start, *behind)
        return going.share

    def _begun(self, place: tuple[str, int], shape: tuple[int, int, int], traps: Strengths | None) -> Going:
        """Begin the noise of a tile for a batch; the shape is (rows, driven, sensed)."""
        clock, classes = self.noise.clock, self.noise.classes
        numbers, shares = classes.carried, classes.spectrum.shares[list(classes.carried)]
        taus = classes.spectrum.taus[list(numbers)]
        weights = np.repeat((shares / max(self.noise.rest, 1e-12))[:, None], shape[2], axis=1)
        if traps is not None:
            weights = np.vstack([weights * traps.rest, traps.shares])
            numbers, taus = (*numbers, *traps.numbers), np.concatenate([taus, traps.taus])
        if self.alone and len(taus):
            numbers, taus, weights = (0,), taus.max(keepdims=True), weights.sum(0, keepdims=True)
        numbers, taus, weights = numbers[-MOST:], taus[-MOST:], weights[-MOST:]
        kept = Kept.fresh(shape, numbers, self.dtype, clock.time)
        kept.moved[:] -= [phase(clock.batches, k) * tau / FINE for k, tau in zip(numbers, taus, strict=True)]
        start, roots = self._before(place, kept, taus), np.sqrt(weights).astype(np.float32)
        cosines, squares = np.empty((2, shape[0]), np.float32), np.empty(shape[0], self.dtype)
        share = Share(kept.total, cosines, weights.sum(0).astype(np.float32))
        self.going[place] = going = Going(kept, kept[:6], start, taus, roots, squares, share, classes)
        return going

    def _before(self, place: tuple[str, int], kept: Kept, taus: Array) -> tuple[Array, Array, Array, Array]:
        """Return what a batch begins with: the last samples of the one before, and the decay since.

        From the last move then to where the moves of this batch begin, not to now: so the mean of all is the time.
        """
        rows, driven = kept.anchor.shape
        samples = rows == self.noise.clock.samples and not self.alone
        copies = min(self.noise.clock.copies, rows) if samples else rows
        anchor, norm = np.zeros((copies, driven), self.dtype), np.zeros(copies, self.dtype)
        latent = np.zeros((len(kept.processes), copies, kept.latent.shape[2]), np.float32)
        decay = np.zeros((len(kept.processes), copies), np.float32)
        old = self.before.get(place)
        if old is not None and old.anchor.shape[1] == driven and samples:
            count = min(copies, len(old.norm))
            anchor[:count], norm[:count] = old.anchor[:count], old.norm[:count]
            for at, process in enumerate(kept.processes):
                if process in old.processes:
                    where = old.processes.index(process)
                    latent[at, :count] = old.latent[where, :count]
                    decay[at, :count] = np.exp(-np.maximum(kept.moved[at] - old.moved[where, :count], 0.0) / taus[at])
        return anchor, norm, latent, decay
