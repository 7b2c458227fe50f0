# Tested by tests/hw_models/arrays/test_slow_noise.py.
"""Noise carried from read to read through the phases of a sample; classes and approximations: slow_noise.py."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from hw_models.arrays.programming import Array
from hw_models.arrays.slow_noise import FINE, SlowNoise
from hw_models.kernels import carried as kernels


class Kept(NamedTuple):
    """Carried noise of one tile in one direction, for all samples of a batch or the last of one."""

    anchor: Array
    """(rows, driven) signal that noise is kept of."""
    norm: Array
    """(rows,) its square in the metric of the variances; 0 before there was one."""
    link: Array
    """(rows,) its cosine to that of the sample before."""
    latent: Array
    """(processes, rows, sensed) of unit variance, float32."""
    processes: tuple[int, ...]
    """Numbers of the processes in the spectrum."""
    moved: Array
    """(processes,) when each was moved last, of the first sample [s]."""

    @classmethod
    def fresh(cls, rows: int, driven: int, sensed: int, processes: tuple[int, ...], dtype: np.dtype) -> Kept:
        """Return noise of nothing yet."""
        latent = np.zeros((len(processes), rows, sensed), dtype=np.float32)
        anchor, norm, link = np.zeros((rows, driven), dtype), np.zeros(rows, dtype), np.zeros(rows, np.float32)
        return cls(anchor, norm, link, latent, processes, np.zeros(len(processes)))

    def last(self, rows: int, later: float) -> Kept:
        """Return the last rows, read so much later than the first sample was."""
        at = max(len(self.norm) - rows, 0)
        parts = self.anchor[at:].copy(), self.norm[at:].copy(), self.link[at:].copy(), self.latent[:, at:].copy()
        return Kept(*parts, self.processes, self.moved + later)


class Share(NamedTuple):
    """What a read of one tile finds of its carried noise, over the deviation of what is not slow."""

    found: Array
    """(rows, sensed), float32."""
    white: Array
    """(rows,) share of the variance that is fresh."""


class Carried:
    """Carried noise of all tiles of one crossbar.

    Parameters
    ----------
    noise : SlowNoise
        Classes of processes, and the clock.
    dtype : numpy.dtype
        Of signals.
    """

    def __init__(self, noise: SlowNoise, dtype: np.dtype) -> None:
        self.noise, self.dtype = noise, dtype
        self.kept: dict[tuple[str, int], Kept] = {}
        self.before: dict[tuple[str, int], Kept] = {}

    @property
    def processes(self) -> tuple[int, ...]:
        """Numbers of the processes that are carried."""
        return self.noise.classes.carried

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Go on inside, and be what it was afterwards."""
        kept = dict(self.__dict__)
        self.kept, self.before = dict(self.kept), dict(self.before)
        try:
            yield
        finally:
            self.__dict__.update(kept)

    def rotate(self) -> None:
        """Begin a batch: of the last one its last samples stay, one for each copy of the chip."""
        self.before = self.ended()
        self.kept = {}

    def ended(self) -> dict[tuple[str, int], Kept]:
        """Return the last samples of the batch that has ended, or of the one before while none has begun."""
        clock, found = self.noise.clock, {}
        for place, kept in self.kept.items():
            copies = min(clock.timing.copies, len(kept.norm))
            turns = math.ceil(len(kept.norm) / clock.timing.copies) - 1
            found[place] = kept.last(copies, turns * clock.sample)
        return found or self.before

    def carries(self, rows: int, held: bool) -> bool:
        """Tell whether reads of so many rows are carried: those of samples, and inputs that are read in every sweep."""
        return bool(self.processes) and (rows == self.noise.clock.samples or not held)

    def read(
        self, place: tuple[str, int], signals: Array, metric: Array, sensed: int, draws: tuple[Array, int]
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
        """
        clock, processes = self.noise.clock, self.processes
        spectrum, rest = self.noise.classes.spectrum, self.noise.rest
        taus = np.array([spectrum.taus[k] for k in processes])
        shares = np.array([spectrum.shares[k] for k in processes]) / rest
        kept, rows, now = self.kept.get(place), len(signals), clock.time
        if kept is None or len(kept.norm) != rows or kept.processes != processes:
            kept = Kept.fresh(rows, signals.shape[1], sensed, processes, self.dtype)
            kept.moved[:] = now
            self.kept[place] = kept
        passed = now - kept.moved
        due = (passed > 0) & (passed >= np.minimum(taus / FINE, 8 * clock.interval))
        decay = np.where(due, np.exp(-passed / taus), 1.0).astype(np.float32)
        kept.moved[due] = now
        apart = np.exp(-clock.sample / taus).astype(np.float32)
        found, lasting = np.empty((rows, sensed), np.float32), np.empty(rows, np.float32)
        weights = np.repeat(np.sqrt(shares).astype(np.float32)[:, None], sensed, axis=1)
        state, before = (kept.anchor, kept.norm, kept.link, kept.latent), self._before(place, kept, now, taus)
        kernels.carry(signals, metric, state, weights, decay, apart, before, *draws, place[1], found, lasting)
        return Share(found, 1 - lasting * np.float32(shares.sum()))

    def _before(
        self, place: tuple[str, int], kept: Kept, now: float, taus: Array
    ) -> tuple[Array, Array, Array, Array]:
        """Return what a batch begins with: the last samples of the one before, and the decay since."""
        rows, driven = kept.anchor.shape
        copies = min(self.noise.clock.timing.copies, rows) if rows == self.noise.clock.samples else rows
        anchor, norm = np.zeros((copies, driven), self.dtype), np.zeros(copies, self.dtype)
        latent = np.zeros((len(kept.processes), copies, kept.latent.shape[2]), np.float32)
        decay = np.zeros(len(kept.processes), np.float32)
        old = self.before.get(place)
        if old is not None and old.anchor.shape[1] == driven and rows == self.noise.clock.samples:
            count = min(copies, len(old.norm))
            anchor[:count], norm[:count] = old.anchor[-count:], old.norm[-count:]
            for at, process in enumerate(kept.processes):
                if process in old.processes:
                    where = old.processes.index(process)
                    latent[at, :count] = old.latent[where, -count:]
                    decay[at] = np.exp(-max(now - old.moved[where], 0.0) / taus[at])
        return anchor, norm, latent, decay
