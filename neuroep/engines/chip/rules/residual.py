# Tested by tests/neuroep/engines/chip/test_residual.py.
"""Residual learning over n arrays of falling scale: each learns what those before it left, as it is read of them.

    W = R sum_k gamma^k w_k                       k = 0 .. n - 1, all of them are read by products

    A_j <- A_j - s c_j g_j                        trains of pulses, signs of the inputs times c
    every n_s updates  H_j <- H_j + rate c_j (a_j - P_j)
                       for k = 0 .. n - 1:
                           n_k = trunc(H_j/gamma^k), at most max(room_k/dw_W, 1)
                           w_kj <- w_kj + n_k dw_W                                 pulses
                           H_j <- H_j - gamma^k d_k/dw_W
                       H_j <- min(max(H_j, -1), 1)
    every F reads      P_j <- a_j, c_j <- -c_j

with d_k what the read of w_kj says that the pulses changed it by (``transfer.verify``), or n_k dw_W, what they should,
and room_k from that read to the bound of the mean device: one that is full gets a pulse, not all that finer arrays are
asked for, gamma^-k times H, again and again. Without the read nothing is known of it.

Analog: A, which no product reads, w_0 .. w_{n-1}. Digital: H in pulses of w_0, the reference P, c. An array of four
states holds a weight to half the range; the next takes what is left, and so on, down to gamma^(n-1) dw_W. A pulse on a
coarse array that strays, a device that is stuck and write noise are errors that the read shows and finer arrays take
up at once. What finer arrays cannot hold stays in H until it is a pulse of a coarser one; more than
a pulse of w_0, which no array took, is let go. Without the read nothing tells that finer arrays are full, and coarse
ones hardly learn.

**Warm start.** The arrays are programmed from the coarsest to the finest, each with what is left of the weights after
a read of those before it, W_k = (W - sum_{l<k} gamma^l R w_l)/(gamma^k R); so they are where the range grows. With
``transfer.warm`` m array k takes part from update k m on.

Columns are read through the chip's converters, with a range of their own (:func:`.verified.columns_chip`); each read,
before and after pulses, and of the warm start, is counted and takes its time.

Sources: sum of scaled arrays, coarse ones first, gamma 0.5 for four states: Li, Wu, Liu, Gokmen and Chen, arXiv
2510.02516, 2025, after Wu et al., arXiv 2502.06309, 2025. There trains go to the finest array, which products see, and
what is read of array k + 1 is given to array k every so often, rounded at random; H with what is read back is ours, as
is A with the chopper and reference of AGAD. Arrays that are programmed with what is left: Song et al., Science 383:903,
2024.
"""

from __future__ import annotations

import numpy as np

from hw_models.arrays.bursts import run_of, whole_numbers
from hw_models.arrays.converter_bank import Converters
from neuroep.engines.chip.rules.agad import Agad
from neuroep.engines.chip.rules.in_memory import GROWN, LEFT_OUT
from neuroep.engines.chip.rules.rule import CROSSBAR, Place
from neuroep.engines.chip.rules.verified import ROUNDING, columns_chip, read_back

ARRAY = "array_"
"""Label of an array, behind which stands its number, from 1; the first is the rule's first crossbar."""


