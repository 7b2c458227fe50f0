# Tested by tests/neuroep/engines/chip/test_readout.py.
"""Read-out of the phases: what a chip's periphery tells the update about the two ends of a synapse.

``states``: each phase is digitised as it ends, ``change = Q(s+) - Q(s-)``, ``mean`` half their sum: two conversions of
a state.

``difference``: both phases are held, and what is converted is their difference, with a range of its own, and their
mean: two conversions of a state.

    change = Q_d(k+ - k-),  mean = Q((k+ + k-)/2)
    std(change) = sqrt(2) hold_noise,   std(mean) = hold_noise/sqrt(2),   the two uncorrelated

What a holder does to a state, k of s, says :mod:`hw_models.periphery.holders`: both ends that see a neuron see the same
k. A state that is digitised by itself has the noise of the sample-and-hold in front of the converter, whose offset and
gain are the same in both phases.

``hold_noise`` is in units of the state (kT/C of the holder: sqrt(kT/C) over the voltage of a state of 1), and the noise
of the converters is a share of the *states'* full scale for the difference too: neither shrinks with the range to which
the difference is amplified, and the samples on which that range is calibrated have both in them. The learning signal of
EP is that change, 9 to 16 bits below full scale in the attention layer. A clamped input is known, the same in both
phases, and digitised once without a holder.

**Held n times** (``holds``): each time with noise of its own, converted each time, and averaged digitally.

**Auto-zero**: the free state is held as both phases are, by the same holders for as long, its difference converted too:

    z = Q_d(k0 - k0'),   sample: change - z,   mean: change - sign Z,  Z <- Z + (mean(sign z) - Z)/min(n, 100)

with sign -1 where the holders are swapped, the mean over the rows of update n. ``sample`` takes away what holders do
to this very state, with its noise, std(change) = 2 hold_noise; ``mean`` takes away what is always the same, with hardly
any noise.

A value is held and converted once, when it is first asked for, and counted once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from hw_models.arrays.converter_bank import Digitisers
from hw_models.arrays.converters import Digitiser
from hw_models.chip import Readout
from hw_models.kernels.random import key
from hw_models.periphery.holders import Errors, Hold, Holders, Places, joined
from hw_models.tally import Tally

PLUS, MINUS, CHANGE, ZERO, KINDS = 0, 1, 2, 3, 4
"""What is converted; a state, or the mean of two, takes the place of PLUS."""
MEMORY = 100
"""Updates of which a running mean of the zero knows."""


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


class Seen(NamedTuple):
    """How one end of a synapse sees its neurons."""

    holds: tuple[Hold, ...]
    """Of its layers, side by side."""
    rows: Places | None = None
    """Where rows of the signal are tokens."""
    zero: TwoPhases | None = None
    """Two equal phases, for an auto-zero."""


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
    width : int
        Number of signals, needed for a running mean of the zero.

    Attributes
    ----------
    digitiser, change : Digitiser
        Of states, and of the difference of the phases.
    zero : numpy.ndarray
        (width,) running mean Z of the zero, as k of holder A less k of holder B.
    zeros : int
        Updates in it.
    """

    def __init__(
        self, readout: Readout, seed: int, synapse: str, end: str, tally: Tally | None = None, width: int = 0
    ) -> None:
        self.readout, self.difference = readout, readout.signal == "difference"
        self.place = (seed, "read-out", synapse, end)
        where = f"read-out of {synapse}, {end} side"
        self.tally, difference = Tally() if tally is None else tally, f"{where}, difference of the phases"
        self.digitiser = Digitiser(readout, where, tally=self.tally)
        self.change = Digitiser(readout, difference, noise_of=self.digitiser, tally=self.tally)
        self.change.blank = None
        self.zero, self.zeros = np.zeros(width), 0
        self._fresh: list[np.ndarray] = []
        self._alone: Holders | None = None
        self.begin()

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        self.occasion, self.key, self.measured = occasion, key(*self.place, *occasion), 0
        self._alone, self._fresh = None, []

    def check(self) -> None:
        """Refuse a difference of the phases that was 0 in all calibration samples; raises ChipError."""
        self.change.check()

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

    def digitised(self, signal: TwoPhases, clamped: bool, seen: Seen | None = None) -> DigitisedPhases:
        """Return what it makes of a signal; of a clamped one, which both phases share, it asks the mean alone.

        Where nothing is said of the holders, they are this end's own, and the plus phase was held first.
        """
        self.measured += 1
        return DigitisedPhases(self, signal, self.measured, clamped, seen)

    def alone(self, shape: tuple[int, ...]) -> Seen:
        """Return holders of this end alone."""
        rows, columns = shape
        if self._alone is None or self._alone.width != columns:
            self._alone = Holders(self.readout, self.place[0], " ".join(map(str, self.place[2:])), columns)
            self._alone.begin(*self.occasion)
        return Seen((self._alone.hold(rows, 1, 2),))

    def follow(self, zero: np.ndarray) -> np.ndarray:
        """Return the running mean with a zero of this update in it, (width,) both; it stays with :meth:`updated`."""
        self._fresh.append(zero)
        return self._followed(self.zero, self.zeros + 1, zero)

    @staticmethod
    def _followed(mean: np.ndarray, number: int, zero: np.ndarray) -> np.ndarray:
        return mean + (zero - mean) / min(number, MEMORY)

    def updated(self) -> None:
        """Keep the zeros that an update has used."""
        for zero in self._fresh:
            self.zeros += 1
            self.zero = self._followed(self.zero, self.zeros, zero)
        self._fresh = []

    def state(self) -> dict[str, np.ndarray]:
        """Return all ranges by name, and the running mean of the zero where there is one."""
        found = super().state()
        if self.readout.auto_zero == "mean":
            found |= {"zero": self.zero.copy(), "zeros": np.array(self.zeros)}
        return found

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        super().load(state)
        if self.readout.auto_zero == "mean":
            self.zero, self.zeros = np.array(state["zero"], dtype=np.float64), int(state["zeros"])


