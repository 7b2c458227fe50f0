# Tested by tests/neuroep/engines/chip/test_verified.py.
"""Closed-loop programming of arrays that learn by pulses: pulses until the read of every column is right.

    r = read of all columns, with the chip's own noise and converters
    n = round((W/R - r)/dw_W) where |W/R - r| > tolerance, else 0;  n pulses up, or down;  at most ``rounds`` times

R the weight range, dw_W a pulse at weight 0. It ends with the read that finds nothing to do, or with the last pulses.
Each round costs a read of all columns, and slots as of whole numbers of pulses, tiles side by side, inputs in turn.

Source: program and verify, as of Gao et al., ESSDERC 2015, and Le Gallo et al., Nat. Electron. 6:680, 2023.
"""

from __future__ import annotations

import numpy as np

from hw_models import durations
from hw_models.arrays.columns import read_columns
from hw_models.arrays.converter_bank import Converters
from hw_models.chip import Chip, Nudged, Transposed
from neuroep.engines.chip.rules.pulsed_array import PulsedArray

FIRST = 1 << 40
"""Number that keys the pulses of the first round, beyond those of updates."""
MOST = 64
"""Rounds that have keys of their own."""


def columns_chip(chip: Chip) -> Chip:
    """Return a chip whose converters stop at what single columns show, a line at full range."""
    changes = {"transposed": Transposed(), "nudged": Nudged()}
    full = chip.update.of_transfer("read_range")
    dac = chip.dac.model_copy(update={"range": 1.0, "sign": "signed"})
    adc = chip.adc.model_copy(update={"range": float(full or 1.0)})
    changes |= {"dac": dac} if chip.dac.acts else {}
    changes |= {"adc": adc} if chip.adc.acts else {}
    return chip.model_copy(update=changes)


def until_right(array: PulsedArray, weight: np.ndarray, chip: Chip) -> float:
    """Give an array pulses until it is read as the weights (out, in), in weight units; return the seconds."""
    rounds, bar, seconds = chip.update.verify.rounds or 0, array.crossbar, 0.0
    bank, every = Converters(columns_chip(chip), bar.name), np.arange(bar.shape[1])
    tolerance = chip.device.granule / 2 if chip.update.verify.tolerance is None else chip.update.verify.tolerance
    tiles = bar.devices.column_tiles, bar.devices.row_tiles
    for number in range(min(rounds, MOST)):
        missing = weight / np.asarray(bar.weight_range, weight.dtype) - read_columns(bar, every, bank)
        seconds += array.reading(len(every) * chip.crossbar.repeats)
        whole = np.where(np.abs(missing) > tolerance, np.rint(missing / chip.device.granule), 0).astype(np.int64)
        if not whole.any():
            break
        up, down = np.maximum(whole, 0), np.maximum(-whole, 0)
        array.devices.apply(bar.stored, up, down, FIRST + MOST * bar.programmings + number, tiles)
        seconds += durations.trains(chip.timing, array.devices.slots)
        array.written()
    return seconds
