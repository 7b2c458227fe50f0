# Tested by tests/neuroep/engines/chip/test_verified.py.
r"""The closed loop of devices that take pulses, ``update.verify``: columns are read, and pulses go by what is read.

**Programming** (:func:`until_right`): W what is programmed, R the weight range, dw_W a pulse at weight 0, all columns:

    r = read of all columns, with the chip's own noise and converters
    n = round((W/R - r)/dw_W) where |W/R - r| > tolerance, else 0;  n pulses up, or down;  at most ``rounds`` times

It ends with the read that finds nothing to do, or with the last pulses. Each round costs a read of all columns, and
slots as of whole numbers of pulses, tiles side by side, inputs in turn.

**Updates** of mixed precision (:class:`Verified`): devices follow M, what they are to be, kept within the bounds of the
mean device; V what was read of each column last; e the tolerance of each device, of e_0 to begin with, e_0
``verify.tolerance`` [R]:

    once an update    V <- W as read, of all columns: before the first pulses, and where devices change without them
                      e <- clip(keep e, e_0, 1)
    in every round    chi = M - V
                      n = sign(chi) max(1, floor(|chi|/(largest step))) where |chi| > e R, else 0
                      e <- patience e, where there are pulses
                      W <- W + n dw_W by pulses;  V_j <- w_j as read, of columns j with pulses

As few pulses are given as a device asks for whose steps are three standard deviations larger than usual, so that none
goes back and forth. A device with a step that is coarse beside e, or whose write noise is, gets a pulse whenever its
reading is off, and each draws its noise anew until one leaves it near enough. Those that seldom come near (a step
as large as their range, a fault) soon rest where they are nearest: e grows with every pulse in vain.

Devices change without pulses of their own that leak, lose what they hold, drift by the clock, or feel the writes of
others; behind a refresh of pairs all columns are read too. An array of the transposed path's own is read, and gets
pulses, for itself, side by side with the other. Digital arithmetic: 2 multiply-adds of every weight of a column for
each time that it is compared, all columns in the first round, and in others those that were read.

Reads come at once, however old devices are to be when they are deployed (``device.age``).

Converters of programming stop at what single columns show (:func:`columns_chip`), as those of products may have no
range yet; updates read through those of products, by which their columns are used.

Sources: program and verify, as of Gao et al., ESSDERC 2015, and Le Gallo et al., Nat. Electron. 6:680, 2023; write and
verify at every update as in Alibart et al., Nanotechnology 23:075201, 2012; tolerances that go by each device are
chosen here.
"""

from __future__ import annotations

import numpy as np

from hw_models import durations
from hw_models.arrays.bursts import Bursts, whole_numbers
from hw_models.arrays.columns import read_columns
from hw_models.arrays.converter_bank import Converters
from hw_models.chip import Chip, Nudged, Transposed
from neuroep.engines.chip.rules.pulsed_array import PulsedArray
from neuroep.engines.chip.rules.scaling import largest

FIRST = 1 << 40
"""Number that keys the pulses of the first round of a programming, beyond those of updates."""
MOST = 64
"""Rounds that have keys of their own."""
PATIENCE, KEEP = 1.02, 0.97
"""What a tolerance grows by with each pulse, and what is left of it from update to update."""
ROUNDING = 1e-3
"""Of a pulse: what single precision may lack of a whole number."""


def columns_chip(chip: Chip, full: float | None = None) -> Chip:
    """Return a chip whose converters stop at what single columns show, a line at full range.

    ``full`` is the reading at the stop, a share of the array's range; None is the farther bound of the mean device,
    where pulses may bring a weight that began within the range.
    """
    pulse = chip.device.pulse
    full = max(1.0, pulse.w_max, -pulse.w_min) if full is None else full
    changes = {"transposed": Transposed(), "nudged": Nudged()}
    dac = chip.dac.model_copy(update={"range": 1.0, "sign": "signed"})
    adc = chip.adc.model_copy(update={"range": full})
    changes |= {"dac": dac} if chip.dac.acts else {}
    changes |= {"adc": adc} if chip.adc.acts else {}
    return chip.model_copy(update=changes)


