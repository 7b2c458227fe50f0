# Tested by tests/hw_models/measured/test_fit.py.
"""Between which conductances every device of a set of traces was moved, and where a trace no longer moves.

The *levels* of a device are the means of what is read at the ends of its long runs: of runs up the high one, of runs
down the low one. A mean of readings is not biased by their noise; a largest reading would be.
"""

from __future__ import annotations

import numpy as np

from hw_models.errors import ChipError
from hw_models.measured.traces import Runs, Traces

Array = np.ndarray
LONG = 0.5
"""Share of a device's longest run either way from which a run counts as long."""
TAIL = 0.02
"""Share of a run whose last readings are its end."""
STILL = 0.98
"""Share of the way between the levels of a device behind which the mean curve of its runs counts as arrived."""
DEAD = 0.1
"""Share of the median device's way below which a device counts as one that no pulse moves."""


def levels(found: Traces, runs: Runs, kept: Array) -> tuple[Array, Array]:
    """Return level and variance of its mean by device, (devices, 2) each [uS]: low first; NaN where there is none.

    Variances are of the scatter of ends about their level, pooled over devices; NaN where no device has two ends.

    Parameters
    ----------
    found : Traces
        What was measured.
    runs : Runs
        Its runs.
    kept : numpy.ndarray
        (runs,) which count.
    """
    level, count = np.full((found.devices, 2), np.nan), np.zeros((found.devices, 2))
    squares, free = np.zeros(2), np.zeros(2)
    longest = np.zeros((found.devices, 2))
    side = (runs.sign > 0).astype(int)
    np.maximum.at(longest, (runs.device, side), runs.pulses)
    most = longest[runs.device, side]
    # A run that the end of its trace cut off did not come as far as the others.
    whole = (runs.last < found.lengths()[runs.device] - 1) | (runs.pulses == most)
    chosen = kept & whole & (runs.pulses >= LONG * most)
    ends: dict[tuple[int, int], list[float]] = {}
    for n in np.flatnonzero(chosen):
        many = max(1, round(TAIL * runs.pulses[n]))
        row = found.conductance[runs.device[n]]
        ends.setdefault((runs.device[n], side[n]), []).append(row[runs.last[n] + 1 - many : runs.last[n] + 1].mean())
    for (device, way), values in ends.items():
        level[device, way], count[device, way] = np.mean(values), len(values)
        squares[way] += np.var(values) * len(values)
        free[way] += len(values) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return level, np.where(free > 0, squares / free, np.nan) / np.where(count > 0, count, np.nan)


def moving(level: Array) -> Array:
    """Return the mask of devices that pulses move, (devices,).

    Raises
    ------
    ChipError
        If no device has a run both ways, or they move nowhere.
    """
    way = level[:, 1] - level[:, 0]
    if not np.isfinite(way).any() or not np.nanmedian(way) > 0:
        raise ChipError("direction: pulses up do not lead to higher conductances than pulses down; are signs swapped?")
    return np.isfinite(way) & (way > DEAD * np.nanmedian(way))


def arrived(found: Traces, runs: Runs, level: Array) -> Array:
    """Return the mask of pulses behind the point where the mean curve of a device's runs has arrived, as direction.

    The point is where the mean over all long runs of a device the same way, smoothed over five readings, first comes
    within 2 % of the way to its level. It goes by the number of a pulse in its run and by no single reading, so that
    the noise of one does not choose what is left out.
    """
    past = np.zeros(found.direction.shape, dtype=bool)
    for device in range(found.devices):
        low, high = level[device]
        for sign, start, end in ((1, low, high), (-1, high, low)):
            own = np.flatnonzero((runs.device == device) & (runs.sign == sign))
            if not len(own) or not np.isfinite([low, high]).all() or low == high:
                continue
            most = runs.pulses[own].max()
            long = own[runs.pulses[own] >= LONG * most]
            size = runs.pulses[long].min() + 1
            curve = np.mean([found.conductance[device, runs.first[n] :][:size] for n in long], axis=0)
            if size > 10:
                curve = np.convolve(np.pad(curve, 2, mode="edge"), np.full(5, 0.2), mode="valid")
            there = np.flatnonzero((curve - start) / (end - start) > STILL)
            for n in own if len(there) else ():
                past[device, runs.first[n] + there[0] : runs.last[n]] = True
    return past
