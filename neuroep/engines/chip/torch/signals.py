# Tested by tests/neuroep/engines/chip/torch/test_every_chip.py.
"""What both ends of a synapse saw, on the host: read-outs and learning rules of a chip are NumPy's."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from neuroep.engines.parts import Values
from neuroep.learning.contrast import Held, Signal


def hosted(signal: Signal) -> Signal:
    """Return a signal of tensors as one of the host, brought there when asked for."""
    return Held(_host(signal.mean)) if isinstance(signal, Held) else HostedSignal(signal)


def _host(values: Values) -> np.ndarray:
    return np.ascontiguousarray(values.detach().cpu().numpy())


class HostedSignal:
    """One end of a synapse in two phases; see :class:`neuroep.learning.contrast.Signal`.

    Parameters
    ----------
    signal : Signal
        Of tensors.
    """

    def __init__(self, signal: Signal) -> None:
        self._signal = signal

    @cached_property
    def plus(self) -> np.ndarray:
        """State of the plus phase."""
        return _host(self._signal.plus)

    @cached_property
    def minus(self) -> np.ndarray:
        """State of the minus phase."""
        return _host(self._signal.minus)

    @cached_property
    def mean(self) -> np.ndarray:
        """(plus + minus) / 2."""
        return _host(self._signal.mean)

    @cached_property
    def change(self) -> np.ndarray:
        """plus - minus."""
        return _host(self._signal.change)
