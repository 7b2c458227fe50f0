# Tested by tests/neuroep/engines/chip/test_updates.py.
"""One array whose weights change by pulses: its crossbar, and the responses of its devices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hw_models import durations
from hw_models.arrays.cells import DeviceCells, Made
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.net_counts import NetCounts
from hw_models.arrays.trains import Term, Trains
from hw_models.chip import Chip
from hw_models.tally import Tally
from hw_models.wear import Wear
from neuroep.engines.chip.rules import column_kernels
from neuroep.engines.chip.rules.rule import EDGE
from neuroep.engines.chip.rules.undone import Undone
from neuroep.engines.numba.substrate import Setting


class PulsedArray:
    """The devices of one crossbar, that of a transposed path among them.

    Parameters
    ----------
    crossbar : Crossbar
        Programmed; its weights are cut to the devices' own bounds.
    chip : Chip
        Of it.
    setting : Setting
        Seed, threads, dtype.
    tally : Tally
        Of pulses.
    rests : bool
        Whether what is read of the devices is how far they are from where they come to rest.

    Attributes
    ----------
    counters : NetCounts or None
        Of coincidences, where both phases are counted and the difference is pulsed, :meth:`counting`; those of an array
        of the transposed path are the first one's.
    """

    def __init__(self, crossbar: Crossbar, chip: Chip, setting: Setting, tally: Tally, rests: bool = False) -> None:
        self.crossbar, self.disturbs = crossbar, chip.device.disturb > 0
        self.chip = chip
        self.devices = DeviceCells(crossbar, Made(chip.device, setting.seed, setting.workers.run, tally, rests))
        self._before: np.ndarray | None = None
        self._begun = True
        self._fades, self.undone = chip.device.leak > 0 or chip.device.retention is not None, Undone()
        self.counters: NetCounts | None = None
        self._trains, self._tally = Trains(setting.seed, crossbar.name, setting.workers.run), tally
        self.written()

    def counting(self) -> NetCounts:
        """Make the counters of the weights."""
        chip, shape = self.chip, self.crossbar.shape
        self.counters = NetCounts(shape, chip.update, chip.device.granule, self._trains, self._tally)
        return self.counters

    def written(self) -> None:
        """Read anew what was programmed; cells keep it within the devices' own bounds.

        Of devices that are written anew the slots are counted, where their rows have no time of their own.
        """
        if self.devices.writing and not self.chip.timing.row:
            self._tally.add(self.crossbar.name, "slot", self.devices.writing, self.crossbar.shape)
        self.devices.writing = 0
        self.crossbar.refresh()

    def send(self, terms: Sequence[Term], rate: float, number: int) -> int:
        """Change the weights along the sum of sign post^T pre by trains; return the pulses.

        ``rate`` is in shares of the weight range; entries that are not finite make all weights NaN.
        """
        return self.devices.update(self.crossbar.stored, terms, rate, self.chip.update, number)

    def release(self, net: np.ndarray | None, number: int) -> int:
        """Give every weight the net pulses that its counter asks for; return how many. Of None all weights are NaN."""
        if net is None:
            self.crossbar.stored.fill(np.nan)
            return 0
        return self.devices.release(self.crossbar.stored, net, number)

    @property
    def sending(self) -> float:
        """Seconds of what was sent last."""
        counted = 0 if self.counters is None else self.counters.slots
        return durations.trains(self.chip.timing, self.devices.slots) + durations.counted(self.chip.timing, counted)

    @property
    def seconds(self) -> float:
        """What cells took beside the pulses of the last update [s]: refresh."""
        taken = self.devices.taken
        return self.reading(taken.products) + durations.trains(self.chip.timing, taken.slots)

    @property
    def writing(self) -> float:
        """Seconds that it took to write devices anew: of rows, or where none is given of the pulses of each."""
        rows = durations.reprogramming(self.chip.timing, self.crossbar.rows_written)
        return rows or durations.trains(self.chip.timing, self.devices.writing)

    def reading(self, products: int) -> float:
        """Return the seconds of products forward, one after the other."""
        lines = max((b - a for a, b in self.crossbar.devices.column_tiles), default=0)
        digits = self.crossbar.digits("forward")
        return products * durations.product(self.chip.timing, self.chip.adc.columns, lines, digits)

    @property
    def weights(self) -> np.ndarray:
        """What the devices hold (out, in), in weight units."""
        return self.crossbar.stored * np.asarray(self.crossbar.weight_range, self.crossbar.dtype)

    def leak(self) -> None:
        """Let the devices lose what they lost since the last update, those of the transposed path among them."""
        before = self.weights if self._fades else None
        self.crossbar.leak()
        if before is not None:
            self.undone.leaks(before, self.weights)

    def wait(self) -> None:
        """Begin an update: note what the devices hold before pulses come."""
        self._begun = True
        self._note()

    def _note(self) -> None:
        self._before = self.crossbar.stored.copy() if self.disturbs else None

    def pulsed(self, last: bool = True) -> int:
        """Let neighbours feel the pulses since the last call; return how many weights are not finite.

        ``last`` ends the update, behind which pairs are refreshed if it is time to, once.
        """
        stored = self.crossbar.stored
        if self._before is not None:
            moved = stored - self._before
            felt = self.crossbar.felt(moved, in_turn=False)
            self.undone.feels(moved, felt)
            self.devices.disturbed(felt)
        if last:
            self.devices.updated(self._begun)
            self._begun = False
        self._note()  # further pulses of this update are felt for themselves
        return int(column_kernels.not_finite(stored))

    def idle(self) -> bool:
        """Count an update that gave these devices no pulses, and return whether it is time to look at their pairs.

        Then :meth:`pulsed` counts it. Counted are updates of pairs that are refreshed.
        """
        if not self._begun or self.devices.refreshing is None or self.devices.due:
            return self._begun and self.devices.due
        self.devices.updated()
        self._begun = False
        return False

    def at_bounds(self) -> float:
        """Return the share of devices at their bounds."""
        return self.devices.at_bounds(EDGE)

    def wear(self) -> Wear | None:
        """Return the pulses that every device got, where they are counted."""
        return self.devices.wear()
