# Tested by tests/neuroep/engines/chip/test_transfer.py.
"""RIDER: residual learning whose symmetry point is tracked while it learns.

    P <- P - s g                               trains of pulses
    every n_s updates  W_j <- W_j + dw_W round(rate (p_j - Q_j))    pulses, rounded at random
                       Q_j <- Q_j + eta (p_j - Q_j)

Analog: P (the array called fast), W. Digital: Q, an exponential mean of what is read of P, which a device that gathers
nothing spends about its symmetry point. A change is seen by 1/eta reads before Q has followed it. No product
reads P: the residual gamma (P - Q) in the weights of the source is 0 here, as Q would be a digital matrix in products.

Source: Xiao et al., Dynamic symmetric point tracking, arXiv 2602.21321, 2026.
"""

from __future__ import annotations

import numpy as np

from neuroep.engines.chip.rules.rule import Place
from neuroep.engines.chip.rules.transfer import TransferRule


class Rider(TransferRule):
    """A symmetry point that is tracked; see the module."""

    buffered = False

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        self.kept["reference"] = self._resting()

    @property
    def holds(self) -> float:
        """Updates until Q has followed."""
        return self.period / self._number("tracking")

    @property
    def gain(self) -> float:
        """Reads that see a change, as a number of whole ones: signs that flip count against each other."""
        eta, flips = self._number("tracking"), self._number("chop_probability")
        return 1 / (1 - (1 - eta) * (1 - 2 * flips))

    def signal(self, columns: np.ndarray, read: np.ndarray) -> np.ndarray:
        """Return p - Q, and let Q follow."""
        reference = self.kept["reference"]
        found = read - reference[:, columns]
        reference[:, columns] += self._number("tracking") * found
        return found * self.kept["chopper"][columns].astype(read.dtype)


RULE = Rider
