# Tested by tests/hw_models/arrays/test_pulses.py.
"""Kernels of pulses that are played one by one; equations in :mod:`hw_models.laws.pulse_response`.

They wait in a queue per device: a word of signs and its length. A turn plays one pulse on every device that has one;
devices that are done are dropped from the lists, so that a turn's draws are few. All draws come in buffers. Shapes and
names as in :mod:`hw_models.kernels.pulses`, which compiles a turn for every response; nothing has fast-math flags, for
the reason given there. Covered by tests/hw_models/arrays/test_pulses.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hw_models.kernels.compiling import kernel, unbound
from hw_models.kernels.cycle_noise import sigma
from hw_models.kernels.noise import fill_normals
from hw_models.kernels.scalar import ONE

BUSY = 0.6
"""Share of devices with a pulse left below which the lists are cut."""
BIT, NOTHING = np.uint64(1), np.uint64(0)
factors: Any = None
"""As in :mod:`hw_models.kernels.pulses`, which fills this in, and the next."""
pulse_row: Any = None
""":func:`pulse_affine` or :func:`pulse_curved`, or one of their wide forms."""
multiple = unbound
""":mod:`hw_models.kernels.cycle_noise`."""


def pulse_affine(m, w, queue, left, z, noise, own, law):
    """Play one pulse on each of m devices that has one left."""
    for a in range(m):
        up = (queue[a] & BIT) != NOTHING
        step, slope = (own[0, a] if up else -own[1, a]), (own[4, a] if up else own[5, a])
        moved = w[a] + step * (ONE - slope * w[a]) * (ONE + noise * z[a])
        moved = own[2, a] if moved > own[2, a] else moved
        moved = own[3, a] if moved < own[3, a] else moved
        more = left[a] != NOTHING
        w[a] = moved if more else w[a]
        left[a] -= BIT if more else NOTHING
        queue[a] >>= BIT


def pulse_curved(m, w, queue, left, z, noise, own, law):
    """The same of a response with factors of its own."""
    for a in range(m):
        if left[a] == NOTHING:
            continue
        high, low = own[2, a], own[3, a]
        f_up, f_down, _, _ = factors(w[a], high, low, law)
        step = own[0, a] * f_up if queue[a] & BIT else -own[1, a] * f_down
        moved = w[a] + step * (ONE + noise * z[a])
        moved = high if moved > high else moved
        w[a] = low if moved < low else moved
        left[a] -= BIT
        queue[a] >>= BIT


def pulse_affine_wide(m, w, queue, left, z, noise, own, law):
    """:func:`pulse_affine` with noise in its wide form."""
    for a in range(m):
        up = (queue[a] & BIT) != NOTHING
        step, slope = (own[0, a] if up else -own[1, a]), (own[4, a] if up else own[5, a])
        step_at = step * (ONE - slope * w[a])
        share = multiple(w[a], own[2, a], own[3, a], law)
        strays = sigma(abs(step_at), abs(step), w[a], noise, share) * z[a]
        moved = w[a] + step_at + (strays if up else -strays)
        moved = own[2, a] if moved > own[2, a] else moved
        moved = own[3, a] if moved < own[3, a] else moved
        more = left[a] != NOTHING
        w[a] = moved if more else w[a]
        left[a] -= BIT if more else NOTHING
        queue[a] >>= BIT


def pulse_curved_wide(m, w, queue, left, z, noise, own, law):
    """:func:`pulse_curved` with noise in its wide form."""
    for a in range(m):
        if left[a] == NOTHING:
            continue
        high, low = own[2, a], own[3, a]
        f_up, f_down, _, _ = factors(w[a], high, low, law)
        up = queue[a] & BIT
        step, one = (own[0, a] * f_up, own[0, a]) if up else (-own[1, a] * f_down, own[1, a])
        strays = sigma(abs(step), one, w[a], noise, multiple(w[a], high, low, law)) * z[a]
        moved = w[a] + step + (strays if up else -strays)
        moved = high if moved > high else moved
        w[a] = low if moved < low else moved
        left[a] -= BIT
        queue[a] >>= BIT


@kernel(error_model="numpy")
def _waiting(m, left):
    active = 0
    for a in range(m):
        active += left[a] != NOTHING
    return active


@kernel
def _compact(m, home, where, w, queue, left, own):
    """Bring all m weights home, drop the devices that are done; return how many remain."""
    k = 0
    for a in range(m):
        home[where[a]] = w[a]
        where[k], w[k], queue[k], left[k] = where[a], w[a], queue[a], left[a]
        for n in range(own.shape[0]):
            own[n, k] = own[n, a]
        k += left[k] != NOTHING
    return k


@kernel
def _thinned(m, home, where, w, queue, left, own):
    """Compact where many are done: the draws of the others would be wasted."""
    active = _waiting(m, left)
    return _compact(m, home, where, w, queue, left, own) if active == 0 or active < BUSY * m else m


@kernel
def _gather(first, begin, columns, devices, home, where, w, queue, left, own):
    """List those devices of a tile that have pulses, which are few; return how many."""
    k, i, j = 0, first, begin
    up, down, high, low = devices.up, devices.down, devices.high, devices.low
    one, other = devices.slope_up, devices.slope_down
    for a in range(home.shape[0]):
        if left[a] != NOTHING:
            where[k], w[k], queue[k], left[k] = a, home[a], queue[a], left[a]
            own[0, k] = up[i if up.shape[0] > 1 else 0, j]
            own[1, k] = down[i if down.shape[0] > 1 else 0, j]
            own[2, k] = high[i if high.shape[0] > 1 else 0, j]
            own[3, k] = low[i if low.shape[0] > 1 else 0, j]
            own[4, k] = one[i if one.shape[0] > 1 else 0, j]
            own[5, k] = other[i if other.shape[0] > 1 else 0, j]
            k += 1
        j += 1
        if j == begin + columns:
            i, j = i + 1, begin
    return k


@kernel
def take(first, last, begin, end, weights, devices, home, where, w, queue, left, own):
    """List the devices of a tile with their weights and parameters; return how many are in the first turn.

    home, where, w, queue, left (rows * columns,) and own (6, rows * columns): the weights' place, and the devices still
    in play with index, weight, queue, its length, and parameters in the order of :class:`Devices`.
    """
    columns = end - begin
    for i in range(first, last):
        at = (i - first) * columns
        home[at : at + columns] = weights[i, begin:end]
    active = _waiting(home.shape[0], left)
    if active < BUSY * home.shape[0]:
        return _gather(first, begin, columns, devices, home, where, w, queue, left, own) if active else 0
    for n, field in enumerate(devices):
        for i in range(first, last):
            at = (i - first) * columns
            own[n, at : at + columns] = field[i if field.shape[0] > 1 else 0, begin:end]
    for a in range(home.shape[0]):
        where[a], w[a] = a, home[a]
    return home.shape[0]


@kernel
def needed(up, down):
    """Return the slots of whole numbers of pulses, (out, in), of one tile, and the pulses; negative numbers are none.

    An input is pulsed as often as its neediest device takes, up and then down.
    """
    most, pulses, slots = np.zeros((2, up.shape[1]), np.int64), np.int64(0), np.int64(0)
    for i in range(up.shape[0]):
        for j in range(up.shape[1]):
            ups, downs = max(np.int64(up[i, j]), 0), max(np.int64(down[i, j]), 0)
            most[0, j], most[1, j] = max(most[0, j], ups), max(most[1, j], downs)
            pulses += ups + downs
    for j in range(up.shape[1]):
        slots += most[0, j] + most[1, j]
    return float(slots), float(pulses)


def turn(m, law, noise, draws, home, where, w, queue, left, own):
    """Play one pulse on each of m devices, draws (1, m); return how many are in the next turn."""
    pulse_row(m, w, queue, left, draws[0], noise, own, law)
    return _thinned(m, home, where, w, queue, left, own)


def turns(m, law, noise, noisy, key, step, number, first, draws, home, where, w, queue, left, own):
    """Play turns from number ``first`` on until no device has a pulse left; return the number of the next one.

    draws (rows * columns,): of every turn those keyed by (key, step, turn, number), left as they are without noise.
    """
    while m:
        drawn = draws[:m].reshape(1, m)
        if noisy:
            fill_normals(key, step, first, number, drawn)
        m = turn(m, law, noise, drawn, home, where, w, queue, left, own)
        first += 1
    return first
