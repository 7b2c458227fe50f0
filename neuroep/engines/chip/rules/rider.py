# Tested by tests/neuroep/engines/chip/test_transfer.py.
"""RIDER: residual learning whose symmetry point is tracked while it learns.

    W' = W + gamma c (P - Q)                   what products read
    P <- P - s g                               trains of pulses
    every n_s updates  H_j <- H_j + rate (p_j - Q_j), n = trunc(H_j), W_j <- W_j + n dw_W, H_j <- H_j - n
                       Q_j <- Q_j + eta (p_j - Q_j)

Analog: P (the array called fast), W. Digital: H, and Q, an exponential mean of what is read of P, which a device that
gathers nothing spends about its symmetry point. Of a column read k times eta is 1/k at least: Q begins as the plain
mean of the first readings, that of P at rest (``update.zero_shift``) among them, so that a reference that errs costs no
pulses of W at the beginning. Q also follows what is wanted for long: eta is to be slow beside what P forgets.

With ``transfer.gamma`` above 0 products see the residual: P is read with them, inputs (transposed: outputs) with the
signs of its chopper, so that the DAC ahead of P has a sign whatever the inputs are, and Q is a digital matrix in them,
whose multiply-adds are counted. By default P is hidden.

Pulses of W come from H, as those of Tiki-Taka v2: rounded at random at every read, as long as all is noise, W would get
E|rate p| pulses each time, and with H about the square of that, far fewer where a pulse is large.

Source: Xiao et al., Dynamic symmetric point tracking, arXiv 2602.21321, 2026; H and eta are chosen here.
"""

from __future__ import annotations

import numpy as np

from hw_models.arrays.bursts import ColumnRun
from hw_models.kernels.arithmetic import arithmetic
from neuroep.engines.chip.rules import column_kernels
from neuroep.engines.chip.rules.in_memory import stored
from neuroep.engines.chip.rules.rule import Place
from neuroep.engines.chip.rules.transfer import FAST, TransferRule
from neuroep.engines.parts import Values


class Rider(TransferRule):
    """A symmetry point that is tracked; see the module."""

    work = 4  # p - Q, and Q + eta (p - Q)

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        self.kept["reference"] = self._resting()

    @property
    def signed(self) -> frozenset[str]:
        """P, where products read it with the signs of a chopper."""
        return frozenset({FAST}) if self.seen and self.chops else frozenset()

    @property
    def summed(self) -> bool:
        """Not where products read P, whose reference is digital."""
        return not self.seen

    def _residual(self, read: np.ndarray) -> np.ndarray:
        """Return gamma c (P - Q), (out, in), of what P is said to hold in units of the weight."""
        chopper = self.kept["chopper"].astype(read.dtype)
        return np.asarray(self.seen * chopper * (read - self.kept["reference"] * self.fast.weight_range), read.dtype)

    def _tracked(self, signals: Values, reference: np.ndarray) -> Values:
        """Return the digital product of signals (rows, driven) with Q, (driven, sensed), in units of the weight."""
        self.tally.add(self.place.name, "multiply-add reference", len(signals) * reference.size, self.crossbar.shape)
        tracked = (reference * np.asarray(self.fast.weight_range, reference.dtype)).astype(self.fast.dtype)
        return signals @ arithmetic(signals).bring(tracked)

    def forward(self, pre: Values, increments: bool = False, path: str = "own") -> Values:
        """Read ``pre @ W'.T``."""
        if not self.seen:
            return super().forward(pre, increments, path)
        chopped = pre * arithmetic(pre).bring(self.kept["chopper"].astype(self.fast.dtype))
        found = self.fast.forward(chopped, path, increments) - self._tracked(chopped, self.kept["reference"].T)
        return self.crossbar.forward(pre, path, increments) + found * float(self.seen)

    def transposed(
        self, post: Values, out: Values | None = None, increments: bool = False, path: str = "own"
    ) -> Values:
        """Read ``post @ W'``."""
        if not self.seen:
            return super().transposed(post, out, increments, path)
        found = self.fast.transposed(post, None, path, increments) - self._tracked(post, self.kept["reference"])
        signs = arithmetic(found).bring(self.kept["chopper"].astype(self.fast.dtype) * self.fast.dtype.type(self.seen))
        return self.crossbar.transposed(post, None, path, increments) + found * signs

    def expected(self, pre: Values) -> Values:
        """Return the product with the mean effective weights."""
        if not self.seen:
            return super().expected(pre)
        return pre @ arithmetic(pre).bring(self.weights().astype(self.fast.dtype, copy=False)).T

    def weights(self) -> np.ndarray:
        """Return the mean effective weights W', (out, in)."""
        if not self.seen:
            return super().weights()
        return self.crossbar.weights() + self._residual(self.fast.weights())

    def state(self) -> dict[str, np.ndarray]:
        """Return what is kept, the weights W' among it."""
        kept = super().state()
        if self.seen:
            kept["weight"] = stored(self.crossbar) + self._residual(stored(self.fast))
        return kept

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
        """Return p - Q, and let Q follow; the first reading of a column is what Q begins as, that at rest if any."""
        reads = self.kept["reads"][columns] + (self.chip.update.zero_shift is not None)
        eta = np.maximum(1 / reads, self._number("tracking")).astype(read.dtype)
        begins, reference, found = reads == 1, self.kept["reference"], np.empty_like(read)

        def follow(run: ColumnRun, first: int, last: int) -> None:
            own = slice(run.at, run.at + run.number)
            where = first, last, run.at, run.first
            column_kernels.follow(*where, read, begins[own], eta[own], reference, found)

        self._by_rows(columns, follow)
        return found


RULE = Rider
