"""Sample-and-holds of one layer of neurons: what is left of a settled state when the phases are read.

A neuron has two holders, A and B, and every synapse that sees it sees what they hold: one value for each phase. Of two
phases the one that settled first is put into A and waits there until the other, in B, has settled too; then both are
read. Chopping swaps the two holders of all neurons, alike in all pairs of phases of a batch: phases in the mirrored
order, and those without a nudge, meet the very holders whose faults they take away. With s the state of a phase, H its
holder and n the number of phases for which it waits:

    k = (1 + gain_H) exp(-hold_droop n) s + offset_H + hold_noise z         or exp(-t/hold_time), t its wait
    gain_H = hold_gain z_H,   offset_H = hold_offset z'_H        drawn once for every neuron and holder
    z                                                            drawn at every hold

so that difference d and mean m of two phases become, with e = (1 + gain) exp(-hold_droop n) - 1, or so with t,

    d -> d (1 + (e+ + e-)/2) + m (e+ - e-)   + offset+ - offset-     + hold_noise (z+ - z-)
    m -> m (1 + (e+ + e-)/2) + d (e+ - e-)/4 + (offset+ + offset-)/2 + hold_noise (z+ + z-)/2

The states are differenced before their errors are added, as in :mod:`neuroep.learning.contrast`. A droop is a leak of
the capacitor, hold_droop = (time of a nudged phase)/(R C), hold_time = R C; kT/C noise has hold_noise = sqrt(kT/C) over
the voltage of a state of 1. An attention layer that shows all its tokens has two holders for each of their components.
One that shows their sum has them behind the sum, which the next synapse sees, and another two for each component of a
token, through which its tokens are read one after the other, both phases of one before the next.

Source: Johns and Martin, Analog Integrated Circuit Design, 1997, chapter 8 (pedestal, droop, kT/C of a track-and-hold);
Enz and Temes, Proc. IEEE 84:1584, 1996 (auto-zero, chopping).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np

from hw_models.chip import Readout
from hw_models.kernels.random import key, normals, uniforms
from hw_models.tally import Tally

Number: TypeAlias = "int | np.ndarray"
"""A phase's number since the free one, or (samples,) of them."""
Waits: TypeAlias = "tuple[float | np.ndarray, float | np.ndarray]"
"""Of the plus and the minus phase [s], a number or (samples,)."""
GAIN, OFFSET = 0, 2
"""First tiles of the draws that stay; the second holder's come next."""
DRAWS = 4
"""Draws of one measurement: two phases of the signal, two of the zero."""


class Places(NamedTuple):
    """Places of an attention layer's tokens."""

    sample: np.ndarray
    """(rows,) sample of each row."""
    place: np.ndarray
    """(rows,) place of each token in its sequence."""


