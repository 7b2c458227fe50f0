# Tested by tests/neuroep/engines/test_phase_lengths.py.
"""What states and displacements still miss after each sweep, from two courses of the same samples.

What for and by which rule: :mod:`neuroep.engines.phase_lengths`.
"""

from __future__ import annotations

import numpy as np

from neuroep.engines.schedule import Schedule

EXTRA = 0.1
"""What the unsettled part of a state may add to its mean square error, as a share of the variance of its noise."""
SIGMAS = 3.0
"""Standard errors below which nothing is told."""
TAIL, MOVED = 4, 2
"""The last of so many sweeps are those of the settled state; in a nudged phase, which begins near it, half of them."""
Course = list[dict[str, np.ndarray]]
"""After each sweep, by layer: (samples, neurons) float64."""


class Missing:
    """Sums over samples of what two courses of free phases miss, by layer.

    Parameters
    ----------
    level : float
        Coarsest step of the converters, as a share of the largest state.

    Attributes
    ----------
    missing : dict of str to numpy.ndarray
        (sweeps,) sums of (s^a_k - mean^a)(s^b_k - mean^b).
    spread : dict of str to float
        Their variances, by noise.
    noise : dict of str to float
        Sums of squares of the noise of a state.
    largest : dict of str to float
        States.
    entries : dict of str to int
        Of which they are.
    """

    def __init__(self, level: float) -> None:
        self.level = level
        self.missing: dict[str, np.ndarray] = {}
        self.spread: dict[str, float] = {}
        self.noise: dict[str, float] = {}
        self.largest: dict[str, float] = {}
        self.entries: dict[str, int] = {}

    def add(self, one: Course, other: Course) -> None:
        """Add the courses of a batch."""
        for name in one[0]:
            means = _mean(_tail(one), name), _mean(_tail(other), name)
            both = zip(one, other, strict=True)
            products = np.array([((a[name] - means[0]) * (b[name] - means[1])).sum(1) for a, b in both])
            noise = (_noise(_tail(one), name) + _noise(_tail(other), name)) / 2
            self.missing[name] = self.missing.get(name, 0.0) + products.sum(1)
            self.spread[name] = self.spread.get(name, 0.0) + _spread(products, TAIL)
            self.noise[name] = self.noise.get(name, 0.0) + noise
            self.largest[name] = max(self.largest.get(name, 0.0), float(np.abs(means[0]).max(initial=0)))
            self.entries[name] = self.entries.get(name, 0) + means[0].size

    def length(self, schedule: Schedule) -> tuple[int, bool]:
        """Return the sweeps of a free phase, and whether it settles in them."""
        settled = np.ones(schedule.steps, dtype=bool)
        for name, sums in self.missing.items():
            entries = max(self.entries[name], 1)
            missing = (sums - sums[_tail_of(schedule.steps)].mean()) / entries
            told = (EXTRA * self.noise[name] + SIGMAS * np.sqrt(self.spread[name])) / entries
            unseen = (self.level * self.largest[name]) ** 2 / 12
            settled &= missing <= told + unseen + schedule.tolerance**2
        return _first(settled, 1, 1, TAIL)


class Reached:
    """Sums over samples of what two courses of displacements have reached, by layer.

    Attributes
    ----------
    along : dict of str to numpy.ndarray
        (sweeps,) sums of (d^a_k mean^b + d^b_k mean^a)/2.
    whole : dict of str to float
        Sums of mean^a mean^b.
    spread : dict of str to float
        Variances of :attr:`along` by noise.
    """

    def __init__(self) -> None:
        self.along: dict[str, np.ndarray] = {}
        self.whole: dict[str, float] = {}
        self.spread: dict[str, float] = {}

    def add(self, one: Course, other: Course) -> None:
        """Add the courses of a batch."""
        for name in one[0]:
            ends = _tail(one, MOVED), _tail(other, MOVED)
            mean, back = (_mean(end, name) for end in ends)
            both = zip(one, other, strict=True)
            along = np.array([(a[name] * back + b[name] * mean).sum(1) / 2 for a, b in both])
            self.along[name] = self.along.get(name, 0.0) + along.sum(1)
            self.whole[name] = self.whole.get(name, 0.0) + float((mean * back).sum())
            self.spread[name] = self.spread.get(name, 0.0) + _spread(along, MOVED)

    def length(self, schedule: Schedule, least: int, free: int) -> tuple[int, bool]:
        """Return the sweeps of a nudged phase, from ``least`` on, and whether it settles in them.

        ``free`` are those of the free phase, at least as many as which it takes where noise hides a layer's share.
        """
        settled, reached = np.ones(schedule.steps, dtype=bool), least
        for name, along in self.along.items():
            if self.whole[name] <= 0:  # at rest, or nothing to be told from noise
                least = max(least, free) if along.any() else least
                continue
            shares = along / self.whole[name]
            error = SIGMAS * float(np.sqrt(self.spread[name])) / self.whole[name]
            least = max(least, free) if error > schedule.tolerance else least
            settled &= np.abs(1 - shares) <= max(schedule.tolerance, error)
        return _first(settled, reached, min(least, schedule.steps), MOVED)


def _first(settled: np.ndarray, reached: int, least: int, share: int) -> tuple[int, bool]:
    """Return the first number of sweeps, at least so many, after which a phase is settled.

    All of them, and that it does not, where there is none before the last ones, by which it is judged; so too where
    the sweep in which all layers are ``reached`` is one of those, as they tell nothing of themselves.
    """
    steps = len(settled)
    before = _tail_of(steps, share).start
    if reached > before:
        return steps, False
    for sweeps in range(least, max(least, before) + 1):
        if settled[sweeps - 1]:
            return sweeps, True
    return steps, False


def _tail_of(steps: int, share: int = TAIL) -> slice:
    """Return which sweeps are of the settled state: the last ones."""
    return slice(steps - max(2, steps // share), None) if steps > 2 else slice(steps - 1, None)


def _tail(course: Course, share: int = TAIL) -> Course:
    return course[_tail_of(len(course), share)]


def _noise(tail: Course, name: str) -> float:
    """Return the sum over entries of the variance of a layer over sweeps."""
    mean = _mean(tail, name)
    return sum(float(np.square(each[name] - mean).sum()) for each in tail) / max(len(tail) - 1, 1)


def _spread(products: np.ndarray, share: int) -> float:
    """Return the variance of the sum over samples of (sweeps, samples), of which the mean over the tail is subtracted.

    That over sweeps, sample by sample: noise of one neuron reaches others of its sample, and no other sample.
    """
    tail = products[_tail_of(len(products), share)]
    return float(tail.var(0, ddof=1).sum()) * (1 + 1 / len(tail)) if len(tail) > 1 else 0.0


def _mean(course: Course, name: str) -> np.ndarray:
    return np.mean([each[name] for each in course], axis=0)
