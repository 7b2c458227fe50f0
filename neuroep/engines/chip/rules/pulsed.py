# Tested by tests/neuroep/engines/chip/test_updates.py.
"""Pulsed, in memory: rank-1 pulse trains of what the two ends saw; no gradient is ever computed.

Source: Gokmen and Vlasov, Front. Neurosci. 10:333, 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroep.engines.chip.rules.in_memory import InMemory
from neuroep.engines.chip.rules.rule import Place
from neuroep.errors import ConfigError
from neuroep.learning.contrast import Contrast
from neuroep.learning.optimisers import SGD, Optimiser


class Pulsed(InMemory):
    """Pulse trains of what the two ends saw; see the module."""

    usual = SGD()

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        self._trains = self._short = 0

    @classmethod
    def refuse(cls, optimiser: Optimiser, scheme: str) -> None:
        """Refuse all but plain SGD."""
        super().refuse(optimiser, scheme)
        if not isinstance(optimiser, SGD) or optimiser.momentum:
            name = "momentum" if isinstance(optimiser, SGD) else "kind"
            value = optimiser.momentum if isinstance(optimiser, SGD) else "adam"
            learns = f"update scheme '{scheme}' learns by pulses in memory: allowed is 'sgd' without momentum"
            raise ConfigError(f"optimiser.{name} = {value!r}: {learns}")

    def update(self, contrast: Contrast, rate: float) -> int:
        """Send the trains of one batch; return how many weights are not finite."""
        if self.bias is not None:
            bias = self.bias
            bias -= bias.dtype.type(rate) * contrast.bias_gradient()
        self.digital.updates += 1
        change = -rate * contrast.scale
        terms = self._terms(contrast)
        self._watch(terms, abs(change / self.crossbar.weight_range))
        self._wait()
        for each in self.pulsed_arrays:
            step = change / each.crossbar.weight_range
            each.devices.update(each.crossbar.stored, terms, step, self.chip.update, self.updates)
        self.seconds = self._pulsing()
        return self._pulsed()

    def _watch(self, terms: list[tuple[float, Any, Any]], step: float) -> None:
        """Count the trains, and those whose strongest lines would need more slots than a train may have."""
        longest = self.chip.update.train_length * self.chip.device.pulse.dw_min
        for _, post, pre in terms:
            needed = step * np.abs(post).max(axis=1, initial=0) * np.abs(pre).max(axis=1, initial=0)
            self._trains += int(np.count_nonzero(needed))
            self._short += int(np.count_nonzero(needed > longest))

    def health(self) -> dict[str, float]:
        """Return the share of devices at their bounds; since the last call, of trains that were too short.

        With expected trains also of the moves that had to be played pulse by pulse (:mod:`hw_models.arrays.expected`).
        """
        own = self.devices
        short = self._short / self._trains if self._trains else 0.0
        played = own.played / (own.played + own.stepped) if own.played else 0.0
        self._trains = self._short = own.played = own.stepped = 0
        found = {"trains_too_short": short}
        if self.chip.update.trains == "expected":
            found["pulses_played"] = played
        return super().health() | found

    def _terms(self, contrast: Contrast) -> list[tuple[float, Any, Any]]:
        """Return (sign, post rows, pre rows): the weights are to change along the sum of sign post^T pre."""
        if self.chip.update.signals == "contrast":
            return [(1.0, post, pre) for post, pre in contrast.terms()]
        post, pre = contrast.post, contrast.pre
        return [(1.0, post.plus, pre.plus), (-1.0, post.minus, pre.minus)]


RULE = Pulsed
