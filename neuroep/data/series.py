"""Sequences of numbers: points of some channels, cut into tokens by a window that moves along them.

A token is a window of points with all their channels, one point after the other,

    token t = (x[t s], x[t s + 1], ..., x[t s + w - 1]),   w points of C channels: w C numbers,

with window w and stride s, both 1 unless said: then a token is a point. What does not fill a window at the end is left
out. Samples are rows of one padded array, which may be mapped from a disk: only what a batch needs is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

_CHUNK = 1 << 24
"""Numbers read at once where all are looked at."""


@dataclass(frozen=True, eq=False)
class Series:
    """One sequence of numbers of every sample.

    Parameters
    ----------
    values : numpy.ndarray
        (stored, points, channels), real numbers of any type; what lies beyond a sample's length is not looked at.
    rows : numpy.ndarray
        (samples,) int64, the rows of ``values``.
    lengths : numpy.ndarray
        (samples,) int64, tokens of each sample.
    window, stride : int
        Points of a token, and points from one token to the next.
    """

    values: np.ndarray
    rows: np.ndarray
    lengths: np.ndarray
    window: int = 1
    stride: int = 1

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def channels(self) -> int:
        """Numbers of a point."""
        return int(self.values.shape[2])

    @property
    def points(self) -> np.ndarray:
        """(samples,) int64, points that the tokens of each sample cover."""
        return np.where(self.lengths > 0, (self.lengths - 1) * self.stride + self.window, 0)

    def take(self, indices: np.ndarray) -> Series:
        """Return the samples ``indices`` (samples,), in that order; nothing is read."""
        return replace(self, rows=self.rows[indices], lengths=self.lengths[indices])

    def cut(self, tokens: int) -> Series:
        """Keep at most the first ``tokens`` tokens of every sample."""
        return replace(self, lengths=np.minimum(self.lengths, tokens))

    def windowed(self, window: int, stride: int) -> Series:
        """Return the points, which are the tokens so far, cut into windows; a sample that fills none has no token."""
        filled = np.maximum(self.lengths - window, -stride) // stride + 1
        return replace(self, lengths=filled, window=window, stride=stride)

    def read(self) -> np.ndarray:
        """Return the points (samples, longest, channels) as they are stored; beyond a sample's length is anything."""
        longest = int(self.points.max(initial=0))
        return np.asarray(self.values[self.rows, :longest])

    def tokens_of(self, points: np.ndarray) -> np.ndarray:
        """Cut points (samples, longest, channels) into tokens (samples, tokens, window * channels)."""
        if self.window == self.stride == 1:
            return points
        tokens = int(self.lengths.max(initial=0))
        if not tokens:
            return np.zeros((len(points), 0, self.window * self.channels), points.dtype)
        moving = np.lib.stride_tricks.sliding_window_view(points, self.window, axis=1)[:, :: self.stride][:, :tokens]
        return moving.transpose(0, 1, 3, 2).reshape(len(points), tokens, self.window * self.channels)

    def chunks(self) -> Iterator[np.ndarray]:
        """Go through the points that tokens cover, (points, channels) float64, some samples at a time."""
        points = self.points
        size = max(1, _CHUNK // max(1, int(points.max(initial=1)) * self.channels))
        for start in range(0, len(self), size):
            part = self.take(np.arange(start, min(start + size, len(self))))
            held, covered = part.read(), part.points
            yield held[np.arange(held.shape[1]) < covered[:, None]].astype(np.float64)