def read_back(array: PulsedArray, columns: np.ndarray, bank: Converters | None = None) -> tuple[np.ndarray, float]:
    """Return columns as they are read, (out, columns), in shares of the weight range, and the seconds it takes.

    ``bank`` are converters in place of those of products.
    """
    seconds = array.reading(len(columns) * array.chip.crossbar.repeats)
    with array.crossbar.at_once():
        return read_columns(array.crossbar, columns, bank), seconds


def until_right(array: PulsedArray, weight: np.ndarray, rounds: int, tolerance: float) -> float:
    """Give an array pulses until it is read as the weights (out, in), in weight units; return the seconds."""
    chip, bar, seconds = array.chip, array.crossbar, 0.0
    bank, every = Converters(columns_chip(chip), bar.name), np.arange(bar.shape[1])
    tiles = bar.devices.column_tiles, bar.devices.row_tiles
    for number in range(min(rounds, MOST)):
        found, taken = read_back(array, every, bank)
        seconds += taken
        missing = weight / np.asarray(bar.weight_range, weight.dtype) - found
        whole = np.where(np.abs(missing) > tolerance, np.rint(missing / chip.device.granule), 0)
        if not whole.any():
            break
        bursts = Bursts(whole_numbers(whole), every)
        array.devices.give(bar.stored, bursts, FIRST + MOST * bar.programmings + number, tiles)
        seconds += durations.trains(chip.timing, array.devices.slots)
        array.written()
    return seconds


class Verified:
    """The loop of updates of one array; see the module.

    Parameters
    ----------
    array : PulsedArray
        Whose columns are read.
    tolerance : float
        e_0, a share of the weight range.
    kept : dict of str to numpy.ndarray
        Where V and e are kept, by "read" and "tolerance", of an array of the transposed path's own behind its name.

    Attributes
    ----------
    fades : bool
        Whether devices change without pulses of their own.
    """

    def __init__(self, array: PulsedArray, tolerance: float, kept: dict[str, np.ndarray]) -> None:
        self.array, self.crossbar, self.least = array, array.crossbar, tolerance
        self.device = device = self.crossbar.device
        self.step = device.moved * largest(device.pulse)
        self.fades = device.leak > 0 or device.disturb > 0 or device.retention is not None
        self.fades |= (device.drifts or device.relaxes) and array.chip.timing.passes
        first = f"{self.crossbar.name} " if self.crossbar.second else ""
        self.seen = kept[f"{first}read"] = np.zeros(self.crossbar.shape, self.crossbar.dtype)
        self.times = kept[f"{first}readings"] = np.zeros((), np.int64)
        self.tolerance = kept[f"{first}tolerance"] = np.full(self.crossbar.shape, tolerance, self.crossbar.dtype)

    def begin(self) -> None:
        """Let tolerances fall, once an update."""
        self.tolerance *= KEEP
        np.clip(self.tolerance, self.least, 1, out=self.tolerance)

    def within(self, wanted: np.ndarray) -> None:
        """Keep M, (out, in) in weight units, within what the mean device can be."""
        full, pulse = self.crossbar.weight_range, self.device.pulse
        np.clip(wanted, full * (pulse.w_min or -pulse.w_max), full * pulse.w_max, out=wanted)

    @property
    def stale(self) -> bool:
        """Whether V is not what devices are: before the first update, or where they have changed without pulses."""
        return self.fades or not self.times

    def lacking(self, wanted: np.ndarray) -> np.ndarray:
        """Return the pulses that devices are to get, (out, in), and let the tolerances of those with some grow."""
        chi, full = wanted - self.seen, self.crossbar.weight_range
        off = np.abs(chi) > self.tolerance * full
        self.tolerance[off] *= PATIENCE
        whole = np.maximum(np.floor(np.abs(chi) / (self.step * full) + ROUNDING), 1)
        return np.where(off, np.sign(chi) * whole, 0)

    def read(self, columns: np.ndarray) -> float:
        """Read columns; return the seconds."""
        if not len(columns):
            return 0.0
        self.times += 1
        found, seconds = read_back(self.array, columns)
        self.seen[:, columns] = found * self.crossbar.weight_range
        return seconds
