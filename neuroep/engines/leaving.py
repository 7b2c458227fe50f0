r"""Samples that have settled leave their phase: ``stop = "by_sample"``.

A phase of a batch takes as many sweeps as its slowest sample. After some learning that is a third to a half more than
the mean one takes: of 200 pairs of SNLI after 1,000 updates (tolerances 0.003 and 0.03), 7 sweeps free and 6 nudged,
where the mean pair takes 5.2 and 4.1. Samples do not see each other. So one whose own changes meet the tolerance of the
phase need not wait: it leaves with what it has reached, and the sweeps that follow are those of fewer rows.

**The rule.** Of the changes that :mod:`neuroep.engines.stopping` judges the whole batch by, those of one sample,
against the same bounds: a free phase by :math:`\max_l |\Delta_l| / dt \le` tolerance, nudged ones by
:math:`\max_l |\Delta_l| / (dt\, \max |d_l|) \le` tolerance, the displacement being the largest one of all samples. An
update sums over the samples, so that what one of them misses counts beside the largest, not beside its own. All nudges
of a sample leave together: their contrast is of the same sweeps.

The slowest sample leaves where the whole batch would have ended. The others have done fewer sweeps than that: what they
miss is within the tolerance, where it was within less of it before. A tolerance means what it says, for every sample.

Leaving copies what moves of those that stay. It is done where at least a share :data:`SHARE` of those that are there
has settled; the others of them go on until then. Where products are rounded at first (:mod:`neuroep.engines.rounding`),
samples leave that part of a free phase too, and all are there again when products are read in full. A phase in exact
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
