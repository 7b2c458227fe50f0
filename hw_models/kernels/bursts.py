# Tested by tests/hw_models/arrays/test_bursts.py.
"""Kernels of bursts: so many pulses one after the other, all of a device up or all of them down.

Equations: :mod:`hw_models.laws.pulse_response`. A *line* is the devices of some whole rows of a tile, about as many as
a row of a large one has; a turn gives one pulse to every device of a line, and those that have got all of theirs leave
it where that saves more draws than it costs. So single columns move as many devices at a time as wide ones do.

Normals of a line have their own stream: block (line of the tile << ROW) + i of the counter (block, tile, again, step).
Shapes and names as in :mod:`hw_models.kernels.pulses`; nothing has fast-math flags, for the reason given there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from hw_models.kernels import normal_pairs, scalar
from hw_models.kernels.compiling import bound, kernel, unbound, written_out
from hw_models.kernels.cycle_noise import sigma
from hw_models.kernels.noise import schedule
from hw_models.kernels.parameters import differ, parameters
from hw_models.kernels.scalar import ONE
from hw_models.kernels.turns import ROW, shaped

WIDTH = 512
"""Most devices of a line: what is known of them stays in the first-level cache, and normals of a turn are at hand."""
FEW = 0.25
"""Share of a line that gets pulses, below which no others are taken up."""
DENSE, SORTING = 0.75, 3
"""Share of a line that is to get a pulse, below which the others may leave it, and what that costs for each of them, in
draws that would be wasted otherwise."""
factors = unbound
"""As in :mod:`hw_models.kernels.pulses`; :func:`of` fills this in, and the next."""
burst_row = unbound
""":func:`burst_affine` or :func:`burst_curved`, or one of their wide forms."""
multiple = unbound
""":mod:`hw_models.kernels.cycle_noise`."""


@kernel(error_model="numpy", forceinline=True)
def _cut(w, moved, high, low, more):
    """``moved`` within the bounds, or ``w`` where no pulse was left."""
    moved = high if moved > high else moved
    moved = low if moved < low else moved
    return moved if more else w


def burst_affine(w, left, ups, turn, z, noise, own, law):
    """Give one pulse to each device of more than ``turn`` of them; all (devices,), ``own`` the parameters of each.

    Those are the step of its direction, negative where it goes down, the slope of it, and both bounds.
    """
    steps, slopes, highs, lows = own
    for k in range(w.shape[0]):
        old, high, low = w[k], highs[k], lows[k]
        moved = old + steps[k] * (ONE - slopes[k] * old) * (ONE + noise * z[k])
        w[k] = _cut(old, moved, high, low, left[k] > turn)


def burst_curved(w, left, ups, turn, z, noise, own, law):
    """The same of a response with factors of its own.

    Both are multiplied by 1 or 0: of a choice, the compiler makes branches around them.
    """
    steps, _, highs, lows = own
    for k in range(w.shape[0]):
        old, high, low = w[k], highs[k], lows[k]
        f_up, f_down, _, _ = factors(old, high, low, law)
        up = np.float32(ups[k])
        step = steps[k] * (up * f_up + (ONE - up) * f_down)
        w[k] = _cut(old, old + step * (ONE + noise * z[k]), high, low, left[k] > turn)


def burst_affine_wide(w, left, ups, turn, z, noise, own, law):
    """:func:`burst_affine` with noise in its wide form."""
    steps, slopes, highs, lows = own
    for k in range(w.shape[0]):
        old, high, low = w[k], highs[k], lows[k]
        step = steps[k] * (ONE - slopes[k] * old)
        strays = sigma(abs(step), abs(steps[k]), old, noise, multiple(old, high, low, law)) * z[k]
        w[k] = _cut(old, old + step + (strays if ups[k] else -strays), high, low, left[k] > turn)


def burst_curved_wide(w, left, ups, turn, z, noise, own, law):
    """:func:`burst_curved` with noise in its wide form."""
    steps, _, highs, lows = own
    for k in range(w.shape[0]):
        old, high, low = w[k], highs[k], lows[k]
        f_up, f_down, _, _ = factors(old, high, low, law)
        up = np.float32(ups[k])
        step = steps[k] * (up * f_up + (ONE - up) * f_down)
        strays = sigma(abs(step), abs(steps[k]), old, noise, multiple(old, high, low, law)) * z[k]
        w[k] = _cut(old, old + step + (strays if ups[k] else -strays), high, low, left[k] > turn)


@kernel
def _filled(numbers, weights, own, w, left, ups, chosen):
    """Write weights, numbers of pulses and parameters of the devices of a row; all (devices,)."""
    up, down, high, low, one, other = own
    steps, slopes, highs, lows = chosen
    for k in range(numbers.shape[0]):
        number = numbers[k]
        rises = number > 0
        w[k], left[k], ups[k] = weights[k], number if rises else -number, rises
        steps[k], slopes[k] = (up[k] if rises else -down[k]), (one[k] if rises else other[k])
        highs[k], lows[k] = high[k], low[k]


@kernel
def _listed(numbers, found):
    """Write the devices of a row that get pulses; return how many they are."""
    m = np.uint32(0)
    for k in range(numbers.shape[0]):
        found[m] = k
        m += np.uint32(numbers[k] != 0)
    return m


@kernel
def _picked(numbers, weights, source, m, place, w, left, ups, own, order, found):
    """:func:`_filled` of those devices of a row that get pulses, behind the first m; return how many there are then.

    ``place``: where the row begins in its line.
    """
    up, down, high, low, one, other = source
    steps, slopes, highs, lows = own
    many = _listed(numbers, found)
    for n in range(many):
        k, q = found[n], m + n
        number = numbers[k]
        rises = number > 0
        w[q], left[q], ups[q], order[q] = weights[k], abs(number), rises, place + k
        steps[q], slopes[q] = (up[k] if rises else -down[k]), (one[k] if rises else other[k])
        highs[q], lows[q] = high[k], low[k]
    return m + many


@kernel
def _busy(left, turn):
    """Return how many devices of a line have more pulses than ``turn``."""
    found = np.int32(0)
    for k in range(left.shape[0]):
        found += np.int32(left[k] > turn)
    return found


@kernel
def _some(numbers):
    """Return how many devices of a row get pulses."""
    found = np.int32(0)
    for k in range(numbers.shape[0]):
        found += np.int32(numbers[k] != 0)
    return found


@kernel
def _most(left):
    """Return the most pulses of a device."""
    found = np.int32(0)
    for k in range(left.shape[0]):
        found = max(found, left[k])
    return np.int32(found)


@kernel
def _home(w, order, listed, line):
    """Write the weights of a line's devices where these are."""
    if not listed:
        line[: w.shape[0]] = w
        return
    for k in range(w.shape[0]):
        line[order[k]] = w[k]