class DigitisedPhases:
    """A signal as the read-out sees it, itself a :class:`TwoPhases`."""

    def __init__(
        self, readout: PhaseReadout, signal: TwoPhases, number: int, clamped: bool, seen: Seen | None = None
    ) -> None:
        self._readout, self._signal, self._number, self._clamped = readout, signal, number, clamped
        self._difference = readout.difference and not clamped
        self._given = seen

    def _convert(self, digitiser: Digitiser, values: np.ndarray, what: int, time: int = 0) -> np.ndarray:
        return digitiser.digitise(values, self._readout.key, self._number, what + KINDS * time)

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

    # One phase at a time.

    @cached_property
    def _plus(self) -> np.ndarray:
        return self._sampled(np.asarray(self._signal.plus), PLUS)

    @cached_property
    def _minus(self) -> np.ndarray:
        return self._sampled(np.asarray(self._signal.minus), MINUS)

    def _sampled(self, values: np.ndarray, phase: int) -> np.ndarray:
        """Return a state of one phase, sampled and converted as often as the chip does."""
        own, found = self._readout, []
        for time in range(own.readout.holds):
            noisy = values + self._noise(time, phase, values) if own.readout.hold_noise else values
            found.append(self._convert(own.digitiser, noisy, phase, time))
        return _average(found)

    # Both phases held.

    @cached_property
    def _mean(self) -> np.ndarray:
        if not self._difference and not self._clamped:
            return 0.5 * (self._plus + self._minus)
        if self._clamped:
            return self._convert(self._readout.digitiser, np.asarray(self._signal.mean), PLUS)
        own, found = self._readout, []
        values = self._centre
        if own.readout.differs:
            values = self._errors.mean(self._step, values)
        for time in range(own.readout.holds):
            self._pay(time, PLUS, values.shape)
            noisy = values
            if own.readout.hold_noise:
                noisy = values + 0.5 * (self._noise(time, PLUS, values) + self._noise(time, MINUS, values))
            found.append(self._convert(own.digitiser, noisy, PLUS, time))
        return _average(found)

    @cached_property
    def _change(self) -> np.ndarray:
        if not self._difference:
            return self._plus - self._minus
        own = self._readout
        if own.digitiser.observing:
            _ = self._mean  # the states' full scale is the unit of the noise, whether their mean is read or not
        found = self._differences(self._step, self._centre if own.readout.differs else self._step, PLUS, CHANGE)
        if own.readout.auto_zero == "off" or self._seen.zero is None:
            return found
        free = np.asarray(self._seen.zero.mean)
        zero = self._differences(np.zeros_like(free), free, ZERO - 1, ZERO)
        if own.readout.auto_zero == "sample":
            return found - zero
        sign = self._errors.sign
        mean = own.follow((sign * zero).mean(0, dtype=np.float64) if len(zero) else own.zero)
        return found - (sign * mean).astype(found.dtype)

    def _differences(self, change: np.ndarray, mean: np.ndarray, first: int, what: int) -> np.ndarray:
        """Return the converted difference of two held phases, its draws of holders from ``first`` on."""
        own, found = self._readout, []
        if own.readout.differs:
            change = self._errors.change(change, mean)
        for time in range(own.readout.holds):
            self._pay(time, first, change.shape)
            noisy = change
            if own.readout.hold_noise:
                noisy = change + (self._noise(time, first, change) - self._noise(time, first + 1, change))
            found.append(self._convert(own.change, noisy, what, time))
        return _average(found)

    @cached_property
    def _step(self) -> np.ndarray:
        return np.asarray(self._signal.change)

    @cached_property
    def _centre(self) -> np.ndarray:
        return np.asarray(self._signal.mean)

    @cached_property
    def _seen(self) -> Seen:
        return self._given or self._readout.alone(np.asarray(self._signal.plus).shape)

    @cached_property
    def _errors(self) -> Errors:
        """What the holders of all layers do, side by side."""
        seen, shape = self._seen, self._step.shape
        each = [hold.errors(size, seen.rows) for hold, size in self._columns(shape[1])]
        gain, offset = ([joined([one[what][n] for one in each]) for n in range(2)] for what in range(2))
        return Errors((gain[0], gain[1]), (offset[0], offset[1]), each[0].sign)

    def _noise(self, time: int, draw: int, like: np.ndarray) -> np.ndarray:
        """Return the noise of one hold of all layers, side by side."""
        rows, each = self._seen.rows, self._columns(like.shape[1])
        return joined([hold.noise(time, draw, (len(like), size), like.dtype, rows) for hold, size in each])

    def _pay(self, time: int, first: int, shape: tuple[int, ...]) -> None:
        """Count two holds of each value, shared over the layers."""
        rows, columns = shape
        for hold, size in self._columns(columns):
            for draw in (first, first + 1):
                hold.pay(time, draw, rows * size)

    def _columns(self, columns: int) -> list[tuple[Hold, int]]:
        """Return what holds each layer, and how many of the columns are its; a row of tokens is one layer's."""
        holds = self._seen.holds
        return [(hold, hold.holders.width if len(holds) > 1 else columns) for hold in holds]


def _average(found: list[np.ndarray]) -> np.ndarray:
    """Return the mean of what was converted several times."""
    if len(found) == 1:
        return found[0]
    return sum(found[1:], start=found[0]) / found[0].dtype.type(len(found))
