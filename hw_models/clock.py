# Tested by tests/hw_models/test_clock.py.
"""The time of a chip while it works: one clock for all its parts, moved on as operations happen.

A batch is a sequence of samples on the same chip. All samples of a batch are simulated at once, each living through
phases of its own: ``within`` is the time since the start of a sample, the same for all. Sample i of a batch that began
at ``now`` is read at

    t_i = now + (i div copies) T + within,    T the time of one sample,

and when the batch ends, at the next one or at the update, now moves on by ceil(samples / copies) T, and by what the
update takes (:mod:`hw_models.durations`). While all durations are 0 the clock stands still.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from hw_models.tally import CurrentPhase, Tally

LASTING = ("noise.about", "noise.values")
"""Under what names an array keeps what time has left on it."""
PICO = 1e12
"""Picoseconds in a second: the unit in which time is counted."""
GUESSED_READS, GUESSED_SAMPLES = 100, 50
"""What a sample and a batch are taken to be until the first has ended."""


class Clock:
    """The time of one chip.

    Parameters
    ----------
    passes : bool
        Whether time passes at all.
    read : float
        A product [s].
    copies : int
        Copies of the chip that work on the samples of a batch side by side.
    phase : CurrentPhase, optional
        For which time is counted.

    Attributes
    ----------
    now : float
        When the running batch began [s].
    within : float
        How long each sample of it has run [s].
    samples : int
        Of the running batch.
    sample, batch : float
        Duration of a sample and of all samples of a batch, the last that ended [s].
    interval : float
        Between two reads of an array: the last sweep, or a product before there was one [s].
    batches : int
        That ended so far.
    """

    def __init__(
        self, passes: bool = False, read: float = 0.0, copies: int = 1, phase: CurrentPhase | None = None
    ) -> None:
        self.passes, self.copies = passes, copies
        self.now = self.within = 0.0
        self.samples = self.batches = 0
        self.sample = GUESSED_READS * read
        self.batch = GUESSED_SAMPLES * self.sample
        self.interval = read
        self.tally, self._phase, self._pending = Tally(phase), "", 0.0

    @property
    def time(self) -> float:
        """When the first sample of the running batch is read next [s]."""
        return self.now + self.within

    def opened(self, samples: int) -> None:
        """Begin a batch of so many samples, after what is left of the last one."""
        self.close()
        self.samples = samples

    def advance(self, seconds: float) -> None:
        """Let time pass for every sample of the running batch."""
        self.within += seconds
        if self.tally.phase != self._phase:
            self._count()
            self._phase = self.tally.phase
        self._pending += seconds

    def close(self) -> None:
        """End the running batch, if there is one."""
        if self.within <= 0:
            return
        self._count()
        self.sample, self.batch = self.within, self._batch(self.within)
        self.now += self.batch
        self.within = 0.0
        self.batches += 1

    def wrote(self, seconds: float) -> None:
        """Let an update take its time, between batches."""
        self.now += seconds
        if seconds:
            self.tally.add("chip", "picosecond", round(seconds * PICO))

    def counted(self) -> Tally:
        """Return the time so far, ``picosecond``: of samples by phase, copies side by side once, and of updates."""
        self._count()
        return self.tally

    def _batch(self, each: float) -> float:
        return math.ceil(self.samples / self.copies) * each

    def _count(self) -> None:
        """Write down the time of one phase, which is summed up first: sweeps are many."""
        if self._pending:
            self.tally.add("chip", "picosecond", round(self._batch(self._pending) * PICO), phase=self._phase)
            self._pending = 0.0

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let time pass inside as if nothing had happened afterwards, but for what is counted."""
        self._count()
        kept, reached = (self.samples, self.batches), self._reached()
        try:
            yield
        finally:
            self._count()
            self.samples, self.batches = kept
            self.now, self.within, self.sample, self.batch, self.interval = reached

    def last(self, samples: int) -> np.ndarray:
        """Return which of a batch's samples each copy had last, in the order of the copies that had any."""
        copies = np.arange(min(self.copies, samples))
        return copies + (samples - 1 - copies) // self.copies * self.copies

    def state(self) -> dict[str, np.ndarray]:
        """Return what a checkpoint keeps, between batches; nothing where no time passes."""
        if not self.passes:
            return {}
        with self.aside():
            self.close()
            times, batches = np.array(self._reached()), np.array(self.batches)
        return {"times": times, "batches": batches, "tally.counts": self.counted().packed()}

    def load(self, state: dict[str, np.ndarray]) -> None:
        """Take over :meth:`state`; a state without a clock leaves it at the start."""
        if self.passes and "times" in state:
            self.now, self.within, self.sample, self.batch, self.interval = (float(each) for each in state["times"])
            self.batches = int(state["batches"])
            if "tally.counts" in state:
                self.tally.load(state["tally.counts"])

    def _reached(self) -> tuple[float, float, float, float, float]:
        return self.now, self.within, self.sample, self.batch, self.interval