class Residual(Agad):
    """Arrays of falling scale; see the module.

    Attributes
    ----------
    scales : dict of str to float
        gamma^k by label, coarsest first.
    """

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        chip = columns_chip(self.chip)
        labels = [CROSSBAR, *(f"{ARRAY}{k}" for k in range(1, self._count("tiles")))]
        self.scales = {label: self._number("gamma") ** k for k, label in enumerate(labels)}
        self.banks = {label: Converters(chip, f"{self.place.name} {label}") for label in labels}  # names of messages
        self.verifies = bool(self.chip.update.of_transfer("verify"))
        self._share_out(weight, False)
        self.shares = dict(self.scales)
        if self.fill < 1:
            self._leave_out(weight)
        self.prepared, self.seconds = self.prepared + self.seconds, 0.0

    @property
    def seen(self) -> float:
        """Nothing: no product reads A."""
        return 0.0

    @property
    def _bound(self) -> float:
        """The largest weight that all arrays hold together, as a share of the range."""
        pulse = self.chip.device.pulse
        return min(pulse.w_max, -pulse.w_min or pulse.w_max) * sum(self.scales.values())

    def _read(self, label: str, columns: np.ndarray) -> np.ndarray:
        """Return columns of an array as they are read, as shares of its range."""
        found, seconds = read_back(self.groups[label][0], columns, self.banks[label])
        self.seconds += seconds
        return found

    def _share_out(self, weight: np.ndarray, again: bool) -> None:
        """Program arrays, each with what is left of the weights after a read of those before it.

        ``again`` programs those that there are anew; those that there are not yet are made.
        """
        every = np.arange(weight.shape[1])
        left = weight / np.asarray(self.crossbar.weight_range, weight.dtype)
        for label, scale in self.scales.items():
            wanted = left * np.asarray(self.crossbar.weight_range / scale, left.dtype)
            if label not in self.crossbars:
                self._array(wanted, label, self.crossbar.weight_range)
            elif again:
                bar = self.crossbars[label]
                bar.elapse()
                bar.program(wanted)
                self.seconds += max(each.writing for each in self.groups[label])
                for each in self.groups[label]:
                    each.written()
                self.seconds += self._until_right(label, wanted)
            left -= np.asarray(scale, left.dtype) * self._read(label, every)

    def _reach(self) -> int:
        """Return how many arrays take part by now."""
        warm = self._count("warm")
        return min(1 + self.updates // warm, len(self.scales)) if warm else len(self.scales)

    def _move(self, columns: np.ndarray, moved: np.ndarray, rates: np.ndarray) -> int:
        """Give columns of all arrays what was read of A's, times their rates, in pulses of the coarsest.

        Returns how many are not finite.
        """
        gathered, most, at = self.kept["gathered"], self._number("most") or np.inf, run_of(columns)
        left = gathered[:, at] + moved * rates
        for label, scale in list(self.scales.items())[: self._reach()]:
            whole = np.clip(np.trunc(left / scale), -most, most)
            if not np.isfinite(whole).all():
                return int(whole.size)
            which = np.flatnonzero(whole.any(axis=0))
            if not len(which):
                continue
            before = self._read(label, columns[which]) if self.verifies else None
            if before is not None:
                whole[:, which] = self._within(whole[:, which], before)
            if bad := self._give(label, columns, whole_numbers(whole), (len(which), 0)):
                return bad
            arrived = whole
            if before is not None:
                arrived = np.zeros_like(whole)
                arrived[:, which] = (self._read(label, columns[which]) - before) / self.chip.device.granule
            left -= np.where(whole != 0, scale * arrived, 0)
        gathered[:, at] = np.clip(left, -1, 1)
        self._moved(len(columns), self.work + 2 * len(self.scales))
        return 0

    def _within(self, whole: np.ndarray, read: np.ndarray) -> np.ndarray:
        """Return pulses, no more than lead from what is read to a bound of the mean device, but one."""
        pulse = self.chip.device.pulse
        room = np.where(whole > 0, pulse.w_max - read, read - (pulse.w_min or -pulse.w_max))
        most = np.ceil(np.maximum(room, 0) / self.chip.device.granule - ROUNDING)
        return np.asarray(np.clip(whole, -np.maximum(most, 1), np.maximum(most, 1)))

    def calibrated(self) -> None:
        """Let the converters of all arrays hold what the coarsest one's do: finer ones begin with next to nothing."""
        for label, bar in self.crossbars.items():
            if label not in self.scales:
                continue
            bar.converters.at_least(self.crossbar.converters)
            if bar.increments is not None and self.crossbar.increments is not None:
                bar.increments.at_least(self.crossbar.increments)

    def _widen(self) -> int:
        """Share all weights out anew with twice the range where too many of them are near the bounds of all arrays."""
        if self.fill >= 1:
            return 0
        weight, left = self._held(), self.kept[LEFT_OUT]
        beyond, beside = (np.abs(weight) > self.fill * self._bound) & ~left, int(np.count_nonzero(left))
        if np.count_nonzero(beyond) <= max(GROWN * weight.size, beside):
            return 0
        every = np.arange(weight.shape[1])
        held = sum(scale * self._read(label, every) for label, scale in self.scales.items())
        held = np.asarray(held * self.crossbar.weight_range, weight.dtype)
        for label in self.scales:
            for each in self.groups[label]:
                each.crossbar.weight_range *= 2
        self.kept["gathered"] /= 2
        self._share_out(held, True)
        self._leave_out(held)
        return 0

    def _held(self) -> np.ndarray:
        """Return the weights that all arrays hold together, in shares of the range."""
        return self._sum(lambda bar: bar.stored)

    def health(self) -> dict[str, float]:
        """Return shares as other rules do; of the arrays of the weights those of the coarsest."""
        return {name: share for name, share in super().health().items() if not name.startswith(ARRAY)}


RULE = Residual