@kernel
def _leave(m, turn, listed, w, left, ups, own, order, found):
    """Keep those of the m devices of a line that have more pulses than ``turn``; return how many they are."""
    steps, slopes, highs, lows = own
    busy = np.uint32(0)
    for k in range(m):
        found[busy] = k
        busy += np.uint32(left[k] > turn)
    for q in range(busy):
        k = found[q]
        w[q], left[q], ups[q] = w[k], left[k], ups[k]
        steps[q], slopes[q], highs[q], lows[q] = steps[k], slopes[k], highs[k], lows[k]
        order[q] = order[k] if listed else k
    return np.int64(busy)


@kernel
def _room(weights, width):
    """Return memory for a line of so many devices: weights, numbers and directions, parameters, two lists, weights."""
    real = weights.dtype
    own = (np.empty(width, real), np.empty(width, real), np.empty(width, real), np.empty(width, real))
    devices = np.empty(width, real), np.empty(width, np.int32), np.empty(width, np.bool_)
    return devices, own, (np.empty(width, np.uint32), np.empty(width, np.uint32)), np.empty(width, real)


@kernel
def _take_up(rows, a, b, begin, numbers, weights, devices, listed, room):
    """Write the devices of a line, those that get pulses where it is ``listed``; return how many they are."""
    (w, left, ups), own, (order, found), line = room
    source, many, m = parameters(devices, 0, begin + a, begin + b), differ(devices), np.int64(0)
    for i in range(rows[0], rows[1]):
        k, h = (i - rows[0]) * (b - a), (i - rows[0] + 1) * (b - a)
        if many:
            source = parameters(devices, i, begin + a, begin + b)
        row = weights[i, begin + a : begin + b]
        line[k:h] = row
        if listed:
            m = np.int64(_picked(numbers[i, a:b], row, source, m, k, w, left, ups, own, order, found))
        else:
            part = own[0][k:h], own[1][k:h], own[2][k:h], own[3][k:h]
            _filled(numbers[i, a:b], row, source, w[k:h], left[k:h], ups[k:h], part)
            m = np.int64(h)
    return m


