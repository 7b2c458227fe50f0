# Tested by tests/hw_models/measured/test_curves.py.
"""Pulse curves from arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hw_models.errors import ChipError
from hw_models.measured.curves import ANEW, Curves

Array = np.ndarray
MOST_PULSES = 100000
"""Between two readings, below that."""


def curves_of(
    conductance: ArrayLike, direction: ArrayLike | None, unit: float = 1.0, names: tuple[str, ...] | None = None
) -> Curves:
    """Check arrays and return them as curves.

    Parameters
    ----------
    conductance : array_like
        (devices, readings), or (readings,) of one device; shorter ones are filled up with NaN.
    direction : array_like
        Pulses between a reading and the next, up above 0, down below: (readings - 1,) of all devices, or one row each.
    unit : float
        uS of one.
    names : tuple of str, optional
        Of the devices; default their numbers from 0.

    Raises
    ------
    ChipError
        If shapes do not fit, a reading is not finite, or a number of pulses is not whole.
    """
    if direction is None:
        raise ChipError("direction is missing: 1 or -1 for the pulse between every reading and the next")
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
    pulses = np.full(g.shape, ANEW)
    for device, (name, own) in enumerate(zip(names, g, strict=True)):
        fine = np.isfinite(own)
        count = int(fine.sum())
        if np.isinf(own).any() or not fine[:count].all():
            place = int(np.argmin(fine))
            raise ChipError(f"conductance of device '{name}', reading {place}: {own[place]} is not finite")
        if count < 2:
            raise ChipError(f"device '{name}' has {count} reading{'' if count == 1 else 's'}: two or more are needed")
        said = way[device, : count - 1]
        wrong = ~(np.isfinite(said) & (said == np.rint(said)) & (np.abs(said) < MOST_PULSES))
        if wrong.any():
            place = int(np.argmax(wrong))
            shown = f"{said[place]:g} is no whole number of pulses, 1 up or -1 down"
            raise ChipError(f"direction of device '{name}', pulse {place}: {shown}")
        pulses[device, 1:count] = said
    return Curves(g * unit, pulses, numbered(pulses), names)


def numbered(pulses: Array) -> Array:
    """Return the cycle of every reading: one begins with a pulse up behind one down, or with a reading anew.

    A reading anew between pulses up and pulses down, the first one of a branch of its own, belongs to their cycle.
    """
    found = np.zeros(pulses.shape, dtype=int)
    for device, own in enumerate(pulses):
        cycle, before = 0, 0
        for k, count in enumerate(own):
            if k and count == ANEW:
                goes_on = before > 0 > _next(own[k + 1 :])
                cycle, before = cycle + (not goes_on), before if goes_on else 0
            elif count != ANEW and count:
                cycle += int(before < 0 < count)
                before = count
            found[device, k] = cycle
    return found


def _next(pulses: Array) -> int:
    """Return the first pulses behind a reading anew, 0 where another one follows at once or nothing does."""
    some = np.flatnonzero(pulses)
    return 0 if not len(some) or pulses[some[0]] == ANEW else int(pulses[some[0]])


def _numbers(name: str, values: ArrayLike) -> Array:
    """Return real numbers in double precision."""
    try:
        found = np.asarray(values)
        if found.dtype.kind not in "fiu":
            raise TypeError
        return found.astype(np.float64)
    except (TypeError, ValueError):
        raise ChipError(f"{name} holds something else than real numbers in rows of one length") from None
