"""How many seeds a point gets: a fixed number, or as many as its mean accuracy needs.

Seeds are 0, 1, 2, ... and the rule looks at the first n of them only, so that what is run does not depend on the order
in which trials finish, nor on interruptions.

Whoever stops where an estimated error is small stops where it is too small: of normal accuracies, 7.5 % of the 95 %
intervals m +- t s/sqrt(n) then miss the mean where looking begins with 6 seeds, 10 % where it begins with 3. Given the
spreads that a rule looked at, the mean of n seeds is still normal with sigma/sqrt(n), as means and spreads of normal
numbers are independent, so that only the error has to grow, and by how much is known. With 1 + 2/n the 95 % interval
misses in 5.0 % at most, whatever sigma, and the 99 % interval in 1.07 % (``tests/benchmarks/stopping.py``). It costs
about four seeds a point.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from hw_models.reading import Entries
from hw_models.text import shown
from neuroep.errors import ConfigError
from neuroep.runs import arguments

FIRST = 6
"""Seeds before the standard error is looked at, unless said otherwise. Of normal accuracies the estimate is below half
of the true one with a probability of 22 % at 3 seeds and of 6 % at 6; a rule that looks again and again finds it."""
LAST = 20
"""Most seeds of a point, unless said otherwise."""
WIDER, WIDER_OF_FEW = 2.0, 3.0
"""c of the factor 1 + c/n on errors that have decided where to stop; the second where looks begin below ``FIRST``."""


@dataclass(frozen=True)
class Rule:
    """When a point has enough seeds; made by :func:`rule`."""

    seeds: int
    """Fixed number, or the smallest."""
    until: float | None = None
    """Stop when the standard error of the mean accuracy, with its :meth:`widening`, is at most this."""
    most: int = 0
    """Largest number, with ``until``."""

    def widening(self, count: int) -> float:
        """Return by what an error over so many seeds grows, as it has decided how many there are; 1 where it has not.

        Parameters
        ----------
        count : int
            Seeds that did not fail.
        """
        if self.until is None or self.seeds >= self.most or count < 1:
            return 1.0
        return 1 + (WIDER if self.seeds >= FIRST else WIDER_OF_FEW) / count

    def due(self, accuracies: Mapping[int, float | None]) -> list[int]:
        """Return the seeds to be run now.

        Parameters
        ----------
        accuracies : mapping of int to float or None
            Accuracy of the finished seeds, None of those that failed: they count as run and not in the mean.
        """
        missing = [seed for seed in range(self.seeds) if seed not in accuracies]
        if missing or self.until is None:
            return missing
        for count in range(self.seeds, self.most):
            found = [value for seed in range(count) if (value := accuracies[seed]) is not None]
            if standard_error(found) * self.widening(len(found)) <= self.until:
                return []
            if count not in accuracies:
                return [count]
        return []


def rule(seeds: int | None = None, until: float | None = None, most: int | None = None) -> Rule:
    """Return the rule.

    Parameters
    ----------
    seeds : int, optional
        Seeds of every point; with ``until`` the least number. Default 1, with ``until`` 6, or ``most`` if that is less.
    until : float, optional
        Bound of the standard error of the mean accuracy.
    most : int, optional
        Largest number of seeds, only with ``until``; default 20.

    Raises
    ------
    ConfigError
        Naming the number that cannot be.
    """
    seeds = None if seeds is None else arguments.whole("seeds", seeds)
    most = None if most is None else arguments.whole("max_seeds", most)
    if until is None:
        if most is not None:
            raise ConfigError(f"max_seeds is {most}: it acts only with a bound of the standard error, until")
        return Rule(seeds or 1)
    if not isinstance(until, int | float) or isinstance(until, bool) or not (until > 0 and math.isfinite(until)):
        raise ConfigError(f"until is {shown(until)}: the bound of the standard error should be a finite number above 0")
    first = max(2, min(FIRST, FIRST if most is None else most)) if seeds is None else seeds
    if first < 2:
        raise ConfigError(f"seeds is {first}: a standard error needs at least 2")
    last = max(LAST, first) if most is None else most
    if last < first:
        raise ConfigError(f"max_seeds is {last}: should be at least the {first} seeds that every point gets")
    return Rule(first, until, last)


def asked(design: Entries) -> Rule:
    """Return the rule of a design as the page of a directory holds it; a fixed number where it tells of none."""
    return Rule(design.get("seeds") or 1, design.get("until"), design.get("max_seeds") or 0)


def standard_error(values: list[float]) -> float:
    """Return the standard error of the mean; infinite for fewer than two values."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