def give(tile, begin, numbers, weights, devices, law, noise, shape, draws):
    """Give the devices of a tile so many pulses, ``numbers`` (out, columns) whole numbers, down where negative.

    tile: first row and the one after the last, first column of the numbers and the one after the last, at most WIDTH;
    ``begin``: which column of the weights the first of the numbers is. shape: as of
    :func:`hw_models.kernels.turns.play`. draws: key, step and number of the tile.
    """
    first, last, a, b = tile
    key, step, number = draws
    noisy, root, half, log_noise = shape
    columns, keys, (bits, z) = b - a, schedule(key), normal_pairs.memory()
    rows = max(1, WIDTH // columns)
    room = _room(weights, rows * columns)
    (w, left, ups), own, (order, found), line = room
    z[:] = 0
    for top in range(first, last, rows):
        bottom, busy = min(last, top + rows), 0
        for i in range(top, bottom):
            busy += _some(numbers[i, a:b])
        if busy == 0:
            continue
        listed = busy < FEW * (bottom - top) * columns
        m = _take_up((top, bottom), a, b, begin, numbers, weights, devices, listed, room)
        turn, most, block, again, at, have = np.int32(0), _most(left[:m]), np.int64(0), 0, 0, 0
        while turn < most:
            if turn > 0 and busy < DENSE * m and (m - busy) * (most - turn) > SORTING * m:
                _home(w[:m], order, listed, line)
                m, listed = _leave(m, turn, listed, w, left, ups, own, order, found), True
            if noisy and at + m > have:
                blocks = normal_pairs.blocks_of(m * min(most - turn, normal_pairs.MANY // m))
                if block + blocks > 1 << ROW:
                    block, again = np.int64(0), again + 1
                start = ((top - first) // rows << ROW) + block
                normal_pairs.draw(keys, start, blocks, number, again, step, bits, z)
                block, at, have = block + blocks, 0, 4 * blocks
                if log_noise > 0:
                    shaped(z[:have], root, half, log_noise)
            some = own[0][:m], own[1][:m], own[2][:m], own[3][:m]
            burst_row(w[:m], left[:m], ups[:m], turn, z[at : at + m], noise, some, law)
            at += m if noisy else 0
            turn = np.int32(turn + 1)  # a sum of two would be of 64 bits, and all it is given to compiled for both
            busy = _busy(left[:m], turn)
        if listed:
            _home(w[:m], order, listed, line)
        moved = line if listed else w
        for i in range(top, bottom):
            weights[i, begin + a : begin + b] = moved[(i - top) * columns : (i - top + 1) * columns]


@kernel
def needed(numbers, first, last, a, b):
    """Return the slots of numbers of pulses, (out, columns), of rows and columns of one tile, and the pulses.

    An input is pulsed as often as its neediest device takes, up and then down.
    """
    most, least, pulses, slots = np.zeros(b - a, np.int32), np.zeros(b - a, np.int32), np.int64(0), np.int64(0)
    for i in range(first, last):
        row = numbers[i, a:b]
        for j in range(b - a):
            most[j], least[j] = max(most[j], row[j]), min(least[j], row[j])
        for j in range(b - a):
            pulses += abs(np.int64(row[j]))
    for j in range(b - a):
        slots += np.int64(most[j]) - np.int64(least[j])
    return slots, pulses


@cache
def of(law: Callable[..., object] | None, wide: Callable[..., object] | None) -> Callable[..., object]:
    """Return :func:`give` of a response with these factors, None of the affine ones; compiled at its first call.

    ``wide`` is the multiple m(w) of a cycle-to-cycle noise in the wide form; without one it has the plain form.
    """
    if law is None:
        kind, row = "affine", burst_affine if wide is None else burst_affine_wide
    else:
        kind, row = law.__qualname__, burst_curved if wide is None else burst_curved_wide
    kind = kind if wide is None else f"{kind}-{wide.__qualname__}"
    names = {"multiple": written_out(scalar.alike if wide is None else wide)}
    if law is not None:
        names["factors"] = written_out(law)
    # those of affine responses are short; written out, the others would not vectorise
    inlined = {"forceinline": True} if law is None else {}
    one = kernel(bound(row, kind, **names), error_model="numpy", **inlined)
    found: Callable[..., object] = kernel(bound(give, kind, burst_row=one))
    return found
