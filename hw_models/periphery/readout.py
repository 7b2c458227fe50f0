# Tested by tests/neuroep/engines/chip/test_readout.py.
"""Read-out of the phases: what a chip's periphery tells the update about the two ends of a synapse.

``states``: each phase is digitised, ``change = Q(s+) - Q(s-)``, ``mean`` half their sum: two conversions of a state.

``difference``: both phases are held, each with a draw of its own of the holder's noise, and what is converted is their
difference, with a range of its own, and their mean: two conversions of a state.

    k+- = s+- + hold_noise z+-          change = Q_d(k+ - k-),  mean = Q((k+ + k-)/2)
    std(change) = sqrt(2) hold_noise,   std(mean) = hold_noise/sqrt(2),   the two uncorrelated

``hold_noise`` is in units of the state (kT/C of the holder: sqrt(kT/C) over the voltage of a state of 1), and the noise
of the converters is a share of the *states'* full scale for the difference too: neither shrinks with the range to which
the difference is amplified, and the samples on which that range is calibrated have both in them. The learning signal of
EP is that change, 9 to 16 bits below full scale in the attention layer. A clamped input is known, the same in both
phases, and digitised once without a holder.

A value is held and converted once, when it is first asked for, and counted once.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np

from hw_models.arrays.converter_bank import Digitisers
from hw_models.arrays.converters import Digitiser
from hw_models.chip import Readout
from hw_models.kernels.random import key, normals
from hw_models.tally import Tally

PLUS, MINUS, CHANGE = 0, 1, 2
"""What is converted; a state, or the mean of two, takes the place of PLUS."""
HOLDERS = 6
"""First tile of the draws of the two holders, behind two for each of the above."""


class TwoPhases(Protocol):
    """One end of a synapse in the plus and the minus phase, each (rows, size), computed when asked for."""

    @property
    def plus(self) -> np.ndarray: ...

    @property
    def minus(self) -> np.ndarray: ...

    @property
    def mean(self) -> np.ndarray: ...

    @property
    def change(self) -> np.ndarray | None: ...


class PhaseReadout(Digitisers):
    """Digitisers of one end of one synapse.

    Parameters
    ----------
    readout : Readout
        What to build.
    seed : int
        Of the draws.
    synapse, end : str
        Where it sits; ``end`` is ``post`` or ``pre``.
    tally : Tally, optional
        Where to write conversions; default one of its own.

    Attributes
    ----------
    digitiser, change : Digitiser
        Of states, and of the difference of the phases.
    """

    def __init__(self, readout: Readout, seed: int, synapse: str, end: str, tally: Tally | None = None) -> None:
        self.difference, self.hold_noise = readout.signal == "difference", readout.hold_noise
        self.place = (seed, "read-out", synapse, end)
        where = f"read-out of {synapse}, {end} side"
        self.tally, difference = Tally() if tally is None else tally, f"{where}, difference of the phases"
        self.digitiser = Digitiser(readout, where, tally=self.tally)
        self.change = Digitiser(readout, difference, noise_of=self.digitiser, tally=self.tally)
        self.change.blank = None
        self.begin()

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        self.key, self.measured = key(*self.place, *occasion), 0

    @property
    def conversions(self) -> int:
        """Values converted."""
        return self.digitiser.conversions + self.change.conversions

    @property
    def at_stop(self) -> int:
        """Values that lay beyond the last level."""
        return self.digitiser.at_stop + self.change.at_stop

    @property
    def digitisers(self) -> dict[str, Digitiser]:
        """All ranges by name."""
        return {"state": self.digitiser, "change": self.change} if self.difference else {"state": self.digitiser}

    def digitised(self, signal: TwoPhases, clamped: bool) -> DigitisedPhases:
        """Return what it makes of a signal; of a clamped one, which both phases share, it asks the mean alone."""
        self.measured += 1
        return DigitisedPhases(self, signal, self.measured, clamped)

    def held(self, shape: tuple[int, int], number: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """Return the holders' noise on the plus and the minus phase of one measurement, each of that shape."""
        draws = [normals(self.key, number, HOLDERS + phase, shape, dtype=dtype.name) for phase in (PLUS, MINUS)]
        sigma = dtype.type(self.hold_noise)
        return sigma * draws[0], sigma * draws[1]


class DigitisedPhases:
    """A signal as the read-out sees it, itself a :class:`TwoPhases`."""

    def __init__(self, readout: PhaseReadout, signal: TwoPhases, number: int, clamped: bool) -> None:
        self._readout, self._signal, self._number, self._clamped = readout, signal, number, clamped
        self._difference = readout.difference and not clamped

    def _convert(self, digitiser: Digitiser, values: np.ndarray, what: int) -> np.ndarray:
        return digitiser.digitise(values, self._readout.key, self._number, what)

    @property
    def plus(self) -> np.ndarray:
        """State of the plus phase."""
        if self._clamped:
            return self._mean
        return self._mean + 0.5 * self._change if self._difference else self._plus

    @property
    def minus(self) -> np.ndarray:
        """State of the minus phase."""
        if self._clamped:
            return self._mean
        return self._mean - 0.5 * self._change if self._difference else self._minus

    @property
    def mean(self) -> np.ndarray:
        """(plus + minus) / 2."""
        return self._mean

    @property
    def change(self) -> np.ndarray | None:
        """plus - minus, None where the signal is clamped."""
        return None if self._clamped else self._change

    @cached_property
    def _plus(self) -> np.ndarray:
        return self._convert(self._readout.digitiser, self._signal.plus, PLUS)

    @cached_property
    def _minus(self) -> np.ndarray:
        return self._convert(self._readout.digitiser, self._signal.minus, MINUS)

    @cached_property
    def _mean(self) -> np.ndarray:
        if not self._difference and not self._clamped:
            return 0.5 * (self._plus + self._minus)
        values = np.asarray(self._signal.mean)
        if self._difference and self._readout.hold_noise:
            plus, minus = self._noise
            values = values + 0.5 * (plus + minus)
        return self._convert(self._readout.digitiser, values, PLUS)

    @cached_property
    def _change(self) -> np.ndarray:
        if not self._difference:
            return self._plus - self._minus
        own = self._readout
        if own.digitiser.observing:
            _ = self._mean  # the states' full scale is the unit of the noise, whether their mean is read or not
        values = np.asarray(self._signal.change)
        if own.hold_noise:
            plus, minus = self._noise
            values = values + (plus - minus)
        return self._convert(own.change, values, CHANGE)

    @cached_property
    def _noise(self) -> tuple[np.ndarray, np.ndarray]:
        """What the two holders add, drawn once for mean and change."""
        values = np.asarray(self._signal.change)
        return self._readout.held(values.shape, self._number, values.dtype)
