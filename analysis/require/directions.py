"""Along which way accuracy rises: by the corners of a grid, from as few seeds as it takes to tell.

Two corners that only one field tells apart are an edge. Seed s is the same chip and the same samples at both, so that
the change along an edge is the mean of differences d_s = a_s(high) - a_s(low), with the error std(d)/sqrt(n). A look
at n seeds decides for a field if on any of its edges |mean(d)| exceeds Student's quantile at 1 - a/(2 edges) of this, a
= (1 - confidence)/looks: where nothing changes along a field, no more than that share is said to rise or to fall. Looks
are those of verdicts. What no look decides goes by the largest change, and is called open.

A seed that failed at a corner tells nothing of its edges. Where no edge of a field has a seed that failed at neither
end, one that failed classifies nothing and counts as 0: accuracy rises away from where no chip works.

Where edges disagree, the one along which accuracy surely changes most tells. If all corners surely meet the target, or
all surely miss it, no seed is run for the direction alone.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from analysis.require.verdicts import Judge

Place = tuple[int, ...]
"""Indices of a point."""
Found = Mapping[int, float | None]
"""Accuracies by seed; None of those that failed."""


@dataclass(frozen=True)
class Directions:
    """What is known of the directions."""

    rising: tuple[bool, ...]
    """Of each field, whether accuracy rises along it."""
    sure: tuple[bool, ...]
    """Of each field, whether a look has decided so."""
    needed: Mapping[Place, int] = field(default_factory=dict)
    """Seeds that corners need for the next look."""


def directions(accuracies: Callable[[Place], Found], judged: Judge, shape: Sequence[int], settled: bool) -> Directions:
    """Return of each field whether accuracy rises along it.

    Parameters
    ----------
    accuracies : callable
        Of a corner, of the seeds 0, 1, ...
    judged : Judge
        Its looks and its confidence.
    shape : sequence of int
        Values of each field.
    settled : bool
        Whether all corners surely meet the target, or all surely miss it.
    """
    found = {place: accuracies(place) for place in product(*([0, size - 1] for size in shape))}
    rising, sure = [True] * len(shape), [False] * len(shape)
    looks = judged.looks
    wrong = (1 - judged.confidence) / len(looks)
    for count in looks:
        lacking = {place: count for place, there in found.items() if any(seed not in there for seed in range(count))}
        if lacking and (count == looks[0] or not settled):
            return Directions(tuple(rising), tuple(sure), lacking)
        if lacking:
            break
        for n in range(len(shape)):
            if not sure[n]:
                rising[n], sure[n] = _told(_edges(found, n, shape[n] - 1), count, wrong)
        if all(sure):
            break
    return Directions(tuple(rising), tuple(sure))


def _edges(found: Mapping[Place, Found], n: int, last: int) -> list[tuple[Found, Found]]:
    """Return accuracies at both ends of the edges along a field."""
    return [(there, found[(*low[:n], last, *low[n + 1 :])]) for low, there in found.items() if low[n] == 0]


def _told(edges: Sequence[tuple[Found, Found]], count: int, wrong: float) -> tuple[bool, bool]:
    """Return whether accuracy rises along a field, and whether that is sure."""
    from scipy.stats import t

    changes: list[tuple[bool, float]] = []
    pairs = [[(low[seed], high[seed]) for seed in range(count)] for low, high in edges]
    differences = [[b - a for a, b in pair if a is not None and b is not None] for pair in pairs]
    if not any(differences):
        differences = [[(b or 0.0) - (a or 0.0) for a, b in pair if a is not b] for pair in pairs]
    for apart in differences:
        if not apart:
            continue
        mean, clear = statistics.fmean(apart), False
        if len(apart) > 1:
            error = statistics.stdev(apart) / math.sqrt(len(apart))
            clear = abs(mean) > float(t.isf(wrong / (2 * len(edges)), len(apart) - 1)) * error
        changes.append((clear, mean))
    clear, mean = max(changes, key=lambda one: (one[0], abs(one[1])), default=(False, 0.0))
    return mean >= 0, clear
