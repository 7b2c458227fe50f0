"""The Pareto front of accuracy against a price over a grid, from as few accuracies as can be.

Prices of all points are known. Points are tuples of indices, one for each field; assumed is that accuracy does not fall
along any field. Then a point is no more accurate than the known points above it, and a known point that is no dearer
and as accurate as that shuts it out. What is left open is measured next where most is decided either way: where many
open points lie below it, which a low accuracy would bound, and many are dearer, which a high one would shut out.

Accuracy counts in levels, floor(accuracy/resolution): a point is on the front if it reaches a level that no cheaper
one does. Bounds have a margin of a fifth of a level for the noise of accuracies. The front is then that of all points
wherever the assumption holds to that margin. Where known accuracies contradict it by a level or more, bounds are
widened by the largest contradiction, and it is told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

Place = tuple[int, ...]
"""Indices of a point."""
MARGIN = 0.2
"""Of bounds, in levels."""


def level(accuracy: float, resolution: float) -> int:
    """Return the level of an accuracy."""
    return math.floor(accuracy / resolution + 1e-9)


def front_of(accuracies: Mapping[Place, float], prices: Mapping[Place, float], resolution: float) -> list[Place]:
    """Return the points that reach a level which no cheaper one does, the cheapest first."""
    order = sorted(accuracies, key=lambda place: (prices[place], -accuracies[place], place))
    found: list[Place] = []
    best = -1
    for place in order:
        if (reached := level(accuracies[place], resolution)) > best:
            best = reached
            found.append(place)
    return found


class Frontier:
    """All points of a grid with their prices, and which of them are to be measured next.

    Parameters
    ----------
    shape : sequence of int
        Values of each field, in the order in which accuracy does not fall.
    prices : mapping
        Of every point.
    resolution : float
        Of the levels of accuracy.
    """

    def __init__(self, shape: Sequence[int], prices: Mapping[Place, float], resolution: float) -> None:
        self.places: list[Place] = list(product(*map(range, shape)))
        self.resolution = resolution
        at, price = np.array(self.places), np.array([prices[place] for place in self.places])
        self._below = np.all(at[:, None] <= at[None], axis=2)
        """(points, points): whether the first is nowhere above the second."""
        self._cheaper = price[:, None] <= price[None]
        """(points, points): whether the first is no dearer than the second."""

    def contradiction(self, accuracies: Mapping[Place, float]) -> float:
        """Return by how much accuracy falls at most from a known point to one above it; 0 below a level."""
        at, values = self._known(accuracies)
        falls = np.where(self._below[np.ix_(at, at)], values[:, None] - values[None], 0.0).max(initial=0.0)
        return float(falls) if falls >= self.resolution else 0.0

    def open(self, accuracies: Mapping[Place, float]) -> list[int]:
        """Return the numbers of the points that may be on the front and are not known."""
        at, values = self._known(accuracies)
        spare = self.contradiction(accuracies) + MARGIN * self.resolution
        above = np.where(self._below[:, at], values[None], np.inf).min(axis=1, initial=np.inf)
        reachable = np.array([math.inf if np.isinf(u) else level(u + spare, self.resolution) for u in above])
        levels = np.array([level(value, self.resolution) for value in values])
        shut = np.any(self._cheaper[at].T & (levels[None] >= reachable[:, None]), axis=1)
        shut[at] = True
        return [int(n) for n in np.flatnonzero(~shut)]

    def next(self, accuracies: Mapping[Place, float], most: int = 1) -> list[Place]:
        """Return points to be measured next, at most so many, none above another; empty when the front is known."""
        ends = list(dict.fromkeys([self.places[0], self.places[-1]]))
        if missing := [place for place in ends if place not in accuracies]:
            return missing
        left = self.open(accuracies)
        chosen: list[int] = []
        while left and len(chosen) < most:
            among = np.ix_(left, left)
            decides = self._below[among].sum(axis=0) * (self._cheaper[among].sum(axis=1) - 1)
            best = left[int(np.argmax(decides))]
            chosen.append(best)
            left = [n for n in left if not (self._below[n, best] or self._below[best, n])]
        return [self.places[n] for n in chosen]

    def _known(self, accuracies: Mapping[Place, float]) -> tuple[list[int], np.ndarray]:
        """Return numbers and accuracies of the known points."""
        at = [n for n, place in enumerate(self.places) if place in accuracies]
        return at, np.array([accuracies[self.places[n]] for n in at])
