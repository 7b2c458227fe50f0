"""Conductance traces as they were measured: a reading after each programming pulse, of one or more devices.

A trace of N + 1 readings has N pulses between them, each up or down. A *run* is a row of pulses the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hw_models.errors import ChipError

Array = np.ndarray
FEWEST = 20
"""Pulses either way, of all devices together."""
GLITCH = 20.0
"""Ways of a device, its 5 to 95 % of the median one, from its middle to where no device goes: a reading is wrong."""


@dataclass(frozen=True)
class Traces:
    """Readings and pulses of devices."""

    conductance: Array
    """(devices, readings) [uS]; NaN behind the last reading of a device that has fewer than others."""
    direction: Array
    """(devices, readings - 1): 1 of a pulse up, -1 of one down; 0 behind a device's last reading."""
    names: tuple[str, ...]
    """Of the devices."""

    @property
    def devices(self) -> int:
        """Number of devices."""
        return len(self.names)

    @property
    def pulses(self) -> int:
        """Pulses of all devices together."""
        return int(np.count_nonzero(self.direction))

    def lengths(self) -> Array:
        """Return the readings of every device, (devices,)."""
        return np.isfinite(self.conductance).sum(axis=1)


def traces(conductance: ArrayLike, direction: ArrayLike, names: tuple[str, ...] | None = None) -> Traces:
    """Check arrays and return them as traces.

    Parameters
    ----------
    conductance : array_like
        (devices, readings), or (readings,) of one device [uS]. A device with fewer readings is filled up with NaN.
    direction : array_like
        Pulse between a reading and the next, 1 up or -1 down: (readings - 1,) of all devices, or one row for each.
    names : tuple of str, optional
        Of the devices; default their numbers from 0.

    Raises
    ------
    ChipError
        If shapes do not fit, a reading is not finite, a direction is neither 1 nor -1, a device has fewer than two
        readings, all conductances of all devices are alike, a reading lies where no device goes, or there are fewer
        than 20 pulses either way.
    """
    g, way = _numbers("conductance", conductance), _numbers("direction", direction)
    g = g[None] if g.ndim == 1 else g
    if g.ndim != 2 or g.shape[1] < 2 or not len(g):
        raise ChipError(f"conductance has the shape {g.shape}: (devices, readings) with two readings or more is needed")
    rows, many = len(g), g.shape[1] - 1
    if way.shape not in ((many,), (1, many), (rows, many)):
        shapes = f"({many},) of all devices or ({rows}, {many})"
        raise ChipError(f"direction has the shape {way.shape}: with conductance {g.shape}, {shapes} is needed")
    way = np.array(np.broadcast_to(way, (rows, many)))
    names = tuple(str(n) for n in range(rows)) if names is None else names
    for name, own, pulses in zip(names, g, way, strict=True):
        _check_device(name, own, pulses)
    found = Traces(g, np.nan_to_num(way).astype(np.int64), names)
    for sign, word in ((1, "up"), (-1, "down")):
        count = int((found.direction == sign).sum())
        if count < FEWEST:
            raise ChipError(f"direction holds {count} pulses {word}: at least {FEWEST} either way are needed")
    if not np.nanmax(g) > np.nanmin(g):
        raise ChipError(f"conductance is {np.nanmax(g):g} in every reading: no pulse moved a device")
    low, middle, high = np.nanpercentile(g, [5, 50, 95], axis=1)
    off = np.abs(g - middle[:, None]) > GLITCH * np.median(high - low) if np.median(high - low) > 0 else g > np.inf
    if off.any():
        device, place = np.argwhere(off)[0]
        shown = f"{g[device, place]:g}, where the others of that device are {low[device]:g} to {high[device]:g}"
        place = f"device '{names[device]}', reading {place}"
        raise ChipError(f"conductance of {place}: {shown}: a glitch? cut the trace ahead of it")
    return found


def _numbers(name: str, values: ArrayLike) -> Array:
    """Return real numbers in double precision."""
    try:
        found = np.asarray(values)
        if found.dtype.kind not in "fiu":
            raise TypeError
        return found.astype(np.float64)
    except (TypeError, ValueError):
        raise ChipError(f"{name} holds something else than real numbers in rows of one length") from None


def _check_device(name: str, g: Array, way: Array) -> None:
    """Refuse a trace with holes or pulses of no direction; what lies behind its end becomes 0, in place."""
    fine = np.isfinite(g)
    count = int(fine.sum())
    if np.isinf(g).any() or not fine[:count].all():
        place = int(np.argmin(fine))
        raise ChipError(f"conductance of device '{name}', reading {place}: {g[place]} is not finite")
    if count < 2:
        raise ChipError(f"device '{name}' has {count} reading{'' if count == 1 else 's'}: two or more are needed")
    wrong = ~np.isin(way[: count - 1], (-1, 1))
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ChipError(f"direction of device '{name}', pulse {place}: {way[place]:g} is neither 1 (up) nor -1 (down)")
    way[count - 1 :] = 0


@dataclass(frozen=True)
class Runs:
    """Rows of pulses the same way; all (runs,)."""

    device: Array
    sign: Array
    first: Array
    """Reading before the first pulse."""
    last: Array
    """Reading behind the last one."""

    @property
    def pulses(self) -> Array:
        """Length of each."""
        return self.last - self.first


def runs(found: Traces) -> Runs:
    """Return all runs, device by device in the order of time."""
    parts = []
    for number, way in enumerate(found.direction):
        own = way[way != 0]
        edges = np.concatenate([[0], np.flatnonzero(np.diff(own)) + 1, [len(own)]])
        parts.append(np.stack([np.full(len(edges) - 1, number), own[edges[:-1]], edges[:-1], edges[1:]]))
    return Runs(*np.concatenate(parts, axis=1))
