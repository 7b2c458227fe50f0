r"""Samples that have settled leave their phase: ``stop = "by_sample"``.

A phase of a batch takes as many sweeps as its slowest sample. After some learning that is a third to a half more than
the mean one takes: of 200 pairs of SNLI after 1,000 updates (tolerances 0.003 and 0.03), 7 sweeps free and 6 nudged,
where the mean pair takes 5.2 and 4.1. Samples do not see each other. So one whose own changes meet the tolerance of the
phase need not wait: it leaves with what it has reached, and the sweeps that follow are those of fewer rows.

**The rule.** Of the changes c that :mod:`neuroep.engines.stopping` judges the whole batch by, those of one sample:
:math:`\max_l |\Delta_l| / dt` of a free phase, :math:`\max_l |\Delta_l| / (dt\, \max |d_l|)` of nudged ones, the
displacement being the largest one of all samples. An update sums over the samples, so that what one of them misses
counts beside the largest, not beside its own. All nudges of a sample leave together: their contrast is of the same
sweeps.

A whole batch ends when its slowest sample does, by when the others miss far less than the tolerance. A sample alone has
no such margin. Where each sweep changes it by a share :math:`\rho` of what the one before did, it still misses
:math:`c\,\rho / (1 - \rho)`: 19 times its last change at 0.95. So a sample leaves when

.. math:: c \max(1, \rho / (1 - \rho)) \le \text{tolerance},

with :math:`\rho` the largest ratio of two changes of its own, from its third sweep on, :data:`SLOWEST` at most. Most
samples have ratios below 1/2 and leave as the plain rule has it. One of 200 pairs of SNLI after 872 updates did not:
rounded products had brought it to their own fixed point, from which the first full sweep moved it by no more than a
quarter of what it missed. It left, and its contrast was 4 % of all gradients off, whatever the tolerance down to
0.001.

Leaving copies what moves of those that stay. It is done where at least a share :data:`SHARE` of those that are there
has settled; the others of them go on until then. Where products are rounded at first and read in full at the end
(:mod:`neuroep.engines.rounding`), samples leave the first part of a free phase too, and all are there again when
products are read in full. A phase in exact
arithmetic alone has samples leave it: on a chip they settle side by side, and what a read draws belongs to its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from neuroep.engines.parts import Move

SHARE = 0.125
"""Least share of the samples that are there which leave together."""
Kept = TypeVar("Kept")
"""What a phase keeps of its whole batch."""


SLOWEST = 0.95
"""Largest ratio of two changes that a sample is taken to settle by: accelerated ones may grow for a sweep."""
SEEN = 3
"""Sweep from which ratios tell how fast a sample settles: in the first ones layers move that had not moved before."""


class Pace:
    """How fast each sample of a batch settles.

    Parameters
    ----------
    samples : int
        Batch size.

    Attributes
    ----------
    changes : numpy.ndarray
        (present samples,), of the last sweep.
    """

    def __init__(self, samples: int) -> None:
        self.changes = np.zeros(samples)
        self._before, self._ratio, self._sweep = np.full(samples, np.inf), np.zeros(samples), 0

    def missing(self, changes: np.ndarray, rows: np.ndarray, sweep: int) -> np.ndarray:
        """Return what samples are to miss after a sweep, (present samples,).

        Parameters
        ----------
        changes : numpy.ndarray
            (present samples,) of that sweep.
        rows : numpy.ndarray
            Which ones of the batch they are.
        sweep : int
            Its number; ratios of sweeps that are further apart are those of one, on the geometric mean.
        """
        if sweep >= SEEN:
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = (changes / self._before[rows]) ** (1 / (sweep - self._sweep))
            self._ratio[rows] = np.fmax(self._ratio[rows], ratio)
        self._before[rows], self._sweep, self.changes = changes, sweep, changes
        ratio = np.minimum(self._ratio[rows], SLOWEST)
        return changes * np.maximum(1, ratio / (1 - ratio))


class Left(Generic[Kept]):
    """What some samples have left behind, and where the others belong.

    Parameters
    ----------
    whole : object
        Of the whole batch.
    samples : int
        Batch size.
    put : callable
        ``put(whole, some, move)`` puts what samples have reached to its place.

    Attributes
    ----------
    rows : numpy.ndarray
        (present samples,), which ones of the batch they are.
    residual : float
        Largest of those with which samples have left.
    """

    def __init__(self, whole: Kept, samples: int, put: Callable[[Kept, Kept, Move], None]) -> None:
        self.rows, self.residual = np.arange(samples), 0.0
        self._whole, self._put = whole, put

    def leave(self, some: Kept, staying: np.ndarray, residuals: np.ndarray) -> None:
        """Let samples go that are not ``staying`` (present samples,), with the residuals they leave with."""
        gone = np.flatnonzero(~staying)
        self._place(some, gone)
        self.residual = max(self.residual, float(residuals[gone].max()))
        self.rows = self.rows[staying]

    def whole(self, some: Kept) -> Kept:
        """Return what the batch has reached, with what those have that are still there."""
        self._place(some, np.arange(len(self.rows)))
        return self._whole

    def _place(self, some: Kept, which: np.ndarray) -> None:
        if some is not self._whole:
            self._put(self._whole, some, Move(which, self.rows[which]))


def below(rows: np.ndarray, samples: int, nudges: int) -> np.ndarray:
    """Return the rows of samples in all nudges, which lie below each other, so many samples each."""
    return np.concatenate([rows + number * samples for number in range(nudges)])


def leavers(residuals: np.ndarray, tolerance: float) -> np.ndarray | None:
    """Return which samples stay, (present samples,); None where all of them do, as too few would leave, or all."""
    staying = ~(residuals <= tolerance)
    gone = len(staying) - np.count_nonzero(staying)
    return staying if max(1, SHARE * len(staying)) <= gone < len(staying) else None
