"""The Pareto front of accuracy against a price over a grid, from as few trials as can be.

Prices of all points are known. Points are tuples of indices, one for each field; assumed is that accuracy goes one way
along every field. Which way tell the points at both ends of the grid, with their neighbours at the other end of each
field (:meth:`Frontier.directions`); "above" is where accuracy is higher. Then a point is no more accurate than known
ones above it, and a known point that is no dearer and as accurate as that shuts it out. Of a point that has some of
its chips, and not all, the bounds of its mean (:mod:`analysis.require.standings`) take the place of the mean: most
points are shut out, or shut others out, after one chip. What is on the front has all of them.

What is left open is measured next where most is decided: of each point that may be run the number of open ones is
counted that its next chip should shut out, by the accuracy that is expected there
(:mod:`analysis.require.expectations`); that a point should be on the front counts too, as it has to be run anyway.

Accuracy counts in levels, floor(accuracy/resolution): a point is on the front if it reaches a level that no cheaper one
does. Bounds have a margin for the noise of accuracies, see :meth:`Frontier.margin`. The front is then that of all
points wherever the assumption holds to that margin. Where known accuracies contradict it by a level or more, bounds are
widened by the largest contradiction, and it is told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from analysis.require.expectations import Expectations
from analysis.require.standings import Found, Standings, standings

Place = tuple[int, ...]
"""Indices of a point."""
MARGIN = 0.2
"""Of bounds, in levels, at least."""
WIDEST = 0.5
"""The same, at most: where noise asks for more, levels are too narrow for so few chips."""
STRAY = 2.5
"""How many standard deviations two means may stray from each other."""
WHOLE = 4
"""Points that have all chips before others have fewer: noise is known from them."""
WEIGHT = 0.2
"""Of being on the front, in shares of the open points, beside what is shut out."""
MOST = 500
"""Open points, and points that may be run next, that are looked at to choose one."""


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
    """All points of a grid with their prices, and which trials of them are to be run next.

    Parameters
    ----------
    shape : sequence of int
        Values of each field.
    prices : mapping
        Of every point.
    resolution : float
        Of the levels of accuracy.
    seeds : int
        Chips of a point on the front.
    confidence : float
        That all bounds hold which stand for chips that were not run.
    """

    def __init__(
        self,
        shape: Sequence[int],
        prices: Mapping[Place, float],
        resolution: float,
        seeds: int = 1,
        confidence: float = 0.95,
    ) -> None:
        self.places: list[Place] = list(product(*map(range, shape)))
        self.resolution, self.seeds, self.confidence = resolution, seeds, confidence
        self._last = tuple(size - 1 for size in shape)
        at, price = np.array(self.places), np.array([prices[place] for place in self.places])
        self._at, self._rising = at, (True,) * len(shape)
        self._expectations = Expectations(at)
        self._below = _nowhere_above(at)
        """(points, points): whether the first is nowhere above the second."""
        self._cheaper = price[:, None] <= price[None]
        """(points, points): whether the first is no dearer than the second."""
        self._order = np.argsort(price, kind="stable")

    def contradiction(self, found: Mapping[Place, Found]) -> float:
        """Return by how much accuracy falls at least from a known point to one above it; 0 below a level."""
        at, stand = self._known(found)
        return self._fall(at, stand)

    def margin(self, stand: Standings) -> float:
        """Return by how much a point may be more accurate than one above it, by noise: 2.5 sqrt(2) sigma/sqrt(n).

        It is a fifth of a level at least, as noise is known only where points have several chips, and half a level at
        most.
        """
        return self.resolution * min(max(MARGIN, STRAY * math.sqrt(2) * stand.noise / self.resolution), WIDEST)

    def noise(self, found: Mapping[Place, Found]) -> float:
        """Return the standard deviation of a mean over all chips, by what is known; 0 where nothing tells."""
        return self._known(found)[1].noise

    def open(self, found: Mapping[Place, Found]) -> list[int]:
        """Return the numbers of the points that may be on the front and lack chips."""
        return [int(n) for n in self._seen(found).left]

    def next(self, found: Mapping[Place, Found], most: int = 1) -> dict[Place, int]:
        """Return how many chips points are to have next, at most so many points, none of them above another.

        Nothing is left to be run when the front is known.
        """
        if missing := [place for edge in self._edges() for place in edge if not found.get(place)]:
            return dict.fromkeys(missing, 1)
        self._turn(found)
        ends = list(dict.fromkeys([self._end(False), self._end(True)]))
        if missing := [place for place in ends if len(found.get(place, ())) < self.seeds]:
            return dict.fromkeys(missing, self.seeds)
        seen = self._seen(found)
        chosen: dict[Place, int] = {}
        among = np.ones(len(self.places), dtype=bool)
        while len(chosen) < most and (number := seen.best(among)) is not None:
            count = len(found.get(self.places[number], ()))
            chosen[self.places[number]] = self.seeds if int(seen.stand.whole.sum()) < WHOLE else count + 1
            among &= ~(self._below[number] | self._below[:, number])
        return chosen

    def directions(self, found: Mapping[Place, Found]) -> tuple[bool, ...]:
        """Return of each field whether accuracy rises along it.

        By the larger of its changes at the two ends of the grid, each the mean over the seeds that both its points
        have. A change below a level tells nothing, and accuracy is said to rise: bounds have a margin for that. So is
        it where an end is not known.
        """
        rising = [True] * len(self._last)
        largest = [self.resolution] * len(self._last)
        for low, high in self._edges():
            pairs = zip(found.get(low, ()), found.get(high, ()), strict=False)
            apart = [b - a for a, b in pairs if a is not None and b is not None]
            n = next(n for n, (a, b) in enumerate(zip(low, high, strict=True)) if a != b)
            if apart and abs(change := float(np.mean(apart))) >= largest[n]:
                rising[n], largest[n] = change > 0, abs(change)
        return tuple(rising)

    def _edges(self) -> list[tuple[Place, Place]]:
        """Return pairs of points that one field tells apart, at its ends: all others at their first or last value."""
        found: list[tuple[Place, Place]] = []
        for n, last in enumerate(self._last):
            for others in (0,) * len(self._last), self._last:
                if last:
                    found.append(((*others[:n], 0, *others[n + 1 :]), (*others[:n], last, *others[n + 1 :])))
        return list(dict.fromkeys(found))

    def _end(self, best: bool) -> Place:
        """Return the point where accuracy should be highest, or lowest."""
        return tuple(last if up == best else 0 for up, last in zip(self._rising, self._last, strict=True))

    def _turn(self, found: Mapping[Place, Found]) -> None:
        """Take the directions that are known."""
        if (rising := self.directions(found)) != self._rising:
            self._rising = rising
            self._below = _nowhere_above(np.where(rising, self._at, -self._at))

    def _known(self, found: Mapping[Place, Found]) -> tuple[np.ndarray, Standings]:
        """Return numbers of the known points, and how they stand, with the directions that they tell."""
        self._turn(found)
        at = [n for n, place in enumerate(self.places) if found.get(place)]
        rows = [found[self.places[n]] for n in at]
        return np.array(at, dtype=int), standings(rows, self.seeds, self.confidence, len(self.places))

    def _fall(self, at: np.ndarray, stand: Standings) -> float:
        low, high = stand.bounds()
        falls = np.where(self._below[np.ix_(at, at)], low[:, None] - high[None], 0.0).max(initial=0.0)
        return float(falls) if falls >= self.resolution else 0.0

    def _seen(self, found: Mapping[Place, Found]) -> _Seen:
        return _Seen(self, *self._known(found))


class _Seen:
    """What known points say about all: bounds, what is open, and what is expected."""

    def __init__(self, grid: Frontier, at: np.ndarray, stand: Standings) -> None:
        self.grid, self.at, self.stand = grid, at, stand
        low, high = stand.bounds()
        self.spare = grid._fall(at, stand) + grid.margin(stand)
        above = np.where(grid._below[:, at], high[None] + self.spare, np.inf).min(axis=1, initial=np.inf)
        above[at] = np.minimum(above[at], high)
        self.above = above
        """(points,): the most that a point may reach."""
        self.reachable = self.levels(above)
        cheaper = grid._cheaper[at].T.copy()
        cheaper[at, np.arange(len(at))] = False
        self.shutting = np.where(cheaper, self.levels(low)[None], -1).max(axis=1, initial=-1)
        """(points,): the level that a cheaper one has for sure."""
        lacking = np.ones(len(above), dtype=bool)
        lacking[at] = ~stand.whole
        self.lacking = lacking
        self.left = np.flatnonzero(lacking & (self.shutting < self.reachable))

    def levels(self, accuracies: np.ndarray) -> np.ndarray:
        """Return the levels of accuracies, infinite ones as they are."""
        return np.floor(accuracies / self.grid.resolution + 1e-9)

    def best(self, among: np.ndarray) -> int | None:
        """Return the point whose next chip should decide most; None where no open one may be chosen.

        Parameters
        ----------
        among : (points,) ndarray
            Which points may be chosen.
        """
        from scipy.stats import norm

        grid, resolution = self.grid, self.grid.resolution
        if not among[self.left].any():
            return None
        mean, spread = self._expected()
        before, there = self._front(mean)
        on_front = norm.sf(((before + 1) * resolution - mean) / spread)
        started = np.zeros(len(mean), dtype=bool)
        started[self.at] = True
        open_ = np.zeros(len(mean), dtype=bool)
        open_[self.left] = True
        left = _some(self.left)
        may = _some(np.flatnonzero(among & self.lacking & (open_ | started)))
        half = self._half_after()[may]
        low = norm.cdf(((there[left, None] + 1) * resolution - self.spare - mean[may] - half) / spread[may])
        dear = norm.sf((self.reachable[left, None] * resolution - mean[may] + half) / spread[may])
        decided = np.maximum(grid._below[np.ix_(left, may)] * low, grid._cheaper[np.ix_(may, left)].T * dear)
        decided[left[:, None] == may[None]] = 1
        score = decided.sum(axis=0) + np.where(open_[may], on_front[may], 0) * len(left) * WEIGHT
        return int(may[int(np.argmax(score))])

    def _expected(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the accuracy of every point, within what is known of it."""
        stand, grid = self.stand, self.grid
        noise = max(stand.noise, grid.resolution / 10)
        mean, spread = grid._expectations.of(self.at, stand.mean, noise)
        least = np.where(grid._below[self.at].T, stand.mean[None], -np.inf).max(axis=1, initial=-np.inf)
        mean = np.clip(mean, least, np.maximum(self.above, least))
        mean[self.at], spread[self.at] = stand.mean, np.maximum(stand.error, 1e-6)
        return mean, spread

    def _front(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the levels that cheaper points should reach, and that they and the point itself should."""
        order = self.grid._order
        run = np.maximum.accumulate(self.levels(mean)[order])
        before, there = np.empty(len(mean)), np.empty(len(mean))
        before[order], there[order] = np.concatenate([[-1], run[:-1]]), run
        return np.maximum(before, self.shutting), np.maximum(there, self.shutting)

    def _half_after(self) -> np.ndarray:
        """Return how far bounds will lie from the mean of each point when it has one chip more, (points,)."""
        stand, seeds = self.stand, self.grid.seeds
        count = np.zeros(len(self.above))
        count[self.at] = stand.count
        sigma = stand.noise * math.sqrt(seeds)
        return stand.quantile * sigma * np.sqrt(np.maximum(1 / (count + 1) - 1 / seeds, 0))


def _nowhere_above(at: np.ndarray) -> np.ndarray:
    """Return whether points are nowhere above others, (points, points), of indices (points, fields)."""
    found = np.ones((len(at), len(at)), dtype=bool)
    for along in at.T:
        found &= along[:, None] <= along[None]
    return found


def _some(numbers: np.ndarray) -> np.ndarray:
    """Return numbers, evenly thinned out where they are very many."""
    return numbers[:: -(-len(numbers) // MOST)] if len(numbers) else numbers
