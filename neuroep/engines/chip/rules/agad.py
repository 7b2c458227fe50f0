# Tested by tests/neuroep/engines/chip/test_transfer.py.
"""AGAD: a chopped fast array whose reference is read of it as it learns, analog gradient accumulation with dynamic
reference.

    A_j <- A_j - s c_j g_j                        trains of pulses, signs of the inputs times c
    every n_s updates  H_j <- H_j + rate c_j (a_j - P_j), n = trunc(H_j), W_j <- W_j + n dw_W, H_j <- H_j - n
    every F reads      P_j <- P_j + eta (a_j - P_j), c_j <- -c_j

Analog: A, W. Digital: H, the reference P, c. No reference is programmed: what A was when its sign flipped is taken off,
so a symmetry point that lies anywhere costs nothing. A change is seen by F to 1 of the F reads of its period, (F + 1)/2
on average. eta = 1 takes the last read, below 1 a mean over periods, of which the reads of the periods that follow see
what it lacks with either sign, -F (1 - eta)/(2 - eta) in all.

F = 1, the default, moves a change at once: what A holds is the change of one update, and P the read before. Read noise
wants more: over F reads a change counts (F + 1)/2 times and the noise of a read once. But a change then comes late, by
F/2 reads and more, which large steps do not bear: of the embedded reviews on idealised devices F = 5 leaves one seed in
two at 78 %, F = 1 both at 99.5.

Source: Rasch, Carta, Fagbohungbe and Gokmen, Nat. Commun. 15:7133, 2024. There P is a mean of the reads of a period
weighted to its end, and a transfer waits until it is significant; F = 1 is chosen here.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hw_models.arrays.bursts import run_of
from neuroep.engines.chip.rules.chopped import Chopped
from neuroep.engines.chip.rules.rule import Place


@lru_cache(maxsize=64)
def _seen(reads: int, kept: float, eta: float) -> float:
    """Return the mean that periods of so many reads see, of which each keeps a share of what A was."""
    shares = np.array([kept**k for k in range(reads + 1)])
    sums = np.cumsum(shares[:-1])
    swing = sums[-1] / (1 + shares[-1])
    return float(np.cumsum(sums - swing * shares[1:])[-1] / reads + swing * eta / (2 - eta))


class Agad(Chopped):
    """A dynamic reference; see the module."""

    work = 3  # a - P
    fills, sees_most = False, 2.0  # every F reads it turns round; a - P goes from bound to bound

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        self.kept |= {"reference": self._resting(), "last": np.zeros_like(weight)}

    @property
    def gain(self) -> float:
        """Mean of c (a - P) over a period in changes between two reads, where the same is wanted for ever."""
        return _seen(self._count("chop_every"), self.kept_share, self._number("tracking"))

    def signal(self, columns: np.ndarray, read: np.ndarray) -> np.ndarray:
        """Return a - P."""
        at = run_of(columns)
        self.kept["last"][:, at] = read
        return read - self.kept["reference"][:, at]

    def flipped(self, columns: np.ndarray) -> None:
        """Take what was read last for the reference."""
        reference, last, eta = self.kept["reference"], self.kept["last"], self._number("tracking")
        at = run_of(columns)
        reference[:, at] += eta * (last[:, at] - reference[:, at])
        if eta < 1:
            work = len(columns) * self.crossbar.shape[0]
            self.tally.add(self.place.name, "multiply-add transfer", work, self.crossbar.shape)


RULE = Agad
