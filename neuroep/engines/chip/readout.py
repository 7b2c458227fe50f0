"""Read-out of the phases: what a chip's periphery tells the update about the two ends of a synapse.

``states``: each phase is digitised, ``change = Q(s+) - Q(s-)``. ``difference``: both phases are held and their
difference has its own range, ``change = Q_d(s+ - s-)``, beside the mean ``Q(s)``. The learning signal of EP is that
change, 9 to 16 bits below full scale in the attention layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hw_models.chip import Readout
from hw_models.converters import Quantiser
from hw_models.randomness import key
from neuroep.contrast import Held, Signal
from neuroep.engines.chip.ranges import Ranged


class Periphery(Ranged):
    """Digitisers of one end of one synapse.

    Parameters
    ----------
    readout : Readout
        What to build.
    seed : int
        Of the draws.
    synapse, end : str
        Where it sits; ``end`` is ``post`` or ``pre``.
    """

    def __init__(self, readout: Readout, seed: int, synapse: str, end: str) -> None:
        self.difference = readout.signal == "difference"
        self.place = (seed, "read-out", synapse, end)
        where = f"read-out of {synapse}, {end} side"
        self.state, self.change = Quantiser(readout, where), Quantiser(readout, f"{where}, difference")
        self.conversions = 0
        self.begin()

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        self.key, self.measured = key(*self.place, *occasion), 0

    @property
    def quantisers(self) -> dict[str, Quantiser]:
        """All ranges by name."""
        return {"state": self.state, "change": self.change} if self.difference else {"state": self.state}

    def measure(self, signal: Signal) -> Digitised:
        """Return what it makes of a signal."""
        self.measured += 1
        return Digitised(self, signal, self.measured)


class Digitised:
    """A signal as the periphery sees it; see :class:`neuroep.contrast.Signal`. Computed when asked, drawn once."""

    def __init__(self, periphery: Periphery, signal: Signal, number: int) -> None:
        self._periphery, self._signal, self._number = periphery, signal, number

    def _read(self, quantiser: Quantiser, values: Any, what: int) -> np.ndarray:
        values = np.ascontiguousarray(values)
        if quantiser.observing:
            quantiser.sample(values)
        self._periphery.conversions += values.size if self._periphery.state.converter.bits is not None else 0
        return quantiser(values, self._periphery.key, self._number, what)

    @property
    def plus(self) -> np.ndarray:
        """State of the plus phase."""
        if self._held:
            return self.mean
        if self._periphery.difference:
            return self.mean + 0.5 * self._change
        return self._read(self._periphery.state, self._signal.plus, 0)

    @property
    def minus(self) -> np.ndarray:
        """State of the minus phase."""
        if self._held:
            return self.mean
        if self._periphery.difference:
            return self.mean - 0.5 * self._change
        return self._read(self._periphery.state, self._signal.minus, 1)

    @property
    def mean(self) -> np.ndarray:
        """(plus + minus) / 2."""
        if self._held or self._periphery.difference:
            return self._read(self._periphery.state, self._signal.mean, 0)
        return 0.5 * (self.plus + self.minus)

    @property
    def change(self) -> np.ndarray | None:
        """plus - minus, None where the signal is clamped."""
        if self._held:
            return None
        return self._change if self._periphery.difference else self.plus - self.minus

    @property
    def _change(self) -> np.ndarray:
        return self._read(self._periphery.change, self._signal.change, 2)

    @property
    def _held(self) -> bool:
        return isinstance(self._signal, Held)
