# Tested by tests/neuroep/engines/chip/test_undone.py.
r"""What the updates of one array lose to leak and to write disturb.

Of the change D that the updates meant and the change M that there is in the end, what does not get through is

.. math:: 1 - \frac{\langle M, D\rangle}{|D| \max(|D|, |M|)},

the share of D that is undone where M is the shorter, and one minus the cosine where other changes come on top: 0 for
M = D, 1 where nothing of it is left, as of weights that leak as fast as they learn.

Leak takes a little of every weight, always the same way, so its change is that of all updates since it was asked for
last together: M = D - sum of what has leaked. Write disturb stands beside the moves of one update, M = D + f with what
neighbours feel (:mod:`hw_models.laws.disturb`), and the products are summed over updates.

Weights that are kept in digital form are written anew and lose nothing: what their devices have lost or felt until then
is gone with the next programming (write disturb of 50 % costs the reviews nothing).
"""

from __future__ import annotations

import numpy as np

NOTHING = 1e-10
"""<D, D> over <M, M> up to which D is the rounding of M."""


def undone(meant: np.ndarray, arrived: np.ndarray) -> tuple[float, float, float]:
    """Return <D, D>, <M, M> and <M, D>."""
    pairs = ((meant, meant), (arrived, arrived), (arrived, meant))
    squared, came, both = (float(np.sum(one * other, dtype=np.float64)) for one, other in pairs)
    return squared, came, both


def share(squared: float, came: float, both: float) -> float:
    """Return what does not get through, of <D, D>, <M, M> and <M, D>, from 0 to 1; 0 where nothing was meant."""
    if not squared > NOTHING * came:
        return 0.0
    return float(min(max(1 - both / np.sqrt(squared * max(squared, came)), 0.0), 1.0))


class Undone:
    """Leak and disturb of one array since they were asked for last."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._start: np.ndarray | None = None
        self._leaked, self._sums = np.zeros(0), np.zeros(3)

    def leaks(self, before: np.ndarray, after: np.ndarray) -> None:
        """Note the weights ahead of a leak and behind it, arrays that stay as they are."""
        if self._start is None:
            self._start, self._leaked = before, np.zeros_like(before)
        self._leaked += after - before

    def feels(self, moved: np.ndarray, felt: np.ndarray) -> None:
        """Note how far an update moved the weights, and what they moved because of their neighbours."""
        self._sums += undone(moved, moved + felt)

    def shares(self, weights: np.ndarray) -> dict[str, float]:
        """Return what of the updates leaked and was disturbed, given the weights there are now; begin anew."""
        found = {}
        if self._start is not None:
            arrived = weights - self._start
            found["updates_leaked"] = share(*undone(arrived - self._leaked, arrived))
        if self._sums[0] > 0:
            found["updates_disturbed"] = share(*self._sums)
        self._begin()
        return found
