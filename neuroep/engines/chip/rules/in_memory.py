# Tested by tests/neuroep/engines/chip/test_in_memory.py and test_updates.py.
"""What the rules share whose weights are the devices' own, on one crossbar or on several.

An array of the transposed path's own gets the same pulses, which its devices answer in their own way: the two drift
apart as they learn.

**Range.** R doubles, and all devices are written anew, once so many weights are beyond ``fill`` of the bounds of the
mean device: 1 %, or as many as there are devices that are found farther from 0 than they were written, on either side,
by more than pulses and write noise stray. These are stuck, or their reference lies beyond their bounds; no range makes
room for them, and one that is twice as large doubles what they are off by. So they are not counted themselves, and
they are not to outnumber those that gain. What is written is what a read of all columns finds, which is counted and
takes its time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hw_models import durations
from hw_models.arrays.cells import DeviceCells
from hw_models.arrays.converter_bank import Converters
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.wear import Wear
from neuroep.engines.chip.rules import column_kernels, scaling
from neuroep.engines.chip.rules.pulsed_array import PulsedArray
from neuroep.engines.chip.rules.rule import CROSSBAR, LearningRule, Place
from neuroep.engines.chip.rules.verified import columns_chip, read_back, until_right
from neuroep.errors import ConfigError
from neuroep.learning.contrast import Contrast
from neuroep.learning.optimisers import SGD, Optimiser

GROWN = 0.01
"""Share of weights beyond what they may fill from which the range follows them."""
LEFT_OUT = "left_out"
"""Name, among what a rule keeps, of the mask of devices that the range does not follow."""
ROUNDING = 1e-5
"""Of the range: what an exact read may differ by from what it reads."""


class InMemory(LearningRule):
    """Weights that are the devices' own.

    Attributes
    ----------
    groups : dict of str to list of PulsedArray
        By label of a crossbar its array, and that of its transposed path where that has one.
    """

    decays = False
    trained: ClassVar[str] = CROSSBAR
    """Label of the crossbar that trains go to."""
    accumulates = False
    """Whether the optimiser moves a digital matrix beside them."""

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        self.chip, self.groups = place.chip, dict[str, list[PulsedArray]]()
        self._faded = set[str]()
        self.fill = 1.0 if self.chip.crossbar.weight_range is not None else scaling.fill(self.chip)
        self._array(weight, full=self._range(weight))
        if self.fill < 1:
            self.kept[LEFT_OUT] = np.zeros(weight.shape, bool)
            self._leave_out(weight)
        self.digital = self._ideal(np.zeros_like(weight) if self.accumulates else weight[:, :0], bias)

    @classmethod
    def refuse(cls, optimiser: Optimiser, scheme: str) -> None:
        """Refuse all but plain SGD where no digital matrix beside the devices has moments."""
        super().refuse(optimiser, scheme)
        if cls.accumulates or (isinstance(optimiser, SGD) and not optimiser.momentum):
            return
        name = "momentum" if isinstance(optimiser, SGD) else "kind"
        value = optimiser.momentum if isinstance(optimiser, SGD) else "adam"
        learns = f"update scheme '{scheme}' learns by pulses in memory: allowed is 'sgd' without momentum"
        raise ConfigError(f"optimiser.{name} = {value!r}: {learns}")

    def _range(self, weight: np.ndarray) -> float | None:
        """Return the weight range that leaves room for weights to grow; None leaves it to the layout."""
        if self.fill >= 1:
            return None
        pulse = self.place.chip.device.pulse
        bound = min(pulse.w_max, -pulse.w_min or pulse.w_max)
        headroom = self.place.chip.crossbar.weight_headroom
        return float(np.abs(weight).max(initial=0)) * headroom / (self.fill * bound) or None

    def _array(
        self,
        weight: np.ndarray,
        label: str = CROSSBAR,
        full: float | None = None,
        chip: Chip | None = None,
        rests: bool = False,
    ) -> Crossbar:
        """Make and program a crossbar whose devices take pulses; see :meth:`LearningRule._crossbar`.

        ``rests`` says that it is to begin where alternate pulses leave its devices, not with the weights.
        """
        crossbar = self._crossbar(weight.shape, label, full, chip)
        crossbar.program(weight)
        both = (crossbar, *([] if crossbar.other is None else [crossbar.other]))
        made = chip or self.chip, self.place.setting, self.tally, rests
        self.groups[label] = [PulsedArray(each, *made) for each in both]
        if label == self.trained and self.chip.update.counts:
            kept = self.groups[label][0].counting().kept
            self.kept |= {f"{crossbar.name} {name}": values for name, values in kept.items()}
        if self.chip.update.zero_shift is not None and (rests or self.chip.crossbar.reference == "device"):
            self._zero_shift(label, self.chip.update.zero_shift, None if rests else weight)
        if not rests:
            self.prepared += self._until_right(label, weight)
        return crossbar

    @property
    def programming_rounds(self) -> int:
        """Most rounds of reads and pulses behind a programming; 0 leaves weights as they are programmed."""
        return self.chip.update.verify.rounds or 0

    def _until_right(self, label: str, weight: np.ndarray) -> float:
        """Close the loop of programming a crossbar, its arrays side by side, if asked to; return the seconds."""
        if not self.programming_rounds:
            return 0.0
        given = self.chip.update.verify.tolerance
        near = self.chip.device.granule / 2 if given is None else given
        return max(until_right(each, weight, self.programming_rounds, near) for each in self.groups[label])

    def _zero_shift(self, label: str, pairs: int, weight: np.ndarray | None) -> None:
        """Bring the devices of a crossbar to their symmetry points, then program the weights, if any, anew."""
        crossbar = self.crossbars[label]
        for each in self.groups[label]:
            act = each.devices.alternate if each.devices.reference is None else each.devices.zero_shift
            act(pairs, 0)
        self.prepared += durations.trains(self.chip.timing, 2 * pairs)
        if self.groups[label][0].devices.reference is not None:
            self.prepared += durations.reprogramming(self.chip.timing, self._rows)
        if weight is not None:
            crossbar.program(weight)
            self.prepared += max(each.writing for each in self.groups[label])
        for each in self.groups[label]:
            each.written()

    def health(self) -> dict[str, float]:
        """Return the share of devices at their bounds, of every crossbar; the first one's are the weights.

        Where pulses are counted also the share of worn devices, of the array that has most of them; and what of the
        weights' updates since the last call leaked, or was disturbed.
        """
        found = {label: float(np.mean([each.at_bounds() for each in group])) for label, group in self.groups.items()}
        names = {label: "weights_at_range" if label == CROSSBAR else f"{label}_at_bounds" for label in found}
        worn = {"devices_worn": max(wear.worn for wear in wears)} if (wears := self.wear()) else {}
        first = self.groups[CROSSBAR][0]
        return {names[label]: share for label, share in found.items()} | worn | first.undone.shares(first.weights)

    def wear(self) -> list[Wear]:
        """Return the pulses that every device of every array got; nothing where they are not counted."""
        found = (each.wear() for group in self.groups.values() for each in group)
        return [wear for wear in found if wear is not None]

    @property
    def pulsed_arrays(self) -> list[PulsedArray]:
        """Those of the first crossbar."""
        return self.groups[CROSSBAR]

    @property
    def devices(self) -> DeviceCells:
        """Those of the forward path of the first crossbar."""
        return self.pulsed_arrays[0].devices

    def _wait(self) -> None:
        """Let the devices leak since the last update, and note what they hold before pulses come."""
        self._leak()
        for group in self.groups.values():
            for each in group:
                each.wait()

    def _leak(self) -> None:
        """Let the devices of all crossbars lose what they lost since the last update."""
        for group in self.groups.values():
            group[0].leak()
        device = self.chip.device
        self._faded = set(self.groups) if device.leak or device.retention is not None else set()

    def _reread_faded(self) -> None:
        """Read anew the devices of crossbars that lost something in this update and got no pulses."""
        for label in sorted(self._faded):
            self.crossbars[label].reread()
        self._faded = set()

    def _sending(self, label: str) -> float:
        """Return the seconds of what was sent last to a crossbar, its arrays side by side."""
        return max(each.sending for each in self.groups[label])

    def _pulsing(self, label: str = CROSSBAR) -> float:
        """Return the seconds of the last pulses of a crossbar, its arrays side by side."""
        return durations.trains(self.chip.timing, max(each.devices.slots for each in self.groups[label]))

    def _pulsed(self, *labels: str, last: bool = True) -> int:
        """Read the devices of crossbars anew after pulses, of all without a label; return how many are not finite.

        ``last`` says whether these were the last pulses of the update.
        """
        for label in labels or self.groups:
            bad = sum(each.pulsed(last) for each in self.groups[label])
            if bad:
                return bad
            self.seconds += max(each.seconds for each in self.groups[label]) if last else 0.0
            self.crossbars[label].elapse()
            self.crossbars[label].reread()
            self._faded.discard(label)
        return 0

    def _end_idle(self) -> int:
        """End an update for crossbars that got no pulses in it, whose pairs are refreshed if it is time to.

        Returns how many weights are not finite.
        """
        due = [label for label, group in self.groups.items() if any([each.idle() for each in group])]
        return self._pulsed(*due) if due else 0

    def _widen(self) -> int:
        """Write all devices of the weights with twice the range where too many are near their bounds.

        Returns how many weights are not finite. What is written is what the devices are read to hold.
        """
        if self.fill >= 1:
            return 0
        beside = int(np.count_nonzero(self.kept[LEFT_OUT]))
        if self._beyond() <= max(GROWN * self.crossbar.stored.size, beside):
            return 0
        held = self._read_whole()
        for each in self.pulsed_arrays:
            each.crossbar.weight_range *= 2
        self.crossbar.elapse()  # without pulses in this update it has not been yet
        self.crossbar.program(held)
        self.seconds += max(each.writing for each in self.pulsed_arrays)
        for each in self.pulsed_arrays:
            each.written()
        self.seconds += self._until_right(CROSSBAR, held)
        self._leave_out(held)
        return 0

    def _leave_out(self, written: np.ndarray) -> None:
        """Note which devices the range is not to follow, of those that were just written, (out, in) in weight units."""
        held = self._held()
        farther = np.sign(held) * (held - written / self.crossbar.weight_range)
        self.kept[LEFT_OUT][:] = farther > max(scaling.strays(self.chip.device.pulse), ROUNDING)

    def _held(self) -> np.ndarray:
        """Return the weights that devices hold, (out, in) in shares of the range."""
        return self.crossbar.stored

    def _beyond(self) -> int:
        """Return how many weights are beyond what they may fill of the mean device's bounds, of those not left out."""
        pulse, (weights, strays) = self.chip.device.pulse, self._grown()
        real = weights.dtype.type
        bounds = real(self.fill * pulse.w_max), real(self.fill * (pulse.w_min or -pulse.w_max))
        return int(column_kernels.beyond(weights, self.kept[LEFT_OUT], real(strays), *bounds))

    def _read_whole(self) -> np.ndarray:
        """Return what devices of the weights are read to hold, (out, in) in weight units, column by column."""
        bar, array = self.crossbar, self.pulsed_arrays[0]
        found, seconds = read_back(array, np.arange(bar.shape[1]), Converters(columns_chip(self.chip), bar.name))
        self.seconds += seconds
        exact = np.abs(found - bar.stored) < ROUNDING
        return np.where(exact, bar.stored, found) * np.asarray(bar.weight_range, bar.dtype)

    def _grown(self) -> tuple[np.ndarray, float]:
        """Return weights in shares of the range, which is to follow them, and what devices stray from them."""
        return self.crossbar.stored, scaling.strays(self.chip.device.pulse)

    def _move_bias(self, contrast: Contrast, rate: float) -> None:
        """Move the bias exactly, by a rate that is scaled already."""
        if self.bias is not None:
            bias = self.bias
            bias -= bias.dtype.type(rate) * contrast.bias_gradient()

    def state(self) -> dict[str, np.ndarray]:
        """Return the devices' weights, of all crossbars by their shares, what the optimiser keeps, and crossbars."""
        kept = super().state()
        if self.accumulates:
            kept["accumulated"] = kept["weight"]
        return kept | {"weight": self._sum(stored)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what the optimiser keeps, and the crossbar."""
        super().load(state)
        if self.accumulates:
            self.digital.weight[:] = state["accumulated"]


def stored(crossbar: Crossbar) -> np.ndarray:
    """Return what the devices of a crossbar hold, in weight units."""
    return crossbar.stored * np.asarray(crossbar.weight_range, crossbar.dtype)
