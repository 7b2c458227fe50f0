# Tested by tests/hw_models/kernels/test_leaps.py.
"""Kernels that move tiles of devices by one step each where nothing speaks against it, and leave the others alone.

A tile is counted, assessed and moved before the next one is begun, so that its numbers of pulses stay in the caches;
what is left goes the long way of :mod:`hw_models.arrays.expected`. Shapes and names as in
:mod:`hw_models.kernels.pulses`, which compiles these loops; nothing has fast-math flags, for the reason given there.
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels import normal_pairs, scalar
from hw_models.kernels.bounds import ENDLESS, within
from hw_models.kernels.compiling import kernel, unbound, written_out
from hw_models.kernels.cycle_noise import GRAIN
from hw_models.kernels.noise import schedule
from hw_models.kernels.parameters import differ, parameters
from hw_models.kernels.scalar import HALF, ONE, TINY, ZERO
from hw_models.kernels.trains import coincide, coincide_signed
from hw_models.kernels.turns import ROW

FOUR, SIXTH = np.float32(4), np.float32(1 / 6)
CHECKED = 16
"""First rows of a tile, after which it is given up where one of their devices may meet a bound or forgets too much."""
_near = written_out(scalar.near)
leap_row = unbound
"""One row of :func:`leap`."""
assess = advance = unbound
""":func:`hw_models.kernels.bounds.assess` and :func:`hw_models.kernels.pulses._advance`."""


def leap_affine(w, numbers, z, own, how, ended, met):
    """Write where one step brings the devices of one row, of noise in its plain form; return their largest exponent.

    :func:`hw_models.kernels.pulses._advance_affine` without pairs of phases, and beside it whether a device may meet a
    bound or is too coarse, added to ``met`` (devices,) as 1. What pulses stray by is that of the whole step, more than
    a single way does.
    """
    ups, downs = numbers
    steps_up, steps_down, highs, lows, c_up, c_down = own
    noise, sigmas, soft = how
    top, square, deepest = np.int32(0), noise * noise, HALF * HALF * sigmas * sigmas * noise * noise
    coarse, ahead = GRAIN * GRAIN / (ONE + square), ZERO if soft else ONE
    for j in range(w.shape[0]):
        old, n_up, n_down, s_up, s_down, high, low, one, other = (
            w[j], ups[j], downs[j], steps_up[j], steps_down[j], highs[j], lows[j], c_up[j], c_down[j],
        )  # fmt: skip
        start = within(old, high, low)
        bend_up, bend_down, pulses = s_up * one, s_down * other, n_up + n_down
        step_up, step_down = s_up - bend_up * start, s_down - bend_down * start
        up, down = s_up * (n_up + HALF * bend_up * n_up), s_down * (n_down - HALF * bend_down * n_down)
        half, drift = HALF * (down * other - up * one), up - down
        phi = HALF * _near(half)
        twice = half + half
        kept, middle = ONE + twice * phi, start + phi * (drift + twice * start)
        moved = middle + phi * (drift + twice * middle)
        given_up, given_down = s_up * s_up * n_up, s_down * s_down * n_down
        f0, f1, f2 = ONE - one * start, ONE - one * middle, ONE - one * moved
        h0, h1, h2 = ONE - other * start, ONE - other * middle, ONE - other * moved
        squared = kept * kept
        g0, g1 = given_up * f0 * f0 + given_down * h0 * h0, given_up * f1 * f1 + given_down * h1 * h1
        total = squared * (squared * g0 + FOUR * g1) + (given_up * f2 * f2 + given_down * h2 * h2)
        late = ONE - twice / (TINY if pulses < TINY else pulses)
        spread = square * (bend_up * bend_up * n_up + bend_down * bend_down * n_down)
        deviation = noise * np.sqrt((late + HALF * spread) * SIXTH * total)
        bends_up, bends_down = abs(bend_up), abs(bend_down)
        exponent = n_up * bends_up + n_down * bends_down
        room = ONE + exponent
        stray = sigmas * deviation * room
        deep = deepest * room
        behind_up, behind_down = deep * abs(step_up), deep * abs(step_down)
        behind_up = stray if stray < behind_up else behind_up
        behind_down = stray if stray < behind_down else behind_down
        rise = behind_down + ahead * (n_up * abs(step_up) * room + stray)
        fall = behind_up + ahead * (n_down * abs(step_down) * room + stray)
        largest = bends_up if bends_up > bends_down else bends_down
        safe = (old + rise <= high) & (old - fall >= low) & (largest * largest <= coarse)
        met[j] |= np.uint8(0) if safe else np.uint8(1)
        bits = np.float32(exponent).view(np.int32)
        top = max(top, bits if bits <= ENDLESS else np.int32(0))
        moved += deviation * z[j]
        moved = high if moved > high else moved
        moved = low if moved < low else moved
        ended[j] = old if pulses <= ZERO else moved
    return np.int32(top)


@kernel
def _pulses_of(trains, a, b, begin, end, planes):
    """Fill the planes of one tile with numbers of pulses up and down; return their sum."""
    up, down, mixed = trains
    if mixed[0][0].shape[0]:
        return coincide_signed(a, b, begin, end, mixed[1], mixed[0], planes)
    pulses = coincide(a, b, begin, end, up[1], up[0], planes[0])
    return pulses + coincide(a, b, begin, end, down[1], down[0], planes[1])


@kernel
def _any(met):
    """Return whether any of them is set."""
    found = np.uint8(0)
    for j in range(met.shape[0]):
        found |= met[j]
    return found != 0


def leap(edges, begin, end, trains, limits, draws, weights, devices, law, how, noise, planes, found, reached):
    """:func:`attempt` in a single pass over the devices, which moves them aside until all of the tile can."""
    most, apart = limits
    noisy, key, step, number = draws
    columns, keys, (bits, z) = end - begin, schedule(key), normal_pairs.memory()
    ended, met = np.empty(planes.shape[1:], weights.dtype), np.empty(columns, np.uint8)
    own, many = parameters(devices, 0, begin, end), differ(devices)
    z[:] = 0
    for n in range(found.shape[0]):
        a, b = edges[n], edges[n + 1]
        pulses, top, i, bad = np.int64(0), np.int32(0), a, False
        met[:] = 0
        while i < b and not bad:
            c = min(a + CHECKED, b) if i == a else b
            pulses += _pulses_of(trains, i, c, begin, end, (planes[0, i - a : c - a], planes[1, i - a : c - a]))
            while i < c:
                k = i - a
                if many:
                    own = parameters(devices, i, begin, end)
                if noisy:
                    count = normal_pairs.blocks_of(columns)
                    normal_pairs.draw(keys, k << ROW, count, number + n * apart, 0, step, bits, z)
                largest = leap_row(weights[i, begin:end], (planes[0, k], planes[1, k]), z, own, how, ended[k], met)
                top = np.int32(max(top, largest))
                i += 1
            reached[n] = np.int32(top).view(np.float32)
            bad = _any(met) or reached[n] > most
        found[n] = -1 if bad else pulses
        if not bad:
            for i in range(a, b):
                weights[i, begin:end] = ended[i - a]


def attempt(edges, begin, end, trains, limits, draws, weights, devices, law, how, noise, planes, found, reached):
    """Move tiles of rows one after the other, of a column block, but for those that need a closer look.

    Moved is a tile in which no device may meet a bound and the largest exponent is at most the first of ``limits``.
    edges (tiles + 1,): their first rows, and where the last one ends; ``planes`` has room for any of them. trains:
    packed words of lines, post and pre, of pulses up, of pulses down, and with signs. draws: as of
    :func:`hw_models.kernels.pulses._advance`, the number of the first tile in them; the second of ``limits`` is by how
    much those of the next are larger. ``found`` (tiles,): the pulses of each, -1 where nothing was moved. ``reached``
    (tiles,): their largest exponents, as far as they were looked at.
    """
    most, apart = limits
    noisy, key, step, number = draws
    orders, stays = np.zeros((1, end - begin), weights.dtype), np.zeros((1, end - begin), np.bool_)
    exponents, near = np.empty((1, end - begin), weights.dtype), np.empty(planes.shape[1:], np.bool_)
    for n in range(found.shape[0]):
        a, b = edges[n], edges[n + 1]
        pulses, i, bad, reached[n] = np.int64(0), a, False, 0
        while i < b and not bad:
            c = min(a + CHECKED, b) if i == a else b
            some = planes[0, i - a : c - a], planes[1, i - a : c - a]
            pulses += _pulses_of(trains, i, c, begin, end, some)
            exponent, met = assess(i, c, begin, end, some, weights, devices, law, how, exponents, near)
            reached[n] = max(reached[n], exponent)
            bad, i = met > 0 or reached[n] > most, c
        found[n] = -1 if bad else pulses
        if not bad:
            own = noisy, key, step, number + n * apart
            advance(a, b, begin, end, planes, orders, stays, own, weights, devices, law, noise)
