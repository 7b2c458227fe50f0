# Tested by tests/hw_models/arrays/test_pulses.py.
"""Kernels of pulses that are played one by one; equations in :mod:`hw_models.laws.pulse_response`.

They wait in two words per device: a bit for each pulse, from bit 0 on, and beside it whether it goes up. A turn plays
one pulse on every device of a group. Devices of a row are sorted by how many pulses wait, so that those of a group take
as many turns: next to no draw is wasted, and a device without pulses costs no more than the look at its word.

Normals of a row have their own stream: block (row of the tile << ROW) + i of the counter (block, tile, again, step).
Shapes and names as in :mod:`hw_models.kernels.pulses`, which compiles a turn for every response; nothing has fast-math
flags, for the reason given there. Covered by tests/hw_models/arrays/test_pulses.py.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels import normal_pairs, scalar
from hw_models.kernels.compiling import bit_count, kernel, unbound, written_out
from hw_models.kernels.cycle_noise import sigma
from hw_models.kernels.noise import schedule
from hw_models.kernels.parameters import differ, parameters
from hw_models.kernels.scalar import ONE

GROUP = 64
"""Devices that take their turns together: few enough to stay in the nearest memory, many enough for whole vectors."""
SLOTS = 64
"""Of a word."""
ROW = 20
"""Bits of the counter for the blocks of one row."""
BIT, NOTHING, STILL = np.uint64(1), np.uint64(0), np.int32(0)
factors = unbound
"""As in :mod:`hw_models.kernels.pulses`, which fills this in, and the next."""
pulse_row = unbound
""":func:`pulse_affine` or :func:`pulse_curved`, or one of their wide forms."""
take_row = unbound
""":func:`leave` or :func:`take`."""
multiple = unbound
""":mod:`hw_models.kernels.cycle_noise`."""
_exp = written_out(scalar.exp)


@kernel(error_model="numpy", forceinline=True)
def _cut(w, moved, high, low, more):
    """``moved`` within the bounds, or ``w`` where no pulse was left."""
    moved = high if moved > high else moved
    moved = low if moved < low else moved
    return moved if more else w


@kernel
def take(waits, ups, way):
    """Take one pulse of each device that has one left: write 1 up, -1 down, 0 of none.

    For loops that words of two widths would keep from vectorising.
    """
    for a in range(waits.shape[0]):
        left = waits[a]
        rest = left & (left - (BIT if left != NOTHING else NOTHING))
        one = np.int32(1) if (ups[a] & (left ^ rest)) != NOTHING else np.int32(-1)
        way[a] = one if left != NOTHING else STILL
        waits[a] = rest


@kernel(error_model="numpy", forceinline=True)
def leave(waits, ups, way):
    """Take none: loops that are as fast with what waits do it themselves."""


def pulse_affine(w, waits, ups, way, z, noise, own, law):
    """Play one pulse on each device that has one left; all (devices,), ``own`` the parameters of each."""
    s_up, s_down, highs, lows, c_up, c_down = own
    for a in range(w.shape[0]):
        left, old, high, low = waits[a], w[a], highs[a], lows[a]
        up_step, down_step, one, other = s_up[a], -s_down[a], c_up[a], c_down[a]
        more = left != NOTHING
        rest = left & (left - (BIT if more else NOTHING))
        up = (ups[a] & (left ^ rest)) != NOTHING
        step, slope = (up_step if up else down_step), (one if up else other)
        moved = old + step * (ONE - slope * old) * (ONE + noise * z[a])
        w[a] = _cut(old, moved, high, low, more)
        waits[a] = rest


def pulse_curved(w, waits, ups, way, z, noise, own, law):
    """The same of a response with factors of its own.

    Both ways are computed and multiplied by 1 or 0: of a choice, the compiler makes branches around the factors.
    """
    s_up, s_down, highs, lows, _, _ = own
    for a in range(w.shape[0]):
        old, high, low = w[a], highs[a], lows[a]
        up, down = np.float32(way[a] > STILL), np.float32(way[a] < STILL)
        f_up, f_down, _, _ = factors(old, high, low, law)
        step = up * (s_up[a] * f_up) - down * (s_down[a] * f_down)
        w[a] = _cut(old, old + step * (ONE + noise * z[a]), high, low, way[a] != STILL)


def pulse_affine_wide(w, waits, ups, way, z, noise, own, law):
    """:func:`pulse_affine` with noise in its wide form."""
    s_up, s_down, highs, lows, c_up, c_down = own
    for a in range(w.shape[0]):
        left, old, high, low = waits[a], w[a], highs[a], lows[a]
        up_step, down_step, one, other = s_up[a], -s_down[a], c_up[a], c_down[a]
        more = left != NOTHING
        rest = left & (left - (BIT if more else NOTHING))
        up = (ups[a] & (left ^ rest)) != NOTHING
        step, slope = (up_step if up else down_step), (one if up else other)
        step_at = step * (ONE - slope * old)
        strays = sigma(abs(step_at), abs(step), old, noise, multiple(old, high, low, law)) * z[a]
        w[a] = _cut(old, old + step_at + (strays if up else -strays), high, low, more)
        waits[a] = rest


def pulse_curved_wide(w, waits, ups, way, z, noise, own, law):
    """:func:`pulse_curved` with noise in its wide form."""
    s_up, s_down, highs, lows, _, _ = own
    for a in range(w.shape[0]):
        old, high, low = w[a], highs[a], lows[a]
        up, down = np.float32(way[a] > STILL), np.float32(way[a] < STILL)
        f_up, f_down, _, _ = factors(old, high, low, law)
        step = up * (s_up[a] * f_up) - down * (s_down[a] * f_down)
        one = up * s_up[a] + down * s_down[a]
        strays = sigma(abs(step), one, old, noise, multiple(old, high, low, law)) * z[a]
        w[a] = _cut(old, old + step + (up - down) * strays, high, low, way[a] != STILL)


@kernel
def _sorted(waits, found, counts, places, order):
    """Write the devices of a row that have pulses, those with few first, and how many; return how many they are."""
    m = 0
    for j in range(waits.shape[0]):
        found[m] = j
        m += waits[j] != NOTHING
    places[:] = 0
    for k in range(m):
        count = np.int64(bit_count(waits[found[k]]))
        counts[k] = count
        places[count] += 1
    place = 0
    for k in range(places.shape[0]):
        place, places[k] = place + places[k], place
    for k in range(m):
        place = places[counts[k]]
        places[counts[k]] = place + 1
        order[place] = found[k]
    return m


@kernel
def _gather(m, order, own, source):
    """Write the parameters of m devices of a row, ``source`` with those of all of them, in their order."""
    for k in range(m):
        j = order[k]
        own[0][k], own[1][k], own[2][k] = source[0][j], source[1][j], source[2][j]
        own[3][k], own[4][k], own[5][k] = source[3][j], source[4][j], source[5][j]


@kernel
def _turns(m, left, turns):
    """Write the turns of every group of the m devices of a row; return the normals that they take."""
    found = 0
    for g in range(0, m, GROUP):
        end = min(m, g + GROUP)
        turns[g // GROUP] = np.int64(bit_count(left[end - 1]))
        found += (end - g) * turns[g // GROUP]
    return found


@kernel(error_model="numpy")
def shaped(z, root, half, noise):
    """Turn normals into log-normal draws of mean 0 and variance 1, :func:`hw_models.laws.pulse_spread.log_normal`."""
    for k in range(z.shape[0]):
        z[k] = (_exp(root * z[k] - half) - ONE) / noise


def play(first, last, begin, end, weights, devices, law, noise, shape, key, step, number, again, waits, ups):
    """Play all pulses that wait on one tile, of which there are none left then.

    waits, ups (rows, columns) uint64; shape: 0 without noise, else 1, and root, half and noise of log-normal draws,
    noise 0 of normal ones; key, step, number of the tile and ``again``, how often it was played before: of the draws.
    """
    columns, keys = end - begin, schedule(key)
    bits, z = normal_pairs.memory()
    noisy, root, half, log_noise = shape
    found, counts, order = np.empty(columns, np.int64), np.empty(columns, np.int64), np.empty(columns, np.int64)
    places, turns = np.empty(SLOTS + 1, np.int64), np.empty((columns + GROUP - 1) // GROUP, np.int64)
    w, real = np.empty(columns, weights.dtype), weights.dtype
    left, up, way = np.empty(columns, np.uint64), np.empty(columns, np.uint64), np.empty(columns, np.int32)
    own = (
        np.empty(columns, real), np.empty(columns, real), np.empty(columns, real),
        np.empty(columns, real), np.empty(columns, real), np.empty(columns, real),
    )  # fmt: skip
    source, many = parameters(devices, 0, begin, end), differ(devices)
    z[:] = 0
    for i in range(first, last):
        m = _sorted(waits[i - first], found, counts, places, order)
        if m == 0:
            continue
        line, line_waits, line_ups = weights[i, begin:end], waits[i - first], ups[i - first]
        for k in range(m):
            j = order[k]
            w[k], left[k], up[k], line_waits[j] = line[j], line_waits[j], line_ups[j], NOTHING
        if many:
            source = parameters(devices, i, begin, end)
        _gather(m, order, own, source)
        rest, block, at, have = _turns(m, left, turns), (i - first) << ROW, 0, 0
        for g in range(0, m, GROUP):
            h = min(m, g + GROUP)
            group = (
                own[0][g:h], own[1][g:h], own[2][g:h], own[3][g:h], own[4][g:h], own[5][g:h],
            )  # fmt: skip
            group_w, group_left, group_up, group_way = w[g:h], left[g:h], up[g:h], way[g:h]
            for _ in range(turns[g // GROUP]):
                if noisy and at + (h - g) > have:
                    many_blocks = normal_pairs.blocks_of(rest)
                    normal_pairs.draw(keys, block, many_blocks, number, again, step, bits, z)
                    block, at, have = block + many_blocks, 0, 4 * many_blocks
                    if log_noise > 0:
                        shaped(z[:have], root, half, log_noise)
                take_row(group_left, group_up, group_way)
                pulse_row(group_w, group_left, group_up, group_way, z[at : at + (h - g)], noise, group, law)
                if noisy:
                    at += h - g
                    rest -= h - g
        for k in range(m):
            line[order[k]] = w[k]


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
