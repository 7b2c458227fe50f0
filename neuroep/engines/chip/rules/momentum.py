# Tested by tests/neuroep/engines/chip/test_transfer.py.
"""Momentum in a second array: what is read of it goes to the weights, and pulses against it let it fade.

    A <- A - s g                                              trains of pulses
    every n_s updates  H_j <- H_j + rate a_j, n = trunc(H_j), W_j <- W_j + n dw_W, H_j <- H_j - n
                       A_j <- A_j - dw_A round((1 - mu) a_j/dw_A)    pulses, rounded at random

Analog: A, W. Digital: H. A change is seen by 1/(1 - mu e^-X) reads, X what A forgets by itself from one to the next.
Fading by pulses costs about as many as the gradient sends; a device that forgets by itself (:mod:`.tiki_taka`) needs
none.

Source: heavy ball, Polyak, 1964; on a second array: Huang et al., DATE 2020.
"""

from __future__ import annotations

import math

import numpy as np

from neuroep.engines.chip.rules.scaling import symmetry
from neuroep.engines.chip.rules.transfer import FAST, TransferRule


class Momentum(TransferRule):
    """A heavy ball; see the module."""

    work = 3  # (1 - mu) a
    fills = False  # pulses let it fade ahead of its bound

    @property
    def holds(self) -> float:
        """Updates in which A fades by pulses against it."""
        return self.period / (1 - self._number("momentum"))

    @property
    def gain(self) -> float:
        """Reads in which A fades, by pulses against it and by what it forgets."""
        return 1 / (1 - self._number("momentum") * self.kept_share)

    def signal(self, columns: np.ndarray, read: np.ndarray) -> np.ndarray:
        """Return what was read, and let it fade."""
        step = self.chip.device.moved * symmetry(self.pulse).step
        back = np.full(len(columns), -(1 - self._number("momentum")) / step, read.dtype)
        whole = np.empty(read.shape, np.int32)
        self._give(FAST, columns, whole, self._rounded(columns, read, back, math.inf, "fading", whole))
        return read


RULE = Momentum
