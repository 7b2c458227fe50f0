# Tested by tests/hw_models/arrays/test_converters.py.
"""Calibration: the range of a converter from samples of what it converts, then frozen.

    range = margin times a percentile of |x| over those calibration samples that are not 0

never over the batch at hand. Zero is a level of every grid, so samples that are 0 say nothing about the range, and
however many there are of them they cannot make it 0. More than 2^20 values are thinned to about half of that or more:
each value is marked by the random word of its place in the order seen and kept where the mark is below 2^32/2^m, m the
least number that leaves k <= 2^20. Every value has the same chance whatever its size and its column, so the share of
all values below the percentile p found has mean p and standard deviation sqrt(p (1 - p)/k), 1.4e-4 at p = 99 %; which
are kept depends neither on the sizes of the batches nor on threads.

A range that is calibrated again stays what it was where the new samples are all 0 or one of them is not finite, and
where the calibration breaks off.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from hw_models.chip.fields import LARGEST, SMALLEST
from hw_models.kernels import noise as noise_kernels
from hw_models.kernels.random import key

MOST = 2**20
"""Most calibration values kept; of more a random half, quarter, ..."""
CALIBRATE = (
    "set it, or calibrate it on samples first: an engine by engine.calibrate([batch], estimator), a single array "
    "by reads within hw_models.arrays.calibration.calibrating(array)"
)
"""What to do about a range that is not known."""
MARK = 32
"""Bits of a random mark."""


class Calibrated(Protocol):
    """What has ranges that are calibrated on samples."""

    def observe(self, on: bool = True) -> None:
        """Begin to collect samples and to pass signals through unchanged, or stop."""
        ...

    def freeze(self) -> None:
        """Set the ranges from the samples and stop."""
        ...


@contextmanager
def calibrating(*parts: Calibrated) -> Iterator[None]:
    """Let parts collect samples inside and set their ranges at the end.

    However it ends, by an exception or an interrupt too, none of them observes afterwards: a range that was not set is
    what it was, and a converter that has none says so when it is used.
    """
    try:
        for part in parts:
            part.observe()
        yield
        for part in parts:
            part.freeze()
    finally:
        for part in parts:
            part.observe(False)


class Samples:
    """|x| of the values that a digitiser has seen; at most 2^20 of them are kept, largest and smallest exactly.

    Parameters
    ----------
    name : str
        Of the digitiser: key of the marks.
    percentile : float
        Share of the samples that are not 0 within the level [%].

    Attributes
    ----------
    largest, lowest : float
        Largest |x| and smallest x; infinite where nothing was seen.
    spoiled : bool
        Whether a value was not finite, or beyond 1e30.
    """

    def __init__(self, name: str, percentile: float) -> None:
        self.name, self.percentile = name, percentile
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.kept: list[np.ndarray] = []
        self._marks: list[np.ndarray] = []
        self._count = self._halvings = self._seen = 0
        self.largest, self.lowest = 0.0, np.inf
        self.spoiled = False

    def take(self, values: np.ndarray) -> bool:
        """Take values, at least one; return whether all are finite and up to 1e30, otherwise none of them is taken."""
        flat = values.ravel()
        low, high = float(flat.min()), float(flat.max())
        if not max(abs(low), abs(high)) <= LARGEST:
            self.spoiled = True
            return False
        self.largest = max(self.largest, abs(low), abs(high))
        self.lowest = min(self.lowest, low)
        if self.percentile < 100:
            self._keep(np.abs(flat).astype(np.float32))
        self._seen += flat.size
        return True

    def _keep(self, values: np.ndarray) -> None:
        """Keep those that are not 0, and where they are too many only the lower marks."""
        marks = np.empty(values.size, dtype=np.uint32)
        noise_kernels.fill_words(key(0, "calibration", self.name), self._seen, marks)
        chosen = values >= SMALLEST
        if self._halvings:
            chosen &= marks < 1 << (MARK - self._halvings)
        self.kept.append(values[chosen])
        self._marks.append(marks[chosen])
        self._count += self.kept[-1].size
        while self._count > MOST:
            self._halvings += 1
            kept, marks = np.concatenate(self.kept), np.concatenate(self._marks)
            chosen = marks < 1 << (MARK - self._halvings)
            self.kept, self._marks = [kept[chosen]], [marks[chosen]]
            self._count = self.kept[0].size

    def level(self) -> float:
        """Return the percentile of the samples that are not 0; 0 where all are."""
        if self.percentile == 100 or self.largest < SMALLEST:
            return self.largest
        return float(np.percentile(np.concatenate(self.kept), self.percentile))