class Errors(NamedTuple):
    """What holders do to the two phases of (rows, size) states; each broadcasts to that."""

    gain: tuple[np.ndarray, np.ndarray]
    """e of the plus and the minus phase."""
    offset: tuple[np.ndarray, np.ndarray]
    """In units of the state."""
    sign: np.ndarray
    """1 where the plus phase is in holder A, -1 where it is in B."""

    def change(self, change: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Return the held difference of two phases, without noise."""
        (plus, minus), (up, down) = self.gain, self.offset
        kind = change.dtype
        both, apart = (0.5 * (plus + minus)).astype(kind), (plus - minus).astype(kind)
        return change + both * change + apart * mean + (up - down).astype(kind)

    def mean(self, change: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Return the mean of the two held phases, without noise."""
        (plus, minus), (up, down) = self.gain, self.offset
        kind = mean.dtype
        both, apart = (0.5 * (plus + minus)).astype(kind), (0.25 * (plus - minus)).astype(kind)
        return mean + both * mean + apart * change + (0.5 * (up + down)).astype(kind)


class Holders:
    """The two sample-and-holds of every neuron of a layer.

    Parameters
    ----------
    readout : Readout
        Their faults.
    seed : int
        Of the draws.
    layer : str
        Whose states they hold: part of every key.
    width : int
        Number of holders of each kind, one for a neuron.
    by_token : bool
        Whether they are of one token's components, and hold the rows of all tokens in turn.
    tally : Tally, optional
        Where to write holds; default one of its own.
    """

    def __init__(
        self, readout: Readout, seed: int, layer: str, width: int, by_token: bool = False, tally: Tally | None = None
    ) -> None:
        self.readout, self.layer, self.width, self.by_token = readout, layer, width, by_token
        self.tally = Tally() if tally is None else tally
        self.name = f"holders of {layer}"
        self.place = (seed, "holders", layer)
        fixed = key(seed, "holders", layer, "fixed")
        draws = [normals(fixed, 0, tile, (1, width), dtype="float64") for tile in range(4)]
        self.gain = readout.hold_gain * np.concatenate(draws[GAIN : GAIN + 2])
        self.offset = readout.hold_offset * np.concatenate(draws[OFFSET : OFFSET + 2])
        self.begin()

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        self.key, self.swap, self.measured = key(*self.place, *occasion), key(*self.place[:2], "swap", *occasion), 0

    def hold(self, samples: int, plus: Number, minus: Number, waits: Waits | None = None) -> Hold:
        """Return what holds two phases of a batch.

        Parameters
        ----------
        samples : int
            Of the batch.
        plus, minus : int or numpy.ndarray
            Numbers of the two phases since the free one, or (samples,) of each.
        waits : tuple, optional
            For how long the state of each waits [s], where they droop by the time.
        """
        self.measured += 1
        return Hold(self, self.measured, samples, plus, minus, waits)

    def swapped(self, samples: int) -> np.ndarray:
        """Return whether holders are swapped in all measurements of a batch, (samples,) bool."""
        kind = self.readout.chopping
        if kind == "off":
            return np.zeros(samples, dtype=bool)
        shape = (samples, 1) if kind == "sample" else (1, 1)
        drawn = uniforms(self.swap, 1, 0, shape)[:, 0] < 0.5
        return np.broadcast_to(drawn, (samples,))


@dataclass
class Hold:
    """Two phases of one batch in the holders of one layer: every synapse that sees the layer reads this."""

    holders: Holders
    number: int
    samples: int
    plus: Number
    minus: Number
    waits: Waits | None = None
    _noise: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    _paid: set[tuple[int, int]] = field(default_factory=set)

    @cached_property
    def _turns(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Whether the plus phase is in holder A, and over how many time constants both wait; (samples or 1,) each."""
        first = np.broadcast_to(np.less(self.plus, self.minus), (self.samples,))
        in_a = first ^ self.holders.swapped(self.samples)
        waits = [np.broadcast_to(wait, (self.samples,)) for wait in self._leaks()]
        if self.samples and all((each == each[0]).all() for each in (in_a, *waits)):
            return in_a[:1], [each[:1] for each in waits]
        return in_a, waits

    def _leaks(self) -> list[np.ndarray]:
        """Return the exponents by which the states of both phases have decayed."""
        own, last = self.holders.readout, np.maximum(self.plus, self.minus)
        if own.hold_time is None:
            return [own.hold_droop * (last - np.asarray(phase)) for phase in (self.plus, self.minus)]
        return [np.asarray(seconds) / own.hold_time for seconds in self.waits or (0.0, 0.0)]

    def errors(self, columns: int, rows: Places | None = None) -> Errors:
        """Return errors that are no noise, (rows or 1, columns) each; ``rows`` where the signal's rows are tokens."""
        own, (in_a, waits) = self.holders, self._turns
        if rows is not None and len(in_a) > 1:
            in_a, waits = in_a[rows.sample], [each[rows.sample] for each in waits]
        place: np.ndarray | int = 0
        if rows is not None and not own.by_token:
            place = rows.place
        gain, offset = (values.reshape(2, -1, columns) for values in (own.gain, own.offset))
        found = []
        for wait, in_this in zip(waits, (in_a, ~in_a), strict=True):
            holder = np.where(in_this, 0, 1)
            loss = np.expm1(-wait)[:, None]
            found.append((gain[holder, place] * (1 + loss) + loss, offset[holder, place]))
        (plus, up), (minus, down) = found
        return Errors((plus, minus), (up, down), np.where(in_a, 1.0, -1.0)[:, None])

    def pay(self, time: int, draw: int, values: int) -> None:
        """Count that so many values are held, whoever sees them first."""
        if (time, draw) not in self._paid:
            self._paid.add((time, draw))
            self.holders.tally.add(self.holders.name, "hold", values, (self.holders.width,))

    def noise(
        self, time: int, draw: int, shape: tuple[int, int], dtype: np.dtype, rows: Places | None = None
    ) -> np.ndarray:
        """Return kT/C noise of one hold, drawn once and the same for all that see it.

        Parameters
        ----------
        time : int
            How often it was held before.
        draw : int
            0 and 1 for the plus and the minus phase, 2 and 3 for those of the zero.
        shape : tuple of int
            (rows, columns) of the signal that is asked for.
        dtype : numpy.dtype
            Of the result.
        rows : Places, optional
            Where its rows are tokens: those of a layer that shows them all are its neurons.
        """
        whole = rows is not None and not self.holders.by_token
        if (time, draw) not in self._noise:
            own = self.holders
            drawn = (self.samples, own.width) if whole else shape
            z = normals(own.key, self.number, time * DRAWS + draw, drawn, dtype=dtype.name)
            self._noise[time, draw] = dtype.type(own.readout.hold_noise) * z
        found = self._noise[time, draw]
        if rows is None or not whole:
            return found
        return found.reshape(self.samples, -1, shape[1])[rows.sample, rows.place]


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return values of several layers side by side, each (rows or 1, size)."""
    if len(parts) == 1:
        return parts[0]
    most = max(len(part) for part in parts)
    return np.concatenate([np.broadcast_to(part, (most, part.shape[1])) for part in parts], axis=1)
