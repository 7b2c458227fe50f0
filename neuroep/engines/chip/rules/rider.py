# Tested by tests/neuroep/engines/chip/test_transfer.py.
"""RIDER: residual learning whose symmetry point is tracked while it learns.

    P <- P - s g                               trains of pulses
    every n_s updates  H_j <- H_j + rate (p_j - Q_j), n = trunc(H_j), W_j <- W_j + n dw_W, H_j <- H_j - n
                       Q_j <- Q_j + eta (p_j - Q_j)

Analog: P (the array called fast), W. Digital: H, and Q, an exponential mean of what is read of P, which a device that
gathers nothing spends about its symmetry point. Of a column read k times eta is 1/k at least: Q begins as the plain
mean of the first readings, so that a reference that errs costs no pulses of W at the beginning. Q also follows what is
wanted for long: eta is to be slow beside what P forgets. No product reads P: the residual gamma (P - Q) in the weights
of the source is 0 here, as Q would be a digital matrix in products.

Pulses of W come from H, as those of Tiki-Taka v2: rounded at random at every read, as long as all is noise, W would get
E|rate p| pulses each time, and with H about the square of that, far fewer where a pulse is large.

Source: Xiao et al., Dynamic symmetric point tracking, arXiv 2602.21321, 2026; H and eta are chosen here.
"""

from __future__ import annotations

import numpy as np

from neuroep.engines.chip.rules.rule import Place
from neuroep.engines.chip.rules.transfer import TransferRule


class Rider(TransferRule):
    """A symmetry point that is tracked; see the module."""

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        self.kept["reference"] = np.zeros_like(weight)

    @property
    def gain(self) -> float:
        """Mean of c (p - Q) in changes between two reads, where the same is wanted for ever.

        Without a chopper Q follows what lasts, and it is the reads that see a change before P forgets it or Q follows.
        """
        eta, same, kept = self._number("tracking"), 1 - 2 * self._number("chop_probability"), self.kept_share
        if same >= 1:
            return 1 / (1 - kept * (1 - eta))
        return (1 - same) / ((1 - kept * same) * (1 - (1 - eta) * same))

    def signal(self, columns: np.ndarray, read: np.ndarray) -> np.ndarray:
        """Return p - Q, and let Q follow; the first reading of a column is what Q begins as."""
        reference, reads = self.kept["reference"], self.kept["reads"][columns]
        reference[:, columns] = np.where(reads == 1, read, reference[:, columns])
        found = read - reference[:, columns]
        reference[:, columns] += np.maximum(1 / reads, self._number("tracking")).astype(read.dtype) * found
        return found * self.kept["chopper"][columns].astype(read.dtype)


RULE = Rider
