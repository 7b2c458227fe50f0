# Tested by tests/neuroep/engines/chip/test_updates.py.
"""Mixed precision: the optimiser moves an accumulator chi; whole granules of it go to the devices as pulses.

    chi <- optimiser(chi, g)
    every n_s updates  n = trunc(chi/granule), W <- W + n dw_W by pulses, chi <- chi - n granule

Analog: W. Digital: chi, the outer products of g, the optimiser's moments. With ``update.verify.tolerance``
the loop is closed (:mod:`.verified`): chi is then what the devices are read to lack.

Source: Nandakumar et al., Front. Neurosci. 14:406, 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hw_models.arrays.bursts import Bursts
from neuroep.engines.chip.rules.in_memory import InMemory
from neuroep.engines.chip.rules.rule import Place
from neuroep.engines.chip.rules.scaling import tolerance
from neuroep.engines.chip.rules.verified import Verified
from neuroep.learning.contrast import Contrast

SINGLE = 1000
"""Most pulses of a device that are given one by one; more are given in one step of their mean and spread."""


class MixedPrecision(InMemory):
    """Digital accumulation, whole granules as pulses; see the module.

    Attributes
    ----------
    near : float
        Tolerance of updates in a closed loop, a share of the weight range; 0 where the loop is open.
    """

    accumulates = True

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        self.near = tolerance(place.chip)  # how weights are programmed goes by it
        super().__init__(place, weight, bias)
        self.loops: list[Verified] = []
        if self.near:
            self.digital.weight[:] = weight
            self.loops = [Verified(each, self.near, self.kept) for each in self.pulsed_arrays]

    @property
    def programming_rounds(self) -> int:
        """None where updates close the loop, of which the first finds what programming left."""
        return 0 if self.near else super().programming_rounds

    def update(self, contrast: Contrast, rate: float) -> int:
        """Accumulate, then move whole granules; return how many weights are not finite."""
        bad = self.digital.update(contrast, rate)
        if bad:
            return bad
        every = self.chip.update.of_transfer("every")
        if isinstance(every, int) and self.updates % every:
            return self._idle()
        self._wait()
        self.seconds = 0.0
        bad = self._follow() if self.loops else self._move_whole()
        return bad or self._widen()

    def _move_whole(self) -> int:
        """Give the pulses that chi asks for; return as :meth:`update` does."""
        whole = self._whole()
        return self._give([whole] * len(self.pulsed_arrays), self.updates)

    def _whole(self) -> np.ndarray:
        """Return the pulses that chi asks for, (out, in), and take them off it."""
        chi = self.digital.weight
        granule = chi.dtype.type((self.chip.update.granule or self.chip.device.granule) * self.crossbar.weight_range)
        whole = np.trunc(chi / granule)
        chi -= whole * granule
        return np.asarray(whole)

    def _follow(self) -> int:
        """Give pulses until devices are read near enough, or so many times; return as :meth:`update` does."""
        wanted, every = self.digital.weight, np.arange(self.crossbar.shape[1])
        compared = len(every) * len(self.loops)
        for loop in self.loops:
            loop.begin()
            loop.within(wanted)
        self._reread_faded()
        self._reads([every if loop.stale else every[:0] for loop in self.loops])
        rounds = self.chip.update.rounds
        for number in range(rounds):
            whole = [loop.lacking(wanted) for loop in self.loops]
            columns = [np.flatnonzero(each.any(axis=0)) for each in whole]
            self._compared(compared)
            compared = sum(len(each) for each in columns)
            if not compared:
                break
            bad = self._give(whole, self.updates * rounds + number, last=False)
            if bad:
                return bad
            self._reads(columns)
        return self._refreshed(self._pulsed)

    def _compared(self, columns: int) -> None:
        """Count the digital arithmetic of what devices lack, of so many columns."""
        shape = self.crossbar.shape
        self.tally.add(self.place.name, "multiply-add verify", 2 * columns * shape[0], shape)

    def _refreshed(self, end: Callable[[], int]) -> int:
        """End an update by what refreshes pairs if it is time to, which are then read; return as :meth:`update` does.
        """
        before = [int(loop.array.devices.counts[2]) for loop in self.loops]
        bad = end()
        every = np.arange(self.crossbar.shape[1])
        after = [int(loop.array.devices.counts[2]) for loop in self.loops]
        self._reads([every if n > old else every[:0] for n, old in zip(after, before, strict=True)])
        return bad

    def _reads(self, columns: Sequence[np.ndarray]) -> None:
        """Read columns of the devices of every array, side by side, which takes its time."""
        self.seconds += max((loop.read(each) for loop, each in zip(self.loops, columns, strict=True)), default=0.0)

    def _give(self, whole: Sequence[np.ndarray], number: int, last: bool = True) -> int:
        """Give every array whole numbers of pulses, (out, in), whose draws ``number`` keys.

        ``last`` says whether these are the last pulses of the update. Returns how many weights are not finite.
        """
        for each, own in zip(self.pulsed_arrays, whole, strict=True):
            tiles = each.crossbar.devices.column_tiles, each.crossbar.devices.row_tiles
            if max(own.max(initial=0), -own.min(initial=0)) <= SINGLE:
                columns = np.arange(own.shape[1])
                each.devices.give(each.crossbar.stored, Bursts(own.astype(np.int32), columns), number, tiles)
            else:
                each.devices.apply(each.crossbar.stored, np.maximum(own, 0), np.maximum(-own, 0), number, tiles)
        self.seconds += self._pulsing()
        return self._pulsed(last=last)

    def _widen(self) -> int:
        """Write the weights with twice the range if it is time to; in a closed loop they are then read anew."""
        before, bad = self.crossbar.weight_range, super()._widen()
        if self.loops and before != self.crossbar.weight_range:
            self._reads([np.arange(self.crossbar.shape[1])] * len(self.loops))
        return bad

    def _grown(self) -> tuple[np.ndarray, float]:
        """Return what the range is to follow: in a closed loop what the devices are to be."""
        return (self.digital.weight / self.crossbar.weight_range, 0.0) if self.loops else super()._grown()

    def _idle(self) -> int:
        """Let an update pass in which no granule is moved; return as :meth:`update` does."""
        self.seconds = 0.0
        self._wait()
        bad = self._refreshed(self._end_idle)
        self._reread_faded()
        return bad


RULE = MixedPrecision
